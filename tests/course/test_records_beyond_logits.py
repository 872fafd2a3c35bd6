"""The records of many labels, sound and another sense: every planned student once, and what was found, as told."""

import pytest
from conftest import ROOT

from kdlearn import Comparison

SIGNS = {  # of the planned claims in their order; 0 where Holm's correction leaves it open
    "many_labels": [1, 1, 1, 1],
    "spoken": [0, 0, 0, 0],
    "senses": [1, 0, -1, 0],
}
ARMS = {"many_labels": 2 * 6, "spoken": 2 * 5, "senses": 11}
each_record = pytest.mark.parametrize("study", SIGNS)


def record_of(study: str) -> Comparison:
    return Comparison.load(ROOT / "studies" / study / "comparison.parquet")


@each_record
def test_every_planned_student_is_there_once(study, script_of):
    plan, table = script_of(f"{study}/plan"), record_of(study).table
    replicates = getattr(plan, "REPLICATES", range(len(getattr(plan, "SPEAKERS", ()))))
    names = [*record_of(study).settings, "replicate", "seed", "length"]
    assert not table.duplicated(names).any()
    assert len(table) == ARMS[study] * len(replicates) * len(plan.SEEDS) * len(plan.LENGTHS)
    assert set(table["replicate"]) == set(replicates) and set(table["length"]) == set(plan.LENGTHS)


@each_record
def test_values_lie_in_range(study):
    record = record_of(study)
    agreement = record.table.loc[record.table["teacher"] != "", "agreement"]
    assert record.table[record.metric].between(0, 1).all() and (record.table["loss"] > 0).all()
    assert agreement.isna().all() if study == "senses" else agreement.between(0, 1).all()  # that teacher hears nothing


@each_record
def test_the_planned_claims_have_the_signs_that_the_notebook_tells(study, script_of):
    record = record_of(study)
    found = record.planned(script_of(f"{study}/plan").planned(record))
    assert [(1 if row["mean"] > 0 else -1) * (row["holm"] < 0.05) for _, row in found.iterrows()] == SIGNS[study]


def test_shuffling_leaves_the_teacher_as_it_is():
    table = record_of("many_labels").table
    kept = table[table["teacher"] != ""].groupby("replicate")["teacher_mean_average_precision"]
    assert kept.nunique().max() == 1
