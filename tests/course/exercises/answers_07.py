"""Notebook 07: answers that somebody may write; the right ones differ from the notebook's solution."""

import math

import numpy as np
from answers_04 import OWN
from scipy import stats


def by_doubling(spread: float, wanted: float) -> int:
    """A search by halves, since the half width falls with the count."""
    low, high = 1, 2
    while stats.t.interval(0.95, high - 1, scale=spread / math.sqrt(high))[1] >= wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = stats.t.interval(0.95, middle - 1, scale=spread / math.sqrt(middle))[1] < wanted
        low, high = (low, middle) if enough else (middle, high)
    return high


def upwards(spread: float, wanted: float, factor=lambda n: stats.t.ppf(0.975, n - 1), root: float = 0.5) -> int:
    n = 2
    while factor(n) * spread / n**root >= wanted:
        n += 1
    return n


def of_arrays(bins: list[dict[str, float]]) -> float:
    images, confidence, accuracy = (
        np.array([one[key] for one in bins]) for key in ("images", "confidence", "accuracy")
    )
    return 100 * np.average(confidence - accuracy, weights=images)


def by_division(student: float, share: float, alone: float) -> int:
    return math.floor(share / (2 * alone - student)) + 1


ANSWERS = {
    "07.1": {
        "right": [by_doubling, lambda spread, wanted: upwards(spread, wanted)],
        "wrong": [
            lambda spread, wanted: upwards(spread, wanted, lambda n: 1.96),
            lambda spread, wanted: upwards(spread, wanted, lambda n: 1.0),
            lambda spread, wanted: upwards(spread, wanted, root=1.0),
            lambda spread, wanted: upwards(spread, wanted, lambda n: stats.t.ppf(0.95, n - 1)),
        ],
    },
    "07.2": {"right": [0.7, 0.73], "wrong": [0, 0.6, 1.4, 5]},
    "07.3": {
        "right": [of_arrays, lambda bins: of_arrays([one for one in bins for _ in range(2)])],
        "wrong": [
            lambda bins: -of_arrays(bins),
            lambda bins: of_arrays(bins) / 100,
            lambda bins: 100 * np.mean([one["confidence"] - one["accuracy"] for one in bins]),
            lambda bins: (
                100
                * np.average(
                    [abs(one["confidence"] - one["accuracy"]) for one in bins], weights=[one["images"] for one in bins]
                )
            ),
        ],
    },
    "07.4": {
        "right": [by_division, lambda student, share, alone: max(1, math.ceil(share / (2 * alone - student)))],
        "wrong": [
            lambda student, share, alone: math.floor(share / (2 * alone)) + 1,
            lambda student, share, alone: share / (2 * alone - student),
            lambda student, share, alone: by_division(student, share, alone) - 1,
        ],
    },
    "07.5": OWN,
}
