"""The recorded study on CIFAR-10: choose on held-out images, then train on all and read the test set once.

    python results/cifar10/study.py FOLDER_OF_CIFAR10 --work FOLDER

What is done stays in the work folder and is not repeated: run it again, and it goes on where it was stopped.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

from kdlearn.data import load_images
from kdlearn.data.files import read_json
from kdlearn.studies import PRESETS, Network, Preset, Run, Study, distill
from kdlearn.training.machine import Machine, best_machine
from kdlearn.training.strategies import (
    GroundTruth,
    SmoothedGroundTruth,
    SoftLabels,
    SoftLabelsAndGroundTruth,
    Strategy,
    TeachersHardLabels,
)

HELD_OUT, TUNING_SEED = 5000, 100  # a seed that no reported student has
SMOOTHINGS = (0.0, 0.1)  # of the teacher's labels
TEMPERATURES = (1.0, 2.0, 4.0)
SEEDS, FEW_LABEL_SEEDS = range(5), range(3)
SHARES = (0.1, 0.01)


class Choice(NamedTuple):
    """What is chosen for each kind of label."""

    strategy: Strategy
    learning_rate: float


RATES = (0.2, 0.4, 0.6, 0.8, 1.2, 1.6)
CANDIDATES = {  # six for each kind of label; soft labels + ground truth get every other corner of twelve
    "ground truth": [Choice(GroundTruth(), rate) for rate in RATES],
    "smoothed ground truth": [Choice(SmoothedGroundTruth(), rate) for rate in RATES],
    "teacher's hard labels": [Choice(TeachersHardLabels(), rate) for rate in RATES],
    "soft labels": [Choice(SoftLabels(t), rate) for t, rate in product(TEMPERATURES, (0.3, 0.8))],
    "soft labels + ground truth": [
        Choice(SoftLabelsAndGroundTruth(t, weight), rate)
        for t, weight, rate in [
            (1, 0.5, 0.8),
            (1, 0.9, 0.3),
            (2, 0.5, 0.3),
            (2, 0.9, 0.8),
            (4, 0.5, 0.8),
            (4, 0.9, 0.3),
        ]
    ],
}


def shortened(preset: Preset) -> Preset:
    """Half a teacher's schooling and a third of a student's, to choose by."""
    teacher, student = preset.teacher_schooling, preset.student_schooling
    return replace(
        preset,
        teacher_schooling=replace(teacher, num_epochs=max(1, teacher.num_epochs // 2)),
        student_schooling=replace(student, num_epochs=max(1, student.num_epochs // 3)),
        label_epochs=max(1, preset.label_epochs // 3),
    )


def studies(data: Path, work: Path, preset: Preset, machine: Machine) -> list[tuple[Study, Study]]:
    """For each smoothing of the teacher's labels, one to choose by and one to report."""
    held_out, everything = (load_images(data, num_validation=size, device=machine.device) for size in (HELD_OUT, 0))
    presets = [replace(preset, teacher_smoothing=smoothing) for smoothing in SMOOTHINGS]
    return [
        (
            Study(str(data), held_out, shortened(one), work / f"tuning-{one.teacher_smoothing:g}", machine),
            Study(str(data), everything, one, work / f"final-{one.teacher_smoothing:g}", machine),
        )
        for one in presets
    ]


def validation_accuracies(study: Study, choices: Iterable[Choice]) -> list[float]:
    runs = [Run(study.preset.student, strategy, TUNING_SEED, learning_rate=rate) for strategy, rate in choices]
    return [read_json(path)["accuracy"] for path in distill(study, runs)]


def choose_smoothing(tunings: Sequence[Study]) -> int:
    """Which teacher's students are best, each at its best temperature and the preset's learning rate."""
    rate = tunings[0].preset.student_schooling.optimizer.learning_rate
    choices = [Choice(SoftLabels(temperature), rate) for temperature in TEMPERATURES]
    accuracies = [max(validation_accuracies(study, choices)) for study in tunings]
    return accuracies.index(max(accuracies))


def choose(tuning: Study) -> dict[str, Choice]:
    chosen = {}
    for name, candidates in CANDIDATES.items():
        accuracies = validation_accuracies(tuning, candidates)
        chosen[name] = candidates[accuracies.index(max(accuracies))]
    return chosen


def reported_runs(student: Network, chosen: dict[str, Choice]) -> list[Run]:
    """All kinds of labels on all images, then three of them where few are labelled."""
    few = [chosen[name] for name in ("ground truth", "teacher's hard labels", "soft labels")]
    return [
        *(Run(student, one, seed, learning_rate=rate) for seed in SEEDS for one, rate in chosen.values()),
        *(
            Run(student, one, seed, learning_rate=rate, labelled=share)
            for share, seed, (one, rate) in product(SHARES, FEW_LABEL_SEEDS, few)
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="holds train/<class>/* and test/<class>/*")
    parser.add_argument("--work", type=Path, required=True, help="for all that is made; run again, it goes on")
    parser.add_argument("--preset", choices=PRESETS, default="cpu")
    options = parser.parse_args()
    pairs = studies(options.data, options.work, PRESETS[options.preset], best_machine())
    tuning, final = pairs[choose_smoothing([tuning for tuning, _ in pairs])]
    chosen = choose(tuning)
    distill(final, reported_runs(final.preset.student, chosen))


if __name__ == "__main__":
    main()
