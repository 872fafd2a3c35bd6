"""Notebook 05: answers that somebody may write; the right ones differ from the notebook's solution."""

import math

import torch
from answers_04 import OWN
from torch import Tensor


def as_one_label(z: Tensor, v: Tensor, y: Tensor, temperature: float) -> Tensor:
    """Row by row, from the definition."""
    losses = []
    for student, teacher, label in zip(z, v, y, strict=True):
        p, q = (teacher / temperature).softmax(0), (student / temperature).softmax(0)
        trust = teacher.softmax(0)[label]
        soft = temperature**2 * (p * (p / q).log()).sum()
        losses.append(trust * soft - (1 - trust) * student.log_softmax(0)[label])
    return torch.stack(losses)


def in_batch(z: Tensor, v: Tensor, y: Tensor, temperature: float, trust: Tensor | None = None) -> Tensor:
    rows = torch.arange(len(y))
    trust = v.softmax(1)[rows, y] if trust is None else trust
    log_p, log_q = (v / temperature).log_softmax(1), (z / temperature).log_softmax(1)
    soft = temperature**2 * (log_p.exp() * (log_p - log_q)).sum(1)
    return trust * soft - (1 - trust) * z.log_softmax(1)[rows, y]


def entropies(logits: Tensor, temperatures: Tensor) -> Tensor:
    p = (logits.double() / temperatures[:, None]).softmax(1)
    return -torch.special.xlogy(p, p).sum(1)


def by_halving(logits: Tensor, target: float) -> Tensor:
    low, high = torch.full((len(logits),), 0.01).double(), torch.full((len(logits),), 1000.0).double()
    for _ in range(80):
        middle = (low * high).sqrt()
        colder = entropies(logits, middle) < target
        low, high = torch.where(colder, middle, low), torch.where(colder, high, middle)
    return high


def by_newton(logits: Tensor, target: float) -> Tensor:
    """On log T, by which the derivative of the entropy is the variance of v/T."""
    place = torch.zeros(len(logits)).double()
    for _ in range(200):
        scaled = logits.double() / place.exp()[:, None]
        p = scaled.softmax(1)
        variance = (p * scaled.square()).sum(1) - (p * scaled).sum(1).square()
        place = place + ((target - entropies(logits, place.exp())) / variance).clamp(-0.3, 0.3)
    return place.exp()


ANSWERS = {
    "05.1": {"right": [10, torch.tensor(9.5)], "wrong": [0.0, -2, 6.0, 20]},
    "05.2": {
        "right": [lambda classes: 1 - 1 / classes, lambda classes: torch.tensor(classes - 1) / classes],
        "wrong": [lambda classes: 0.5, lambda classes: 1 / classes, lambda classes: classes / (classes + 1)],
    },
    "05.3": {
        "right": [as_one_label, in_batch],
        "wrong": [
            lambda z, v, y, t: in_batch(z, v, y, t, 1 - v.softmax(1)[torch.arange(len(y)), y]),
            lambda z, v, y, t: in_batch(z, v, y, t, (v / t).softmax(1)[torch.arange(len(y)), y]),
            lambda z, v, y, t: in_batch(z, v, y, t, z.softmax(1)[torch.arange(len(y)), y]),
            lambda z, v, y, t: in_batch(z, v, y, t).mean(),
            lambda z, v, y, t: in_batch(z, v, y, t, torch.tensor(0.5)),
        ],
    },
    "05.4": {
        "right": [by_halving, by_newton],
        "wrong": [
            lambda logits, target: 1 / by_halving(logits, target),
            lambda logits, target: by_halving(logits, target * math.log(2)),
            lambda logits, target: entropies(logits, torch.ones(len(logits))),
            lambda logits, target: (logits / by_halving(logits, target)[:, None]).softmax(1),
            lambda logits, target: torch.full((len(logits),), 4.0),
        ],
    },
    "05.5": {
        "right": [
            lambda n, b, t, s: 3 * n * b / (t / s - 1),
            lambda n, b, t, s: (n * b * s + 2 * n * b * s) / (t - s),
        ],
        "wrong": [
            lambda n, b, t, s: n * b * s / (t - s),
            lambda n, b, t, s: 3 * n * b * s / t,
            lambda n, b, t, s: 3 * n * s / (t - s),
            lambda n, b, t, s: 3 * n * b * s / (s - t),
            lambda n, b, t, s: 3 * n * b * t / (t - s),
            lambda n, b, t, s: 3 * n * b * s * (t - s),
        ],
    },
    "05.6": OWN,
}
