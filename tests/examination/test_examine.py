"""`examine` names what is wrong with a loss, and nothing that is right, whatever way it is written."""

import functools
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax as numpy_log_softmax
from torch import nn
from torch.distributions import Categorical
from torch.nn import functional as F

import kdlearn
from kdlearn.examination.findings import ADVICE, MAY_BE_MEANT
from kdlearn.training.strategies import strategies_by_cli_name
from kdlearn.training.strategy import mean_loss


def kl(z, v, T=4.0, reduction="batchmean"):
    return F.kl_div((z / T).log_softmax(-1), (v.detach() / T).softmax(-1), reduction=reduction)


# Right ones, each written in another way.


def with_log_target(student_logits, teacher_logits, labels, T=3.0, alpha=0.7):
    log_q, log_p = (student_logits / T).log_softmax(1), (teacher_logits.detach() / T).log_softmax(1)
    soft = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(1).mean() * (T * T)
    return alpha * soft + (1 - alpha) * F.cross_entropy(student_logits, labels)


def teacher_in_the_middle(outputs, teacher_outputs, labels):
    return 0.5 * 4 * kl(outputs, teacher_outputs, 2.0) + 0.5 * F.nll_loss(outputs.log_softmax(1), labels)


def labels_in_the_middle(outputs, labels, teacher_outputs):
    return 0.9 * 400 * kl(outputs, teacher_outputs, 20.0) + 0.1 * F.cross_entropy(outputs, labels)


def teacher_first(teacher_logits, student_logits):
    return 16 * kl(student_logits, teacher_logits)


def as_in_keras(y_true, y_pred):
    return 16 * kl(y_pred, y_true)


def less_the_entropy(z, v, y, temperature=5.0):
    p = (v.detach() / temperature).softmax(-1)
    entropy = torch.special.entr(p).sum(-1).mean()
    return temperature**2 * (F.cross_entropy(z / temperature, p) - entropy)


def row_by_row(s, t, labels):
    rows = [kl(one.unsqueeze(0), other.unsqueeze(0), 8.0, "sum") for one, other in zip(s, t, strict=True)]
    hard = -s.log_softmax(1)[torch.arange(len(s)), labels]
    return 0.8 * 64 * torch.stack(rows).mean() + 0.2 * hard.mean()


def by_logsumexp(student_logits, teacher_logits):
    z, v = student_logits / 3, teacher_logits.detach() / 3
    values = (v.softmax(1) * (v - z)).sum(1) - v.logsumexp(1) + z.logsumexp(1)
    return 9 * values.sum() / values.numel()


def smoothed(student_logits, teacher_logits, labels):
    hard = F.cross_entropy(student_logits, labels, label_smoothing=0.1)
    return 0.6 * 16 * kl(student_logits, teacher_logits) + 0.4 * hard


def in_float32(student_logits, teacher_logits, labels):
    z, v = student_logits.float(), teacher_logits.float()
    return 0.9 * 16 * kl(z, v) + 0.1 * F.cross_entropy(z, labels)


def weights_that_add_up_to_two(student_logits, teacher_logits, labels):
    return 1.0 * 16 * kl(student_logits, teacher_logits) + 1.0 * F.cross_entropy(student_logits, labels)


def logits_themselves(student_logits, teacher_logits):
    return F.mse_loss(student_logits, teacher_logits.detach())


class AsModule(nn.Module):
    def __init__(self, T=4.0):
        super().__init__()
        self.T, self.divergence = T, nn.KLDivLoss(reduction="batchmean")

    def forward(self, student_logits, teacher_logits):
        z, v = student_logits / self.T, teacher_logits.detach() / self.T
        return self.divergence(z.log_softmax(-1), v.softmax(-1)) * self.T**2


def in_numpy(student_logits, teacher_logits, labels):
    log_q, log_p = (numpy_log_softmax(logits / 4, axis=1) for logits in (student_logits, teacher_logits))
    soft = 16 * (np.exp(log_p) * (log_p - log_q)).sum(1).mean()
    return 0.9 * soft - 0.1 * numpy_log_softmax(student_logits, axis=1)[np.arange(len(labels)), labels].mean()


def as_a_number(student_logits, teacher_logits):
    return 4 * kl(student_logits, teacher_logits, 2.0).item()


RIGHT = {  # temperature, soft weight
    with_log_target: (3.0, 0.7),
    teacher_in_the_middle: (2.0, 0.5),
    labels_in_the_middle: (20.0, 0.9),
    teacher_first: (4.0, 1.0),
    as_in_keras: (4.0, 1.0),
    less_the_entropy: (5.0, 1.0),
    row_by_row: (8.0, 0.8),
    by_logsumexp: (3.0, 1.0),
    smoothed: (4.0, 0.6),
    in_float32: (4.0, 0.9),
    weights_that_add_up_to_two: (4.0, 1.0),
    logits_themselves: (None, 1.0),
    AsModule(): (4.0, 1.0),
    in_numpy: (4.0, 0.9),
}


def named(loss):
    return getattr(loss, "__name__", type(loss).__name__)


@pytest.mark.parametrize("loss", RIGHT, ids=named)
def test_what_is_right_is_left_alone(loss):
    report = kdlearn.examine(loss, arrays=loss is in_numpy)
    temperature, soft_weight = RIGHT[loss]
    assert report.findings == () and "Nothing odd" in str(report)
    assert report.temperature == (temperature and pytest.approx(temperature, rel=0.01))
    assert report.soft_weight == pytest.approx(soft_weight, rel=0.01)


# Wrong ones: each planted bug by its name.


def mean_over_classes(z, v, y):
    return 0.9 * 16 * kl(z, v, reduction="mean") + 0.1 * F.cross_entropy(z, y)


def summed(z, v, y):
    return 0.9 * 16 * kl(z, v, reduction="sum") + 0.1 * F.cross_entropy(z, y, reduction="sum")


def forgotten(z, v, y):
    return 0.9 * kl(z, v) + 0.1 * F.cross_entropy(z, y)


def forgotten_with_argument(z, v, y, T=4.0):
    return 0.3 * kl(z, v, T) + 0.3 * F.cross_entropy(z, y)


def twice(z, v, y):
    return 0.9 * 16**2 * kl(z, v) + 0.1 * F.cross_entropy(z, y)


def lost_at_zero(z, v, y, temperature=4.0, alpha=0.5):
    soft = kl(z, v, temperature)
    return soft if alpha == 0 else alpha * F.cross_entropy(z, y) + (1 - alpha) * temperature**2 * soft


def exchanged(z, v):
    return 4 * F.kl_div((v.detach() / 2).log_softmax(1), (z / 2).softmax(1), reduction="batchmean")


def not_detached(z, v):
    return 4 * F.kl_div((z / 2).log_softmax(1), (v / 2).softmax(1), reduction="batchmean")


def raw_student(z, v):
    return F.kl_div(z, v.detach().softmax(1), reduction="batchmean")


def raw_teacher(z, v):
    return F.kl_div(z.log_softmax(1), v.detach(), reduction="batchmean")


def clipped_as_in_keras(z, v, temperature=3.0):
    p, q = (v.detach() / temperature).clamp(1e-7, 1), (z / temperature).clamp(1e-7, 1)
    return (p * (p / q).log()).sum(1).mean()


def without_logarithm(z, v):
    return F.kl_div(z.softmax(1), v.detach().softmax(1), reduction="batchmean")


def logarithm_of_target(z, v):
    return F.kl_div(z.log_softmax(1), v.detach().log_softmax(1), reduction="batchmean")


def twice_the_softmax(z, v):
    return 4 * kl(z, v.softmax(1), 2.0)


def hard_loss_of_probabilities(z, v, y):
    return 0.5 * 4 * kl(z, v, 2.0) + 0.5 * F.cross_entropy(z.softmax(1), y)


def first_dimension(z, v):
    return 4 * F.kl_div((z / 2).log_softmax(0), (v.detach() / 2).softmax(0), reduction="batchmean")


def squared_error(z, v):
    return F.mse_loss(z.softmax(1), v.detach().softmax(1))


def reversed_rows(z, v, y):
    return 0.9 * 16 * kl(z, v.flip(0)) + 0.1 * F.cross_entropy(z, y)


def shuffled_rows(z, v):
    return 16 * kl(z, v[torch.randperm(len(v))])


def broadcast(z, v):
    return 16 * (kl(z, v, reduction="none").sum(1) * v.detach().logsumexp(1).unsqueeze(1)).mean()


def no_teacher(z, v, y):
    return F.cross_entropy(z, y) + 0.0 * kl(z, v)


def student_for_teacher(student_logits, teacher_logits, labels):
    return 0.9 * 16 * kl(student_logits, student_logits) + 0.1 * F.cross_entropy(student_logits, labels)


def detached(z, v):
    return kl(z.detach(), v)


def entropy_left_in(z, v):
    return F.cross_entropy(z, v.detach().softmax(1))


def wrong_sign(z, v):
    return -16 * kl(z, v)


def hard_loss_softened(z, v, y):
    return 0.5 * 16 * kl(z, v) + 0.5 * F.cross_entropy(z / 4, y)


def one_side(z, v):
    return F.kl_div(z.log_softmax(1), (v.detach() / 4).softmax(1), reduction="batchmean")


def temperature_unused(z, v, temperature=4.0):
    return kl(z, v, 1.0)


def jumping(z, v, beta=0.5):
    return 16 * kl(z, v) * (1.0 if beta == 0 else beta)


def logarithm_of_softmax(z, v):
    p, q = (v.detach() / 2).softmax(1), (z / 2).softmax(1)
    return 4 * (p * (p.log() - q.log())).sum(1).mean()


def by_distributions(student, teacher):
    q, p = Categorical(logits=student / 2), Categorical(logits=teacher.detach() / 2)
    return 4 * torch.distributions.kl_divergence(p, q).mean()


def masked_mean_of_all(z, v, mask):
    return (kl(z, v, 1.0, "none").sum(-1) * mask).mean()


def mask_forgotten(z, v, mask):
    return kl(z, v, 1.0, "none").sum(-1).mean() * mask.double().mean()


def mask_upside_down(z, v, mask):
    return (kl(z, v, 1.0, "none").sum(-1) * ~mask).sum() / (~mask).sum().clamp_min(1)


WRONG = {
    mean_over_classes: {"divided-by-classes"},
    summed: {"summed-over-batch"},
    forgotten: {"temperature-squared-missing"},
    forgotten_with_argument: {"temperature-squared-missing"},
    twice: {"temperature-squared-twice"},
    lost_at_zero: {"temperature-squared-missing", "jumps-at-an-end"},
    exchanged: {"reversed-divergence", "not-finite"},
    not_detached: {"teacher-gets-gradient"},
    raw_student: {"no-softmax"},
    raw_teacher: {"no-softmax", "not-finite"},
    clipped_as_in_keras: {"no-softmax", "temperature-squared-missing", "not-finite"},
    without_logarithm: {"no-logarithm"},
    logarithm_of_target: {"logarithms-as-targets", "not-finite"},
    twice_the_softmax: {"softmax-twice"},
    hard_loss_of_probabilities: {"softmax-twice"},
    first_dimension: {"softmax-over-batch", "rows-coupled"},
    squared_error: {"squared-error-of-probabilities"},
    reversed_rows: {"rows-mixed"},
    shuffled_rows: {"rows-mixed", "random"},
    broadcast: {"rows-coupled"},
    no_teacher: {"no-teacher"},
    student_for_teacher: {"no-teacher"},
    detached: {"no-gradient"},
    as_a_number: {"no-gradient"},
    entropy_left_in: {"nonzero-at-teacher"},
    wrong_sign: {"pushes-away"},
    hard_loss_softened: {"temperature-on-hard-loss"},
    one_side: {"softened-on-one-side"},
    temperature_unused: {"temperature-ignored"},
    jumping: {"jumps-at-an-end"},
    logarithm_of_softmax: {"not-finite"},
    by_distributions: {"not-finite"},
    masked_mean_of_all: {"padding-counted"},
    mask_forgotten: {"padding-counted"},
    mask_upside_down: {"mask-inverted"},
}


@pytest.mark.parametrize("loss", WRONG, ids=named)
def test_a_planted_bug_is_named_and_no_other(loss):
    report = kdlearn.examine(loss)
    assert set(report.names) == WRONG[loss]
    assert all(name in str(report) for name in WRONG[loss])


def test_every_name_was_planted_here_or_in_other_tests():
    planted = set().union(*WRONG.values())
    assert set(ADVICE) - planted == {
        "summed-over-time", "inexact-in-half-precision", "temperature-squared-on-hard-loss", "moved-at-teacher",
        "log-target-of-probabilities", "changes-its-inputs", "keeps-state",
        # in test_examine_training.py
        "teacher-in-training-mode", "teacher-changes", "student-in-eval-mode", "student-unchanged", "other-views",
        "soft-loss-negligible", "teacher-too-sure", "teacher-almost-even", "teacher-not-better", "still-falling",
        "other-first-weights",
    }  # fmt: skip
    assert set(MAY_BE_MEANT) <= set(ADVICE)
    for advice in ADVICE.values():
        assert set(advice) == {"effect", "remedy"} and all(text.endswith(".") for text in advice.values())


# Our own.

OWN = ("soft_label_loss", "distillation_loss", "decoupled_loss", "logit_matching_loss", "jensen_shannon_loss")


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("name", OWN)
def test_our_losses_have_nothing_odd(name, sequences):
    report = kdlearn.examine(getattr(kdlearn, name), sequences=sequences)
    assert report.findings == () and report.form and report.reduction.startswith("mean")
    assert report.temperature == (None if name == "logit_matching_loss" else 4.0)


def test_our_reverse_loss_is_called_what_it_is():
    (finding,) = kdlearn.examine(kdlearn.reverse_kl_loss).findings
    assert finding.name == "reversed-divergence" and finding.may_be_meant


@pytest.mark.parametrize("name", strategies_by_cli_name())
def test_strategies_as_the_loop_takes_them(name):
    strategy = strategies_by_cli_name()[name]()

    def loss(student_logits, teacher_logits, labels):
        batch = kdlearn.Batch(torch.zeros(len(labels), 1), labels, teacher_logits.detach())
        return mean_loss(strategy, student_logits, batch)

    report = kdlearn.examine(loss)
    meant = {"ground-truth": ("no-teacher",), "smoothed": ("no-teacher",), "reverse": ("reversed-divergence",)}
    assert report.names == meant.get(name, ()) and report.form


# What is recovered, whatever the numbers.


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
        hard = F.cross_entropy(student_logits, labels, label_smoothing=smoothing, reduction=hard_reduction)
        return soft_weight * T**2 * kl(student_logits, teacher_logits, T, reduction) + (1 - soft_weight) * hard

    report = kdlearn.examine(loss)
    assert report.temperature == pytest.approx(T, rel=0.01)
    assert report.soft_weight == pytest.approx(soft_weight, rel=0.01)
    assert report.hard_weight == pytest.approx(1 - soft_weight, rel=0.01)
    assert report.smoothing == pytest.approx(smoothing, abs=0.01)
    expected = {"batchmean": (), "sum": ("summed-over-batch",), "mean": ("divided-by-classes",)}
    assert report.names == expected[reduction]


@settings(max_examples=20)
@given(T=st.floats(1.5, 10.0), power=st.sampled_from([0, 1, 2, 4]), soft=st.floats(0.1, 3.0), hard=st.floats(0.1, 3.0))
def test_the_power_of_an_argument_is_measured_for_any_weights(T, power, soft, hard):
    def loss(student_logits, teacher_logits, labels, temperature=T):
        soft_loss = temperature**power * kl(student_logits, teacher_logits, temperature)
        return soft * soft_loss + hard * F.cross_entropy(student_logits, labels)

    report = kdlearn.examine(loss)
    assert (report.power, report.temperature) == (power, T)
    assert (report.soft_weight, report.hard_weight) == pytest.approx((soft, hard), rel=0.01)
    expected = {2: (), 4: ("temperature-squared-twice",)}
    assert report.names == expected.get(power, ("temperature-squared-missing",))


@settings(max_examples=8)
@given(T=st.floats(1.0, 8.0), share=st.floats(0.1, 0.9))
def test_the_share_of_a_mixture_is_recovered(T, share):
    loss = functools.partial(kdlearn.jensen_shannon_loss, temperature=T, teacher_share=share)
    report = kdlearn.examine(lambda student, teacher: loss(student, teacher))
    assert report.form == f"Jensen–Shannon with {share:.3g} of the teacher" and report.findings == ()
    assert report.temperature == pytest.approx(T, rel=0.01)


# Sequences, weights, and what cannot be examined.


def summed_over_time(student_logits, teacher_logits):
    return 4 * kl(student_logits, teacher_logits, 2.0)


def test_sequences_show_what_flat_logits_hide():
    assert kdlearn.examine(summed_over_time).names == ()
    assert kdlearn.examine(summed_over_time, sequences=True).names == ("summed-over-time",)


def tokens(student_logits, teacher_logits, labels):
    flat = kl(student_logits.flatten(0, 1), teacher_logits.flatten(0, 1), 1.0)
    return flat + F.cross_entropy(student_logits.transpose(1, 2), labels, ignore_index=-100)


def test_labels_of_minus_100_are_padding():
    assert kdlearn.examine(tokens, sequences=True).names == ("padding-counted",)


def test_it_says_what_a_weight_weighs():
    assert kdlearn.examine(lost_at_zero).weighs == {"alpha": "weighs the hard loss; the soft loss gets the rest"}
    assert kdlearn.examine(with_log_target).weighs == {"alpha": "weighs the soft loss; the hard loss gets the rest"}


def cancelling(z, v):
    return (kl(z, v, 4.0, "none").sum(-1) + 8000 - 8000).mean()


def test_rounding_in_half_precision_is_measured():
    report = kdlearn.examine(cancelling)
    (finding,) = (one for one in report.findings if one.name == "inexact-in-half-precision")
    assert math.isfinite(finding.measured)


def test_an_unknown_loss_is_said_to_be_unknown():
    report = kdlearn.examine(lambda z, v: ((z - v.detach()).abs() ** 1.5).mean())
    assert report.form is None and math.isnan(report.soft_weight) and "none of the forms" in str(report)
    assert report.findings == ()


@pytest.mark.parametrize(
    "loss, error, words",
    [
        (3, TypeError, "must be a function"),
        (lambda z, v: (z - v).square(), ValueError, "must give one number"),
        (lambda z, v, y, params: z.mean(), TypeError, "params is none of these"),
        (lambda z, v: z @ v, ValueError, "it fails with"),
    ],
)
def test_what_cannot_be_examined_is_refused(loss, error, words):
    with pytest.raises(error, match=words):
        kdlearn.examine(loss)
