"""Repetitions and prediction intervals against simulated runs whose truth is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdcourse.repetitions import half_width_of, prediction_interval, repetitions_for
from kdlearn.formulas.intervals import interval


@pytest.mark.parametrize("test_size", [None, 200])
def test_prediction_intervals_hold_one_further_run(test_size):
    """A run's accuracy is normal around 90 % on the studied test set; on another it is a share of hits."""
    generator, held = np.random.default_rng(0), 0
    for _ in range(2000):
        runs = generator.normal(90, 1, size=6)
        further = generator.normal(90, 1)
        if test_size:
            further = 100 * generator.binomial(test_size, further / 100) / test_size
        found = prediction_interval(runs, test_size)
        held += found.low <= further <= found.high
    assert 0.93 < held / 2000 < 0.97


def test_prediction_interval_in_shares():
    percent, shares = prediction_interval([90.0, 92.0], 400), prediction_interval([0.90, 0.92], 400, scale=1.0)
    assert shares.half_width == pytest.approx(percent.half_width / 100)
    assert math.isnan(percent.p_value)
    with pytest.raises(ValueError, match=r"in 0 … 1; got 400 and 91. scale=1.0 is for shares"):
        prediction_interval([90.0, 92.0], 400, scale=1.0)


@given(st.integers(2, 200), st.floats(0.1, 10))
def test_the_half_width_of_so_many_values_is_that_of_their_interval(number, spread):
    values = np.linspace(-1, 1, number)
    values *= spread / values.std(ddof=1)
    assert half_width_of(number, spread) == pytest.approx(interval(values).half_width)


@given(st.floats(0.3, 5), st.floats(0.1, 5))
def test_one_repetition_fewer_would_be_too_few(half_width, spread):
    number = repetitions_for(half_width, spread)
    assert half_width_of(number, spread) <= half_width
    assert number == 2 or half_width_of(number - 1, spread) > half_width


def test_too_many_repetitions_are_none_and_nothing_is_divided_by_zero():
    assert repetitions_for(0.001, 10.0, most=50) is None
    for half_width, spread in ((0.0, 1.0), (1.0, -1.0), (math.nan, 1.0)):
        with pytest.raises(ValueError, match="must be above 0"):
            repetitions_for(half_width, spread)
