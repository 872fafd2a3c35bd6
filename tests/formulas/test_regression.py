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
    values = regression_distillation_loss(
        STUDENT, TEACHER, LABELS, margin=margin, bound_weight=weight, reduction="none"
    )
    rows = zip(STUDENT.tolist(), TEACHER.tolist(), LABELS.tolist(), strict=True)
    assert values.tolist() == pytest.approx([row_by_hand(*row, margin, weight) for row in rows])


def gradient(student: torch.Tensor, weight: float) -> torch.Tensor:
    student, teacher = student.clone().requires_grad_(), TEACHER.clone().requires_grad_()
    regression_distillation_loss(student, teacher, LABELS, bound_weight=weight).backward()
    assert student.grad is not None and teacher.grad is None
    return student.grad


def test_the_teacher_is_felt_where_the_student_is_worse_and_there_alone():
    worse = (STUDENT - LABELS).square().sum(1) > (TEACHER - LABELS).square().sum(1)
    felt = gradient(STUDENT, 3.0) - gradient(STUDENT, 0.0)
    expected = torch.where(worse[:, None], 3.0 * 2 * (STUDENT - LABELS) / 12, 0)
    torch.testing.assert_close(felt, expected)
    assert bool(worse.any()) and not bool(worse.all())


def test_a_margin_bounds_a_student_that_is_a_little_better():
    student, teacher, label = torch.tensor([[0.9]]), torch.tensor([[1.0]]), torch.zeros(1, 1)
    free, bounded = (regression_distillation_loss(student, teacher, label, margin=one) for one in (0.0, 0.2))
    assert float(bounded - free) == pytest.approx(0.5 * 0.81, rel=1e-5)


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
    ("labels", "options", "error", "said"),
    [
        (LABELS[:, 0], {}, ValueError, r"labels must have one shape|must have shape"),
        (LABELS[:, :1], {}, ValueError, r"one shape \(N, D\); got \(12, 2\) and \(12, 1\)"),
        (LABELS.long(), {}, TypeError, "floating point"),
        (LABELS * torch.nan, {}, ValueError, "must be finite"),
        (LABELS, {"margin": -1.0}, ValueError, "margin must lie in"),
        (LABELS, {"bound_weight": -1.0}, ValueError, "bound_weight must lie in"),
        (LABELS, {"reduction": "sum"}, ValueError, "reduction must be"),
    ],
)
def test_what_it_cannot_take(labels, options, error, said):
    with pytest.raises(error, match=said):
        regression_distillation_loss(STUDENT, TEACHER, labels, **options)


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_a_teacher_that_gives_no_number_is_refused(odd):
    with pytest.raises(ValueError, match="must be finite"):
        regression_distillation_loss(torch.zeros(2, 1), torch.tensor([[odd], [0.0]]), torch.zeros(2, 1))
