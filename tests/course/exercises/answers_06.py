"""Notebook 06: answers that somebody may write; the right ones differ from the notebook's solution."""

import functools

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor

from kdcourse.atlas import load_atlas
from kdlearn.comparing.comparison import Comparison
from kdlearn.training.strategies import SoftLabelsAndGroundTruth


def by_two_losses(logits: Tensor, T: float) -> float:
    """The lengths by autograd, of the soft loss T² · CE and of the hard loss on class 0, at logits of 0."""
    z = torch.zeros(len(logits), dtype=torch.float64, requires_grad=True)
    p = (logits / T).softmax(0)
    soft = T**2 * -(p * (z / T).log_softmax(0)).sum()
    hard = -z.log_softmax(0)[0]
    lengths = [torch.autograd.grad(loss, z)[0].norm().item() for loss in (soft, hard)]
    return lengths[1] / sum(lengths)


def by_quotient(logits: Tensor, T: float, power: int = 1) -> np.ndarray:
    v = logits.numpy() / T
    p = np.exp(v - v.max()) / np.exp(v - v.max()).sum()
    ratio = T**power * np.sqrt((p**2).sum() - 1 / len(v)) / np.sqrt(1 - 1 / len(v))
    return 1 / (1 + ratio)


def with_pandas(choose: np.ndarray, read: np.ndarray) -> tuple[int, float, float]:
    before, after = pd.DataFrame(choose).mean(), pd.DataFrame(read).mean()
    best = before.idxmax()
    return best, after[best], before[best] - after[best]


def by_loop(choose: np.ndarray, read: np.ndarray) -> list[float]:
    best = 0
    for place in range(choose.shape[1]):
        if choose[:, place].sum() > choose[:, best].sum():
            best = place
    return [best, np.mean(read[:, best]), np.mean(choose[:, best]) - np.mean(read[:, best])]


def on_the_wrong_runs(choose: np.ndarray, read: np.ndarray) -> tuple[int, float, float]:
    best, before, gap = with_pandas(read, choose)
    return best, before + gap, -gap


def luckiest_run(choose: np.ndarray, read: np.ndarray) -> tuple[int, float, float]:
    best = pd.DataFrame(choose).max().idxmax()
    return best, read[:, best].mean(), choose[:, best].mean() - read[:, best].mean()


@functools.cache
def scores(width: int, length: int) -> pd.DataFrame:
    rows = load_atlas().table.query(
        "grid == 'D temperature and weight' and soft_weight == 1 and width == @width and length == @length"
    )
    return rows.pivot_table("accuracy", "replicate", "temperature")


def by_t_test(width: int, length: int) -> set[float]:
    table = scores(width, length)
    best = table[table.mean().idxmax()]
    p_values = {T: stats.ttest_rel(best, table[T]).pvalue for T in table if not (table[T] == best).all()}
    return {best.name} | {T for T, p in p_values.items() if p >= 0.05}


def by_difference(width: int, length: int) -> list[float]:
    record = load_atlas()
    arm = {"grid": "D temperature and weight", "strategy": SoftLabelsAndGroundTruth.name, "soft_weight": 1.0}
    arm |= {"width": width}
    best = float(scores(width, length).mean().idxmax())
    found = {
        T: record.difference({**arm, "temperature": best}, {**arm, "temperature": T}, length=length)
        for T in scores(width, length)
        if best != T
    }
    return [best, *(T for T, one in found.items() if one.low <= 0 <= one.high)]


def overlap(width: int, length: int) -> list[float]:
    table = scores(width, length)
    half = stats.t.ppf(0.975, len(table) - 1) * table.std() / len(table) ** 0.5
    best = table.mean().idxmax()
    return [T for T in table if table[best].mean() - table[T].mean() <= half[best] + half[T]]


def near_the_worst(width: int, length: int) -> list[float]:
    table = scores(width, length)
    worst = table[table.mean().idxmin()]
    return [T for T in table if (table[T] == worst).all() or stats.ttest_rel(table[T], worst).pvalue >= 0.05]


def comparison(*arms: tuple[str, float], seeds: int = 6) -> Comparison:
    rows = [
        {"strategy": name, "temperature": T, "teacher": "", "replicate": 0, "seed": seed, "length": 300}
        | {"accuracy": 0.5 + seed / 100}
        for name, T in (("ground truth", np.nan), *arms)
        for seed in range(seeds)
    ]
    return Comparison(pd.DataFrame(rows))


HARD, WARM, HOT = ("teacher's hard labels", np.nan), ("soft labels", 1.0), ("soft labels", 8.0)

ANSWERS = {
    "06.1": {
        "right": [by_two_losses, by_quotient],
        "wrong": [
            lambda logits, T: 1 - by_quotient(logits, T),
            lambda logits, T: by_quotient(logits, T, power=0),
            lambda logits, T: by_quotient(logits, T, power=2),
            lambda logits, T: 1 / (1 / by_quotient(logits, T) - 1),
            lambda logits, T: 0.5,
        ],
    },
    "06.2": {"right": [2.9, torch.tensor(2.04) * 2**0.5], "wrong": [0, 1.41, 2.04, 4.08]},
    "06.3": {
        "right": [with_pandas, by_loop],
        "wrong": [
            on_the_wrong_runs,
            lambda choose, read: with_pandas(choose, choose),
            lambda choose, read: (with_pandas(choose, read)[0], choose.mean(0).max(), with_pandas(choose, read)[2]),
            lambda choose, read: (*with_pandas(choose, read)[:2], -with_pandas(choose, read)[2]),
            luckiest_run,
        ],
    },
    "06.4": {
        "right": [lambda rate, c: rate * c**-2, lambda rate, c: rate / c / c],
        "wrong": [
            lambda rate, c: rate,
            lambda rate, c: rate / c,
            lambda rate, c: rate * c**2,
            lambda rate, c: rate * c,
        ],
    },
    "06.5": {
        "right": [by_t_test, by_difference],
        "wrong": [
            lambda width, length: set(scores(width, length)) - by_t_test(width, length),
            near_the_worst,
            overlap,
            lambda width, length: scores(width, length).mean().idxmax(),
            lambda width, length: [4.0, 8.0],
            lambda width, length: [3.0],
        ],
    },
    "06.6": {
        "right": [comparison(HARD, WARM, HOT), comparison(HARD, WARM, HOT, ("mine", 2.0), seeds=20)],
        "wrong": [
            comparison(HARD, WARM, HOT).difference(HARD[0]),
            comparison(HARD, WARM),
            comparison(WARM, HOT),
            comparison(HARD, WARM, HOT, seeds=3),
        ],
    },
}
