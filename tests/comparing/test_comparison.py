"""Differences of a drawn table against sums written out, and what is refused because it is not one question."""

import math
import re
from dataclasses import replace
from io import StringIO
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kdlearn import Comparison
from kdlearn.formulas.intervals import crossed_interval, including_rows

TRUTH, HARD, SOFT = "ground truth", "teacher's hard labels", "soft labels"


def rows(replicates: int, teachers: int, seeds: int, lengths=(100, 200), drawn: int = 0) -> pd.DataFrame:
    """Values that every factor shifts, in a shuffled order."""
    generator = np.random.default_rng(drawn)
    shift = {name: generator.normal(size=20) for name in ("replicate", "teacher", "seed")}
    made = []
    for replicate, seed, length in product(range(replicates), range(seeds), lengths):
        for strategy, temperature in ((TRUTH, np.nan), (HARD, np.nan), (SOFT, 2.0), (SOFT, 4.0)):
            for teacher in range(teachers if strategy != TRUTH else 1):
                value = shift["replicate"][replicate] + shift["seed"][seed] + generator.normal() + (strategy == SOFT)
                value += shift["teacher"][teacher] if strategy != TRUTH else 0
                name = f"teacher {teacher}" if strategy != TRUTH else ""
                about = {"strategy": strategy, "temperature": temperature, "teacher": name}
                made.append({**about, "replicate": replicate, "seed": seed, "length": length, "accuracy": value})
    return pd.DataFrame(made).assign(teacher_accuracy=0.9).sample(frac=1, random_state=drawn, ignore_index=True)


def value(table: pd.DataFrame, strategy: str, temperature=None, **place) -> float:
    """The one row at this place."""
    found = table[table["strategy"] == strategy]
    found = found if temperature is None else found[found["temperature"] == temperature]
    for name, wanted in place.items():
        found = found[found[name] == wanted]
    (only,) = found["accuracy"]
    return only


SOFT_2 = {"strategy": SOFT, "temperature": 2.0}
counts = {"seeds": st.integers(2, 5), "drawn": st.integers(0, 10**6)}


@settings(max_examples=15)
@given(replicates=st.integers(2, 6), teachers=st.integers(1, 3), length=st.sampled_from([100, 200]), **counts)
def test_over_replicates_it_is_students_t_of_their_means(replicates, teachers, seeds, drawn, length):
    table = rows(replicates, teachers, seeds, drawn=drawn)
    means = []
    for replicate in range(replicates):
        gaps = []
        for teacher, seed in product(range(teachers), range(seeds)):
            place = {"replicate": replicate, "seed": seed, "length": length}
            gaps.append(
                100 * value(table, SOFT, 2.0, teacher=f"teacher {teacher}", **place)
                - 100 * value(table, TRUTH, **place)
            )
        means.append(np.mean(gaps))
    found = Comparison(table).difference(SOFT_2, TRUTH, length=length)
    half_width = stats.t.ppf(0.975, replicates - 1) * np.std(means, ddof=1) / np.sqrt(replicates)
    assert (found.mean, found.half_width) == pytest.approx((np.mean(means), half_width))


@settings(max_examples=15)
@given(teachers=st.integers(2, 5), **counts)
@pytest.mark.parametrize("other", [TRUTH, HARD])
def test_over_teachers_crossed_with_seeds_it_is_the_formula_of_the_design(other, teachers, seeds, drawn):
    table = rows(1, teachers, seeds, drawn=drawn)
    gaps = np.zeros((teachers, seeds))
    for teacher, seed in product(range(teachers), range(seeds)):
        place = {"seed": seed, "length": 200}
        mine = {**place, "teacher": f"teacher {teacher}"}
        gaps[teacher, seed] = value(table, SOFT, 2.0, **mine) - value(
            table, other, **(place if other == TRUTH else mine)
        )
    of_teachers = seeds * sum((gaps[i].mean() - gaps.mean()) ** 2 for i in range(teachers)) / (teachers - 1)
    of_seeds = teachers * sum((gaps[:, j].mean() - gaps.mean()) ** 2 for j in range(seeds)) / (seeds - 1)
    variance = (of_teachers + of_seeds) / (teachers * seeds)
    freedom = (of_teachers + of_seeds) ** 2 / (of_teachers**2 / (teachers - 1) + of_seeds**2 / (seeds - 1))
    found = Comparison(table, share=False).difference(SOFT_2, other)
    assert found.mean == pytest.approx(gaps.mean())
    assert found.half_width == pytest.approx(stats.t.ppf(0.975, freedom) * np.sqrt(variance))


@settings(max_examples=15)
@given(**counts)
def test_of_one_teacher_it_is_students_t_over_the_seeds(seeds, drawn):
    table = rows(1, 1, seeds, drawn=drawn)
    places = [{"seed": seed, "length": 200} for seed in range(seeds)]
    gaps = [value(table, SOFT, 4.0, **place) - value(table, HARD, **place) for place in places]
    found = Comparison(table, share=False).difference("soft labels, T = 4", HARD)
    expected = stats.ttest_1samp(gaps, 0)
    assert (found.mean, found.p_value) == pytest.approx((np.mean(gaps), expected.pvalue))


@pytest.mark.parametrize("teachers", [1, 3])
def test_where_rows_are_told_an_interval_covers_them(teachers):
    generator, number = np.random.default_rng(0), 12
    hits = generator.integers(0, 2, size=(len(rows(1, teachers, 4)), number))
    told = ["".join(map(str, one)) for one in hits]
    table = rows(1, teachers, 4).assign(accuracy=hits.mean(axis=1), accuracy_of_rows=told)
    pairs, by_row = [], []
    for teacher, seed in product(range(teachers), range(4)):
        taught = {"teacher": f"teacher {teacher}", "temperature": 2.0, "seed": seed, "length": 200}
        of_soft, of_truth = ({"strategy": SOFT, **taught}, {"strategy": TRUTH, "seed": seed, "length": 200})
        one, other = (
            hits[np.logical_and.reduce([table[name] == value for name, value in where.items()])][0]
            for where in (of_soft, of_truth)
        )
        pairs.append(100 * (one - other).mean())
        by_row.append(100.0 * (one - other))
    over_runs = crossed_interval(np.reshape(pairs, (teachers, 4)))
    comparison = Comparison(table)
    assert comparison.difference(SOFT_2, TRUTH) == pytest.approx(including_rows(over_runs, by_row))
    assert comparison.over().endswith(", and test rows")
    without = replace(comparison, table=table.drop(columns="accuracy_of_rows"))
    assert without.difference(SOFT_2, TRUTH) == pytest.approx(over_runs)
    assert "rows" not in without.over()


@pytest.mark.parametrize("odd", ["101", "", None])
def test_rows_that_are_not_told_of_every_run_are_no_part_of_an_interval(odd):
    table = rows(1, 1, 4).assign(accuracy_of_rows="1011")
    table.loc[table["strategy"] == TRUTH, "accuracy_of_rows"] = odd
    without = table.drop(columns="accuracy_of_rows")
    assert Comparison(table).difference(SOFT_2, TRUTH) == Comparison(without).difference(SOFT_2, TRUTH)


@settings(max_examples=15)
@given(**counts)
def test_a_difference_turns_its_sign_and_the_reference_is_taken_where_none_is_said(seeds, drawn):
    comparison = Comparison(rows(1, 3, seeds, drawn=drawn))
    one, other = comparison.difference(HARD, SOFT_2), comparison.difference(SOFT_2, HARD)
    assert (one.mean, one.half_width) == pytest.approx((-other.mean, other.half_width))
    assert comparison.difference(HARD) == comparison.difference(HARD, TRUTH)
    assert comparison.difference(HARD, HARD)[:2] == (0, 0)


def test_one_teacher_of_several_may_be_asked_about():
    table = rows(1, 3, 4)
    gaps = [
        100 * value(table, HARD, teacher="teacher 1", seed=seed, length=200)
        - 100 * value(table, TRUTH, seed=seed, length=200)
        for seed in range(4)
    ]
    assert Comparison(table).difference(HARD, TRUTH, teacher="teacher 1").mean == pytest.approx(np.mean(gaps))


def test_only_seeds_that_both_have_are_paired_and_none_is_refused():
    table = rows(1, 1, 5)
    fewer = table[(table["strategy"] != HARD) | (table["seed"] < 3)]
    gaps = [value(table, HARD, seed=seed, length=200) - value(table, TRUTH, seed=seed, length=200) for seed in range(3)]
    assert Comparison(fewer, share=False).difference(HARD).mean == pytest.approx(np.mean(gaps))
    apart = table[(table["strategy"] != HARD) | (table["seed"] < 3)]
    apart = apart[(apart["strategy"] != TRUTH) | (apart["seed"] > 2)]
    with pytest.raises(ValueError, match="must share replicates and seeds to be paired"):
        Comparison(apart).difference(HARD)


def test_a_teacher_without_a_seed_is_refused():
    table = rows(1, 2, 3)
    holes = table[(table["teacher"] != "teacher 1") | (table["seed"] < 2)]
    with pytest.raises(ValueError, match="every teacher must have taught every seed"):
        Comparison(holes).difference(HARD)


with_rates = rows(1, 1, 3).assign(learning_rate=0.4)
with_rates = pd.concat([with_rates, with_rates.assign(learning_rate=0.8)], ignore_index=True)
with_rates = with_rates[["learning_rate", *(name for name in with_rates if name != "learning_rate")]]
REFUSED = {
    "two temperatures": (rows(1, 1, 3), (SOFT,), {}, "'soft labels' fits several arms: temperature takes 2 and 4"),
    "two rates": (with_rates, (HARD,), {}, "learning_rate takes 0.4 and 0.8: say which"),
    "no such name": (rows(1, 1, 3), ("hard",), {}, "'hard' is no strategy of the table; there are"),
    "no such length": (rows(1, 1, 3), (HARD,), {"length": 150}, r"length must be one of \[100, 200\]; got 150"),
    "no such column": (rows(1, 1, 3), (HARD,), {"rate": 1}, "where must name columns of the table"),
    "no such column of an arm": (rows(1, 1, 3), ({"rate": 1},), {}, "'rate' is no column"),
    "no such value": (rows(1, 1, 3), ({"temperature": 3.0},), {}, "nothing in the table is"),
}


@pytest.mark.parametrize("table, arms, where, words", REFUSED.values(), ids=REFUSED)
def test_what_is_not_one_question_is_refused_with_what_tells_apart(table, arms, where, words):
    with pytest.raises(ValueError, match=words):
        Comparison(table).difference(*arms, **where)


def test_where_tells_arms_apart():
    comparison = Comparison(with_rates)
    assert comparison.difference(HARD, TRUTH, learning_rate=0.4) == comparison.difference(
        {"strategy": HARD, "learning_rate": 0.4}, {"strategy": TRUTH, "learning_rate": 0.4}
    )
    assert comparison.difference(SOFT, HARD, learning_rate=0.8, temperature=2.0).mean == pytest.approx(
        comparison.difference({**SOFT_2, "learning_rate": 0.8}, {"strategy": HARD, "learning_rate": 0.8}).mean
    )


@pytest.mark.parametrize("replicates, teachers", [(6, 1), (1, 3), (1, 1)])
def test_a_summary_has_the_differences_and_means_of_every_arm(replicates, teachers):
    comparison = Comparison(rows(replicates, teachers, 4))
    for length in (100, 200):
        summary = comparison.summary(length).set_index("arm")
        assert set(summary.index) == {TRUTH, HARD, "soft labels, T = 2", "soft labels, T = 4"}
        assert math.isnan(summary.loc[TRUTH, "difference"]) and set(summary["length"]) == {length}
        for arm in summary.index.drop(TRUTH):
            found = comparison.difference(arm, TRUTH, length=length)
            told = summary.loc[arm, ["difference", "low", "high", "p"]].astype(float).tolist()
            assert told == pytest.approx([found.mean, found.low, found.high, found.p_value], rel=1e-3)
            table = comparison.table[(comparison.labels == arm) & (comparison.table["length"] == length)]
            assert summary.loc[arm, "accuracy"] == pytest.approx(100 * table["accuracy"].mean(), rel=1e-3)
            assert summary.loc[arm, "n"] == max(
                replicates if replicates > 1 else teachers, 4 * (replicates * teachers == 1)
            )
    pd.testing.assert_frame_equal(pd.read_csv(StringIO(comparison.summary().to_csv(index=False))), comparison.summary())


def test_a_summary_finds_the_reference_of_each_length():
    """Where a setting was chosen for each length, the reference has several names, but one a length."""
    table = rows(1, 1, 4)
    rates = np.where(table["length"] == 100, 0.4, 0.8)
    comparison = Comparison(pd.concat([pd.Series(rates, name="learning_rate"), table], axis=1))
    for length in (100, 200):
        differences = comparison.summary(length)["difference"]
        assert differences.notna().sum() == 3


def test_planned_claims_are_one_family_by_holm():
    comparison = Comparison(rows(1, 1, 5))
    claims = {"labels": (HARD, TRUTH), "softness": (SOFT_2, HARD), "both": (SOFT_2, TRUTH)}
    planned = comparison.planned(claims).set_index("claim")
    p = {name: comparison.difference(*arms).p_value for name, arms in claims.items()}
    so_far = 0.0
    for place, name in enumerate(sorted(p, key=p.get)):
        so_far = max(so_far, min(1.0, (3 - place) * p[name]))
        assert planned.loc[name, "holm"] == pytest.approx(so_far) and planned.loc[name, "p"] == pytest.approx(p[name])
    assert planned["mean"].tolist() == pytest.approx([comparison.difference(*arms).mean for arms in claims.values()])


@pytest.mark.parametrize("share", [True, False])
def test_a_comparison_comes_back_whole_from_its_file(tmp_path, share):
    before = Comparison(rows(2, 1, 3), "accuracy", share, HARD, ("one note", "another"))
    before.save(tmp_path / "a.parquet")
    after = Comparison.load(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(before.table, after.table)
    assert (after.metric, after.share, after.baseline, after.notes) == ("accuracy", share, HARD, before.notes)
    assert str(after) == str(before) and after.difference(SOFT_2) == before.difference(SOFT_2)
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.parquet"):
        Comparison.load(tmp_path / "a.parquet")


def test_a_share_is_shown_in_points_and_printed_with_what_the_intervals_cover():
    table = rows(1, 3, 4)
    points, plain = Comparison(table), Comparison(table, share=False)
    assert points.difference(HARD).mean == pytest.approx(100 * plain.difference(HARD).mean)
    printed = str(points)
    assert "in points" in printed and "3 teachers × 4 seeds" in printed and "after 200 updates" in printed
    assert "in points" not in str(plain)


def test_a_missing_number_is_not_left_out_of_a_mean():
    table = pd.DataFrame(
        {"strategy": "ground truth", "teacher": "", "replicate": [0, 0, 1, 1], "seed": [0, 1, 0, 1], "length": 5}
        | {"accuracy": [0.7, math.nan, 0.8, 0.8]}
    )
    [row] = Comparison(table).arms()
    assert math.isnan(row["value"].mean) and "nan" in str(Comparison(table))


def test_tables_that_were_put_together_with_their_old_index_are_shown():
    alone = pd.DataFrame(
        {"strategy": "ground truth", "teacher": "", "replicate": 0, "seed": [0, 1], "length": 5, "accuracy": 0.5}
    )
    parts = [alone.assign(**{"temperature": one, "strategy": "soft"}) for one in (1.0, 2.0)]
    told = Comparison(pd.concat([*parts, alone])[[*parts[0].columns[:-2], "temperature", "accuracy"]])
    assert "soft, T = 1" in str(told) and "soft, T = 2" in str(told)


def test_large_numbers_do_not_touch():
    shared = {"teacher": "", "replicate": 0, "seed": [0, 1, 2], "length": 5}
    values = {"one": [971_585.1, 972_000.2, 973_000.5], "other": [71_585.1, 72_000.2, 73_900.5]}
    rows = [pd.DataFrame({"strategy": name, **shared, "error": found}) for name, found in values.items()]
    lines = str(Comparison(pd.concat(rows), "error", share=False, baseline="one")).splitlines()
    assert any(re.search(r"other +\S+ ± \S+ +\S+ ± \S+$", line) for line in lines)


def test_scores_come_back_as_they_were_written(tmp_path):
    scores = pd.DataFrame({"teacher": ["1", "02"], "when": ["2026-01-01", "x"], "score": [0.5, 1 / 3]})
    table = pd.DataFrame({"strategy": ["a"], "teacher": "", "replicate": 0, "seed": 0, "length": 5, "accuracy": 0.5})
    Comparison(table, scores=scores).save(tmp_path / "found.parquet")
    pd.testing.assert_frame_equal(Comparison.load(tmp_path / "found.parquet").scores, scores, check_dtype=False)
