"""The recorded study of the digits is the one that its plan describes, and says what its notebook says."""

import numpy as np
import pytest
from scipy import stats

import kdlearn
from kdcourse.records import recorded
from kdlearn.formulas.intervals import interval

SOFT = {"strategy": "soft labels", "images": 60, "temperature": 2.0, "teacher saw": "as they are"}
TRUTH = {"strategy": "ground truth", "images": 60}


@pytest.fixture(scope="module")
def record():
    return kdlearn.Comparison.load(recorded("digits") / "comparison.parquet")


def test_a_run_of_it_can_be_had_again(record, script_of):
    plan = script_of("digits/plan")
    again = [run for run in plan.runs_of(100, seeds=range(2), lengths=(100,)) if run.strategy.name == "ground truth"]
    found = kdlearn.study(again, machine=kdlearn.Machine(threads=1))
    for _, row in found.iterrows():
        same = record.table[(record.table["replicate"] == 100) & (record.table["length"] == 100)]
        same = same[(same["seed"] == row["seed"]) & (same["images"] == row["images"])]
        (kept,) = same[same["strategy"] == "ground truth"]["accuracy"]
        assert row["accuracy"] == pytest.approx(kept, abs=0.01)  # four images: another machine rounds otherwise


def test_each_gives_what_a_difference_averages(record):
    table = record.table
    mine = table[(table["strategy"] == "soft labels") & (table["temperature"] == 2) & (table["images"] == 60)]
    mine = mine[(mine["teacher saw"] == "as they are") & (mine["length"] == 300)]
    other = table[(table["strategy"] == "ground truth") & (table["images"] == 60) & (table["length"] == 300)]
    by_hand = 100 * (mine.groupby("replicate")["accuracy"].mean() - other.groupby("replicate")["accuracy"].mean())
    each = record.each(SOFT, TRUTH, length=300)
    np.testing.assert_allclose(each, by_hand)
    difference = record.difference(SOFT, TRUTH, length=300)
    assert difference == interval(each)
    assert difference.p_value == pytest.approx(stats.ttest_1samp(by_hand, 0).pvalue)
