"""Notebook 06: what counts as an answer."""

import math
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from kdcourse.exercises.answers import Formula, Number, Properties, value_of
from kdcourse.exercises.comparisons import FEW, GAIN

TEACHERS = [3 * torch.randn(classes, generator=Generator().manual_seed(classes)).double() for classes in (10, 4, 100)]
BALANCED = [(logits, T) for logits in TEACHERS for T in (1.0, 4.0)]


def soft_length(logits: Tensor, T: float, factor: float | None = None) -> Tensor:
    uniform = 1 / len(logits)
    return (T if factor is None else factor) * (uniform - (logits / T).softmax(0)).norm()


def balanced(logits: Tensor, T: float, factor: float | None = None) -> Tensor:
    hard = math.sqrt(1 - 1 / len(logits))
    return hard / (soft_length(logits, T, factor) + hard)


def drawn_scores(seed: int, runs: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(np.linspace(87, 88, 12), 2.0, size=(runs, 12))


PAIRS = [(drawn_scores(seed), drawn_scores(seed + 100, runs=7)) for seed in range(5)]


def at(place: int, choose: np.ndarray, read: np.ndarray) -> list[float]:
    return [float(place), read[:, place].mean(), choose[:, place].mean() - read[:, place].mean()]


def chosen(choose: np.ndarray, read: np.ndarray) -> list[float]:
    return at(int(choose.mean(0).argmax()), choose, read)


def turned(choose: np.ndarray, read: np.ndarray) -> list[float]:
    place, report, optimism = chosen(choose, read)
    return [place, report, -optimism]


def luckiest_run(choose: np.ndarray, read: np.ndarray) -> list[float]:
    return at(int(choose.max(0).argmax()), choose, read)


def reported_where_chosen(choose: np.ndarray, read: np.ndarray) -> list[float]:
    place, report, optimism = chosen(choose, read)
    return [place, report + optimism, optimism]


SETTINGS = [(width, length) for width in (8, 32, 128) for length in (100, 300, 1000)]
TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


@cache
def means_at_weight_one() -> Any:
    """Accuracy of grid D at weight 1, by width, length, temperature and replicate."""
    from kdcourse.atlas import load_atlas

    table = load_atlas().table
    rows = table[(table["grid"] == "D temperature and weight") & (table["soft_weight"] == 1.0)]
    return rows.groupby(["width", "length", "temperature", "replicate"])["accuracy"].mean()


def at_weight_one(width: int, length: int) -> dict[float, np.ndarray]:
    """In points, a value a replicate."""
    return {T: 100 * means_at_weight_one()[width, length, T].to_numpy() for T in TEMPERATURES}


def half_width(values: np.ndarray) -> float:
    from kdlearn.formulas.intervals import interval

    return interval(values).half_width


def untold(width: int, length: int, sign: int = 1) -> set[float]:
    """The temperatures that cannot be told from the best; from the worst with `sign` -1."""
    scores = at_weight_one(width, length)
    best = max(scores, key=lambda T: sign * scores[T].mean())
    apart = {T: scores[best] - scores[T] for T in scores}
    return {T for T in scores if abs(apart[T].mean()) <= half_width(apart[T])}


def overlapping(width: int, length: int) -> set[float]:
    scores = at_weight_one(width, length)
    best = max(scores.values(), key=np.mean)
    return {T for T, one in scores.items() if abs(best.mean() - one.mean()) <= half_width(best) + half_width(one)}


def best_alone(width: int, length: int) -> set[float]:
    scores = at_weight_one(width, length)
    return {max(scores, key=lambda T: scores[T].mean())}


def temperatures_of(answer: Any) -> list[set[float]]:
    found = (value_of(answer, *setting) for setting in SETTINGS)
    return [set(map(float, np.atleast_1d(list(one) if isinstance(one, set) else one).ravel())) for one in found]


def unlike(rule: Any) -> Any:
    return lambda found: found != [rule(*setting) for setting in SETTINGS]


FLAT = Properties(
    temperatures_of,
    {
        "Return temperatures of the grid, from 1 to 32": lambda found: all(one <= set(TEMPERATURES) for one in found),
        "These are the temperatures that *can* be told from the best": unlike(
            lambda *setting: set(TEMPERATURES) - untold(*setting)
        ),
        "These are the ones near the worst temperature. Take the one with the largest mean": unlike(
            lambda *setting: untold(*setting, sign=-1)
        ),
        "These are the ones whose two intervals overlap. Take the interval of the difference, replicate by "
        "replicate": unlike(overlapping),
        "This is the best temperature alone. Which others could be as good?": unlike(best_alone),
        "The best cannot be told from itself: it belongs to them": lambda found: all(
            best_alone(*setting) <= one for one, setting in zip(found, SETTINGS, strict=True)
        ),
        "The same for all widths and lengths: read the gains for each": lambda found: (
            len(set(map(frozenset, found))) > 1
        ),
        "Take the best mean at weight 1, and all whose paired interval to it contains 0": lambda found: (
            found == [untold(*setting) for setting in SETTINGS]
        ),
    },
)


def seen(answer: Any) -> SimpleNamespace:
    from kdlearn.comparing.comparison import Comparison

    if not isinstance(answer, Comparison):
        return SimpleNamespace(is_comparison=False)
    table = answer.table
    warm = table["temperature"].dropna().nunique() if "temperature" in table else 0
    fewest = table.groupby(answer.labels).size().min()
    return SimpleNamespace(is_comparison=True, arms=set(table["strategy"]), warm=warm, fewest=fewest)


OWN = Properties(
    seen,
    {
        GAIN: lambda found: found.is_comparison,
        "One temperature alone shows no difference. Take two at least": lambda found: found.warm > 1,
        "There is no arm `teacher's hard labels`, so nothing tells what is softness": lambda found: (
            "teacher's hard labels" in found.arms
        ),
        FEW: lambda found: found.fewest >= 5,
    },
)

EXERCISES = {
    "06.1": Formula(
        balanced,
        BALANCED,
        {
            "This is the weight of the hard loss": lambda logits, T: 1 - balanced(logits, T),
            "The soft part has a factor T, by (6.1)": lambda logits, T: balanced(logits, T, factor=1.0),
            "The T² before KL has become T in the gradient: one T goes to the chain rule": lambda logits, T: balanced(
                logits, T, factor=T**2
            ),
            "This is the limit for large T. At this T the soft part is T times the distance of p from uniform": (
                lambda logits, T: balanced(logits, 1e4)
            ),
            "The weights must sum to 1. This is their quotient": lambda logits, T: (
                math.sqrt(1 - 1 / len(logits)) / soft_length(logits, T)
            ),
        },
        "Set w · T ‖u - p(T)‖ equal to (1 - w) · √(1 - 1/C), and solve for w.",
    ),
    "06.2": Number(
        2.6,
        3.2,
        {
            "The mean of all cells is right. The best was chosen because its error is large": (-0.5, 1.0),
            "This is the spread of the mean of two seeds. The best of thirty lies farther out": (1.0, 1.7),
            "This is the largest of 30 in standard deviations. Multiply by the spread of a mean of two seeds": (
                1.7,
                2.3,
            ),
            "So much for one seed. The mean of two has a smaller spread": (3.7, 4.5),
        },
        "Answer in points: 2.04 standard deviations of a mean of two seeds.",
    ),
    "06.3": Formula(
        chosen,
        PAIRS,
        {
            "You chose on the runs that were to be read": lambda choose, read: at(
                int(read.mean(0).argmax()), choose, read
            ),
            "Report the mean on the runs that were not chosen on": reported_where_chosen,
            "The sign is turned: it looked better on the runs that it was chosen on": turned,
            "This is the cell with the luckiest single run. Take the column with the best mean": luckiest_run,
            "This is the worst cell": lambda choose, read: at(int(choose.mean(0).argmin()), choose, read),
        },
        "Return three numbers: place, mean on `read`, and mean on `choose` less mean on `read`.",
    ),
    "06.4": Formula(
        lambda rate, c: rate / c**2,
        [(0.1, 4.0), (0.03, 2.0), (1.0, 0.5)],
        {
            "That is right for Adam. Plain gradient descent does not divide the factor out": lambda rate, c: rate,
            "One factor c comes from T² / c and one from the student's output: together c²": lambda rate, c: rate / c,
            "The gradient is larger now, so the rate must be smaller": lambda rate, c: rate * c**2,
            "The gradient is larger now, so the rate must be smaller. And by which power of c?": lambda rate, c: (
                rate * c
            ),
        },
        "By (6.6) the loss is c² times as large, and so is its gradient on the weights.",
    ),
    "06.5": FLAT,
    "06.6": OWN,
}
