"""The first distillation: what do soft labels add for a small student of handwritten digits?

Two parts, because "the teacher helps" has two meanings. On the student's own 60 labelled images only the *kind* of
label changes. On all 1,200 images the teacher also hands out labels that the student never had.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from kdlearn.data import Augment, Batches, Examples, Splits, load_digits, random_shift, stratified_sample
from kdlearn.formulas.intervals import paired_difference, percent, summarise
from kdlearn.formulas.metrics import accuracy, measure
from kdlearn.networks import cost_of, perceptron, seeded, small_convnet
from kdlearn.studies.records import provenance
from kdlearn.training.loop import predict, train, train_together
from kdlearn.training.optimizers import Adam
from kdlearn.training.strategies import (
    GroundTruth,
    SmoothedGroundTruth,
    SoftLabels,
    SoftLabelsAndGroundTruth,
    Strategy,
    TeachersHardLabels,
)

NUM_LABELLED = 60
NUM_UPDATES = 300  # from 200 to 1,000 the plain student's validation accuracy stays within half a point
BATCH_SIZE = 60
TEMPERATURES = (1.0, 2.0, 4.0)
# Of 10, 20 and 30 the number whose students have the best validation accuracy with the teacher of seed 0. Another seed
# makes another teacher, which may teach better or not at all: exercise 1 of notebook 04.
TEACHER_EPOCHS = 10
OWN, ALL, CONTROLS = "the student's own 60 labelled images", "all 1,200 training images, unlabelled", "controls"


class Teacher(NamedTuple):
    """Its logits, one row an image for each of S seeds: `(S, N, C)`."""

    name: str
    train: Tensor
    test: Tensor


@dataclass(frozen=True)
class Arm:
    """One row of the table: which labels, on which images, by which teacher."""

    part: str
    name: str
    candidates: Sequence[Strategy]  # the one with the best mean validation accuracy is reported
    examples: Examples
    rows: Sequence[Tensor]  # for each seed, the examples that the student sees
    teacher: Teacher


def student() -> nn.Module:
    return perceptron(64, 32, 10)


def stratified_rows(examples: Examples, size: int, num_seeds: int) -> list[Tensor]:
    """For each seed the rows of its own `size` images, each class with its share; all rows if that is the size."""
    if size == len(examples.images):
        return [torch.arange(size)] * num_seeds
    return [stratified_sample(examples.labels, size, seed) for seed in range(num_seeds)]


def train_seeds(
    build: Callable[[], nn.Module],
    examples: Examples,
    rows: Sequence[Tensor],
    strategy: Strategy,
    *,
    num_updates: int = NUM_UPDATES,
    teacher_logits: Tensor | None = None,
    augment: Augment | None = None,
) -> list[nn.Module]:
    """One network for each of S seeds, each on its `rows` of the examples, all trained together.

    Seed s fixes initialisation and order: networks with the same rows differ by their labels only, so they are paired.
    `teacher_logits` are `(S, N, C)`, a row an example; `num_updates` are rounded up to whole epochs.
    """
    networks = [seeded(build, seed) for seed in range(len(rows))]
    batches = []
    for seed, seen in enumerate(rows):
        logits = None if teacher_logits is None else teacher_logits[seed, seen]
        own = Examples(examples.images[seen], None if examples.labels is None else examples.labels[seen])
        batches.append(Batches(own, BATCH_SIZE, seed=seed, teacher_logits=logits, augment=augment))
    train_together(networks, batches, strategy, num_epochs=-(-num_updates // len(batches[0])), progress=False)
    return networks


def train_teacher(
    examples: Examples, num_epochs: int = TEACHER_EPOCHS, augment: Augment | None = random_shift, seed: int = 0
) -> nn.Module:
    """A small convolutional network on ground truth, each image shifted at random."""
    teacher = seeded(small_convnet, seed)
    batches = Batches(examples, BATCH_SIZE, seed=seed, augment=augment)
    train(teacher, batches, GroundTruth(), num_epochs=num_epochs, optimizer=Adam(1e-3), progress=False)
    return teacher


def save_logits(path: str | Path) -> None:
    """Real logits for the theory notebooks, so that those print the same digits everywhere: teacher, student, and long.

    `python -c "from kdlearn.studies.digits import save_logits as s; s('notebooks/digits_logits.npz')"`
    """
    digits = load_digits()
    seen, rows = digits.train, stratified_rows(digits.train, len(digits.train.images), num_seeds=1)
    nets = {"teacher": train_teacher(seen)}
    soft = {"strategy": SoftLabels(temperature=2.0), "teacher_logits": predict(nets["teacher"], seen.images)[None]}
    (nets["student"],) = train_seeds(student, seen, rows, **soft)
    (nets["long"],) = train_seeds(student, seen, rows, GroundTruth(), num_updates=3000)
    arrays = {}
    for prefix, split in (("validation_", digits.validation), ("", digits.test)):
        arrays |= {f"{prefix}images": split.images, f"{prefix}labels": split.labels}
        arrays |= {f"{prefix}{name}_logits": predict(net, split.images) for name, net in nets.items()}
    np.savez_compressed(path, **arrays)


def logits_of(name: str, networks: Sequence[nn.Module], digits: Splits, num_seeds: int) -> Teacher:
    """One network a seed as a teacher, or a single one that teaches every seed."""
    logits = (torch.stack([predict(net, split.images) for net in networks]) for split in (digits.train, digits.test))
    return Teacher(name, *(values.expand(num_seeds, -1, -1) for values in logits))


def arms_of(digits: Splits, teacher: nn.Module, num_seeds: int) -> list[Arm]:
    """The demo's rows: five strategies on the student's own images, two on all, and the controls of a critic."""
    labelled, unlabelled = digits.train, Examples(digits.train.images, None)
    own, every = (stratified_rows(labelled, size, num_seeds) for size in (NUM_LABELLED, len(labelled.images)))
    full = logits_of("trained on all labels", [teacher], digits, num_seeds)
    beginners = train_seeds(small_convnet, labelled, own, GroundTruth(), num_updates=100, augment=random_shift)
    beginner = logits_of("trained on the student's 60 labels", beginners, digits, num_seeds)
    soft = [SoftLabels(temperature) for temperature in TEMPERATURES]
    both = [SoftLabelsAndGroundTruth(temperature) for temperature in TEMPERATURES]
    return [
        Arm(OWN, "ground truth", [GroundTruth()], labelled, own, full),
        Arm(OWN, "smoothed ground truth", [SmoothedGroundTruth()], labelled, own, full),
        Arm(OWN, "teacher's hard labels", [TeachersHardLabels()], unlabelled, own, full),
        Arm(OWN, "soft labels", soft, unlabelled, own, full),
        Arm(OWN, "soft labels + ground truth", both, labelled, own, full),
        Arm(ALL, "teacher's hard labels", [TeachersHardLabels()], unlabelled, every, full),
        Arm(ALL, "soft labels", soft, unlabelled, every, full),
        Arm(CONTROLS, "ground truth, all 1,200 labelled", [GroundTruth()], labelled, every, full),
        Arm(CONTROLS, "teacher of 60: soft labels, own 60", soft, unlabelled, own, beginner),
        Arm(CONTROLS, "teacher of 60: soft labels, all 1,200", soft, unlabelled, every, beginner),
    ]


def run_arm(arm: Arm, digits: Splits) -> list[dict[str, Any]]:
    """Train every candidate, choose on validation, read the test set for the chosen one alone: one result a seed."""
    trials = [train_and_validate(arm, strategy, digits.validation) for strategy in arm.candidates]
    strategy, students, scores, seconds = max(trials, key=lambda trial: np.mean(trial[2]))
    cost = cost_of(students[0], digits.test.images[0])
    return [
        {
            "data_set": "digits",
            "part": arm.part,
            "arm": arm.name,
            "teacher": f"small_convnet(32), {arm.teacher.name}",
            "student": "perceptron(64, 32, 10)",
            "strategy": {"name": strategy.name, **asdict(strategy)},
            "seed": seed,
            "images": len(arm.rows[seed]),
            "epochs": NUM_UPDATES * BATCH_SIZE // len(arm.rows[seed]),
            **measure(predict(network, digits.test.images), digits.test.labels, arm.teacher.test[seed]),
            "validation_accuracy": scores[seed],
            **cost,
            "seconds": seconds,
            "device": str(digits.test.images.device),
        }
        for seed, network in enumerate(students)
    ]


def train_and_validate(arm: Arm, strategy: Strategy, validation: Examples) -> tuple[Strategy, list, list[float], float]:
    """The strategy, its students, their validation accuracies, and the seconds that each took."""
    start = perf_counter()
    students = train_seeds(student, arm.examples, arm.rows, strategy, teacher_logits=arm.teacher.train)
    seconds = (perf_counter() - start) / len(students)
    return strategy, students, [accuracy(predict(s, validation.images), validation.labels) for s in students], seconds


def demo(num_seeds: int = 20, progress: bool = True) -> dict[str, Any]:
    """The whole study: `provenance`, `teacher`, `runs`, and what follows from them: `rows`, `finding`."""
    digits = load_digits()
    teacher = train_teacher(digits.train)
    arms = arms_of(digits, teacher, num_seeds)
    runs = [
        run for arm in tqdm(arms, desc="students", unit="arm", disable=not progress) for run in run_arm(arm, digits)
    ]
    return {
        "provenance": provenance(),
        "teacher": {
            "accuracy": accuracy(predict(teacher, digits.test.images), digits.test.labels),
            **cost_of(teacher, digits.test.images[0]),
        },
        "rows": summarise(runs),
        "finding": finding(runs),
        "runs": runs,
    }


def finding(runs: Sequence[dict[str, Any]]) -> str:
    """What was found, in one sentence: how much the softness of the labels gives and how much their being there."""

    def difference(one: tuple[str, str], other: tuple[str, str]) -> str:
        gain = paired_difference(*(scores(runs, *arm) for arm in (one, other)))
        return f"{gain:+.1f} points" + ("" if gain.excludes_zero else " (not distinguishable from 0)")

    baseline, hard, soft = "ground truth", "teacher's hard labels", "soft labels"
    return (
        f"On the same {NUM_LABELLED} images this teacher's soft labels change the student's accuracy by "
        f"{difference((OWN, soft), (OWN, baseline))} against ground truth; on all images, unlabelled, the change of "
        f"{difference((ALL, soft), (OWN, baseline))} is {difference((ALL, hard), (OWN, baseline))} from the teacher's "
        f"labels and {difference((ALL, soft), (ALL, hard))} from their softness."
    )


def scores(runs: Sequence[dict[str, Any]], part: str, arm: str) -> list[float]:
    return percent([run for run in runs if (run["part"], run["arm"]) == (part, arm)], "accuracy")
