"""How often to repeat, and where one further run would fall."""

import math
from collections.abc import Iterable

import numpy as np

from kdlearn.formulas.intervals import Interval, interval, student_t


def prediction_interval(values: Iterable[float], test_size: int | None = None, scale: float = 100.0) -> Interval:
    """Where one further run would fall, at 95 %, when `values` are independent runs: mean ± t s √(1 + 1 / n).

    Compare a published single run with this, not with the interval of a mean.

    Args:
        values: a score of each run, two at least.
        test_size: images of *another* test set on which that further run is measured; its own share of hits varies by
            1.96 √(p (1 - p) / test_size), with p the mean, which is added in squares. None where the test set is the
            same.
        scale: what a share of 1 is written as, 100 for values in percent. Only `test_size` needs it.

    Returns:
        The interval, without a p-value.

    Raises:
        ValueError: fewer than two values, one that is NaN or infinite, or with `test_size` a mean outside 0 … scale.

    >>> f"{prediction_interval([90.0, 91.0, 92.0]):.1f}"
    '91.0 ± 5.0'
    >>> f"{prediction_interval([90.0, 91.0, 92.0], test_size=400):.1f}"
    '91.0 ± 5.7'
    """
    array = np.asarray(list(values), dtype=float)
    mean, half_width, _, degrees_of_freedom = interval(array)
    half_width *= math.sqrt(len(array) + 1)
    if test_size is not None:
        if test_size < 1 or not 0 <= mean <= scale:
            expected = f"test_size must be at least 1 and the mean of values in 0 … {scale:g}"
            raise ValueError(f"{expected}; got {test_size} and {mean:g}. scale=1.0 is for shares")
        half_width = math.hypot(half_width, 1.96 * math.sqrt(mean * (scale - mean) / test_size))
    return Interval(mean, half_width, degrees_of_freedom=degrees_of_freedom)


def repetitions_for(half_width: float, spread: float, most: int = 10_000) -> int | None:
    """How many independent differences of this standard deviation give an interval of this half width, or less.

    The smallest n from 2 on with t(n - 1) · spread / √n ≤ half_width; None if `most` do not suffice.

    Raises:
        ValueError: a half width or a spread that is not above 0.

    >>> repetitions_for(half_width=1.0, spread=1.0)  # not 4, which the normal distribution would give
    7
    """
    if not (half_width > 0 and spread > 0):
        raise ValueError(f"half_width and spread must be above 0; got {half_width:g} and {spread:g}")
    return next((number for number in range(2, most + 1) if half_width_of(number, spread) <= half_width), None)


def half_width_of(number: int, spread: float) -> float:
    """The half width of the 95 % interval of the mean of so many independent values of this standard deviation.

    >>> f"{half_width_of(7, 1.0):.2f}"
    '0.92'
    """
    return student_t(0.0, spread**2 / number, number - 1).half_width
