"""Notebook 05b: what counts as an answer. The points of 05b.3 are those of the record of studies/which_teacher."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from scipy.optimize import root_scalar
from torch import Generator, Tensor

from kdcourse.exercises.answers import Formula, Number, Properties
from kdcourse.exercises.comparisons import FEW
from kdlearn.formulas.labels import entropy, soft_labels

LOGITS = [
    (5 * torch.randn(40, 10, generator=generator), wanted, temperature)
    for seed, (wanted, temperature) in enumerate([(1.2, 4.0), (0.3, 2.0), (1.8, 8.0)])
    for generator in [Generator().manual_seed(seed)]
]
GAINS = [
    (np.random.default_rng(seed).normal(0, 1, (kinds, 30)) + np.linspace(0, 0.4, kinds)[:, None], pilot)
    for seed, (kinds, pilot) in enumerate([(4, 3), (9, 2), (6, 5), (11, 1)])
]


def entropy_at(logits: Tensor, temperature: float) -> float:
    return float(entropy(soft_labels(logits.double(), temperature)).mean())


def factor_for(logits: Tensor, wanted: float, temperature: float) -> float:
    return root_scalar(lambda one: entropy_at(one * logits, temperature) - wanted, bracket=(1e-3, 1e3)).root


def of_mean_label(logits: Tensor, wanted: float, temperature: float) -> float:
    """The mistake of mixing the images' labels first: the mean label is softer than the labels are on average."""

    def too_soft(factor: float) -> float:
        mean = soft_labels(factor * logits.double(), temperature).mean(0, keepdim=True)
        return float(entropy(mean)) - wanted

    return root_scalar(too_soft, bracket=(1e-3, 1e3)).root if too_soft(1e3) < 0 else float("nan")


def lost(gains: np.ndarray, pilot: int) -> float:
    chosen, later = gains[:, :pilot].mean(1).argmax(), gains[:, pilot:].mean(1)
    return float(later.max() - later[chosen])


def on_the_pilot(gains: np.ndarray, pilot: int) -> float:
    """The mistake of judging a choice by what it was made on."""
    chosen = gains[:, :pilot].mean(1).argmax()
    return float(gains[:, pilot:].mean(1).max() - gains[chosen, :pilot].mean())


def on_all(gains: np.ndarray, pilot: int) -> float:
    chosen = gains[:, :pilot].mean(1).argmax()
    return float(gains.mean(1).max() - gains.mean(1)[chosen])


def taught(answer: Any) -> SimpleNamespace:
    from kdlearn.comparing.comparison import Comparison

    if not isinstance(answer, Comparison):
        return SimpleNamespace(is_comparison=False)
    rows = answer.table[answer.table["strategy"].str.contains("soft labels")]
    runs = rows[rows["teacher"] != ""].groupby("teacher").size()
    return SimpleNamespace(is_comparison=True, teachers=len(runs), fewest=runs.min() if len(runs) else 0)


TEACHERS = Properties(
    taught,
    {
        "Hand over what `kdlearn.compare` returns, with all its arms, and not a difference of it": lambda seen: (
            seen.is_comparison
        ),
        "No arm learns soft labels of a teacher. Take `kdlearn.SoftLabels(2.0)` among the strategies": lambda seen: (
            seen.teachers > 0
        ),
        "One teacher cannot be compared with another: `teacher={'first': …, 'second': …}`": lambda seen: (
            seen.teachers > 1
        ),
        FEW: lambda seen: seen.fewest >= 5,
    },
)

EXERCISES = {
    "05b.1": Formula(
        lambda accuracy, agreement, teacher_accuracy: (agreement - accuracy) / (1 - teacher_accuracy),
        [(0.93, 0.94, 0.977), (0.85, 0.84, 0.98), (0.6, 0.7, 0.75)],
        {
            "This is a share of all images. Divide it by the share on which the teacher is wrong": (
                lambda accuracy, agreement, teacher: agreement - accuracy
            ),
            "It was divided by the student's mistakes. The teacher's are asked for": (
                lambda accuracy, agreement, teacher: (agreement - accuracy) / (1 - accuracy)
            ),
            "It was divided by the images that the teacher gets right": (
                lambda accuracy, agreement, teacher: (agreement - accuracy) / teacher
            ),
            "The sign is turned: this is mended less copied": (
                lambda accuracy, agreement, teacher: (accuracy - agreement) / (1 - teacher)
            ),
        },
        "(5b.2) gives copied less mended as a share of all images. The teacher is wrong on the share 1 - its accuracy.",
    ),
    "05b.2": Formula(
        factor_for,
        LOGITS,
        {
            "This is 1 / factor: dividing by it gives the entropy": lambda logits, wanted, temperature: (
                1 / factor_for(logits, wanted, temperature)
            ),
            "The entropy is right at T = 1. At the temperature that is handed in it is not": (
                lambda logits, wanted, temperature: factor_for(logits, wanted, 1.0)
            ),
            "The logits were multiplied by the temperature. Softmax divides them by it": (
                lambda logits, wanted, temperature: factor_for(logits, wanted, 1 / temperature)
            ),
            "This is the entropy of the mean label. The mean of the images' entropies is asked for": of_mean_label,
            "Entropy is not proportional to the factor. Search for the factor, by halving an interval": (
                lambda logits, wanted, temperature: wanted / entropy_at(logits, temperature)
            ),
        },
        "The mean over images of the entropy of softmax(factor · logits / temperature) is to be `wanted`, in nats.",
    ),
    "05b.3": Number(
        0.0,
        3.0,
        {
            "Nearly evenly spread labels sound harmful. But which of two classes is likelier, and the ratio of their "
            "logits, stays as it was": (-100.0, -1.0),
            "It is measured, and luck is small: this interval lies above 0": (-1.0, 0.0),
            "The student already comes within two points of the best classifier, so there is not so much to gain": (
                3.0,
                100.0,
            ),
        },
        "Answer in points of accuracy.",
    ),
    "05b.4": Formula(
        lost,
        GAINS,
        {
            "The choice is judged by the replicates that it was made on. Judge it by the later ones": on_the_pilot,
            "The replicates of the pilot are in the judgement too. Leave them out": on_all,
            "The sign is turned: best kind less chosen kind": lambda gains, pilot: -lost(gains, pilot),
            "This chooses by all replicates but the pilot's. Then nothing is ever lost": lambda gains, pilot: 0.0,
            "The first rows are kinds. A pilot has the first columns": lambda gains, pilot: (
                lost(gains.T, pilot) if pilot < len(gains) else float("nan")
            ),
        },
        "Choose by `gains[:, :pilot]`; then take the best later mean, less the later mean of the chosen kind.",
    ),
    "05b.5": Formula(
        lambda error, spread, members: error - spread * (1 - 1 / members),
        [(0.3, 0.1, 5), (0.2, 0.15, 2), (1.0, 0.9, 50)],
        {
            "What all members share does not shrink with their number": lambda error, spread, members: error / members,
            "This is an ensemble of infinitely many members": lambda error, spread, members: error - spread,
            "With one member nothing is gained; here something is": lambda error, spread, members: (
                error - spread / members
            ),
            "This is the spread of the mean alone. The shared error comes to it": lambda error, spread, members: (
                spread / members
            ),
            "The spread of a mean shrinks like 1 / M, not like its root": lambda error, spread, members: (
                error - spread * (1 - members**-0.5)
            ),
        },
        "A member's error is the shared error + spread. The mean's is the shared error + spread / members.",
    ),
    "05b.6": TEACHERS,
}
