"""Notebook 04: answers that somebody may write; the right ones differ from the notebook's solution."""

import functools
from collections.abc import Sequence

import pandas as pd
import torch
from torch import Generator, Tensor

from kdcourse.records import recorded
from kdlearn.comparing.comparison import Comparison

CLASSES = torch.arange(10)


def row_by_row(logits: Tensor, generator: Generator) -> Tensor:
    mixed = logits.clone()
    for row in mixed:
        others = [k for k in range(10) if k != int(row.argmax())]
        row[others] = row[[others[place] for place in torch.randperm(9, generator=generator)]]
    return mixed


def by_sorting(logits: Tensor, generator: Generator) -> Tensor:
    """The largest goes to its place by a swap after all ten were shuffled."""
    best = logits.argmax(1, keepdim=True)
    mixed = logits.gather(1, torch.rand(logits.shape, generator=generator).argsort(1))
    now = mixed.argmax(1, keepdim=True)
    there, largest = mixed.gather(1, best), mixed.gather(1, now)
    return mixed.scatter(1, now, there).scatter(1, best, largest)


def evenly(logits: Tensor, generator: Generator) -> Tensor:
    best = logits.argmax(1, keepdim=True)
    return logits.mean(1, keepdim=True).expand(-1, 10).scatter(1, best, logits.gather(1, best))


def in_place(logits: Tensor, generator: Generator) -> Tensor:
    return logits.copy_(row_by_row(logits, generator))


def one_further(logits: Tensor, generator: Generator) -> Tensor:
    mixed = logits.clone()
    for row in mixed:
        others = [k for k in range(10) if k != int(row.argmax())]
        row[others] = row[others[1:] + others[:1]]
    return mixed


@functools.cache
def record() -> pd.DataFrame:
    table = Comparison.load(recorded("digits") / "comparison.parquet").table
    return table[
        (table["images"] == 60) & (table["strategy"] == "soft labels") & (table["teacher saw"] == "as they are")
    ]


def mean_accuracies(length: int) -> pd.Series:
    return record()[record()["length"] == length].groupby("temperature")["accuracy"].mean()


def comparison(*arms: str, seeds: int = 6, lengths: Sequence[int] = (300,)) -> Comparison:
    rows = [
        {"strategy": arm, "teacher": "", "replicate": 0, "seed": seed, "length": length, "accuracy": 0.5 + seed / 100}
        for arm in ("ground truth", *arms)
        for seed in range(seeds)
        for length in lengths
    ]
    return Comparison(pd.DataFrame(rows))


HARD = "teacher's hard labels"
OWN = {
    "right": [comparison(HARD, "soft labels"), comparison(HARD, "my loss", "soft labels", seeds=20)],
    "wrong": [
        comparison(HARD, "soft labels").difference("soft labels", HARD),
        comparison("soft labels", "my loss"),
        comparison(HARD),
        comparison(HARD, "soft labels", seeds=1, lengths=range(1, 6)),
    ],
}

ANSWERS = {
    "04.1": {
        "right": [lambda w, C: w / (w + C * (1 - w)), lambda w, C: 1 / (1 + C * (1 / w - 1))],
        "wrong": [
            lambda w, C: w / C,
            lambda w, C: w,
            lambda w, C: C * w / (C * w + 1 - w),
            lambda w, C: (1 - w) / (w / C + 1 - w),
        ],
    },
    "04.2": {
        "right": [row_by_row, by_sorting],
        "wrong": [
            lambda logits, generator: logits,
            lambda logits, generator: logits[:, torch.randperm(10, generator=generator)],
            lambda logits, generator: logits[torch.randperm(len(logits), generator=generator)],
            lambda logits, generator: logits.gather(1, torch.rand(logits.shape, generator=generator).argsort(1)),
            lambda logits, generator: row_by_row(logits, Generator().manual_seed(0)),
            lambda logits, generator: logits.sort(1).values[:, :9],
            evenly,
            in_place,
            one_further,
        ],
    },
    "04.3": {"right": [0, torch.tensor(0.3)], "wrong": [6.4, 2, -3.0]},
    "04.4": {
        "right": [lambda length: mean_accuracies(length).idxmax(), lambda length: 4.0 if length < 3000 else 2.0],
        "wrong": [
            lambda length: mean_accuracies(length).idxmin(),
            lambda length: mean_accuracies(3000).idxmax(),
            lambda length: mean_accuracies(length).max(),
            lambda length: 1.0 if length < 3000 else 2.0,
        ],
    },
    "04.5": {
        "right": [lambda factor: (1 / factor) ** 0.5, lambda factor: torch.tensor(factor).rsqrt()],
        "wrong": [lambda factor: 1 / factor, lambda factor: factor**0.5, lambda factor: 1.0, lambda factor: factor**-2],
    },
    "04.6": OWN,
}
