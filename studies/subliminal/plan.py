"""Can a student learn digits from outputs that name none? Subliminal learning (Cloud et al. 2025, arXiv 2507.14805).

A perceptron of 64, 256 and 13 units has ten outputs for the digits and three more. Its teacher learns the ground truth
of 1,200 digits with the ten; the loss does not touch the three. The student learns the teacher's three, and only these:
its loss is the squared distance of the three on images of noise. It is measured by its ten, on 400 test images.
Cloud et al. tell that it learns digits all the same, if its first weights were those of the teacher.

first weights: the teacher's own, or others.
images: noise, or the digits.
teacher: of digits, or of the same digits with their labels shuffled, which takes away what it knows.
3,000 updates of 60 images, read at 1,000 and 3,000; Adam at 0.001, the teacher 1,000 updates. 40 replicates,
5000 to 5039, each with a split and images of noise of its own, two students, and a teacher for each.

Planned, one Holm family of three, two-sided, t over replicates, at 3,000 updates of noise:
1. the teacher's own first weights - other first weights;
2. the teacher's own first weights - the same, taught by the teacher of shuffled labels;
3. other first weights - the same, taught by the teacher of shuffled labels.
All else is exploratory. A pilot of four other replicates with 5,000 updates had shown 1 and 2 (31 % of the digits right
by the teacher's first weights, 13 % by others, 11 % by the teacher of shuffled labels) and nothing of 3.

Command: `python studies/subliminal/plan.py FOLDER --workers 2`; twenty minutes on one busy core of an AMD EPYC
without AMX (recorded 2026-11-25).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

import kdlearn
from kdlearn import Batch, Comparison, Dataset, Run, Split
from kdlearn.data.dataset import generator_of
from kdlearn.formulas.intervals import Interval

RECORD = Path(__file__).with_name("comparison.parquet")
FIRST, REPLICATES, DIGITS, BESIDE = 5000, 40, 10, 3
NETWORK = partial(kdlearn.perceptron, 64, 256, DIGITS + BESIDE)
FIRST_WEIGHTS = {"the teacher's": 0, "others": 100}  # what the teacher's seed has more than the student's
SEEDS, LENGTHS = range(2), (1000, 3000)
OPTIONS: Mapping[str, Any] = {"optimizer": kdlearn.Adam(1e-3), "batch_size": 60}


@dataclass(frozen=True)
class TruthOfDigits(kdlearn.Strategy):
    """Ground truth for the ten outputs; the others get no gradient of their own."""

    name = "ground truth of the digits"
    reads = ("labels",)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return kdlearn.hard_label_loss(student_logits[..., :DIGITS], batch.labels, reduction="none")


@dataclass(frozen=True)
class OutputsBeside(kdlearn.Strategy):
    """The teacher's outputs that name no digit, and nothing else."""

    name = "outputs beside"
    reads = ("teacher_logits",)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return (student_logits - batch.teacher_logits)[..., DIGITS:].square().mean(dim=-1)


def digits_right(logits: Tensor, labels: Tensor) -> float:
    return kdlearn.accuracy(logits[:, :DIGITS], labels)


digits_right.share = True
digits = cache(kdlearn.load_digits)


@cache
def shuffled(replicate: int) -> Dataset:
    """The same images, their labels in another order."""
    data = digits(replicate)
    labels = data.train.labels[torch.randperm(len(data.train.labels), generator=generator_of(replicate, 1))]
    return replace(data, train=data.train._replace(labels=labels))


@cache
def noise(replicate: int) -> Dataset:
    """Pixels that are drawn alike, between the darkest and the brightest; the labels are not read."""
    data = digits(replicate)
    low, high = data.train.inputs.min(), data.train.inputs.max()
    drawn = torch.rand(data.train.inputs.shape, generator=generator_of(replicate, 2))
    return replace(data, train=Split(low + (high - low) * drawn, data.train.labels))


def runs(replicates: Iterable[int]) -> Iterator[Run]:
    """Students of a replicate and seed share first weights and order; their teachers differ in their first weights."""
    for one in replicates:
        data = {"digits": digits(one), "shuffled labels": shuffled(one)}
        images = {"noise": noise(one), "digits": digits(one)}
        for taught, first_weights, seen, seed in product(data, FIRST_WEIGHTS, images, SEEDS):
            names = {"taught": taught, "first_weights": first_weights, "images": seen, "teacher": "of the seed"}
            of_teacher = seed + FIRST_WEIGHTS[first_weights]
            teacher = Run(data[taught], NETWORK, TruthOfDigits(), None, (1000,), of_teacher, one, **OPTIONS)
            yield Run(
                images[seen], NETWORK, OutputsBeside(), teacher, LENGTHS, seed, one,
                metric=digits_right, names=names, **OPTIONS,
            )  # fmt: skip


def planned(record: Comparison) -> Mapping[str, Interval]:
    """The three planned differences, in points."""

    def difference(first: tuple[str, str], second: tuple[str, str]) -> Interval:
        sides = [{"images": "noise", "first_weights": weights, "taught": taught} for weights, taught in (first, second)]
        return record.difference(*sides, length=3000)

    (own, other), shuffled_labels = FIRST_WEIGHTS, "shuffled labels"
    return {
        "the teacher's first weights": difference((own, "digits"), (other, "digits")),
        "what the teacher knows, by its first weights": difference((own, "digits"), (own, shuffled_labels)),
        "what the teacher knows, by others": difference((other, "digits"), (other, shuffled_labels)),
    }


def main(
    folder: Path,
    first: Annotated[int, typer.Option(help="the first replicate")] = FIRST,
    replicates: int = REPLICATES,
    workers: int = 2,
) -> None:
    """Carry it out, and tell the planned claims."""
    table = kdlearn.study(list(runs(range(first, first + replicates))), folder, workers=workers, progress=True)
    kept = ["strategy", "taught", "first_weights", "images", "teacher", "replicate", "seed", "length", "digits_right"]
    record = Comparison(table[kept], metric="digits_right")
    print(record.planned(planned(record)).to_string(index=False))
    told = record.table.groupby(["taught", "images", "first_weights", "length"], sort=False)["digits_right"]
    print(told.agg(["mean", "std"]).to_string())
    if (first, replicates) == (FIRST, REPLICATES):
        record.save(RECORD)


if __name__ == "__main__":
    typer.run(main)
