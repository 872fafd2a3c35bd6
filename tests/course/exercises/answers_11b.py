"""Notebook 11b: answers that somebody may write; the right ones differ from the notebook's solution."""

import math

import numpy as np
import torch
from answers_04 import OWN
from scipy.special import rel_entr
from torch import Tensor


def by_indexing(values: Tensor, mask: Tensor) -> Tensor:
    return values[mask.bool()].mean()


def by_text(values: Tensor, mask: Tensor) -> float:
    """Each text's mean, weighed by its length."""
    means = [row[real].mean().item() for row, real in zip(values, mask, strict=True)]
    return float(np.average(means, weights=mask.sum(1).numpy()))


def of_texts(values: Tensor, mask: Tensor) -> float:
    return float(np.mean([row[real].mean().item() for row, real in zip(values, mask, strict=True)]))


def by_pairs(p: Tensor, noise: float) -> float:
    """1 less the sum of squares is the chance that two draws differ."""
    return sum(float(a * b) for i, a in enumerate(p) for j, b in enumerate(p) if i != j) / noise


def by_scipy(p: Tensor, q: Tensor, k: int) -> float:
    order = np.argsort(-p.numpy())[:k]
    known, learned = p.numpy()[order], q.numpy()[order]
    return float(rel_entr(known, learned).sum() + rel_entr(1 - known.sum(), 1 - learned.sum()))


def in_a_loop(p: Tensor, q: Tensor, k: int) -> float:
    pairs = sorted(zip(p.tolist(), q.tolist(), strict=True), reverse=True)
    known, rest = pairs[:k], [sum(one) for one in zip(*pairs[k:], strict=True)]
    return sum(a * math.log(a / b) for a, b in [*known, rest])


def without_tail(p: Tensor, q: Tensor, k: int) -> float:
    pairs = sorted(zip(p.tolist(), q.tolist(), strict=True), reverse=True)[:k]
    return sum(a * math.log(a / b) for a, b in pairs)


def renormalised(p: Tensor, q: Tensor, k: int) -> Tensor:
    places = p.topk(k).indices
    known = p[places] / p[places].sum()
    return (known * (known / q[places]).log()).sum()


ANSWERS = {
    "11b.1": {
        "right": [by_indexing, by_text],
        "wrong": [
            of_texts,
            lambda values, mask: values.mean(),
            lambda values, mask: torch.where(mask, values, 0).mean(),
            lambda values, mask: values[mask].sum(),
        ],
    },
    "11b.2": {
        "right": [by_pairs, lambda p, noise: float((p * (1 - p)).sum()) / noise],
        "wrong": [
            lambda p, noise: 1 / noise,
            lambda p, noise: by_pairs(p, noise) / noise,
            lambda p, noise: float(p @ p) / noise,
            lambda p, noise: 1 / by_pairs(p, noise),
        ],
    },
    "11b.3": {"right": [3.7, 3.3], "wrong": [2.6, 2.9, 1.5, 5]},
    "11b.4": {
        "right": [by_scipy, in_a_loop],
        "wrong": [
            without_tail,
            renormalised,
            lambda p, q, k: renormalised(p, q / q[p.topk(k).indices].sum(), k),
            lambda p, q, k: float(rel_entr(p.numpy(), q.numpy()).sum()),
            lambda p, q, k: by_scipy(q, p, k),
        ],
    },
    "11b.5": {
        "right": [lambda n, t, c: n / (c / t), lambda n, t, c: math.log(math.exp(n * t / 100) ** (100 / c))],
        "wrong": [
            lambda n, t, c: n,
            lambda n, t, c: n / t * c,
            lambda n, t, c: n * t,
            lambda n, t, c: n * t / c / math.log(2),
        ],
    },
    "11b.6": OWN,
}
