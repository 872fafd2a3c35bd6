"""Notebook 03: answers that somebody may write; the right ones differ from the notebook's solution."""

import torch
from answers_04 import ANSWERS as ANSWERS_04
from scipy.special import expit
from torch import Tensor


def kl(z: Tensor, v: Tensor, S: float, T: float) -> Tensor:
    return torch.nn.functional.kl_div((z / T).log_softmax(1), (v / S).softmax(1), reduction="sum")


def by_autograd(z: Tensor, v: Tensor, S: float, T: float) -> Tensor:
    z = z.clone().requires_grad_()
    return torch.autograd.grad(kl(z, v, S, T), z)[0]


def by_exponentials(z: Tensor, v: Tensor, S: float, T: float) -> Tensor:
    powers, others = (z / T).exp(), (v / S).exp()
    return (powers / powers.sum(1, keepdim=True) - others / others.sum(1, keepdim=True)) / T


def by_expit(z: Tensor, v: Tensor, T: float, power: int = 1) -> Tensor:
    z, v = z.numpy(), v.numpy()
    return T**power * (expit((z[:, 0] - z[:, 1]) / T) - expit((v[:, 0] - v[:, 1]) / T))


def entropy(v: Tensor, T: float) -> Tensor:
    return torch.distributions.Categorical(logits=v / T).entropy()


def squares(z: Tensor, v: Tensor) -> Tensor:
    return ((z - v) ** 2).mean()


def log_ratio(z: Tensor, v: Tensor) -> Tensor:
    return (v.softmax(1) * (v.log_softmax(1) - z.log_softmax(1))).sum(1)


ANSWERS = {
    "03.1": {
        "right": [by_autograd, by_exponentials],
        "wrong": [
            lambda z, v, S, T: by_exponentials(z, v, S, T) * T / S,
            lambda z, v, S, T: by_exponentials(z, v, S, T) * T,
            lambda z, v, S, T: by_exponentials(z, v, T, T),
            lambda z, v, S, T: by_exponentials(z, v, S, T) * T**2,
            lambda z, v, S, T: -by_exponentials(z, v, S, T),
        ],
    },
    "03.2": {
        "right": [by_expit, lambda z, v, T: T**2 * by_autograd(z, v, T, T)[:, 0]],
        "wrong": [
            lambda z, v, T: by_expit(z, v, T, 0),
            lambda z, v, T: by_expit(z, v, T, 2),
            lambda z, v, T: -by_expit(z, v, T),
            lambda z, v, T: T * by_expit(z, v, 1.0),
        ],
    },
    "03.3": {
        "right": [entropy, lambda v, T: torch.tensor([-(p * p.log()).sum() for p in (v / T).softmax(1)])],
        "wrong": [
            lambda v, T: entropy(v, 1.0),
            lambda v, T: -entropy(v, T),
            lambda v, T: T**2 * entropy(v, T),
            lambda v, T: entropy(v, T).mean(),
        ],
    },
    "03.4": ANSWERS_04["04.1"],
    "03.5": {
        "right": [
            (squares, lambda z, v: 2 * (z - v) / z.numel()),
            [log_ratio, lambda z, v: z.softmax(1) - v.softmax(1)],
        ],
        "wrong": [
            squares,
            (lambda z, v: v.sum(), lambda z, v: torch.zeros_like(z)),
            (lambda z, v: (z**2).sum(), lambda z, v: 2 * z),
            (squares, lambda z, v: 0.1),
            (log_ratio, lambda z, v: v.softmax(1) - z.softmax(1)),
            (log_ratio, lambda z, v: (z.softmax(1) - v.softmax(1)) / len(z)),
            (lambda z, v: log_ratio(z, v).mean(), lambda z, v: z.softmax(1) - v.softmax(1)),
            (log_ratio, lambda z, v: z - v),
        ],
    },
}
