"""Notebook 11: answers that somebody may write; the right ones differ from the notebook's solution."""

import math

import numpy as np
import torch
from answers_04 import OWN
from scipy.special import logsumexp, softmax
from torch import Tensor


def by_row(logprobs: Tensor, classes: Tensor, num_classes: int) -> Tensor:
    rows = []
    for known, places in zip(logprobs.tolist(), classes.tolist(), strict=True):
        left = 1 - sum(math.exp(one) for one in known)
        row = [math.log(left / (num_classes - len(known)))] * num_classes
        for place, one in zip(places, known, strict=True):
            row[place] = one
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)


def by_probabilities(logprobs: Tensor, classes: Tensor, num_classes: int) -> np.ndarray:
    known, places = logprobs.exp().numpy(), classes.numpy()
    p = np.repeat((1 - known.sum(1, keepdims=True)) / (num_classes - known.shape[1]), num_classes, axis=1)
    np.put_along_axis(p, places, known, axis=1)
    return np.log(p)


def to_everybody(logprobs: Tensor, classes: Tensor, num_classes: int) -> Tensor:
    rest = (1 - logprobs.exp().sum(1, keepdim=True)) / num_classes
    return rest.log().expand(-1, num_classes).scatter(1, classes, logprobs)


def whole_rest(logprobs: Tensor, classes: Tensor, num_classes: int) -> Tensor:
    rest = 1 - logprobs.exp().sum(1, keepdim=True)
    return rest.log().expand(-1, num_classes).scatter(1, classes, logprobs)


def summed(logits: Tensor, groups: list[list[int]]) -> Tensor:
    p = logits.softmax(1)
    mass = torch.stack([sum(p[:, one] for one in group) for group in groups], 1)
    return (mass / mass.sum(1, keepdim=True)).log()


def by_scipy(logits: Tensor, groups: list[list[int]]) -> np.ndarray:
    values = np.stack([logsumexp(logits.numpy()[:, group], axis=1) for group in groups], axis=1)
    return np.log(softmax(values, axis=1))


def not_renormalised(logits: Tensor, groups: list[list[int]]) -> Tensor:
    p = logits.softmax(1)
    return torch.stack([p[:, group].sum(1) for group in groups], 1).log()


def largest(logits: Tensor, groups: list[list[int]]) -> Tensor:
    return torch.stack([logits[:, group].amax(1) for group in groups], 1).log_softmax(1)


def total(logits: Tensor, groups: list[list[int]]) -> Tensor:
    return torch.stack([logits[:, group].sum(1) for group in groups], 1).log_softmax(1)


def one_by_one(ngrams: int, buckets: int) -> float:
    """The chance of each, as it comes, to meet another."""
    met = sum(1 - (1 - 1 / buckets) ** before for before in range(ngrams))
    return met / ngrams


ANSWERS = {
    "11.1": {
        "right": [
            lambda n, known, T: (known - 1 + (n - 1) * (T - 1)) / (known - 1),
            lambda n, known, T: T + (n - known) * (T - 1) / (known - 1),
        ],
        "wrong": [
            lambda n, known, T: T * n / known,
            lambda n, known, T: T * math.sqrt(n / known),
            lambda n, known, T: 1 + n * (T - 1) / known,
            lambda n, known, T: T,
        ],
    },
    "11.2": {"right": [3, 2.5], "wrong": [0.5, 8, -4.0]},
    "11.3": {
        "right": [by_row, by_probabilities],
        "wrong": [
            to_everybody,
            whole_rest,
            lambda *known: by_row(*known).exp(),
            lambda logprobs, classes, num: torch.zeros(len(logprobs), num).double().scatter(1, classes, logprobs),
        ],
    },
    "11.4": {"right": [summed, by_scipy], "wrong": [largest, total, not_renormalised, lambda *d: summed(*d).exp()]},
    "11.5": {
        "right": [one_by_one, lambda n, b: (n - b * (1 - math.exp(n * math.log1p(-1 / b)))) / n],
        "wrong": [
            lambda n, b: (1 - 1 / b) ** n,
            lambda n, b: 1 - (1 - 1 / b) ** n,
            lambda n, b: b * (1 - (1 - 1 / b) ** n) / n,
            lambda n, b: 1 - (1 - 1 / b) ** (n - 1),
        ],
    },
    "11.6": OWN,
}
