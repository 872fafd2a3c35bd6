"""Many labels at once: does a teacher's doubt about each digit of a picture help, and because it says which?

Pictures of 16×16 pixels hold two or three digits of different classes (`kdcourse.compose_pictures`). A network answers
ten questions, yes or no; soft labels are sigmoids at a temperature (`binary_distillation_loss`).

Arms. A student of 4,282 parameters on 120 or on all 1,200 pictures, after 300, 1,000 and 3,000 updates: ground truth,
the teacher's hard labels, its soft labels at T = 1, 2 and 4. The teacher is a convolutional network of 46,650
parameters, on 1,200 pictures.

Control. Spread evenly, the doubt of a yes-or-no answer is itself. So the control is another (`shuffled`): in each
picture the teacher's logits of the digits to which it says no change places among those, and likewise those to which it
says yes. Hard labels and the amount of doubt stay as they are; which digit nearly is there is taken away.

Repetition. 16 replicates, 5000 to 5015, each with digits, pictures and a teacher of its own, and four seeds. Nothing is
chosen on these pictures: T = 2 and the rate 0.003 are those of studies/digits.

Measured: mean average precision, in points. Planned, one Holm family of four, at 3,000 updates, T = 2, two-sided,
Student's t over the replicates' means:
1. on 120 pictures: soft labels - ground truth;
2. on 120 pictures: soft labels - hard labels of the same teacher (softness);
3. on 120 pictures: soft labels - shuffled ones (which digit nearly is there);
4. (soft labels - ground truth) on 120 pictures - the same on 1,200.
All else is exploratory. Replicate 0, with students of 5 updates, tried the code; there was no pilot.

Command: `python studies/many_labels/plan.py FOLDER --workers 2` writes comparison.parquet beside this file.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
import typer
from torch import Tensor, nn

import kdcourse
import kdlearn
from kdlearn import Dataset, GroundTruth, Run, SoftLabels, TeachersHardLabels, YesOrNo
from kdlearn.data.dataset import generator_of
from kdlearn.formulas.intervals import Interval, interval
from kdlearn.formulas.many_labels import mean_average_precision, yes_or_no

RECORD = Path(__file__).with_name("comparison.parquet")
REPLICATES, SEEDS, LENGTHS, PICTURES, BATCH_SIZE, RATE = range(5000, 5016), range(4), (300, 1000, 3000), 120, 60, 3e-3
HARD, SHUFFLED = TeachersHardLabels(), "shuffled"
METRIC = "mean_average_precision"


def student() -> nn.Module:
    return nn.Sequential(kdlearn.perceptron(256, 16, 10), YesOrNo())


def teacher_network(width: int = 16) -> nn.Module:
    """Two convolutions, and logits of yes and no for each digit."""
    return nn.Sequential(
        nn.Conv2d(1, width, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * width * 4 * 4, 80),
        nn.ReLU(),
        nn.Linear(80, 10),
        YesOrNo(),
    )


@cache
def pictures(replicate: int) -> Dataset:
    return kdcourse.compose_pictures(kdlearn.load_digits(replicate), seed=replicate)


@cache
def few(replicate: int) -> Dataset:
    """The same of which a student sees the first 120; their order is drawn."""
    data = pictures(replicate)
    return replace(data, train=data.train.take(torch.arange(PICTURES)))


def teacher(replicate: int, num_updates: int = 900) -> Run:
    options = {"optimizer": kdlearn.Adam(1e-3), "batch_size": BATCH_SIZE, "metric": mean_average_precision}
    return Run(pictures(replicate), teacher_network, lengths=(num_updates,), replicate=replicate, **options)


def shuffled(logits: Tensor, seed: int) -> Tensor:
    """Logits `(N, C, 2)` whose answers no change places within their picture, and whose answers yes do."""
    score = logits[..., 1] - logits[..., 0]
    keys = torch.rand(score.shape, generator=generator_of(seed, 9))
    said = (score > 0).to(keys.dtype)
    places = (said + keys).argsort(dim=1)  # first all places of no, in an order that is drawn, then those of yes
    sources = (said + torch.rand(score.shape, generator=generator_of(seed, 10))).argsort(dim=1)
    return yes_or_no(torch.zeros_like(score).scatter(1, places, score.gather(1, sources)))


def runs_of(
    replicate: int, logits: Mapping[str, Tensor], seeds: Iterable[int] = SEEDS, lengths: tuple[int, ...] = LENGTHS
) -> Iterator[Run]:
    """A replicate's students, by pictures, arm and seed; `logits` is what its teacher says of all pictures."""
    for data, number in ((few(replicate), PICTURES), (pictures(replicate), len(pictures(replicate).train.labels))):
        own = {**logits, "train": logits["train"][:number]}
        other = {**own, "train": shuffled(own["train"], replicate)}
        arms = [(GroundTruth(), None, ""), (HARD, own, "as it is")]
        arms += [(SoftLabels(temperature), own, "as it is") for temperature in (1.0, 2.0, 4.0)]
        for strategy, taught, kind in [*arms, (SoftLabels(2.0), other, SHUFFLED)]:
            names = {"pictures": number, "doubt": kind, "teacher": "of the replicate" if kind else ""}
            options: dict[str, Any] = {"optimizer": kdlearn.Adam(RATE), "batch_size": BATCH_SIZE, "names": names}
            for seed in seeds:
                yield Run(
                    data, student, strategy, taught, lengths, seed, replicate, metric=mean_average_precision, **options
                )


def carried_out(
    replicates: Iterable[int] = REPLICATES,
    seeds: Iterable[int] = SEEDS,
    lengths: tuple[int, ...] = LENGTHS,
    num_updates: int = 900,
    **where: Any,
) -> kdlearn.Comparison:
    """The whole study; `where` as in `kdlearn.study`."""
    replicates = list(replicates)
    told = kdlearn.trained_logits([teacher(one, num_updates) for one in replicates], **where)
    runs = [run for one, logits in zip(replicates, told, strict=True) for run in runs_of(one, logits, seeds, lengths)]
    table = kdlearn.study(runs, **where)
    return kdlearn.Comparison(table.drop(columns=["rows", "learning_rate", "parameters", "seconds"]), METRIC)


def planned(record: kdlearn.Comparison) -> Mapping[str, Interval]:
    """The four planned differences, in points."""

    def arm(strategy: str, number: int = PICTURES, doubt: str = "as it is") -> dict[str, Any]:
        told = {} if strategy == GroundTruth.name else {"doubt": doubt}
        temperature = {"temperature": 2.0} if strategy == SoftLabels.name else {}
        return {"strategy": strategy, "pictures": number, **told, **temperature}

    def gain(number: int) -> Any:
        return record.each(arm(SoftLabels.name, number), arm(GroundTruth.name, number))

    whole = int(record.table["pictures"].max())
    soft = arm(SoftLabels.name)
    return {
        "soft labels": record.difference(soft, arm(GroundTruth.name)),
        "softness": record.difference(soft, arm(HARD.name)),
        "which digit nearly is there": record.difference(soft, arm(SoftLabels.name, doubt=SHUFFLED)),
        "120 pictures, not 1,200": interval(gain(PICTURES) - gain(whole)),
    }


def main(folder: Path, workers: int = 2) -> None:
    """Carry the study out, and tell the planned claims."""
    found = carried_out(folder=folder, workers=workers, progress=True)
    found.save(RECORD)
    print(found)
    print(found.planned(planned(found)).to_string(index=False))


if __name__ == "__main__":
    typer.run(main)
