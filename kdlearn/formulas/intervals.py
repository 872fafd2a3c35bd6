"""Means over seeds, paired differences, and the intervals without which neither says anything."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

MEASURES = ("accuracy", "macro_recall", "macro_f1", "calibration_error", "agreement")


class Interval(NamedTuple):
    """A mean and the half width of its 95 % interval, NaN where there is one value alone."""

    mean: float
    half_width: float

    @property
    def excludes_zero(self) -> bool:
        return abs(self.mean) > self.half_width

    def __format__(self, spec: str) -> str:
        if math.isnan(self.half_width):
            return f"{self.mean:{spec}}"
        return f"{self.mean:{spec}} ± {self.half_width:{spec.lstrip('+')}}"


def interval(values: Iterable[float]) -> Interval:
    """The mean of independent values and its 95 % interval by Student's t.

    >>> f"{interval([1.0, 2.0, 3.0]):.2f}"
    '2.00 ± 2.48'
    """
    values = np.asarray(list(values), dtype=float)
    if len(values) < 2:
        raise ValueError(f"values must hold at least two seeds for an interval; got {len(values)}")
    half_width = stats.t.ppf(0.975, df=len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return Interval(float(values.mean()), float(half_width))


def paired_difference(values: Iterable[float], reference: Iterable[float]) -> Interval:
    """Mean and 95 % interval of values - reference, seed by seed: what the seeds share cancels.

    >>> f"{paired_difference([2.0, 12.0, 22.0], [1.0, 10.0, 21.0]):+.2f}"
    '+1.33 ± 1.43'
    """
    return interval(value - base for value, base in zip(values, reference, strict=True))


def summarise(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row an arm, in percent: the mean of each measure with its interval, and the difference to ground truth.

    Args:
        runs: results of one experiment, each with its `part`, `arm` and `seed`; the runs of an arm stand together. The
            first arm called "ground truth" is the one that others are compared with, seed by seed.
    """
    arms = [list(group) for _, group in groupby(runs, key=lambda run: (run["part"], run["arm"], temperature_of(run)))]
    reference = next((arm for arm in arms if arm[0]["arm"] == "ground truth"), None)
    return [
        {
            "part": arm[0]["part"],
            "arm": arm[0]["arm"],
            "temperature": temperature_of(arm[0]),
            "seeds": len(arm),
            "parameters": arm[0]["parameters"],
            **{name: mean_of(percent(arm, name)) for name in MEASURES},
            "difference": difference(arm, reference) if reference not in (arm, None) else None,
        }
        for arm in arms
    ]


def temperature_of(run: Mapping[str, Any]) -> float | None:
    return run["strategy"].get("temperature")


def mean_of(values: Sequence[float]) -> Interval:
    """With its interval where there are seeds for one."""
    return interval(values) if len(values) > 1 else Interval(values[0], math.nan)


def difference(runs: Sequence[dict[str, Any]], reference: Sequence[dict[str, Any]]) -> Interval | None:
    """Points of accuracy above the reference, over the seeds that both have."""
    base = {run["seed"]: 100 * run["accuracy"] for run in reference}
    gains = [100 * run["accuracy"] - base[run["seed"]] for run in runs if run["seed"] in base]
    return mean_of(gains) if gains else None


def seeds_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many seeds the arms have: "1 seed", "5 seeds", "3 to 5 seeds"."""
    counts = [row["seeds"] for row in rows]
    return "1 seed" if max(counts) == 1 else f"{' to '.join(map(str, sorted({min(counts), max(counts)})))} seeds"


def label_of(row: Mapping[str, Any]) -> str:
    """An arm's name, with the temperature that was chosen for it."""
    return f"{row['arm']}, T = {row['temperature']:g}" if row["temperature"] else row["arm"]


def percent(runs: Iterable[dict[str, Any]], name: str) -> list[float]:
    return [100 * run[name] for run in runs]


def crossed_interval(x):
    return interval(np.asarray(x).mean(0))


def holm(p):
    return p
