"""Metrics against scikit-learn and brute force."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from kdlearn import accuracy, agreement, expected_calibration_error, macro_f1, macro_recall
from kdlearn.formulas.metrics import is_share


@st.composite
def predictions(draw):
    num_classes, num_rows = draw(st.integers(2, 6)), draw(st.integers(1, 30))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    logits = 3 * torch.randn(num_rows, num_classes, generator=generator)
    return logits, torch.randint(num_classes, (num_rows,), generator=generator)


@given(predictions())
def test_against_scikit_learn(case):
    logits, labels = case
    predicted = logits.argmax(dim=1)
    assert accuracy(logits, labels) == pytest.approx(oracle.accuracy_score(labels, predicted))
    recall = oracle.recall_score(labels, predicted, labels=labels.unique(), average="macro", zero_division=0)
    assert macro_recall(logits, labels) == pytest.approx(recall)
    assert macro_f1(logits, labels) == pytest.approx(
        oracle.f1_score(labels, predicted, average="macro", zero_division=0)
    )


@given(predictions(), st.integers(1, 20))
def test_calibration_error_bin_by_bin(case, num_bins):
    logits, labels = case
    confidence, predicted = torch.softmax(logits.double(), dim=1).max(dim=1)
    error = 0.0
    for index in range(num_bins):
        inside = (confidence > index / num_bins) & (confidence <= (index + 1) / num_bins)
        if inside.any():
            hits = (predicted[inside] == labels[inside]).double().mean()
            error += inside.double().mean() * (hits - confidence[inside].mean()).abs()
    assert expected_calibration_error(logits, labels, num_bins) == pytest.approx(float(error), abs=1e-9)


def test_agreement_counts_shared_errors_too():
    student, teacher = torch.tensor([[1.0, 0], [0, 1], [0, 1]]), torch.tensor([[2.0, 0], [3, 1], [0, 5]])
    assert agreement(student, teacher) == pytest.approx(2 / 3)


def test_shares_are_marked():
    assert all(map(is_share, (accuracy, agreement, macro_recall, macro_f1)))
    assert not is_share(expected_calibration_error) and not is_share(lambda logits, labels: 0.0)


def test_tokens_are_labels_like_any():
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 4, 5, 3, generator=generator)
    labels = torch.randint(3, (4, 5), generator=generator)
    of_labels = (accuracy, macro_recall, macro_f1, expected_calibration_error)
    for metric, other in (*((one, labels) for one in of_labels), (agreement, teacher)):
        flat = metric(student.flatten(0, 1), other.flatten(0, 1))
        assert metric(student, other) == pytest.approx(flat)
