"""What a report of `examine` says: numbers that are recovered whatever they are, words, and refusals with a way out."""

import functools
import math

import pytest
import torch
from hand_written import both, ce, kd, kept, kl
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

import kdlearn


@settings(max_examples=40)
@given(
    T=st.floats(0.5, 20.0),
    soft_weight=st.floats(0.05, 0.95),
    reduction=st.sampled_from(["batchmean", "sum", "mean"]),
    smoothing=st.sampled_from([0.0, 0.1]),
)
def test_weights_temperature_and_reduction_are_recovered_to_one_percent(T, soft_weight, reduction, smoothing):
    assume(abs(T - 1) > 0.01)
    hard_reduction = "sum" if reduction == "sum" else "mean"

    def loss(student_logits, teacher_logits, labels):
        hard = ce(student_logits, labels, label_smoothing=smoothing, reduction=hard_reduction)
        return soft_weight * T**2 * kl(student_logits, teacher_logits, T, reduction) + (1 - soft_weight) * hard

    report = kdlearn.examine(loss)
    assert report.temperature == pytest.approx(T, rel=0.01)
    assert (report.soft_weight, report.hard_weight) == pytest.approx((soft_weight, 1 - soft_weight), rel=0.01)
    assert report.smoothing == pytest.approx(smoothing, abs=0.01)
    expected = {"batchmean": (), "sum": ("summed-over-batch",), "mean": ("divided-by-classes",)}
    assert report.names == expected[reduction]


@settings(max_examples=20)
@given(T=st.floats(1.5, 10.0), power=st.sampled_from([0, 1, 2, 4]), soft=st.floats(0.1, 3.0), hard=st.floats(0.1, 3.0))
def test_the_power_of_an_argument_is_measured_for_any_weights(T, power, soft, hard):
    def loss(student_logits, teacher_logits, labels, temperature=T):
        soft_loss = temperature**power * kl(student_logits, teacher_logits, temperature)
        return soft * soft_loss + hard * ce(student_logits, labels)

    report = kdlearn.examine(loss)
    assert (report.power, report.temperature) == (power, T)
    assert (report.soft_weight, report.hard_weight) == pytest.approx((soft, hard), rel=0.01)
    expected = {1: ("temperature-not-squared",), 2: (), 4: ("temperature-squared-twice",)}
    assert report.names == expected.get(power, ("temperature-squared-missing",))


@settings(max_examples=8)
@given(T=st.floats(1.0, 8.0), share=st.floats(0.1, 0.9))
def test_the_share_of_a_mixture_is_recovered(T, share):
    report = kdlearn.examine(functools.partial(kdlearn.jensen_shannon_loss, temperature=T, teacher_share=share))
    assert report.form == f"Jensen–Shannon with {share:.3g} of the teacher" and report.findings == ()
    assert report.temperature == pytest.approx(T, rel=0.01)


@pytest.mark.parametrize("T", [1.0, 4.0, 10.0])
def test_weights_are_quoted_at_the_default(T):
    def squared_on_both(student_logits, teacher_logits, labels, T=T):
        return 0.5 * kd(student_logits, teacher_logits, T) + 0.5 * T * T * ce(student_logits, labels)

    report = kdlearn.examine(squared_on_both)
    assert report.findings[0].measured == 2 and report.temperature == T
    assert (report.soft_weight, report.hard_weight) == pytest.approx((0.5, 0.5 * T**2), rel=1e-3)


@pytest.mark.parametrize(
    "loss, what",
    [
        (lambda z, v, y, alpha=0.5: both(z, v, y, weight=alpha), "soft loss; the hard loss gets the rest"),
        (lambda z, v, y, alpha=0.5: both(z, v, y, weight=1 - alpha), "hard loss; the soft loss gets the rest"),
        (lambda z, v, y, alpha=0.5: alpha * kd(z, v) + ce(z, y), "soft loss alone"),
        (lambda z, v, y, alpha: kd(z, v) + alpha * ce(z, y), "hard loss alone"),
    ],
)
def test_it_says_what_a_weight_weighs(loss, what):
    assert kdlearn.examine(loss).weighs == {"alpha": f"weighs the {what}"}


@pytest.mark.parametrize("kind", [torch.half, torch.bfloat16])
def test_half_precision_keeps_the_form(kind):
    report = kdlearn.examine(lambda s, t: kd(s.to(kind), t.to(kind)).float())
    assert report.form == "KL(teacher ‖ student)" and report.temperature == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("power", [1.5, 3])
def test_of_an_unknown_form_it_says_what_was_not_checked(power):
    report = kdlearn.examine(lambda s, t: ((s.sigmoid() - t.detach().sigmoid()).abs() ** power).mean())
    assert report.form is None and math.isnan(report.soft_weight) and report.findings == ()
    assert "none of the forms" in str(report) and "were not checked" in str(report)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_off(context):
    with context():
        report = kdlearn.examine(kdlearn.distillation_loss)
    assert report.findings == () and report.temperature == 4


def test_labels_that_refuse_padding_leave_the_mask_as_it_was():
    def loss(student_logits, teacher_logits, labels, mask, T=4.0):
        hard = -(F.one_hot(labels, student_logits.shape[-1]) * student_logits.log_softmax(-1)).sum(-1)[mask].mean()
        return 0.5 * kd(student_logits[mask], teacher_logits[mask], T) + 0.5 * hard * (~mask).add(1).double().mean()

    report = kdlearn.examine(loss, sequences=True)
    assert report.temperature == 4 and report.power == 2


def test_swapped_roles_are_asked_about():
    (finding,) = kdlearn.examine(lambda b, a: kd(a, b)).findings
    assert "swapped" in finding.sentence


def of_ten_classes(s, t, labels):
    return kd(s, t) - (F.one_hot(labels, 10) * s.log_softmax(-1)).sum(-1).mean()


@pytest.mark.parametrize(
    "loss, error, words",
    [
        (3, TypeError, "must be a function"),
        (torch.nn.Identity, TypeError, "is a class"),
        (lambda z, v: (z - v).square(), ValueError, r"must give one number.*shape \(6, 5\)"),
        (lambda z, v: {"soft": kd(z, v), "hard": 0}, ValueError, "a dict of 'soft', 'hard'.*lambda"),
        (lambda z, v: None, ValueError, "got None.*return"),
        (lambda z, v, y, params: z.mean(), TypeError, "params is none of these.*parameters="),
        (lambda *both: both[0].mean(), TypeError, "must name student_logits"),
        (lambda z, v: z @ v, ValueError, "it fails with"),
        (of_ten_classes, ValueError, "classes="),
        (lambda z, v: (z.square() + z.mul_(2)).mean(), ValueError, "gradient on the student's logits; it fails"),
    ],
)
def test_what_cannot_be_examined_is_refused_with_a_way_out(loss, error, words):
    with pytest.raises(error, match=words):
        kdlearn.examine(loss)


@pytest.mark.parametrize("parameters", [{"kd_T": "temperature"}, {"mask": "padding"}])
def test_parameters_that_do_not_exist_are_refused(parameters):
    with pytest.raises(ValueError, match="parameters must map"):
        kdlearn.examine(kept, parameters=parameters)
