"""Intervals against scipy's tests, sums written out, and simulated studies whose truth is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kdlearn import paired_difference
from kdlearn.formulas.intervals import (
    Interval,
    crossed_interval,
    holm,
    including_rows,
    interval,
)

values = st.lists(st.integers(-1000, 1000).map(lambda value: value / 10), min_size=2, max_size=12)


@given(values)
def test_interval_is_scipys_t_test(drawn):
    found = interval(drawn)
    assert found.mean == pytest.approx(np.mean(drawn), abs=1e-9)
    assert found.degrees_of_freedom == len(drawn) - 1
    if len(set(drawn)) > 1:
        test = stats.ttest_1samp(drawn, 0)
        bounds = test.confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((bounds.low, bounds.high), abs=1e-9)
        assert found.p_value == pytest.approx(test.pvalue)
        assert found.excludes_zero == (test.pvalue < 0.05)


@given(values)
def test_paired_difference_is_scipys_paired_test(drawn):
    reference = [0.5 * value + (-1) ** index for index, value in enumerate(drawn)]
    found = paired_difference(drawn, reference)
    if found.half_width > 1e-9:
        assert found.p_value == pytest.approx(stats.ttest_rel(drawn, reference).pvalue)


@pytest.mark.parametrize(("value", "p_value"), [(0.0, 1.0), (2.0, 0.0)])
def test_values_without_any_difference(value, p_value):
    for found in (interval([value] * 3), crossed_interval([[value] * 3] * 2)):
        assert (found.mean, found.half_width, found.p_value) == (value, 0, p_value)
        assert found.excludes_zero == (value != 0)


@pytest.mark.parametrize("function", [interval, crossed_interval])
@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_no_interval_of_what_failed(function, odd):
    with pytest.raises(ValueError, match=f"values must be finite; got {odd}"):
        function([[1.0, odd], [2.0, 3.0]] if function is crossed_interval else [1.0, odd])


def test_one_value_has_no_interval():
    for call in (lambda: interval([1.0]), lambda: crossed_interval([[1.0]])):
        with pytest.raises(ValueError, match="at least two seeds for an interval; got 1"):
            call()
    with pytest.raises(ValueError, match=r"values must be a table.* got 1 dimensions"):
        crossed_interval([1.0, 2.0])


def test_how_an_interval_is_written():
    assert f"{Interval(1.234, 0.456):+.2f}" == "+1.23 ± 0.46"
    assert f"{Interval(1.234, math.nan):+.2f}" == "+1.23"
    assert not Interval(1.0, math.nan).excludes_zero
    assert (Interval(1.0, 0.25).low, Interval(1.0, 0.25).high) == (0.75, 1.25)


@given(st.integers(2, 5), st.integers(2, 5), st.integers(0, 1000))
def test_crossed_interval_written_out(teachers, seeds, number):
    table = np.random.default_rng(number).normal(size=(teachers, seeds)).tolist()
    mean = sum(sum(row) for row in table) / (teachers * seeds)
    a = b = 0.0
    for row in table:
        a += seeds * (sum(row) / seeds - mean) ** 2 / (teachers - 1)
    for column in zip(*table, strict=True):
        b += teachers * (sum(column) / teachers - mean) ** 2 / (seeds - 1)
    degrees = (a + b) ** 2 / (a**2 / (teachers - 1) + b**2 / (seeds - 1))
    bounds = stats.t.interval(0.95, degrees, loc=mean, scale=math.sqrt((a + b) / (teachers * seeds)))
    found = crossed_interval(table)
    assert (found.low, found.high) == pytest.approx(bounds)
    assert found.degrees_of_freedom == pytest.approx(degrees)
    turned = crossed_interval(np.transpose(table))
    assert turned == pytest.approx(found)


@pytest.mark.parametrize("shape", [(1, 6), (6, 1)])
def test_one_teacher_leaves_the_seeds(shape):
    drawn = np.random.default_rng(0).normal(size=6)
    assert crossed_interval(drawn.reshape(shape)) == interval(drawn)


@pytest.mark.parametrize("spread", [(1.0, 1.0, 0.3), (1.0, 0.0, 1.0), (0.3, 1.0, 0.0)])
def test_crossed_intervals_cover_the_truth(spread):
    generator, covered = np.random.default_rng(0), 0
    for _ in range(1000):
        teachers, seeds, both = (
            scale * generator.normal(size=shape) for scale, shape in zip(spread, ((5, 1), (1, 8), (5, 8)), strict=True)
        )
        covered += not crossed_interval(teachers + seeds + both).excludes_zero
    assert 0.93 < covered / 1000 < 0.995


@given(st.integers(2, 5), st.integers(2, 9), st.integers(0, 1000))
def test_the_interval_over_seeds_and_rows_written_out(seeds, rows, number):
    table = np.random.default_rng(number).integers(-1, 2, size=(seeds, rows)).tolist()
    by_seed = [sum(row) / rows for row in table]
    by_row = [sum(column) / seeds for column in zip(*table, strict=True)]
    mean = sum(by_seed) / seeds
    of_seeds = rows * sum((one - mean) ** 2 for one in by_seed) / (seeds - 1)
    of_rows = seeds * sum((one - mean) ** 2 for one in by_row) / (rows - 1)
    rest = sum((table[s][i] - by_seed[s] - by_row[i] + mean) ** 2 for s in range(seeds) for i in range(rows))
    rest /= (seeds - 1) * (rows - 1)
    total = max(of_seeds + of_rows - rest, of_seeds, of_rows)
    found = including_rows(interval(by_seed), table)
    if total < 1e-12:
        assert found.half_width < 1e-6
        return
    squares = of_seeds**2 / (seeds - 1) + of_rows**2 / (rows - 1) + rest**2 / ((seeds - 1) * (rows - 1))
    bounds = stats.t.interval(0.95, total**2 / squares, loc=mean, scale=math.sqrt(total / (seeds * rows)))
    assert (found.low, found.high) == pytest.approx(bounds)


def test_where_no_seed_differs_from_another_the_rows_alone_make_the_interval():
    row = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    found = including_rows(interval([np.mean(row)] * 3), [row] * 3)
    assert found == pytest.approx(interval(row), rel=1e-9)


@given(st.lists(st.floats(0, 1), max_size=6))
def test_holm_is_the_smallest_level_at_which_the_step_down_test_rejects(p_values):
    def rejected(index: int, level: float) -> bool:
        """Holm's procedure: from the smallest p, each against level / (how many are left), until one is not below."""
        order = sorted(range(len(p_values)), key=lambda place: p_values[place])
        for rank, place in enumerate(order):
            if p_values[place] * (len(p_values) - rank) > level:
                return False
            if place == index:
                return True
        raise AssertionError

    for index, corrected in enumerate(holm(p_values)):
        assert p_values[index] <= corrected <= 1
        assert rejected(index, corrected) or corrected == 1
        assert corrected == 0 or not rejected(index, math.nextafter(corrected, 0))


def test_holm_keeps_names_and_order():
    assert holm({"b": 0.03, "a": 0.01}) == {"b": 0.03, "a": 0.02}
    assert holm([]) == [] and holm({}) == {}
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=rf"p_values must lie in \[0, 1\]; got {wrong}"):
            holm([0.5, wrong])
