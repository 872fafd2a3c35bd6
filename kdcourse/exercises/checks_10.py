"""Notebook 10: what counts as an answer."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from kdcourse.exercises.answers import Formula, Number, Properties
from kdcourse.exercises.comparisons import FEW, GAIN, seen

LEAST = [(60, 10, 0.1), (64, 4, 0.5), (20, 5, 1.0), (100, 10, 0.2)]
FEATURES = [
    (torch.randn(30, 4, generator=generator).double() + shift, torch.randn(30, wide, generator=generator).double() + 1)
    for shift, wide in ((0.0, 7), (2.0, 3), (1.0, 4))
    for generator in [Generator().manual_seed(wide)]
]
POINTS = [  # methods that differ more from run to run win more often than their mean promises
    (np.random.default_rng(seed).normal(np.linspace(0, 0.6, methods), np.linspace(3, 1, methods), (40, methods)).T,)
    for seed, methods in enumerate((3, 5, 6, 4))
]


def least(images: int, classes: int, T: float) -> float:
    alike = images / classes
    return float(np.log(alike + (images - alike) * np.exp(-1 / T)))


def centred(rows: Tensor) -> Tensor:
    return rows.double() - rows.double().mean(dim=0)


def alignment(a: Tensor, b: Tensor) -> Tensor:
    """Linear centred kernel alignment, as rows come; Kornblith et al. 2019 (arXiv 1905.00414)."""
    return (a.T @ b).square().sum() / ((a.T @ a).norm() * (b.T @ b).norm())


def share_of_best(points: np.ndarray) -> float:
    return float((points.argmax(axis=0) == points.mean(axis=1).argmax()).mean())


def with_features(answer: Any) -> SimpleNamespace:
    found = seen(answer)
    found.added = [name for name in found.runs if name.startswith("soft labels + ")]
    return found


EXERCISES = {
    "10.1": Formula(
        lambda hint, attention, places: (2 * hint, attention / places),
        [(100.0, 1000.0, 64), (50.0, 500.0, 16), (1.0, 3.0, 4)],
        {
            "The hint is turned round: our loss is half of theirs, so that our weight must be larger": (
                lambda hint, attention, places: (hint / 2, attention / places)
            ),
            "The attention is turned round: our loss is a sum, theirs a mean": lambda hint, attention, places: (
                2 * hint,
                attention * places,
            ),
            "The attention is as it was. Is a sum over places as large as their mean?": (
                lambda hint, attention, places: (2 * hint, attention)
            ),
            "Our attention loss has no 1/2": lambda hint, attention, places: (2 * hint, 2 * attention / places),
            "The hint is as it was. Look for the 1/2 in (10.1)": lambda hint, attention, places: (
                hint,
                attention / places,
            ),
        },
        "Weight times loss must stay. Return the weight of the hint and that of the attention, in this order.",
    ),
    "10.2": Formula(
        least,
        LEAST,
        {
            "This is the limit of a small temperature. The other classes' terms e^0 are still in the sum": (
                lambda images, classes, T: float(np.log(images / classes))
            ),
            "This is the loss of guessing among all images": lambda images, classes, T: float(np.log(images)),
            "As many images are alike as there are in a class, not as there are classes": (
                lambda images, classes, T: float(np.log(classes + (images - classes) * np.exp(-1 / T)))
            ),
            "The product of two images of one class is divided by T, not multiplied": lambda images, classes, T: float(
                np.log(images / classes + (images - images / classes) * np.exp(-T))
            ),
            "The image itself is counted twice: it is one of its class": lambda images, classes, T: float(
                np.log(1 + images / classes + (images - images / classes) * np.exp(-1 / T))
            ),
        },
        "In the denominator images / classes terms are e^(1/T), and all others are e^0.",
    ),
    "10.3": Number(
        11_999,
        12_001,
        {
            "The same weight: but the largest value of the loss, 2/N, is four times smaller": (2_999, 3_001),
            "The other way: 2/N shrinks when N grows, so the weight must grow": (749, 751),
            "Square (10.7) is already a mean over the N images of the batch; one N is left": (47_999, 48_001),
        },
        "The weight times 2/N must stay: 3,000 · 2/64.",
    ),
    "10.4": Formula(
        lambda a, b: 1 - alignment(centred(a), centred(b)),
        FEATURES,
        {
            "The mean of each feature is still there. Without it a shift would change the value": lambda a, b: (
                1 - alignment(a.double(), b.double())
            ),
            "This is the similarity. A loss is to be 0 where both sides say the same": lambda a, b: alignment(
                centred(a), centred(b)
            ),
            "The numerator is not squared; the denominator has squares": lambda a, b: (
                1 - alignment(centred(a), centred(b)) / (centred(a).T @ centred(b)).norm()
            ),
            "Each row was divided by its length first. Take the columns' means away, and nothing else": lambda a, b: (
                1 - alignment(centred(torch.nn.functional.normalize(a)), centred(torch.nn.functional.normalize(b)))
            ),
        },
        "1 - ‖aᵀb‖² / (‖aᵀa‖ ‖bᵀb‖), of columns of mean 0, where ‖·‖ is the root of the sum of squares.",
    ),
    "10.5": Formula(
        share_of_best,
        POINTS,
        {
            "This is the share of whoever wins most often. Take the method with the best mean": lambda points: float(
                np.bincount(points.argmax(axis=0)).max() / points.shape[1]
            ),
            "This counts runs in which the method is better than the mean of all": lambda points: float(
                (points[points.mean(axis=1).argmax()] > points.mean(axis=0)).mean()
            ),
            "This counts runs in which the method is above 0": lambda points: float(
                (points[points.mean(axis=1).argmax()] > 0).mean()
            ),
            "This is chance: one method in so many": lambda points: 1 / len(points),
        },
        "`points.argmax(axis=0)` is each run's winner; compare it with `points.mean(axis=1).argmax()`.",
    ),
    "10.6": Properties(
        with_features,
        {
            GAIN: lambda found: found.is_comparison,
            "There is no arm `soft labels`. Without it nobody knows what the features add": lambda found: (
                "soft labels" in found.runs
            ),
            "No arm adds features to soft labels, such as `kdlearn.Relational('2', '2')`": lambda found: found.added,
            FEW: lambda found: min(found.runs.values()) >= 5,
        },
    ),
}
