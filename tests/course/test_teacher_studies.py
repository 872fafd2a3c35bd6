"""The records on which teacher teaches, and on outputs that name no digit: whole, and their planned claims as told."""

import pytest
import torch

from kdlearn import Batch, Comparison


@pytest.fixture(params=["which_teacher", "subliminal"])
def study(request, script_of):
    plan = script_of(f"{request.param}/plan")
    return plan, Comparison.load(plan.RECORD)


def confirmed(plan, record: Comparison) -> set[str]:
    found = record.planned(plan.planned(record))
    return set(found.loc[found["holm"] < 0.05, "claim"])


CONFIRMED = {
    "which_teacher": {"views for the student too", "a convolutional student", "true probabilities, not softness"},
    "subliminal": {"the teacher's first weights", "what the teacher knows, by its first weights"},
}


def test_each_confirms_those_of_its_planned_claims_that_the_course_tells(study):
    plan, record = study
    assert confirmed(plan, record) == CONFIRMED[plan.RECORD.parent.name]


def test_every_planned_replicate_is_there_with_every_value(study):
    plan, record = study
    table = record.table
    assert table[record.metric].between(0, 1).all() and table["replicate"].min() == plan.FIRST
    keys = table[[*record.settings, "replicate", "seed", "length"]]
    assert not keys.duplicated().any()
    sizes = table.groupby([*record.settings, "length"], dropna=False)["replicate"].nunique()
    assert set(sizes) <= {24, 40}


def test_what_a_student_learns_of_outputs_beside_does_not_touch_those_of_the_digits(script_of):
    plan = script_of("subliminal/plan")
    logits = torch.randn(5, 13, requires_grad=True)
    plan.OutputsBeside()(logits, Batch(torch.zeros(5, 64), teacher_logits=torch.randn(5, 13))).sum().backward()
    assert (logits.grad[:, :10] == 0).all() and (logits.grad[:, 10:] != 0).all()
    alone = torch.randn(5, 13, requires_grad=True)
    plan.TruthOfDigits()(alone, Batch(torch.zeros(5, 64), labels=torch.arange(5))).sum().backward()
    assert (alone.grad[:, 10:] == 0).all() and (alone.grad[:, :10] != 0).all()
