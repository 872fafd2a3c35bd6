"""Distillation losses as people write them, of which the tests of `examine` make right and wrong ones."""

from functools import partial

from torch.nn import functional as F

ce, div = F.cross_entropy, partial(F.kl_div, reduction="batchmean")


def p(v, T=1.0):
    return (v.detach() / T).softmax(-1)


def log_q(z, T=1.0):
    return (z / T).log_softmax(-1)


def kl(z, v, T=4.0, reduction="batchmean"):
    return F.kl_div(log_q(z, T), p(v, T), reduction=reduction)


def kd(z, v, T=4.0):
    return T * T * kl(z, v, T)


def both(z, v, y, T=4.0, weight=0.9):
    return weight * kd(z, v, T) + (1 - weight) * ce(z, y)


def rows(z, v):
    """One value a row, at T = 1."""
    return kl(z, v, 1.0, "none").sum(-1)


def kept(z, v, mask):
    return (rows(z, v) * mask).sum() / mask.sum()


def shifted(student_logits, teacher_logits, labels, T=2.0):
    """The label of a row is that of the next one, and -100 does not count."""
    m = labels[..., 1:] != -100
    return kd(student_logits[..., :-1, :][m], teacher_logits[..., :-1, :][m], T)


def shifted_labels(student_logits, labels):
    return ce(student_logits[..., :-1, :].flatten(0, -2), labels[..., 1:].flatten())
