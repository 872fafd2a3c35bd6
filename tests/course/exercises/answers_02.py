"""Notebook 02: answers that somebody may write; the right ones differ from the notebook's solution."""

import math

import torch
from scipy.optimize import brentq, minimize_scalar
from scipy.special import entr, log_softmax, softmax
from torch import Tensor


def entropy(logits: Tensor, temperature: float) -> float:
    return float(entr(softmax(logits.numpy() / temperature)).sum())


def by_root(logits: Tensor, classes: float) -> float:
    return brentq(lambda T: entropy(logits, T) - math.log(classes), 0.01, 1e4)


def on_a_grid(logits: Tensor, classes: float) -> Tensor:
    temperatures = torch.logspace(-2, 3, 10_001, dtype=torch.float64)
    entropies = torch.special.entr((logits / temperatures[:, None]).softmax(1)).sum(1)
    return temperatures[(entropies.exp() - classes).abs().argmin()]


def in_nats(logits: Tensor, classes: float) -> float:
    return brentq(lambda T: entropy(logits, T) - min(classes, math.log(4.999)), 0.01, 1e5)


def in_bits(logits: Tensor, classes: float) -> float:
    wanted = min(math.log(classes) / math.log(2), math.log(4.999))
    return brentq(lambda T: entropy(logits, T) - wanted, 0.01, 1e5)


def highest(logits: Tensor, k: int) -> float:
    found = minimize_scalar(lambda T: -softmax(logits.numpy() / T)[k], bounds=(0.1, 100), method="bounded")
    return float(found.x)


def where_slope_changes(logits: Tensor, k: int) -> float:
    return brentq(lambda T: float(softmax(logits.numpy() / T) @ logits.numpy() - logits[k]), 0.05, 500)


def lifted(logits: Tensor, label: int) -> list[float]:
    return [0.01 if k == label else 1.0 for k in range(len(logits))]


def others_lowered(logits: Tensor, label: int) -> Tensor:
    return torch.where(torch.arange(len(logits)) == label, 1.0, 1000.0)


def negative(logits: Tensor, label: int) -> Tensor:
    return torch.where(torch.arange(len(logits)) == label, 1.0, -1.0)


def twice(logits: Tensor, label: int) -> Tensor:
    return torch.where(torch.arange(len(logits)) == label, 2.0, 1.0)


def a_little(logits: Tensor, label: int) -> Tensor:
    return torch.where(torch.arange(len(logits)) == label, 0.999, 1.0)


LOGITS = 4 * torch.randn(200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
LABELS = (LOGITS + 6 * torch.randn(LOGITS.shape, generator=torch.Generator().manual_seed(2))).argmax(1)
BEST = minimize_scalar(
    lambda T: -log_softmax(LOGITS.numpy() / T, axis=1)[range(200), LABELS].mean(), bounds=(0.1, 100), method="bounded"
).x

ANSWERS = {
    "02.1": {
        "right": [lambda a, b: math.log2(a) / math.log2(b), lambda a, b: math.log(a, b)],
        "wrong": [lambda a, b: a / b, lambda a, b: math.log(a / b), lambda a, b: math.log(b) / math.log(a)],
    },
    "02.2": {
        "right": [by_root, on_a_grid],
        "wrong": [
            in_nats,
            in_bits,
            lambda logits, classes: 1 / by_root(logits, classes),
            lambda logits, classes: classes,
            lambda logits, classes: -1.0,
            lambda logits, classes: min(by_root(logits, classes), 2.0 + float(logits[0]) / 100),
        ],
    },
    "02.3": {
        "right": [highest, where_slope_changes],
        "wrong": [
            lambda logits, k: softmax(logits.numpy() / highest(logits, k))[k],
            lambda logits, k: 1 / highest(logits, k),
            lambda logits, k: 4.0,
            lambda logits, k: 100.0 + k,
            lambda logits, k: 1.2 * highest(logits, k),
        ],
    },
    "02.4": {
        "right": [lifted, others_lowered],
        "wrong": [
            lambda logits, label: 2.0,
            negative,
            twice,
            a_little,
        ],
    },
    "02.5": {
        "right": [lambda factor, T: T / (1 / factor), lambda factor, T: math.exp(math.log(factor) + math.log(T))],
        "wrong": [lambda factor, T: T / factor, lambda factor, T: T, lambda factor, T: factor**2 * T],
    },
    "02.6": {
        "right": [(LOGITS, LABELS, BEST), [LOGITS.float().numpy(), LABELS.int().numpy(), torch.tensor(BEST)]],
        "wrong": [
            BEST,
            (LOGITS, torch.nn.functional.one_hot(LABELS).double(), BEST),
            (LOGITS.softmax(1), LABELS, BEST),
            (LOGITS[:10], LABELS[:10], BEST),
            (LOGITS, LOGITS.argmax(1), BEST),
            (LOGITS, LABELS, 1 / BEST),
            (LOGITS, LABELS, 1.3 * BEST),
        ],
    },
}
