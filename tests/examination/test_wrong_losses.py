"""`examine` names each mistake that is planted in a loss, and no other."""

import itertools

import pytest
import torch
from hand_written import both, ce, div, kd, kept, kl, log_q, p, rows, shifted_labels
from torch.distributions import Categorical, kl_divergence
from torch.nn import functional as F

import kdlearn


def lost_at_zero(z, v, y, temperature=4.0, alpha=0.5):
    soft = kl(z, v, temperature)
    return soft if alpha == 0 else alpha * ce(z, y) + (1 - alpha) * temperature**2 * soft


def clipped_as_in_keras(z, v, temperature=3.0):
    clipped_p, clipped_q = ((logits / temperature).clamp(1e-7, 1) for logits in (v.detach(), z))
    return (clipped_p * (clipped_p / clipped_q).log()).sum(1).mean()


def broadcast(z, v):
    return 16 * (kl(z, v, reduction="none").sum(1) * v.detach().logsumexp(1).unsqueeze(1)).mean()


def by_distributions(student, teacher):
    return 4 * kl_divergence(Categorical(logits=teacher.detach() / 2), Categorical(logits=student / 2)).mean()


def on_the_teacher(student_logits, teacher_logits):
    with torch.no_grad():
        teacher_logits /= 4.0
    return 16 * div(log_q(student_logits, 4), p(teacher_logits))


def on_the_labels(student_logits, teacher_logits, labels):
    found = both(student_logits, teacher_logits, labels.clone(), weight=0.5)
    labels.zero_()
    return found


def on_the_student(student_logits, teacher_logits, T=4.0):
    student_logits /= T
    return T * T * div(student_logits.log_softmax(1), p(teacher_logits, T))


class Annealed:
    def __init__(self, by):
        self.by, self.calls = by, 0

    def __call__(self, student_logits, teacher_logits, labels):
        self.calls += 1
        return both(student_logits, teacher_logits, labels, weight=1 / (1 + self.by * self.calls))


def unknown(s, t):
    return ((s.log_softmax(-1) - 1.3 * t.detach().log_softmax(-1)).abs() ** 1.5).mean()


def tokens(student_logits, teacher_logits, labels):
    flat = kl(student_logits.flatten(0, 1), teacher_logits.flatten(0, 1), 1.0)
    return flat + ce(student_logits.transpose(1, 2), labels, ignore_index=-100)


def shifted_without_padding(student_logits, teacher_logits, labels):
    soft = kd(student_logits[..., :-1, :].flatten(0, -2), teacher_logits[..., :-1, :].flatten(0, -2), 2.0)
    return soft + shifted_labels(student_logits, labels)


def drawn_without_weight(z, v):
    """The expectation of the gradient of log q is 0."""
    q = z.log_softmax(-1)
    drawn = q.detach().exp().multinomial(1)
    return (q - v.detach().log_softmax(-1)).gather(-1, drawn).mean()


def terms_clipped(z, v):
    return (p(v) * (log_q(v.detach()) - log_q(z))).clamp(max=0.1).sum(-1).mean()


def ignore_index_ignored(z, v, y, ignore_index=-100):
    return kd(z, v) + ce(z, y.clamp_min(0))


def cut_after_softmax(z, v):
    return div(log_q(z), p(v)[..., : z.shape[-1]])


def mean_of_means(z, v, mask):
    return ((rows(z, v) * mask).sum(-1) / mask.sum(-1)).mean()


def variation(z, v):
    return (z.softmax(-1) - p(v)).abs().sum(-1).mean()


WRONG = {  # the loss, and what it is to be called; those in sequences say so
    "mean over classes": (lambda z, v, y: 0.9 * 16 * kl(z, v, reduction="mean") + 0.1 * ce(z, y), "divided-by-classes"),
    "sum": (lambda z, v, y: 14.4 * kl(z, v, reduction="sum") + 0.1 * ce(z, y, reduction="sum"), "summed-over-batch"),
    "sum over time": (lambda z, v: kd(z, v, 2.0), "summed-over-time", "in sequences"),
    "T² forgotten": (lambda z, v, y: 0.9 * kl(z, v) + 0.1 * ce(z, y), "temperature-squared-missing"),
    "T² nowhere": (lambda z, v, y, T=4.0: 0.3 * kl(z, v, T) + 0.3 * ce(z, y), "temperature-squared-missing"),
    "T² twice": (lambda z, v, y: 0.9 * 16**2 * kl(z, v) + 0.1 * ce(z, y), "temperature-squared-twice"),
    "T² lost at a weight": (lost_at_zero, "temperature-squared-missing jumps-at-an-end"),
    "T² on both": (lambda z, v, y, T=4.0: kd(z, v, T) + T * T * ce(z, y), "temperature-squared-on-hard-loss"),
    "T on the hard loss": (lambda z, v, y: 0.5 * kd(z, v) + 0.5 * ce(z / 4, y), "temperature-on-hard-loss"),
    "T on one side": (lambda z, v: div(log_q(z), p(v, 4)), "softened-on-one-side"),
    "T unused": (lambda z, v, temperature=4.0: kl(z, v, 1.0), "temperature-ignored"),
    "exchanged": (lambda z, v: 4 * div(log_q(v.detach(), 2), (z / 2).softmax(1)), "reversed-divergence not-finite"),
    "arguments of kl_div exchanged": (lambda z, v: div(p(v), log_q(z)), "not-finite"),
    "teacher not detached": (lambda z, v: 4 * div(log_q(z, 2), (v / 2).softmax(1)), "teacher-gets-gradient"),
    "logits of the student": (lambda z, v: div(z, p(v)), "no-softmax"),
    "logits of the teacher": (lambda z, v: div(log_q(z), v.detach()), "no-softmax not-finite"),
    "logits clipped": (clipped_as_in_keras, "no-softmax temperature-squared-missing not-finite"),
    "no logarithm": (lambda z, v: div(z.softmax(1), p(v)), "no-logarithm"),
    "logarithm of the target": (lambda z, v: div(log_q(z), p(v).log()), "logarithms-as-targets not-finite"),
    "log_target": (lambda z, v: 16 * div(log_q(z, 4), p(v, 4), log_target=True), "log-target-of-probabilities"),
    "softmax twice": (lambda z, v: kd(z, v.softmax(1), 2.0), "softmax-twice"),
    "softmax before cross-entropy": (lambda z, v, y: 0.5 * kd(z, v, 2.0) + 0.5 * ce(z.softmax(1), y), "softmax-twice"),
    "dim=0": (lambda z, v: div(z.log_softmax(0), v.detach().softmax(0)), "softmax-over-batch rows-coupled"),
    "squared error": (lambda z, v: F.mse_loss(z.softmax(1), p(v)), "squared-error-of-probabilities"),
    "rows reversed": (lambda z, v, y: both(z, v.flip(0), y), "rows-mixed"),
    "rows shuffled": (lambda z, v: kd(z, v[torch.randperm(len(v))]), "rows-mixed random"),
    "rows broadcast": (broadcast, "rows-coupled"),
    "teacher at weight 0": (lambda z, v, y: ce(z, y) + 0.0 * kl(z, v), "no-teacher"),
    "student for teacher": (lambda z, v, y: both(z, z, y), "no-teacher"),
    "student detached": (lambda z, v: kl(z.detach(), v), "no-gradient"),
    "a number": (lambda z, v: kd(z, v).item(), "no-gradient"),
    "roles exchanged": (lambda b, a: kd(a, b), "no-gradient"),
    "entropy left in": (lambda z, v: ce(z, p(v)), "nonzero-at-teacher"),
    "sign": (lambda z, v: -kd(z, v), "pushes-away"),
    "a weight that jumps": (lambda z, v, beta=0.5: kd(z, v) * (1.0 if beta == 0 else beta), "jumps-at-an-end"),
    "log of softmax": (lambda z, v: (p(v) * (p(v).log() - z.softmax(1).log())).sum(1).mean(), "not-finite"),
    "distributions": (by_distributions, "not-finite"),
    "half precision": (lambda s, t: kd(s.half(), t.half()), "inexact-in-half-precision"),
    "bfloat16": (lambda s, t: kd(s.bfloat16(), t.bfloat16()).float(), "inexact-in-half-precision"),
    "cancellation": (lambda z, v: (kd(z, v) + 8000 - 8000).mean(), "inexact-in-half-precision"),
    "mask in the sum alone": (lambda z, v, mask: (rows(z, v) * mask).mean(), "padding-counted"),
    "mask beside the mean": (lambda z, v, mask: rows(z, v).mean() * mask.double().mean(), "padding-counted"),
    "mask upside down": (lambda z, v, mask: kept(z, v, ~mask), "mask-inverted"),
    "padding mask that keeps": (lambda z, v, padding_mask: kept(z, v, padding_mask), "mask-inverted"),
    "soft loss of padding": (tokens, "padding-counted", "in sequences"),
    "shifted soft loss of padding": (shifted_without_padding, "padding-counted", "in sequences"),
    "unknown": (unknown, "moved-at-teacher"),
    "unknown, with labels": (lambda s, t, y: unknown(s, t) + ce(s, y), "moved-at-teacher"),
    "writes into the teacher": (on_the_teacher, "changes-its-inputs"),
    "writes into the labels": (on_the_labels, "changes-its-inputs"),
    "writes into the student": (on_the_student, "changes-its-inputs"),
    "last row left out": (lambda z, v: kd(z[:-1], v[:-1]), "rows-left-out"),
    "last row left out, labels": (lambda z, v, y: both(z[:-1], v[:-1], y[:-1]), "rows-left-out moved-at-teacher"),
    "clamped at 0.001": (lambda z, v: div(z.softmax(-1).clamp_min(1e-3).log(), p(v)), "clamped"),
    "eps of 0.001": (lambda z, v: div((z.softmax(-1) + 1e-3).log(), p(v)), "clamped"),
    "eps of 1e-12": (lambda z, v: 16 * div(((z / 4).softmax(-1) + 1e-12).log(), p(v, 4)), "clamped"),
    "rows clamped": (lambda z, v: rows(z, v).clamp(max=1.0).mean(), "clamped"),
    "terms clipped": (terms_clipped, "below-its-minimum"),
    "multiplied by T": (lambda z, v, T=4.0: T * T * div(log_q(z * T), p(v * T)), "temperature-multiplies"),
    "multiplied by 4": (lambda z, v: 16 * div(log_q(z * 4), p(v * 4)), "temperature-multiplies"),
    "T for T²": (lambda z, v, y, T=4.0: 0.5 * T * kl(z, v, T) + 0.5 * ce(z, y), "temperature-not-squared"),
    "4 for 16": (lambda z, v, y: 0.5 * 4 * kl(z, v, 4.0) + 0.5 * ce(z, y), "temperature-not-squared"),
    "ignore_index unused": (ignore_index_ignored, "argument-ignored padding-counted"),
    "labels unused": (lambda z, v, y: kd(z, v), "argument-ignored"),
    "weight unused": (lambda z, v, y, alpha=0.5: both(z, v, y), "weight-ignored"),
    "labels of other rows": (lambda z, v, y: both(z, v, y.flip(0)), "rows-mixed"),
    "more classes": (cut_after_softmax, "teacher-with-more-classes"),
    "mean of means": (mean_of_means, "mean-of-means", "in sequences"),
    "divided twice": (lambda z, v: kd(z, v) / len(z), "divided-twice"),
    "divided twice beside labels": (lambda z, v, y: 0.5 * kd(z, v) + 0.5 * ce(z, y) / len(z), "divided-twice"),
    "unknown, divided twice": (lambda z, v: variation(z, v) / len(z), "divided-twice"),
    "unknown, summed": (lambda z, v: variation(z, v) * len(z), "summed-over-batch"),
    "drawn, zero on average": (drawn_without_weight, "no-gradient-on-average random no-teacher"),
    "annealed": (Annealed(0.5), "keeps-state"),
    "annealed slowly": (Annealed(1e-3), "keeps-state"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_planted_mistake_is_named_and_no_other(name):
    loss, names, *sequences = WRONG[name]
    report = kdlearn.examine(loss, sequences=bool(sequences))
    assert set(report.names) == set(names.split())
    assert all(one in str(report) for one in report.names)


def test_every_order_of_the_rows_but_their_own_is_found():
    orders = [order for order in itertools.permutations(range(6)) if order != tuple(range(6))][::24]
    for order in orders:
        report = kdlearn.examine(lambda z, v, order=order: kd(z, v[list(order)] if len(v) == 6 else v))
        assert report.names == ("rows-mixed",), order
