"""Notebook 10: answers that somebody may write; the right ones differ from the notebook's solution."""

import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kdlearn.comparing.comparison import Comparison


def by_probability(images: int, classes: int, T: float) -> float:
    of_class, of_others = images // classes, images - images // classes
    own = math.exp(1 / T)
    return -math.log(own / (of_class * own + of_others))


def by_cross_entropy(images: int, classes: int, T: float) -> Tensor:
    rows = torch.eye(classes).double().repeat(images // classes, 1)
    return torch.nn.functional.cross_entropy(rows @ rows.T / T, torch.arange(images))


def centred(rows: Tensor) -> np.ndarray:
    values = rows.double().numpy()
    return values - values.mean(axis=0)


def by_products_of_images(a: Tensor, b: Tensor) -> float:
    """The same by N × N matrices: the kernels themselves."""
    one, other = (centred(rows) @ centred(rows).T for rows in (a, b))
    return 1 - (one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other)


def by_columns(a: Tensor, b: Tensor) -> float:
    a, b = (torch.from_numpy(centred(rows)) for rows in (a, b))
    shared = sum(float(x @ y) ** 2 for x in a.T for y in b.T)
    own = [math.sqrt(sum(float(x @ y) ** 2 for x in rows.T for y in rows.T)) for rows in (a, b)]
    return 1 - shared / math.prod(own)


def not_centred(a: Tensor, b: Tensor) -> Tensor:
    a, b = a.double(), b.double()
    return 1 - (a.T @ b).norm() ** 2 / (a.T @ a).norm() / (b.T @ b).norm()


def unit(*sides: Tensor) -> list[Tensor]:
    return [torch.nn.functional.normalize(rows) for rows in sides]


def by_loop(points: np.ndarray) -> float:
    best = max(range(len(points)), key=lambda method: sum(points[method]))
    won = [run for run in points.T if max(run) == run[best]]
    return len(won) / len(points.T)


def by_frame(points: np.ndarray) -> float:
    table = pd.DataFrame(points).T
    return (table.idxmax(axis=1) == table.mean().idxmax()).mean()


def comparison(*arms: str, seeds: int = 6) -> Comparison:
    rows: list[dict[str, Any]] = [
        {"strategy": arm, "teacher": "", "replicate": 0, "seed": seed, "length": 300, "accuracy": 0.5 + seed / 100}
        for arm in ("ground truth", *arms)
        for seed in range(seeds)
    ]
    return Comparison(pd.DataFrame(rows))


ANSWERS = {
    "10.1": {
        "right": [
            lambda hint, attention, places: [hint / 0.5, attention * (1 / places)],
            lambda hint, attention, places: torch.tensor([hint * 2, attention / places]),
        ],
        "wrong": [
            lambda hint, attention, places: (hint / 2, attention / places),
            lambda hint, attention, places: (2 * hint, attention * places),
            lambda hint, attention, places: (2 * hint, attention),
            lambda hint, attention, places: (hint, attention / places),
        ],
    },
    "10.2": {
        "right": [by_probability, by_cross_entropy],
        "wrong": [
            lambda images, classes, T: math.log(images / classes),
            lambda images, classes, T: math.log(images),
            lambda images, classes, T: math.log(classes + (images - classes) * math.exp(-1 / T)),
            lambda images, classes, T: math.log(images / classes + (images - images / classes) * math.exp(-T)),
        ],
    },
    "10.3": {"right": [12_000, 3000 * 256 / 64], "wrong": [3000, 750, 48_000]},
    "10.4": {
        "right": [by_products_of_images, by_columns],
        "wrong": [not_centred, lambda a, b: 1 - by_columns(a, b), lambda a, b: by_columns(*unit(a, b))],
    },
    "10.5": {
        "right": [by_loop, by_frame],
        "wrong": [
            lambda points: max(np.bincount(points.argmax(axis=0))) / points.shape[1],
            lambda points: (points[points.mean(1).argmax()] > points.mean(0)).mean(),
            lambda points: (points[points.mean(1).argmax()] > 0).mean(),
            lambda points: 1 / len(points),
        ],
    },
    "10.6": {
        "right": [
            comparison("soft labels", "soft labels + relations"),
            comparison("soft labels", "soft labels + hint", "ground truth + hint", seeds=20),
        ],
        "wrong": [
            comparison("soft labels", "soft labels + hint").difference("soft labels"),
            comparison("soft labels + hint"),
            comparison("soft labels", "ground truth + hint"),
            comparison("soft labels", "soft labels + hint", seeds=3),
        ],
    },
}
