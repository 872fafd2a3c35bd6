"""Notebook 03b: answers that somebody may write; the right ones differ from the notebook's solution."""

import torch
from torch import Tensor
from torch.nn import functional as F


def by_eigenvalues(z: Tensor) -> Tensor:
    q = z.softmax(1)
    return torch.linalg.eigvalsh(torch.diag_embed(q) - q[:, :, None] * q[:, None, :])[:, 1]


def others(v: Tensor, y: Tensor, T: float) -> Tensor:
    p = (v / T).softmax(1)
    return (p * (1 - F.one_hot(y, v.shape[1]))).sum(1)


def both(z: Tensor, v: Tensor, T: float, first: float = 1.0, second: float = 1.0) -> Tensor:
    z = z.clone().requires_grad_()
    log_q, log_p = (z / T).log_softmax(1), (v / T).log_softmax(1)
    sum_of_both = first * (log_p.exp() * (log_p - log_q)).sum() + second * (log_q.exp() * (log_q - log_p)).sum()
    return torch.autograd.grad(sum_of_both, z)[0]


def kl(z: Tensor, v: Tensor, T: float) -> Tensor:
    return F.kl_div((z / T).log_softmax(1), (v / T).softmax(1), reduction="batchmean")


def library(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(z, y) + 2 * kl(z, v, 4.0)


def tutorial(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy for the soft part: another value, the same gradient."""
    return 0.3 * F.cross_entropy(z, y) + 0.7 * 9 * F.cross_entropy(z / 3, (v / 3).softmax(1))


ANSWERS = {
    "03b.1": {
        "right": [by_eigenvalues, lambda z: 2 * z.softmax(1).prod(1)],
        "wrong": [
            lambda z: 4 * z.softmax(1).prod(1),
            lambda z: z.softmax(1).prod(1),
            lambda z: z.softmax(1).square().sum(1),
            lambda z: torch.zeros(len(z)),
        ],
    },
    "03b.2": {
        "right": [
            others,
            lambda v, y, T: torch.stack([1 - (row / T).softmax(0)[k] for row, k in zip(v, y, strict=True)]),
        ],
        "wrong": [
            lambda v, y, T: 1 - others(v, y, T),
            lambda v, y, T: others(v, y, 1.0),
            lambda v, y, T: others(v, y, T).mean(),
            lambda v, y, T: T**2 * others(v, y, T),
        ],
    },
    "03b.3": {
        "right": [both, lambda z, v, T: both(z, v, T, second=0) + both(z, v, T, first=0)],
        "wrong": [
            lambda z, v, T: both(z, v, T, second=0),
            lambda z, v, T: both(z, v, T, first=0),
            lambda z, v, T: T * both(z, v, T),
            lambda z, v, T: -both(z, v, T),
        ],
    },
    "03b.4": {
        "right": [
            lambda w, T: (1 - T / (w + T), (T + w) / T),
            lambda w, T: torch.tensor([w / T, w / T + 1]) / torch.tensor([1 + w / T, 1]),
        ],
        "wrong": [
            lambda w, T: (w / T, 1.0),
            lambda w, T: (w / (w + 1), 1 + w),
            lambda w, T: (w * T / (1 + w * T), 1 + w * T),
            lambda w, T: (T / (w + T), 1 + w / T),
        ],
    },
    "03b.5": {
        "right": [(library, 4.0, (2 / 16) / (2 / 16 + 1), 1 + 2 / 16), (tutorial, 3, 0.7, 1)],
        "wrong": [
            library,
            (library, 4.0, 2.0, 1.0),
            (library, 4.0, 0.5, 1.0),
            (library, 4.0, (2 / 16) / (2 / 16 + 1), 1.0),
        ],
    },
}
