"""What the tests of training and studies share: small data, networks and strategies that other processes can import."""

from dataclasses import dataclass
from functools import partial

import pandas as pd
import torch
from torch import Tensor, nn

from kdlearn import (
    Batch,
    Comparison,
    Dataset,
    GroundTruth,
    SoftLabels,
    Split,
    Strategy,
    load_digits,
    perceptron,
    seeded,
)
from kdlearn.engine.run import Run

STUDENT, TEACHER = partial(perceptron, 64, 8, 10), partial(perceptron, 64, 24, 10)
SAME = ["seconds"]  # what of a table is not decided by the run


def digits(seed: int = 0, train: int = 120, test: int = 50, validation: int = 50) -> Dataset:
    """A few of the digits, so that a study takes a fraction of a second."""
    data, sizes = load_digits(seed), {"train": train, "test": test, "validation": validation}
    parts = {name: part.take(torch.arange(sizes[name])) for name, part in data.splits()}
    return Dataset(**parts, class_names=data.class_names, name="digits")


def shapes(size: int = 40, classes: int = 3, dtype: torch.dtype = torch.float64, seed: int = 0) -> Dataset:
    """Four numbers a row, the class by their sum."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(size, 4, generator=generator, dtype=dtype)
    labels = (inputs.sum(dim=1).argsort().argsort() * classes) // size
    examples = Split(inputs, labels)
    return Dataset(examples, examples, examples)


@dataclass
class Outputs:
    """What networks of transformers answer with."""

    logits: Tensor
    loss: Tensor | None = None


class AnswersWithOutputs(nn.Module):
    """A network of the digits that does so."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = STUDENT()

    def forward(self, inputs: Tensor) -> Outputs:
        return Outputs(self.inner(inputs))


def in_float64() -> nn.Module:
    return perceptron(4, 6, 3).double()


def with_dropout() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 10))


def with_batch_norm() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10))


def taught(seed: int = 5, build=TEACHER) -> nn.Module:
    """A teacher with random weights: what it says does not matter to what is tested."""
    return seeded(build, seed)


class Power(Strategy):
    """A strategy of a reader's own, a plain class."""

    name = "power"
    reads = ("teacher_logits",)

    def __init__(self, power: float) -> None:
        self.power = power

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return ((student_logits - batch.teacher_logits).square() + 0.1).pow(self.power).mean(dim=-1)


@dataclass
class Scaled(Strategy):
    """The same as a dataclass, whose whole numbers are numbers too."""

    scale: float = 1
    name = "scaled"
    reads = ("teacher_logits",)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return self.scale * (student_logits - batch.teacher_logits).square().mean(dim=-1)


class Branching(Strategy):
    """What `vmap` cannot take: a decision by a value."""

    name = "branching"
    reads = ("labels",)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        values = nn.functional.cross_entropy(student_logits, batch.labels, reduction="none")
        return values if values.mean().item() < 2 else 0.5 * values


class FitNets(Strategy):
    """Romero et al. 2015 (arXiv 1412.6550): a projection of the student's hidden layer meets the teacher's."""

    name, reads = "FitNets", ("labels", "teacher_features")
    layers = (("2", "2"),)

    def prepare(self, example: Batch) -> nn.Module:
        return nn.Linear(example.student_features[0].shape[1], example.teacher_features[0].shape[1])

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        gap = batch.trained(batch.student_features[0]) - batch.teacher_features[0]
        return nn.functional.cross_entropy(student_logits, batch.labels, reduction="none") + gap.square().mean(dim=1)


def small_study() -> list[Run]:
    """A teacher that is a run, a stack of students, and one with dropout, which goes alone."""
    data = digits()
    teacher = Run(data, TEACHER, lengths=(10,), batch_size=30)
    options = {"lengths": (10, 20), "batch_size": 30}
    stacked = [
        Run(data, STUDENT, one, teacher, seed=seed, names={"teacher": "run"}, **options)
        for one in (GroundTruth(), SoftLabels(2.0), SoftLabels(4.0))
        for seed in range(2)
    ]
    names = {"teacher": "run", "student": "with dropout"}
    return [*stacked, Run(data, with_dropout, SoftLabels(2.0), teacher, names=names, **options)]


def same_tensors(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    pairs = [(one[name], other[name]) for name in one]
    return one.keys() == other.keys() and all(a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs)


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    return same_tensors(one.state_dict(), other.state_dict())


def made_comparison(replicates: int = 6, seeds: int = 2, strategies: int = 1) -> Comparison:
    """In replicate r the first strategy gains 10 + r points over ground truth, the next one 11 + r, and so on."""
    names = ["ground truth", "soft labels", *(f"labels {number}" for number in range(1, strategies))]
    rows = [
        {"strategy": name, "teacher": "", "replicate": replicate, "seed": seed, "length": 300}
        | {"accuracy": 0.5 + 0.01 * seed + 0.01 * (9 + place + replicate) * (place > 0)}
        for place, name in enumerate(names)
        for replicate in range(replicates)
        for seed in range(seeds)
    ]
    return Comparison(pd.DataFrame(rows))
