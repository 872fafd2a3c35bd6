"""The record on language models: whole, tuned alike, and with the planned claims as notebook 11b tells them."""

import pytest

from kdlearn import Comparison
from kdlearn.data.files import read_table

CONFIRMED = {
    "soft labels",
    "what the other text gives",
    "its text instead of its soft labels",
    "the tail as nothing",
}


@pytest.fixture
def plan(script_of):
    return script_of("language_models/plan")


@pytest.fixture
def record(plan) -> Comparison:
    return Comparison.load(plan.RECORD)


@pytest.fixture
def tuning(plan):
    return read_table(plan.TUNING, "tuning")


def test_every_arm_is_there_once_for_each_replicate(plan, record):
    table = record.table
    assert not table[["part", "strategy", "replicate", "length"]].duplicated().any()
    each = table[table["part"].isin([plan.ARMS_PART, plan.LAST_PART])].groupby(["part", "strategy"])["replicate"]
    assert (each.nunique() == len(plan.REPLICATES)).all()
    assert each.nunique().groupby(level="part").size().to_dict() == {
        plan.ARMS_PART: len(plan.ARMS), plan.LAST_PART: len(plan.LAST),
    }  # fmt: skip


def test_values_lie_in_range(record):
    assert record.table["accuracy"].between(0, 1).all()
    assert record.table["loss"].between(1, 4.17).all(), "log 65 is what an even guess costs"
    assert (record.table[["teachers_nats", "own_nats"]].dropna() > 0).all(axis=None)


def test_every_arm_was_tuned_alike_on_a_piece_that_no_replicate_has(plan, tuning):
    scores = tuning[tuning["strategy"].isin(plan.ARMS)]
    tried = scores.groupby("strategy")[["learning_rate", "length"]].agg(lambda one: sorted(set(one)))
    assert set(tried["learning_rate"].map(tuple)) == {plan.RATES}
    assert set(tried["length"].map(tuple)) == {plan.LENGTHS}
    assert not set(scores["replicate"]) & set(plan.REPLICATES)


def test_each_arm_has_the_rate_and_length_that_validation_chose(plan, record, tuning):
    chosen = plan.choices(tuning)
    rows = record.table[record.table["part"] == plan.ARMS_PART]
    for name, of_arm in rows.groupby("strategy"):
        assert set(zip(of_arm["learning_rate"], of_arm["length"], strict=True)) == {tuple(chosen[name])}


def test_it_confirms_those_of_its_planned_claims_that_the_course_tells(plan, record):
    found = record.planned(plan.planned(record))
    assert set(found.loc[found["holm"] < 0.05, "claim"]) == CONFIRMED
