"""Notebook 08: answers that somebody may write; the right ones differ from the notebook's solution."""

import math

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

HARD, SOFT = "teacher's hard labels", "soft labels"


def by_shares(logits: Tensor, labels: Tensor) -> Tensor:
    """N times the cross-entropy of shares and mean prediction, as (8.2) has it."""
    shares, mean = F.one_hot(labels, logits.shape[1]).float().mean(0), logits.softmax(1).mean(0)
    return -len(labels) * (shares * mean.log()).sum()


def by_logarithms(logits: Tensor, labels: Tensor) -> Tensor:
    mean = logits.log_softmax(1).logsumexp(0) - math.log(len(labels))
    return -sum(mean[label] for label in labels)


def by_pivot(table: pd.DataFrame) -> float:
    means = table.pivot_table(index="replicate", columns="strategy", values="gap")
    return 100 * (means[HARD] - means[SOFT]).mean()


def by_loop(table: pd.DataFrame) -> float:
    gaps = []
    for _, rows in table.groupby("replicate"):
        gaps.append(rows[rows.strategy == HARD].gap.mean() - rows[rows.strategy == SOFT].gap.mean())
    return sum(gaps) / len(gaps) * 100


CLAIM = {
    "claim": "Label smoothing hurts distillation",
    "verdict": "right under conditions",
    "evidence": "Mueller et al. 2019, figure 5",
    "control": "a teacher of the same accuracy without smoothing",
}

ANSWERS = {
    "08.1": {
        "right": [lambda N, C: -N * math.log(1 / C), lambda N, C: math.log(C**N)],
        "wrong": [
            lambda N, C: math.log(C),
            lambda N, C: N * math.log(N),
            lambda N, C: N * math.log(1 / C),
            lambda N, C: 0,
        ],
    },
    "08.2": {
        "right": [by_shares, by_logarithms],
        "wrong": [
            lambda logits, labels: F.cross_entropy(logits, labels, reduction="sum"),
            lambda logits, labels: by_shares(logits, labels) / len(labels),
            lambda logits, labels: -logits.mean(0).softmax(0).log()[labels].sum(),
            lambda logits, labels: -logits.softmax(1).mean(1).log().sum(),
        ],
    },
    "08.3": {"right": [1, torch.tensor(1.0)], "wrong": [10, 200, 0.5]},
    "08.4": {
        "right": [by_pivot, by_loop],
        "wrong": [
            lambda table: -by_pivot(table),
            lambda table: by_pivot(table) / 100,
            lambda table: 100 * table.groupby("strategy").gap.mean()[[HARD, SOFT]].diff().iloc[1] * -1,
            lambda table: 100 * table[table.strategy == HARD].groupby("replicate").gap.mean().mean(),
        ],
    },
    "08.5": {
        "right": [
            lambda n, C: (n + 1) * C,
            lambda n, C: sum(one.numel() for one in torch.nn.Linear(n, C).parameters()),
        ],
        "wrong": [lambda n, C: n * C, lambda n, C: n * C + n, lambda n, C: n + C, lambda n, C: n * C + 1],
    },
    "08.6": {
        "right": [CLAIM, CLAIM | {"verdict": "wrong", "evidence": "https://arxiv.org/abs/1906.02629"}],
        "wrong": [
            "Label smoothing hurts distillation",
            CLAIM | {"claim": "no"},
            CLAIM | {"verdict": "perhaps"},
            CLAIM | {"evidence": "everybody knows"},
            CLAIM | {"control": ""},
        ],
    },
}
