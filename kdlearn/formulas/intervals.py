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
    degrees: float = math.nan  # of freedom

    @property
    def low(self) -> float:
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        return self.mean + self.half_width

    @property
    def p_value(self) -> float:
        """Of a mean of 0, two-sided, by Student's t."""
        standard_error = self.half_width / stats.t.ppf(0.975, df=self.degrees)
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(2 * stats.t.sf(abs(np.float64(self.mean) / standard_error), df=self.degrees))

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
    return Interval(float(values.mean()), float(half_width), len(values) - 1.0)


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


def crossed_interval(values: Any) -> Interval:
    """The mean of `(teachers, seeds)` values and its 95 % interval where both were drawn, each teacher with each seed.

    With A and B the variances that the means of teachers and of seeds bring to a cell, the mean's variance is
    (A + B) / (I J); Satterthwaite 1946 gives the degrees of freedom.
    """
    table = np.asarray(values, dtype=float)
    (rows, columns), mean = table.shape, table.mean()
    a = columns * table.mean(axis=1).var(ddof=1)
    b = rows * table.mean(axis=0).var(ddof=1)
    degrees = (a + b) ** 2 / (a**2 / (rows - 1) + b**2 / (columns - 1)) if a + b else rows - 1.0
    half_width = stats.t.ppf(0.975, df=degrees) * np.sqrt((a + b) / table.size)
    return Interval(float(mean), float(half_width), float(degrees))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """The p values of one family, corrected by Holm's procedure (Holm 1979).

    >>> holm({"one": 0.01, "two": 0.04, "three": 0.03})
    {'one': 0.03, 'three': 0.06, 'two': 0.06}
    """
    corrected, largest = {}, 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        largest = max(largest, min(1.0, p_values[name] * (len(p_values) - place)))
        corrected[name] = largest
    return corrected
