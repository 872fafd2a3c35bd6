"""Notebook 01b: answers that somebody may write; the right ones differ from the notebook's solution."""

import math

import numpy as np
from scipy.special import log_softmax, softmax
from torch import Tensor


def power_rule(e: Tensor, q: Tensor, power: float = 4.0) -> Tensor:
    """Tsallis' family: (a - 1) sum q^a - a q_y^(a - 1)."""
    return (power - 1) * (q**power).sum(-1) - power * (e * q ** (power - 1)).sum(-1)


def pseudospherical(e: Tensor, q: Tensor) -> Tensor:
    return -((e * q).sum(-1) ** 2) / (q**3).sum(-1) ** (2 / 3)


def by_search(gap: float, left: float, classes: int) -> float:
    T = 1e-3
    while (R := (classes - 1) * math.exp(-gap / (1.01 * T))) / (1 + R) <= left:
        T *= 1.01
    return T


def drawn_share(means: Tensor, seed: int = 5, count: int = 400_000) -> float:
    generator = np.random.default_rng(seed)
    centres = means.numpy()
    y = generator.integers(3, size=count)
    x = generator.normal(centres[y], 1)[:, None]
    v = centres * x - centres**2 / 2
    loss = -log_softmax(0.5 * v, axis=1)
    return (softmax(v, axis=1) * loss).sum(1).var() / loss[np.arange(count), y].var()


def explained(means: Tensor) -> float:
    """By the law of total variance: what is left is all but the mean variance of the draw."""
    generator = np.random.default_rng(6)
    centres = means.numpy()
    x = generator.normal(centres[generator.integers(3, size=300_000)], 1)[:, None]
    v = centres * x - centres**2 / 2
    p, loss = softmax(v, axis=1), -log_softmax(0.5 * v, axis=1)
    mean = (p * loss).sum(1)
    within = ((p * loss**2).sum(1) - mean**2).mean()
    return mean.var() / (mean.var() + within)


ANSWERS = {
    "01b.1": {
        "right": [power_rule, pseudospherical],
        "wrong": [
            lambda e, q: 1 - (e * q).sum(-1),
            lambda e, q: -power_rule(e, q),
            lambda e, q: -(e * q.log()).sum(-1),
            lambda e, q: 3 * (e - q).square().sum(-1) - 1,
            lambda e, q: (e - q).abs().pow(3).sum(-1),
            lambda e, q: 0.0,
        ],
    },
    "01b.2": {
        "right": [
            lambda drawn, biased, bias: drawn / bias**2 - biased / bias**2,
            lambda drawn, biased, bias: -(biased - drawn) * bias**-2,
        ],
        "wrong": [
            lambda drawn, biased, bias: (drawn - biased) / bias,
            lambda drawn, biased, bias: (biased - drawn) / bias**2,
            lambda drawn, biased, bias: drawn / bias**2,
            lambda drawn, biased, bias: bias**2 / (drawn - biased),
        ],
    },
    "01b.3": {
        "right": [by_search, lambda gap, left, C: gap / (math.log(C - 1) + math.log((1 - left) / left))],
        "wrong": [
            lambda gap, left, C: gap / math.log(1 / left),
            lambda gap, left, C: math.log((C - 1) / left) / gap,
            lambda gap, left, C: 0.5 * gap / math.log((C - 1) / left),
            lambda gap, left, C: -1.0,
            lambda gap, left, C: 2 * gap / math.log((C - 1) / left),
        ],
    },
    "01b.4": {
        "right": [lambda p, s: p * (1 - s / 2) + (1 - p) * s / 2, lambda p, s: 0.5 + (1 - s) * (p - 0.5)],
        "wrong": [
            lambda p, s: p,
            lambda p, s: (1 - s) * p,
            lambda p, s: (1 - s) * p + s / 10,
            lambda p, s: s * p + (1 - s) / 2,
        ],
    },
    "01b.5": {
        "right": [drawn_share, explained],
        "wrong": [
            lambda means: 1 - drawn_share(means),
            lambda means: 100 * drawn_share(means),
            lambda means: drawn_share(means) ** 0.5,
            lambda means: 1 / drawn_share(means),
            lambda means: 0.4,
            lambda means: drawn_share(2 * means),
        ],
    },
}
