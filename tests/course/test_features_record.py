"""The record on features and relations: whole, and tuned alike."""

import pytest
from conftest import ROOT

from kdlearn import Comparison
from kdlearn.data.files import read_json

RECORD = Comparison.load(ROOT / "studies/features/comparison.parquet")


@pytest.fixture
def plan(script_of):
    return script_of("features/plan")


def test_every_planned_training_is_there_once(plan):
    table = RECORD.table
    assert not table.duplicated(["strategy", "replicate", "seed", "length"]).any()
    arms = {"ground truth", "soft labels", *plan.FEATURES, plan.ALONE, plan.UNTRAINED, plan.SAME_TEMPERATURE}
    assert set(table["strategy"]) == arms and set(table["replicate"]) == set(plan.REPLICATES)
    assert len(table) == len(arms) * len(plan.REPLICATES) * len(plan.SEEDS) * len(plan.LENGTHS)
    assert table["accuracy"].between(0.1, 1).all() and (table["loss"] > 0).all()


def test_every_arm_took_one_of_its_candidates_at_each_length(plan):
    columns = ["learning_rate", "temperature", "feature_weight"]
    chosen = RECORD.table.groupby(["strategy", "length"])[columns].agg(["nunique", "first"])
    assert (chosen.xs("nunique", axis=1, level=1) <= 1).all(axis=None)
    weights = set(chosen["feature_weight"]["first"].dropna())
    assert weights <= set(plan.WEIGHTS)


def test_costs_are_those_of_every_arm_by_that_of_soft_labels(plan):
    costs = read_json(plan.COSTS)
    assert costs.keys() == {"soft labels", *plan.FEATURES} and costs["soft labels"] == 1


def test_the_planned_claims_are_confirmed_as_told(plan):
    """All hold, and but for relations it is logits alone, at their own temperature, that are better."""
    found = RECORD.planned(plan.planned(RECORD))
    assert set(found["claim"]) == set(plan.FEATURES) and (found["holm"] < 0.05).all()
    assert set(found.loc[found["mean"] > 0, "claim"]) == {"relations"}
