"""Distillation of numbers: row by row against the paper's definition, and what the bound does to the gradient."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from kdlearn.formulas.regression import mean_squared_error, regression_distillation_loss

GENERATOR = torch.Generator().manual_seed(9)
STUDENT, TEACHER, LABELS = 1.5 * torch.randn(3, 12, 2, generator=GENERATOR, dtype=torch.float64)


def row_by_hand(student: list[float], teacher: list[float], label: list[float], margin: float, weight: float) -> float:
    own = sum((s - y) ** 2 / 2 if abs(s - y) <= 1 else abs(s - y) - 0.5 for s, y in zip(student, label, strict=True))
    mine, its = (sum((a - y) ** 2 for a, y in zip(one, label, strict=True)) for one in (student, teacher))
    return own + (weight * mine if mine + margin > its else 0.0)


@given(st.floats(0, 5), st.floats(0, 5))
def test_each_row_by_the_definition(margin, weight):
    student, teacher = STUDENT.clone().requires_grad_(), TEACHER.clone().requires_grad_()
    options = {"margin": margin, "bound_weight": weight, "reduction": "none"}
    values = regression_distillation_loss(student, teacher, LABELS, **options)
    rows = zip(STUDENT.tolist(), TEACHER.tolist(), LABELS.tolist(), strict=True)
    assert values.tolist() == pytest.approx([row_by_hand(*row, margin, weight) for row in rows])
    values.sum().backward()
    assert student.grad is not None and teacher.grad is None


def test_what_is_masked_is_neither_counted_nor_checked():
    mask = torch.arange(12) % 2 == 0
    hidden = torch.where(mask[:, None], LABELS, torch.nan)
    value = regression_distillation_loss(STUDENT, TEACHER, hidden, mask=mask)
    torch.testing.assert_close(value, regression_distillation_loss(STUDENT[mask], TEACHER[mask], LABELS[mask]))


def test_the_metric_against_scikit_learn_and_that_less_is_better():
    expected = oracle.mean_squared_error(LABELS, STUDENT)
    assert mean_squared_error(STUDENT, LABELS) == pytest.approx(expected)
    assert mean_squared_error.smaller_is_better


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"labels": LABELS[:, 0]}, ValueError, r"labels must have one shape|must have shape"),
        ({"labels": LABELS[:, :1]}, ValueError, r"one shape \(N, D\); got \(12, 2\) and \(12, 1\)"),
        ({"labels": LABELS.long()}, TypeError, "floating point"),
        ({"labels": LABELS * torch.nan}, ValueError, "must be finite"),
        ({"teacher_outputs": TEACHER * torch.nan}, ValueError, "must be finite"),
        ({"teacher_outputs": TEACHER / 0}, ValueError, "must be finite"),
        ({"margin": -1.0}, ValueError, "margin must lie in"),
        ({"bound_weight": -1.0}, ValueError, "bound_weight must lie in"),
        ({"reduction": "sum"}, ValueError, "reduction must be"),
    ],
)
def test_what_it_cannot_take(changed, error, said):
    given = {"student_outputs": STUDENT, "teacher_outputs": TEACHER, "labels": LABELS}
    with pytest.raises(error, match=said):
        regression_distillation_loss(**given | changed)
