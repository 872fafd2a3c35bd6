"""Many labels at once: the loss against sigmoids in float64 and its limit, the metrics against scikit-learn."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from kdlearn import Batch, GroundTruth, SoftLabels, SoftLabelsAndGroundTruth
from kdlearn.formulas.many_labels import (
    binary_distillation_loss,
    label_f1,
    mean_average_precision,
    mean_label_f1,
    yes_or_no,
)

GENERATOR = torch.Generator().manual_seed(6)
STUDENT, TEACHER = 3 * torch.randn(2, 7, 4, generator=GENERATOR, dtype=torch.float64)
LABELS = torch.randint(2, (7, 4), generator=GENERATOR)


def by_sigmoids(temperature: float, weight: float) -> torch.Tensor:
    p, q = torch.sigmoid(TEACHER / temperature), torch.sigmoid(STUDENT / temperature)
    kl = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    hard = F.binary_cross_entropy_with_logits(STUDENT, LABELS.double(), reduction="none")
    return weight * temperature**2 * kl + (1 - weight) * hard


@given(st.floats(0.5, 20), st.floats(0, 1))
def test_the_loss_by_sigmoids(temperature, weight):
    options = {"temperature": temperature, "soft_weight": weight}
    values = binary_distillation_loss(STUDENT, TEACHER, LABELS, **options, reduction="none")
    torch.testing.assert_close(values, by_sigmoids(temperature, weight), rtol=1e-6, atol=1e-9)
    mask = torch.arange(28).view(7, 4) % 3 > 0
    mean = binary_distillation_loss(STUDENT, TEACHER, torch.where(mask, LABELS, 9), **options, mask=mask)
    torch.testing.assert_close(mean, by_sigmoids(temperature, weight)[mask].mean(), rtol=1e-6, atol=1e-9)


def test_the_slope_keeps_its_size_at_a_high_temperature():
    student = STUDENT.clone().requires_grad_()
    options = {"temperature": 1e3, "soft_weight": 1.0, "reduction": "none"}
    binary_distillation_loss(student, TEACHER, LABELS, **options).sum().backward()
    torch.testing.assert_close(student.grad, (STUDENT - TEACHER) / 4, rtol=1e-4, atol=1e-6)


def test_strategies_of_logits_no_and_yes_are_this_loss():
    student, batch = yes_or_no(STUDENT), Batch(torch.zeros(7, 1), LABELS, yes_or_no(TEACHER))
    for strategy, weight in ((SoftLabelsAndGroundTruth(2.5, 0.3), 0.3), (SoftLabels(2.5), 1.0), (GroundTruth(), 0.0)):
        torch.testing.assert_close(strategy(student, batch), by_sigmoids(2.5, weight), rtol=1e-6, atol=1e-9)


@st.composite
def answers(draw):
    rows, classes = draw(st.integers(1, 25)), draw(st.integers(1, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    scores = torch.randn(rows, classes, generator=generator, dtype=torch.float64)
    ties = draw(st.booleans())  # rounded, many rows are ranked alike
    return (scores.round() if ties else scores), torch.randint(2, (rows, classes), generator=generator)


@given(answers())
def test_average_precision_against_scikit_learn(case):
    scores, labels = case
    logits = yes_or_no(scores) + 5.0  # a shift of both changes nothing
    occurs = [one for one in range(labels.shape[1]) if labels[:, one].any()]
    if not occurs:
        with pytest.raises(ValueError, match="labels must say yes at least once"):
            mean_average_precision(logits, labels)
        return
    ranked = (logits[..., 1] - logits[..., 0]).numpy()  # rounded as they are
    expected = [oracle.average_precision_score(labels[:, one], ranked[:, one]) for one in occurs]
    assert mean_average_precision(logits, labels) == pytest.approx(sum(expected) / len(expected))


@given(answers())
def test_f1_against_scikit_learn(case):
    scores, labels = case
    each = [oracle.f1_score(*both, zero_division=0) for both in zip(labels.T, (scores > 0).T, strict=True)]
    assert label_f1(yes_or_no(scores), labels).tolist() == pytest.approx(each)
    assert mean_label_f1(yes_or_no(scores), labels) == pytest.approx(sum(each) / len(each))


@pytest.mark.parametrize("metric", [mean_average_precision, mean_label_f1])
def test_logits_of_another_shape_are_refused_with_a_way_out(metric):
    with pytest.raises(ValueError, match=r"shape \(N, C, 2\).*YesOrNo"):
        metric(STUDENT, LABELS)
