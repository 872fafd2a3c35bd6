"""The network of the figure "Speak a digit": does it understand a voice that it has never heard, through a microphone?

Data. The Free Spoken Digit Dataset without theo, whose 500 recordings are the test. Every recording that is learned
from is heard in 4 copies, each slower or faster by up to a quarter, later by up to 0.2 seconds, and with noise of its
own loudness: what a microphone records begins late and is never silent.

Networks. The teacher, `spoken_teacher()`, learns the ground truth at the rate 0.001 for 705 updates. The student,
`spoken_student()`, learns the teacher's soft labels at T = 2, at the rate 0.003, for 1,692 updates. The rates are those
of studies/spoken. The student's weights are then rounded to int8, with a scale for each output of a layer.

Nothing is claimed: it is one teacher, one student and one speaker left out. studies/spoken compares the labels, and
leaves each speaker out. Nothing was chosen on theo's recordings for training. The record, which is exploratory, has the
accuracy on theo as recorded; and on theo somewhere in two seconds of noise, from which `word_of` takes 1.04 seconds, as
the figure does.

Examples. The figure shows six of theo's recordings as spectrograms of a byte a place, with the teacher's logits. They
lie in a file of their own, which says where they are from: they stay under the licence of that data set.

Data: `KDLEARN_DATA` names the folder, see `kdcourse.load_spoken_digits`.
Command: `python studies/speak_a_digit/plan.py` writes record.json beside this file, and in `kdcourse/figures`
speak_a_digit.safetensors, which carries the record too, and spoken_examples.safetensors; the processor's seconds, on
one thread, are in the record.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from time import process_time
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import kdcourse
import kdlearn
from kdcourse.data.sound import HOP
from kdcourse.data.spoken import ADDRESS, SAMPLES, folder_of, found_in, read_wave, split_by_speaker

FOLDER = Path(__file__).parent
RECORD = FOLDER / "record.json"
FIGURES = FOLDER.parents[1] / "kdcourse/figures"
WEIGHTS, EXAMPLES = FIGURES / "speak_a_digit.safetensors", FIGURES / "spoken_examples.safetensors"
LEFT_OUT, COPIES, TEMPERATURE, BATCH_SIZE = "theo", 4, 2.0, 64
FLOOR, STEP = math.log(1e-4), 0.05  # a byte of an example's spectrogram stands for FLOOR + STEP · byte


def recordings() -> dict[str, tuple[list[str], kdlearn.Split]]:
    """Of each split the files' names, and waves `(N, 8320)` with their digits."""
    found = found_in(folder_of(Path(os.environ.get("KDLEARN_DATA", "data"))))
    split = split_by_speaker(found, LEFT_OUT)
    waves = {name: torch.stack([read_wave(one.path) for one in some]) for name, some in split.items()}
    return {
        part: (
            [one.path.name for one in some],
            kdlearn.Split(waves[part], torch.tensor([one.digit for one in some])),
        )
        for part, some in split.items()
    }


def heard(waves: Tensor, seed: int) -> Tensor:
    """Another hearing of each recording: slower or faster, later, with noise; at a full swing again."""
    generator = torch.Generator().manual_seed(seed)
    speed, delay, loudness = torch.rand(3, len(waves), 1, generator=generator)
    places = (torch.arange(SAMPLES) - 1600 * delay) * 0.8 * 1.5625**speed
    left = places.floor().clamp(0, SAMPLES - 2).long()
    moved = torch.lerp(waves.gather(1, left), waves.gather(1, left + 1), (places - left).clamp(0, 1))
    moved = moved * ((places >= 0) & (places < SAMPLES - 1))
    noisy = moved + 1e-4 * 300**loudness * torch.randn(waves.shape, generator=generator)
    return noisy / noisy.abs().amax(dim=1, keepdim=True)


def in_a_room(waves: Tensor, seed: int) -> Tensor:
    """`(N, 16000)`: each recording somewhere in two seconds of noise, 40 dB below its peak."""
    generator = torch.Generator().manual_seed(seed)
    starts = torch.randint(0, 16000 - SAMPLES, (len(waves), 1), generator=generator)
    noise = 0.01 * torch.randn(len(waves), 16000, generator=generator)
    return noise.scatter_add(1, starts + torch.arange(SAMPLES), waves)


def word_of(samples: Tensor) -> Tensor:
    """Of `(n,)` samples, more than 1.04 seconds, the `(8320,)` with a word, at a full swing.

    Of the 65 frames in a row with the most energy, the first that together hold 0.5 % of it are left out, except six.
    """
    frames = samples[: len(samples) // HOP * HOP].double().view(-1, HOP).square().sum(dim=1)
    sums = frames.unfold(0, SAMPLES // HOP, 1).sum(dim=1)
    best = int(sums.argmax())
    quiet = int((frames[best:].cumsum(dim=0) < 0.005 * sums[best]).sum())
    word = samples[max(0, best + quiet - 6) * HOP :][:SAMPLES]
    return nn.functional.pad(word, (0, SAMPLES - len(word))) / word.abs().max()


def rounded(network: nn.Module) -> dict[str, Tensor]:
    """Kernels and matrices as int8 with a float32 scale for each output; biases float32."""
    tensors = {}
    for name, weight in network.state_dict().items():
        if weight.ndim == 1:
            tensors[name] = weight.clone()
        else:
            scale = weight.flatten(1).abs().amax(dim=1) / 127
            tensors[name.replace("weight", "scale")] = scale
            tensors[name] = (weight.flatten(1) / scale[:, None]).round().to(torch.int8).view(weight.shape)
    return tensors


def student_of(held: Mapping[str, Tensor]) -> nn.Module:
    """The student that the figure's file holds, in float64."""
    student = kdcourse.spoken_student().double()
    for name, weight in student.named_parameters():
        value = held[f"student.{name}"].double()
        scale = held[f"student.{name.replace('weight', 'scale')}"].double() if value.ndim > 1 else torch.ones(1)
        weight.data = value * scale.view(-1, *[1] * (value.ndim - 1))
    return student


def inputs_of(waves: Tensor, standard: Tensor) -> Tensor:
    """What the networks take, `(N, 1, 32, 64)`; `standard` holds mean and deviation."""
    mean, deviation = standard
    return (kdcourse.log_mel(waves).unsqueeze(1) - mean) / deviation


def networks() -> tuple[nn.Module, dict[str, Tensor]]:
    """The teacher, and what the figure's file holds."""
    known = recordings()["train"][1]
    copies = torch.cat([heard(known.inputs, seed) for seed in range(COPIES)])
    spectrograms = kdcourse.log_mel(copies)
    standard = torch.stack([spectrograms.mean(), spectrograms.std()])
    train = kdlearn.Split(inputs_of(copies, standard), known.labels.repeat(COPIES))
    data, options = kdlearn.Dataset(train, train), {"batch_size": BATCH_SIZE, "progress": False}
    teacher, student = (kdlearn.seeded(build, 0) for build in (kdcourse.spoken_teacher, kdcourse.spoken_student))
    truth, soft = kdlearn.GroundTruth(), kdlearn.SoftLabels(TEMPERATURE)
    kdlearn.distill(teacher, teacher, data, strategy=truth, num_epochs=5, optimizer=kdlearn.Adam(1e-3), **options)
    teacher.eval()
    kdlearn.distill(teacher, student, data, strategy=soft, num_epochs=12, optimizer=kdlearn.Adam(3e-3), **options)
    return teacher, {"standard": standard} | {f"student.{name}": one for name, one in rounded(student).items()}


def logits_of(network: nn.Module, waves: Tensor, standard: Tensor) -> Tensor:
    inputs = inputs_of(waves, standard.to(waves.dtype))
    return kdlearn.predict(network, inputs.to(next(network.parameters()).dtype))


def accuracies(network: nn.Module, test: kdlearn.Split, standard: Tensor) -> dict[str, float]:
    """In percent, as recorded and as a microphone hears it."""
    heard_words = torch.stack([word_of(room) for room in in_a_room(test.inputs, 0)])
    waves = {"as recorded": test.inputs, "in noise": heard_words}
    shares = {name: kdlearn.accuracy(logits_of(network, one, standard), test.labels) for name, one in waves.items()}
    return {name: round(100 * share, 1) for name, share in shares.items()}


def chosen(labels: Tensor, student: Tensor, teacher: Tensor) -> list[int]:
    """Six rows, each of another digit, by the logits of both; the teacher reads all of them rightly.

    Three that the student reads rightly and doubts: both put the same digit second, and the student gives it a share
    near 0.35. One that the student doubts least. Two that the student reads wrongly, and the teacher doubts least.
    """
    (_, heard), (_, taught) = student.topk(2), teacher.topk(2)
    share = student.softmax(dim=1).gather(1, heard[:, 1:]).squeeze(1)
    doubt = 1 - teacher.softmax(dim=1).amax(dim=1)
    right, both = heard[:, 0] == labels, taught[:, 0] == labels
    torn = right & (heard[:, 1] == taught[:, 1])
    kinds = 3 * [((share - 0.35).abs(), torn)] + [(share, right)] + 2 * [(doubt, ~right)]
    rows: list[int] = []
    for cost, suitable in kinds:
        new = ~torch.isin(labels, labels[rows])
        rows.append(int(torch.where(suitable & both & new, cost, math.inf).argmin()))
    return rows


def examples_of(
    teacher: nn.Module, held: Mapping[str, Tensor], names: list[str], test: kdlearn.Split
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What the file of examples holds, and what it says of them."""
    codes = ((kdcourse.log_mel(test.inputs) - FLOOR) / STEP).round().clamp(0, 255)
    mean, deviation = held["standard"]
    inputs = (FLOOR + STEP * codes.unsqueeze(1) - mean) / deviation
    taught, heard = kdlearn.predict(teacher, inputs), kdlearn.predict(student_of(held), inputs.double())
    rows = chosen(test.labels, heard, taught)
    spectrograms = codes[rows].to(torch.uint8).contiguous()
    told = [f"theo says {digit} (recording {name[:-4]})" for digit, _, name in (names[row].split("_") for row in rows)]
    source = f"log-mel spectrograms, rounded to bytes, of recordings of the Free Spoken Digit Dataset, {ADDRESS}"
    about = {"names": json.dumps(told), "source": source, "licence": "CC BY-SA 4.0"}
    return {"spectrograms": spectrograms, "teacher": taught[rows], "levels": torch.tensor([FLOOR, STEP])}, about


def write(teacher: nn.Module, held: Mapping[str, Tensor], start: float) -> None:
    """The record and both files; `start` is the processor's time before the training."""
    names, test = recordings()["test"]
    both = {"teacher": teacher, "student": student_of(held)}
    found: dict[str, Any] = {who: accuracies(network, test, held["standard"]) for who, network in both.items()}
    examples, about = examples_of(teacher, held, names, test)
    record = {"recordings": len(names), **found, "seconds": round(process_time() - start)}
    save_file(dict(held), WEIGHTS, {"record": json.dumps(record)})
    save_file(examples, EXAMPLES, about)
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    print(RECORD.read_text())


if __name__ == "__main__":
    torch.set_num_threads(1)
    begun = process_time()
    write(*networks(), begun)
