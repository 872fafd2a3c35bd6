"""Notebook 09: answers that somebody may write; the right ones differ from the notebook's solution."""

import torch
from torch import Tensor
from torch.nn import functional as F

import kdlearn


def terms(student: Tensor, teacher: Tensor, T: float = 4.0, dim: int = 1, reduction: str = "batchmean") -> Tensor:
    return F.kl_div((student / T).log_softmax(dim), (teacher / T).softmax(dim), reduction=reduction)


def by_rows(student: Tensor, teacher: Tensor) -> Tensor:
    losses = [16 * terms(z[None], v[None]) for z, v in zip(student, teacher, strict=True)]
    return torch.stack(losses).mean()


def by_roots(student: Tensor, probabilities: Tensor) -> Tensor:
    p = probabilities.sqrt() / probabilities.sqrt().sum(1, keepdim=True)
    return 4 * F.kl_div((student / 2).log_softmax(1), p, reduction="batchmean")


def report() -> object:
    return kdlearn.examine(lambda student, teacher: kdlearn.soft_label_loss(student, teacher, 4.0))


ANSWERS = {
    "09.1": {
        "right": [lambda w, T: w / (w + T**2 * (1 - w)), lambda w, T: 1 / (1 + T * T * (1 - w) / w)],
        "wrong": [
            lambda w, T: w / T**2,
            lambda w, T: w / (w + T * (1 - w)),
            lambda w, T: w * T**2 / (w * T**2 + 1 - w),
            lambda w, T: w,
        ],
    },
    "09.2": {
        "right": [lambda student, teacher: 16 * terms(student, teacher), by_rows],
        "wrong": [
            lambda student, teacher: 16 * terms(student, teacher, dim=0),
            lambda student, teacher: 16 * terms(student, teacher, reduction="sum") / student.numel(),
            lambda student, teacher: terms(student, teacher),
            lambda student, teacher: 16 * terms(teacher, student),
            lambda student, teacher: 16 * terms(student, teacher, reduction="sum"),
        ],
    },
    "09.3": {"right": [7, 10.5], "wrong": [0, -5, 40.0]},
    "09.4": {
        "right": [
            by_roots,
            lambda student, p: kdlearn.soft_label_loss(student, kdlearn.logits_from(p, eps=1e-30) + 5, 2.0),
        ],
        "wrong": [
            lambda student, p: 4 * terms(student, p, 2.0),
            lambda student, p: 4 * F.kl_div((student / 2).log_softmax(1), p, reduction="batchmean"),
            lambda student, p: 4 * terms(student, p.logit(), 2.0),
            lambda student, p: terms(student, p.log(), 2.0),
            lambda student, p: terms(student, p.log(), 1.0),
        ],
    },
    "09.5": {
        "right": [report(), kdlearn.examine(lambda student, teacher, labels: F.cross_entropy(student, labels))],
        "wrong": [report().names, lambda student, teacher: 0.0, 0.3, object()],
    },
}
