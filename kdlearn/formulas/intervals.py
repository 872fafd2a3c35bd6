"""Means over seeds, paired differences, and the intervals without which neither says anything."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

Name = TypeVar("Name")


def of_rows(metric: str) -> str:
    """The column of a table that tells a metric of each measured row, a digit a row."""
    return f"{metric}_of_rows"


class Interval(NamedTuple):
    """A mean and the half width of its 95 % interval, NaN where there is one value alone.

    `p_value` is that of the two-sided t test of a mean of 0, with `degrees_of_freedom`; NaN where nothing was tested.
    """

    mean: float
    half_width: float
    p_value: float = math.nan
    degrees_of_freedom: float = math.nan

    @property
    def low(self) -> float:
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        return self.mean + self.half_width

    @property
    def variance(self) -> float:
        """Of the mean, as it was estimated."""
        return (self.half_width / float(stats.t.ppf(0.975, self.degrees_of_freedom))) ** 2

    @property
    def excludes_zero(self) -> bool:
        return abs(self.mean) > self.half_width

    def __format__(self, spec: str) -> str:
        mean = format(self.mean, spec)
        if float(mean) == 0:  # a small negative number is no "-0.0"
            mean = format(0.0, spec)
        if math.isnan(self.half_width):
            return mean
        return f"{mean} ± {self.half_width:{spec.lstrip('+')}}"

    def __str__(self) -> str:
        return format(self, ".3g")


def interval(values: Iterable[float]) -> Interval:
    """The mean of independent values and its 95 % interval by Student's t.

    Raises:
        ValueError: fewer than two values, or one that is NaN or infinite.

    >>> f"{interval([1.0, 2.0, 3.0]):.2f}"
    '2.00 ± 2.48'
    """
    array = np.asarray(list(values), dtype=float)
    if len(array) < 2:
        raise ValueError(f"values must hold at least two seeds for an interval; got {len(array)}")
    check_finite(array)
    return student_t(array.mean(), array.var(ddof=1) / len(array), len(array) - 1)


def student_t(mean: float, variance: float, degrees_of_freedom: float) -> Interval:
    """The interval of a mean whose variance was estimated with so many degrees of freedom."""
    error = math.sqrt(variance)
    half_width = float(stats.t.ppf(0.975, degrees_of_freedom)) * error
    p_value = 2 * float(stats.t.sf(abs(mean) / error, degrees_of_freedom)) if error else float(mean == 0)
    return Interval(float(mean), half_width, p_value, float(degrees_of_freedom))


def check_finite(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise ValueError(
            f"values must be finite; got {values[~np.isfinite(values)][0]}. Leave such runs out, and say so"
        )


def paired_difference(values: Iterable[float], reference: Iterable[float]) -> Interval:
    """Mean and 95 % interval of values - reference, seed by seed: what the seeds share cancels.

    Returns:
        An `Interval` with `mean`, `half_width`, `low`, `high`, and the `p_value` of a mean of 0.

    Raises:
        ValueError: fewer than two pairs, not the same number on both sides, or a value that is NaN or infinite.

    >>> f"{paired_difference([2.0, 12.0, 22.0], [1.0, 10.0, 21.0]):+.2f}"
    '+1.33 ± 1.43'
    """
    return interval(value - base for value, base in zip(values, reference, strict=True))


def crossed_interval(values: ArrayLike) -> Interval:
    """The mean of `values` `(I teachers, J seeds)` and its 95 % interval for other teachers and other seeds.

    With A = J · Σ (teacher's mean - mean)² / (I - 1) and B = I · Σ (seed's mean - mean)² / (J - 1): the variance is
    (A + B) / (I J), with (A + B)² / (A² / (I - 1) + B² / (J - 1)) degrees of freedom (Satterthwaite 1946). What teacher
    and seed do only together is in both A and B, so the interval is rather too wide than too narrow. With one teacher
    it is Student's t over the seeds, and speaks of this teacher; with one seed likewise, of this seed.

    Raises:
        ValueError: not a table, fewer than two values, or one that is NaN or infinite.

    >>> f"{crossed_interval([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]]):.1f}"
    '3.0 ± 6.0'
    """
    table = np.asarray(values, dtype=float)
    if table.ndim != 2:
        raise ValueError(f"values must be a table, a row a teacher and a column a seed; got {table.ndim} dimensions")
    teachers, seeds = table.shape
    if 1 in table.shape:
        return interval(table.flatten())
    if table.size == 0:
        raise ValueError(f"values must hold at least two values for an interval; got shape {table.shape}")
    check_finite(table)
    of_teachers = seeds * table.mean(axis=1).var(ddof=1)
    of_seeds = teachers * table.mean(axis=0).var(ddof=1)
    total = of_teachers + of_seeds
    if total == 0:  # no difference anywhere: as many degrees of freedom as either alone would give at least
        return student_t(table.mean(), 0.0, min(teachers, seeds) - 1)
    degrees_of_freedom = total**2 / (of_teachers**2 / (teachers - 1) + of_seeds**2 / (seeds - 1))
    return student_t(table.mean(), total / table.size, degrees_of_freedom)


def including_rows(of_runs: Interval, values: ArrayLike) -> Interval:
    """The interval of the mean of `values` `(S runs, N rows)` for other runs and other rows of the test.

    With MS_S = N Σ (run's mean - mean)² / (S - 1), MS_I = S Σ (row's mean - mean)² / (N - 1), and MS_E the residual's:
    the variance is max(MS_S + MS_I - MS_E, MS_S, MS_I) / (S N), with (S N variance)² / (MS_S² / (S - 1) +
    MS_I² / (N - 1) + MS_E² / ((S - 1) (N - 1))) degrees of freedom (Satterthwaite 1946). `studies/intervals` tells how
    often it holds the truth.

    Args:
        of_runs: the interval over the runs alone, which gives MS_S / (S N) and its degrees of freedom: of one teacher's
            seeds, or of crossed teachers and seeds.
        values: what each run gives for each row, such as the difference of two students in being right.

    >>> right = np.array([[1, 0, 1, 0], [1, 1, 1, 0]])
    >>> f"{including_rows(interval(right.mean(axis=1)), right):.2f}"
    '0.62 ± 0.91'
    """
    table = np.asarray(values, dtype=float)
    (runs, rows), mean = table.shape, table.mean()
    by_row, by_run = table.mean(axis=0), table.mean(axis=1, keepdims=True)
    freedom = (of_runs.degrees_of_freedom, rows - 1, (runs - 1) * (rows - 1))
    rest = ((table - by_row - by_run + mean) ** 2).sum() / max(freedom[2], 1) / table.size
    parts = (of_runs.variance, by_row.var(ddof=1) / rows, rest)
    variance = max(parts[0] + parts[1] - rest, *parts[:2])
    if variance == 0:
        return of_runs
    weights = sum(part**2 / degrees for part, degrees in zip(parts, freedom, strict=True))
    return student_t(mean, variance, variance**2 / weights)


@overload
def holm(p_values: Mapping[Name, float]) -> dict[Name, float]: ...
@overload
def holm(p_values: Sequence[float]) -> list[float]: ...
def holm(p_values: Mapping[Any, float] | Sequence[float]) -> dict[Any, float] | list[float]:
    """p-values corrected for how many they are: below 0.05, all of them together are wrong in at most 5 % of studies.

    The k-th smallest of m, counted from 0, is multiplied by m - k, is at least what the smaller ones became, at most 1.
    In the order they came, under the names they came with. Source: Holm 1979, Scand. J. Statist. 6.

    Raises:
        ValueError: one that does not lie in [0, 1], NaN included.

    >>> holm({"labels": 0.01, "softness": 0.04, "both": 0.03})
    {'labels': 0.03, 'softness': 0.06, 'both': 0.06}
    """
    if isinstance(p_values, Mapping):
        return dict(zip(p_values, holm(list(p_values.values())), strict=True))
    if wrong := [value for value in p_values if not 0 <= value <= 1]:
        raise ValueError(f"p_values must lie in [0, 1]; got {wrong[0]}")
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected
