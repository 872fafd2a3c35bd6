"""Notebook 01: answers that somebody may write; the right ones differ from the notebook's solution."""

import math
from collections import Counter

import torch
from scipy.stats import entropy
from torch import Tensor


def by_autograd(p: Tensor, z: Tensor) -> Tensor:
    z = z.clone().requires_grad_()
    return torch.autograd.grad(-(p * z.log_softmax(1)).sum(), z)[0]


def class_by_class(p: Tensor, z: Tensor, turned: int = 1, step: float = 1e-4, over: float = 2e-4) -> Tensor:
    gradient = torch.empty_like(z)
    for k in range(z.shape[1]):
        values = []
        for sign in (1, -1):
            moved = z.clone()
            moved[:, k] += sign * step
            values.append((p * (p.log() - moved.log_softmax(1))).sum(1))
        gradient[:, k] = turned * (values[0] - values[1]) / over
    return gradient


def by_shifting(z: Tensor, v: Tensor) -> Tensor:
    log_q, log_p = (x - x.amax(1, keepdim=True) for x in (z, v))
    log_q, log_p = (x - x.exp().sum(1, keepdim=True).log() for x in (log_q, log_p))
    return torch.einsum("nk,nk->n", log_p.exp(), log_p - log_q)


def by_kl_div(z: Tensor, v: Tensor) -> Tensor:
    return torch.nn.functional.kl_div(z.log_softmax(1), v.log_softmax(1), reduction="none", log_target=True).sum(1)


def label(smoothing: float, C: int) -> list[float]:
    return [1 - smoothing + smoothing / C] + [smoothing / C] * (C - 1)


def bits(labels: Tensor) -> float:
    return -sum(n / len(labels) * math.log2(n / len(labels)) for n in Counter(labels.tolist()).values())


ANSWERS = {
    "01.1": {
        "right": [by_autograd, class_by_class],
        "wrong": [
            lambda p, z: class_by_class(p, z, turned=-1),
            lambda p, z: class_by_class(p, z, over=1e-4),
            lambda p, z: class_by_class(p, z, over=1.0),
            lambda p, z: -p / z.softmax(1),
        ],
    },
    "01.2": {
        "right": [by_shifting, by_kl_div],
        "wrong": [
            lambda z, v: (v.softmax(1) * (v.softmax(1) / z.softmax(1)).log()).sum(1),
            lambda z, v: by_shifting(v, z),
            lambda z, v: -(v.softmax(1) * z.log_softmax(1)).sum(1),
            lambda z, v: by_kl_div(z, v).mean(),
        ],
    },
    "01.3": {
        "right": [
            lambda smoothing, C: entropy(label(smoothing, C)),
            lambda smoothing, C: -sum(p * math.log(p) for p in label(smoothing, C)),
        ],
        "wrong": [
            lambda smoothing, C: entropy(label(smoothing, C), base=2),
            lambda smoothing, C: sum(p * math.log(p) for p in label(smoothing, C)),
            lambda smoothing, C: -sum(p * math.log(p) for p in label(smoothing, C)[:2]),
            lambda smoothing, C: -sum(p * math.log(p) for p in [1 - smoothing, *label(smoothing, C)[1:]]),
        ],
    },
    "01.4": {
        "right": [lambda p_y, p_m: (1 - p_y + p_m) ** -1, lambda p_y, p_m: 1 - (p_m - p_y) / (1 + p_m - p_y)],
        "wrong": [
            lambda p_y, p_m: 1 / (1 + p_y - p_m),
            lambda p_y, p_m: 1 / (1 + p_m),
            lambda p_y, p_m: (p_m - p_y) / (1 + p_m - p_y),
        ],
    },
    "01.5": {
        "right": [bits, lambda labels: entropy(torch.bincount(labels).numpy(), base=2)],
        "wrong": [
            lambda labels: entropy(torch.bincount(labels).numpy()),
            lambda labels: math.log2(len(torch.bincount(labels))),
            lambda labels: math.log2(len(set(labels.tolist()))),
            lambda labels: len(labels) * bits(labels),
        ],
    },
}
