"""Notebook 10b: answers that somebody may write; the right ones differ from the notebook's solution."""

import numpy as np
import pandas as pd
import torch
from scipy.special import expit, rel_entr
from sklearn.metrics import average_precision_score
from torch import Tensor

from kdlearn.comparing.comparison import Comparison


def at_high_temperature(z: Tensor, v: Tensor, temperature: float = 1e4) -> np.ndarray:
    p, q = (expit(one.numpy() / temperature) for one in (v, z))
    return temperature**2 * (rel_entr(p, q) + rel_entr(1 - p, 1 - q))


def shares(p: Tensor, kept: Tensor) -> np.ndarray:
    return np.stack([p[:, kept].sum(1).numpy(), p[:, ~kept].sum(1).numpy()], axis=1)


def within(p: Tensor, q: Tensor, rows: Tensor) -> np.ndarray:
    a, b = (one[:, rows].numpy() / one[:, rows].sum(1, keepdim=True).numpy() for one in (p, q))
    return rel_entr(a, b).sum(axis=1)


def by_terms(p: Tensor, q: Tensor, kept: Tensor) -> np.ndarray:
    return rel_entr(shares(p, kept), shares(q, kept)).sum(axis=1) + shares(p, kept)[:, 1] * within(p, q, ~kept)


def by_the_rest(p: Tensor, q: Tensor, kept: Tensor) -> np.ndarray:
    """All but the logarithm of the quotients inside the kept classes."""
    whole = rel_entr(p.numpy(), q.numpy()).sum(axis=1)
    return whole - shares(p, kept)[:, 0] * within(p, q, kept)


def by_matrix(p: Tensor, targets: Tensor, count: int) -> Tensor:
    matrix = torch.nn.functional.one_hot(targets + 1, count + 1)[:, 1:].double()
    return (p @ matrix) / (p @ matrix).sum(dim=1, keepdim=True)


def by_loop(p: Tensor, targets: Tensor, count: int) -> list[list[float]]:
    rows = [[sum(row[targets == one]).item() for one in range(count)] for row in p]
    return [[value / sum(row) for value in row] for row in rows]


def overwritten(p: Tensor, targets: Tensor, count: int) -> Tensor:
    found = torch.zeros(len(p), count, dtype=p.dtype)
    for place, target in enumerate(targets.tolist()):
        if target >= 0:
            found[:, target] = p[:, place]
    return found / found.sum(dim=1, keepdim=True)


def ranked(scores: Tensor, answers: Tensor) -> Tensor:
    """The share of yes among the rows up to each, best first, and whether it has yes."""
    order = answers[scores.argsort(descending=True)].double()
    return torch.stack([order.cumsum(0) / torch.arange(1, len(order) + 1), order])


def by_rank(scores: Tensor, answers: Tensor) -> Tensor:
    precision, yes = ranked(scores, answers)
    return precision[yes > 0].mean()


def comparison(*strategies: str, seeds: int = 6) -> Comparison:
    rows = [
        {"strategy": arm, "teacher": "", "replicate": 0, "seed": seed, "length": 300, "accuracy": 0.5 + seed / 100}
        for arm in ("ground truth", *strategies)
        for seed in range(seeds)
    ]
    return Comparison(pd.DataFrame(rows))


HARD, SOFT = "teacher's hard labels", "soft labels"
ANSWERS = {
    "10b.1": {
        "right": [at_high_temperature, lambda z, v: 0.5 * ((z - v) / 2) ** 2],
        "wrong": [
            lambda z, v: (z - v) ** 2 / 4,
            lambda z, v: (z - v) / 4,
            lambda z, v: (z - v) ** 2 / 2,
            lambda z, v: ((z - v) ** 2 / 8).mean(),
        ],
    },
    "10b.2": {
        "right": [by_terms, by_the_rest],
        "wrong": [
            lambda p, q, kept: shares(p, kept)[:, 0] * within(p, q, kept),
            lambda p, q, kept: rel_entr(p.numpy(), q.numpy()).sum(axis=1) - within(p, q, kept),
            lambda p, q, kept: rel_entr(shares(p, kept), shares(q, kept)).sum(axis=1),
            lambda p, q, kept: rel_entr(shares(p, kept), shares(q, kept)).sum(axis=1) + within(p, q, ~kept),
            lambda p, q, kept: by_terms(q, p, kept),
        ],
    },
    "10b.3": {"right": [0.23, 5**0.25 / (5 + 5**0.25)], "wrong": [0.5, 1 / 6, 0.1]},
    "10b.4": {
        "right": [by_matrix, by_loop],
        "wrong": [
            lambda p, targets, count: p @ torch.nn.functional.one_hot(targets + 1, count + 1)[:, 1:].double(),
            overwritten,
            lambda p, targets, count: p @ torch.nn.functional.one_hot(targets % (count + 1), count + 1).double(),
        ],
    },
    "10b.5": {
        "right": [by_rank, lambda scores, answers: average_precision_score(answers, scores)],
        "wrong": [
            lambda scores, answers: ranked(scores, answers)[0].mean(),
            lambda scores, answers: by_rank(-scores, answers),
            lambda scores, answers: ((scores > 0) == answers).double().mean(),
            lambda scores, answers: answers.double().mean(),
        ],
    },
    "10b.6": {
        "right": [comparison(HARD, SOFT), comparison(HARD, SOFT, "logit matching", seeds=20)],
        "wrong": [
            comparison(HARD, SOFT).difference(SOFT),
            comparison(SOFT, "logit matching"),
            comparison(HARD),
            comparison(HARD, SOFT, seeds=3),
        ],
    },
}
