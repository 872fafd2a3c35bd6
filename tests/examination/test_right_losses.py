"""`examine` leaves alone what is right, whatever way it is written, and quotes its temperature and its weight."""

import functools

import numpy as np
import pytest
import torch
from hand_written import both, ce, div, kd, kept, kl, log_q, p, rows, shifted, shifted_labels
from public import PUBLIC
from scipy.special import log_softmax as numpy_log_softmax
from torch import nn
from torch.nn import functional as F

import kdlearn
from kdlearn.training.strategies import strategies_by_cli_name
from kdlearn.training.strategy import mean_loss


def by_log_target(student_logits, teacher_logits, labels, T=3.0, alpha=0.7):
    log_p = log_q(teacher_logits.detach(), T)
    soft = F.kl_div(log_q(student_logits, T), log_p, reduction="none", log_target=True).sum(1).mean() * (T * T)
    return alpha * soft + (1 - alpha) * F.nll_loss(student_logits.log_softmax(1), labels)


def less_the_entropy(z, v, temperature=5.0):
    entropy = torch.special.entr(p(v, temperature)).sum(-1).mean()
    return temperature**2 * (ce(z / temperature, p(v, temperature)) - entropy)


def row_by_row(s, t, labels):
    each = [kl(one.unsqueeze(0), other.unsqueeze(0), 8.0, "sum") for one, other in zip(s, t, strict=True)]
    return 0.8 * 64 * torch.stack(each).mean() - 0.2 * s.log_softmax(1)[torch.arange(len(s)), labels].mean()


def by_logsumexp(student_logits, teacher_logits):
    z, v = student_logits / 3, teacher_logits.detach() / 3
    values = (v.softmax(1) * (v - z)).sum(1) - v.logsumexp(1) + z.logsumexp(1)
    return 9 * values.sum() / values.numel()


class AsModule(nn.Module):
    def __init__(self, T=4.0):
        super().__init__()
        self.T, self.divergence = T, nn.KLDivLoss(reduction="batchmean")

    def forward(self, student_logits, teacher_logits):
        return self.divergence(log_q(student_logits, self.T), p(teacher_logits, self.T)) * self.T**2


def in_numpy(student_logits, teacher_logits, labels):
    log_q, log_p = (numpy_log_softmax(logits / 4, axis=1) for logits in (student_logits, teacher_logits))
    soft = 16 * (np.exp(log_p) * (log_p - log_q)).sum(1).mean()
    return 0.9 * soft - 0.1 * numpy_log_softmax(student_logits, axis=1)[np.arange(len(labels)), labels].mean()


def with_integer_mask(student_logits, teacher_logits, attention_mask):
    left_out = 1 - attention_mask
    return (rows(student_logits, teacher_logits) * attention_mask).sum() / (left_out.numel() - left_out.sum())


def in_place_on_a_copy(student_logits, teacher_logits, T=3.0):
    z = student_logits.clone()
    z /= T
    return T * T * F.kl_div(z.log_softmax(-1), p(teacher_logits, T), reduction="batchmean")


def of_ten_classes(s, t, labels):
    hard = -(F.one_hot(labels, 10) * s.log_softmax(-1)).sum(-1).mean()
    return 0.7 * kd(s, t) + 0.3 * hard


def unit(x, correction):
    return (x - x.mean(-1, keepdim=True)) / (1e-7 + x.std(-1, keepdim=True, correction=correction))


def shifted_by_one(student_logits, teacher_logits, labels, T=2.0, alpha=0.5):
    soft = shifted(student_logits, teacher_logits, labels, T)
    return alpha * soft + (1 - alpha) * shifted_labels(student_logits, labels)


def with_labelled_rows(z, v, y, mask):
    """The mask says whose labels are known; the teacher teaches all rows."""
    return kd(z, v) + (ce(z, y, reduction="none") * mask).sum() / mask.sum()


def with_ignore_index(z, v, y, ignore_index=-100):
    counts = y != ignore_index
    return kd(z[counts], v[counts]) + ce(z.flatten(0, -2), y.flatten(), ignore_index=ignore_index)


def in_chunks(z, v, size_of_chunks=2.0):
    parts = zip(z.split(2), v.split(2), strict=True)
    return sum(kl(*part, 2.0, "sum") for part in parts) * 4 / len(z) + 0 * size_of_chunks


IN_SEQUENCES, OTHER_NAMES = {"sequences": True}, {"a": "teacher", "b": "student", "kd_T": "temperature"}
RIGHT = {  # the loss, its temperature, the weight of its soft part, and what `examine` is asked, once or twice
    "log-target": (by_log_target, 3.0, 0.7),
    "teacher in the middle": (lambda s, teacher_outputs, gt: both(s, teacher_outputs, gt, 2.0, 0.5), 2, 0.5),
    "labels in the middle": (lambda s, labels, teacher_outputs: both(s, teacher_outputs, labels, 20), 20, 0.9),
    "teacher first": (lambda teacher_logits, student_logits: kd(student_logits, teacher_logits), 4, 1),
    "as in Keras": (lambda y_true, y_pred: kd(y_pred, y_true), 4, 1),
    "by keywords": (lambda *, outputs, teacher_outputs, targets: both(outputs, teacher_outputs, targets), 4, 0.9),
    "other names": (lambda a, b, c, kd_T=2.0: both(b, a, c, kd_T), 2, 0.9, {"parameters": OTHER_NAMES}),
    "less the entropy": (less_the_entropy, 5, 1),
    "row by row": (row_by_row, 8, 0.8),
    "by logsumexp": (by_logsumexp, 3, 1),
    "smoothed labels": (lambda z, v, y: 0.6 * kd(z, v) + 0.4 * ce(z, y, label_smoothing=0.1), 4, 0.6),
    "in float32": (lambda z, v, y: both(z.float(), v.float(), y), 4, 0.9),
    "weights that add up to 2": (lambda z, v, y: kd(z, v) + ce(z, y), 4, 1),
    "squared logits": (lambda z, v: F.mse_loss(z, v.detach()), None, 1),
    "sigmoids": (lambda z, v: F.binary_cross_entropy_with_logits(z, v.detach().sigmoid()), 1, 1),
    "probabilities": (lambda z, teacher_probs: div(log_q(z), teacher_probs.detach()), 1, 1),
    "a module": (AsModule(), 4, 1),
    "NumPy": (in_numpy, 4, 0.9, {"arrays": True}),
    "printing": (lambda z, v: print("called") or kd(z, v), 4, 1),
    "in place on a copy": (in_place_on_a_copy, 3, 1),
    "ten classes": (of_ten_classes, 4, 0.7, {"classes": 10}),
    "standardised": (lambda z, v, T=2.0: 9 * kd(unit(z, 0), unit(v, 0), T), 2, 9),
    "standardised without bias": (lambda z, v, T=2.0: 9 * kd(unit(z, 1), unit(v, 1), T), 2, 9),
    "half the argument": (lambda z, v, T=4.0: kd(z, v, 0.5 * T), 2, 1),
    "half the argument of 1": (lambda z, v, T=1.0: kd(z, v, 0.5 * T), 0.5, 1),
    "twice the argument": (lambda z, v, T=4.0: kd(z, v, 2 * T), 8, 1),
    "twice the argument of 1": (lambda z, v, T=1.0: kd(z, v, 2 * T), 2, 1),
    "mask": (kept, 1, 1, {}, IN_SEQUENCES),
    "padding mask": (lambda z, v, padding_mask: kept(z, v, ~padding_mask), 1, 1, {}, IN_SEQUENCES),
    "integer mask": (with_integer_mask, 1, 1, {}, IN_SEQUENCES),
    "mask and labels": (lambda z, v, y, mask: kept(z, v, mask) + ce(z.flatten(0, -2), y.flatten()), 1, 1, IN_SEQUENCES),
    "rows that are labelled": (with_labelled_rows, 4, 1),
    "ignore_index": (with_ignore_index, 4, 1, {}, IN_SEQUENCES),
    "compiled function": (torch.compile(both), 4, 0.9),
    "compiled module": (torch.compile(AsModule()), 4, 1),
    "shifted": (shifted, 2, 1, {}, IN_SEQUENCES),
    "shifted with labels": (shifted_by_one, 2, 0.5, {}, IN_SEQUENCES),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_left_alone(name, capsys):
    loss, temperature, soft_weight, *options = RIGHT[name]
    for one in options or ({},):
        report = kdlearn.examine(loss, **one)
        assert report.findings == () and "Nothing odd" in str(report) and capsys.readouterr().out == ""
        assert report.form is not None and report.reduction.startswith("mean")
        assert report.temperature == (temperature and pytest.approx(temperature, rel=0.01))
        assert report.soft_weight == pytest.approx(soft_weight, rel=0.01)


def total_variation(z, v, T=2.0):
    return T * ((z / T).softmax(-1) - p(v, T)).abs().sum(-1).mean()


def by_weighed_draws(z, v):
    log_q, log_p = z.log_softmax(-1), v.detach().log_softmax(-1)
    drawn = log_q.detach().exp().multinomial(1)
    return ((log_q - log_p).detach() * log_q).gather(-1, drawn).mean()


UNKNOWN_OR_QUIET = {  # right losses of other forms, and those of which only a note is told
    "total variation": (total_variation, ()),
    "little total variation": (lambda z, v: kd(z, v) + 0.003 * total_variation(z, v), ()),
    "sorted probabilities": (lambda z, v: F.l1_loss(z.softmax(-1).sort(-1)[0], p(v).sort(-1)[0]), ()),
    "cosine": (lambda z, v: 1 - F.cosine_similarity(z, v.detach(), dim=-1).mean(), ()),
    "sure of the teacher": (lambda z, v, y: (rows(z, v) * (v.argmax(-1) == y)).mean() + ce(z, y), ()),
    "dropout": (lambda z, v: kd(F.dropout(z, 0.2), v), ("random", "moved-at-teacher")),
    "drawn": (by_weighed_draws, ("random",)),
    "in chunks": (in_chunks, ("argument-ignored",)),
    "not detached": (lambda z, v: 4 * div(log_q(z, 2), (v / 2).softmax(-1)), ("teacher-gets-gradient",)),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN_OR_QUIET)
def test_what_is_right_is_not_accused(name):
    loss, notes = UNKNOWN_OR_QUIET[name]
    report = kdlearn.examine(loss)
    assert report.names == notes and all(finding.may_be_meant for finding in report.findings)
    assert ("Nothing wrong" if notes else "Nothing odd") in str(report)


OURS = (
    "soft_label", "distillation", "decoupled", "logit_matching", "jensen_shannon", "reverse_kl",
    "skewed_kl", "skewed_reverse_kl",
)  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("name", OURS)
def test_our_losses_have_nothing_odd_in_either_precision(name, sequences, dtype):
    ours = PUBLIC[f"{name}_loss"]

    @functools.wraps(ours)
    def loss(student_logits, teacher_logits, **others):
        return ours(student_logits.to(dtype), teacher_logits.to(dtype), **others)

    report = kdlearn.examine(loss, sequences=sequences)
    assert report.names == (("reversed-divergence",) if name == "reverse_kl" else ())
    assert all(finding.may_be_meant for finding in report.findings)
    is_known = not name.startswith("skewed")
    assert bool(report.form) == is_known == report.reduction.startswith("mean")
    assert report.temperature == (4.0 if is_known and name != "logit_matching" else None)


OF_KNOWN_FORM = (
    "ground-truth", "smoothed", "hard", "soft", "both", "evenly", "decoupled", "logits", "standardised", "reverse",
    "jensen-shannon",
)  # fmt: skip


@pytest.mark.parametrize("name", strategies_by_cli_name())
def test_strategies_as_the_loop_takes_them(name):
    strategy = strategies_by_cli_name()[name]()

    def loss(student_logits, teacher_logits, labels):
        batch = kdlearn.Batch(torch.zeros(len(labels), 1), labels, teacher_logits.detach())
        return mean_loss(strategy, student_logits, batch)

    report = kdlearn.examine(loss)
    meant = {"ground-truth": {"no-teacher"}, "smoothed": {"no-teacher"}, "reverse": {"reversed-divergence"}}
    unread = set() if "labels" in strategy.reads else {"argument-ignored"}
    assert set(report.names) == meant.get(name, set()) | unread
    assert report.form or name not in OF_KNOWN_FORM
