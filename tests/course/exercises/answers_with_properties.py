"""Answers to exercises that have many right forms: right ones, and for each hint, in their order, one that gets it."""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from answers_to_formulas import HARD, SOFT, kl
from scipy import stats
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_softmax, softmax
from torch import Generator, Tensor
from torch.nn import functional as F

import kdlearn
from kdcourse.atlas import load_atlas
from kdcourse.exercises.checks_06 import overlapping, untold
from kdcourse.records import recorded
from kdlearn.comparing.comparison import Comparison


class Answers(NamedTuple):
    right: Sequence[Any]
    wrong: Sequence[Any]


def comparison(*arms: str | dict[str, Any], seeds: int = 6, lengths: Sequence[int] = (300,)) -> Comparison:
    """Ground truth beside `arms`, each a name or its columns."""
    columns = [arm if isinstance(arm, dict) else {"strategy": arm} for arm in ("ground truth", *arms)]
    rows = [
        {"teacher": "", "replicate": 0, "seed": seed, "length": length, "accuracy": 0.5 + seed / 100, **arm}
        for arm in columns
        for seed in range(seeds)
        for length in lengths
    ]
    return Comparison(pd.DataFrame(rows))


def own_comparison() -> Answers:
    right = [comparison(HARD, SOFT), comparison(HARD, "my loss", SOFT, seeds=20)]
    few = comparison(HARD, SOFT, seeds=1, lengths=range(1, 6))
    return Answers(right, [right[0].difference(SOFT, HARD), comparison(SOFT, "my loss"), comparison(HARD), few])


def two_teachers() -> Answers:
    forest, neighbours = ({"strategy": SOFT, "teacher": name} for name in ("forest", "neighbours"))
    right = comparison(forest, neighbours)
    of_hard_labels = comparison(forest | {"strategy": HARD}, neighbours | {"strategy": HARD})
    few = comparison(forest, neighbours, seeds=3)
    return Answers([right], [right.difference(SOFT), of_hard_labels, comparison(forest), few])


def temperatures() -> Answers:
    warm, hot = ({"strategy": SOFT, "temperature": T} for T in (1.0, 8.0))
    right = comparison(HARD, warm, hot)
    return Answers(
        [right],
        [right.difference(HARD), comparison(HARD, warm), comparison(warm, hot), comparison(HARD, warm, hot, seeds=3)],
    )


def with_features() -> Answers:
    hint = "soft labels + hint"
    right = comparison(SOFT, hint)
    return Answers(
        [right],
        [
            right.difference(SOFT),
            comparison(hint),
            comparison(SOFT, "ground truth + hint"),
            comparison(SOFT, hint, seeds=3),
        ],
    )


def paired_interval() -> Answers:
    a, b = np.array([3.0, 2.5, 4.0, 3.6, 2.0, 3.3]), np.array([2.0, 1.0, 3.5, 2.9, 1.8, 2.0])
    low, high = stats.ttest_rel(a, b).confidence_interval(0.95)
    centre, half = (low + high) / 2, (high - low) / 2
    unpaired = math.hypot(*(stats.t.ppf(0.975, 5) * stats.sem(one) for one in (a, b)))

    def as_wide_as(width: float) -> tuple:
        return a, b, (centre - width, centre + width)

    return Answers(
        [(a, b, (low, high)), (list(a), tuple(b), [high, low])],
        [
            centre,
            (a, b[:5], (low, high)),
            (a[:4], b[:4], (low, high)),
            (a, a - 1, (0.9, 1.1)),
            as_wide_as(1.96 * stats.sem(a - b)),
            as_wide_as(half * 6**0.5),
            as_wide_as(unpaired),
            as_wide_as(2 * half),
        ],
    )


def power_rule(e: Tensor, q: Tensor, power: float = 4.0) -> Tensor:
    """Tsallis' family: (a - 1) sum q^a - a q_y^(a - 1)."""
    return (power - 1) * (q**power).sum(-1) - power * (e * q ** (power - 1)).sum(-1)


def pseudospherical(e: Tensor, q: Tensor) -> Tensor:
    return -((e * q).sum(-1) ** 2) / (q**3).sum(-1) ** (2 / 3)


def cold(gap: float, left: float, classes: int) -> float:
    return gap / (math.log(classes - 1) + math.log((1 - left) / left))


def drawn_share(means: Tensor, seed: int = 5, count: int = 400_000) -> float:
    generator = np.random.default_rng(seed)
    centres = means.numpy()
    y = generator.integers(3, size=count)
    x = generator.normal(centres[y], 1)[:, None]
    v = centres * x - centres**2 / 2
    loss = -log_softmax(0.5 * v, axis=1)
    return (softmax(v, axis=1) * loss).sum(1).var() / loss[np.arange(count), y].var()


def entropy(logits: Tensor, temperature: float) -> float:
    return float(stats.entropy(softmax(logits.numpy() / temperature)))


def where_entropy_is(logits: Tensor, wanted: float) -> float:
    return brentq(lambda T: entropy(logits, T) - min(wanted, math.log(4.999)), 0.01, 1e5)


def of_classes(logits: Tensor, classes: float) -> float:
    return where_entropy_is(logits, math.log(classes))


def highest(logits: Tensor, k: int) -> float:
    found = minimize_scalar(lambda T: -softmax(logits.numpy() / T)[k], bounds=(0.1, 100), method="bounded")
    return float(found.x)


def each_class(of_label: float, others: float) -> Any:
    return lambda logits, label: torch.where(torch.arange(len(logits)) == label, of_label, others)


def scaling() -> Answers:
    logits = 4 * torch.randn(200, 3, dtype=torch.float64, generator=Generator().manual_seed(1))
    labels = (logits + 6 * torch.randn(logits.shape, generator=Generator().manual_seed(2))).argmax(1)
    best = minimize_scalar(lambda T: F.cross_entropy(logits / T, labels).item(), bounds=(0.1, 100), method="bounded").x
    return Answers(
        [(logits, labels, best), [logits.float().numpy(), labels.int().numpy(), torch.tensor(best)]],
        [
            best,
            (logits, F.one_hot(labels).double(), best),
            (logits.softmax(1), labels, best),
            (logits[:10], labels[:10], best),
            (logits, logits.argmax(1), best),
            (logits, labels, 1 / best),
            (logits, labels, 1.3 * best),
        ],
    )


def squares(z: Tensor, v: Tensor) -> Tensor:
    return ((z - v) ** 2).mean()


def apart(z: Tensor, v: Tensor) -> Tensor:
    return z.softmax(1) - v.softmax(1)


def library(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(z, y) + 2 * kl(z / 4, v / 4, "batchmean")


def tutorial(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy for the soft part: another value, the same gradient."""
    return 0.3 * F.cross_entropy(z, y) + 0.7 * 9 * F.cross_entropy(z / 3, (v / 3).softmax(1))


def others_of(row: Tensor) -> list[int]:
    return [k for k in range(10) if k != int(row.argmax())]


def shuffled(logits: Tensor, generator: Generator) -> Tensor:
    mixed = logits.clone()
    for row in mixed:
        others = others_of(row)
        row[others] = row[[others[place] for place in torch.randperm(9, generator=generator)]]
    return mixed


def one_further(logits: Tensor, generator: Generator) -> Tensor:
    mixed = logits.clone()
    for row in mixed:
        others = others_of(row)
        row[others] = row[others[1:] + others[:1]]
    return mixed


def evenly(logits: Tensor, generator: Generator) -> Tensor:
    best = logits.argmax(1, keepdim=True)
    return logits.mean(1, keepdim=True).expand(-1, 10).scatter(1, best, logits.gather(1, best))


SHUFFLED = Answers(
    [shuffled],
    [
        lambda logits, generator: logits.sort(1).values[:, :9],
        lambda logits, generator: logits.copy_(shuffled(logits, generator)),
        lambda logits, generator: logits,
        evenly,
        lambda logits, generator: logits[torch.randperm(len(logits), generator=generator)],
        lambda logits, generator: logits[:, torch.randperm(10, generator=generator)],
        lambda logits, generator: logits.gather(1, torch.rand(logits.shape, generator=generator).argsort(1)),
        one_further,
        lambda logits, generator: shuffled(logits, Generator().manual_seed(0)),
    ],
)


@functools.cache
def accuracies(length: int) -> pd.Series:
    table = Comparison.load(recorded("digits") / "comparison.parquet").table
    rows = table.query("images == 60 and strategy == @SOFT and `teacher saw` == 'as they are' and length == @length")
    return rows.groupby("temperature")["accuracy"].mean()


@functools.cache
def scores(width: int, length: int) -> pd.DataFrame:
    rows = load_atlas().table.query(
        "grid == 'D temperature and weight' and soft_weight == 1 and width == @width and length == @length"
    )
    return rows.pivot_table("accuracy", "replicate", "temperature")


def best_temperature(width: int, length: int) -> float:
    return scores(width, length).mean().idxmax()


def not_told_from(column: float, table: pd.DataFrame) -> set[float]:
    known = table[column]
    return {T for T in table if (table[T] == known).all() or stats.ttest_rel(table[T], known).pvalue >= 0.05}


def near_the_best(width: int, length: int) -> set[float]:
    return not_told_from(best_temperature(width, length), scores(width, length))


FLAT = Answers(
    [near_the_best],
    [
        lambda width, length: [3.0],
        lambda width, length: set(scores(width, length)) - near_the_best(width, length),
        lambda width, length: untold(width, length, sign=-1),
        overlapping,
        best_temperature,
        lambda width, length: [4.0, 8.0],
        lambda width, length: list(scores(width, length)),
        lambda width, length: near_the_best(width, length) | {32.0},
    ],
)

CLAIM = {
    "claim": "Label smoothing hurts distillation",
    "verdict": "right under conditions",
    "evidence": "Mueller et al. 2019, figure 5",
    "control": "a teacher of the same accuracy without smoothing",
}


def reports() -> Answers:
    report = kdlearn.examine(lambda student, teacher: kdlearn.soft_label_loss(student, teacher, 4.0))
    return Answers([report], [report.names, lambda student, teacher: 0.0, 0.3, object()])


ANSWERS = {
    **dict.fromkeys(("00.5", "04.6", "05.6", "07.5", "10b.6", "11.6", "11b.6"), own_comparison()),
    "00b.5": paired_interval(),
    "01b.1": Answers(
        [power_rule, pseudospherical],
        [
            lambda e, q: 0.0,
            lambda e, q: -power_rule(e, q),
            lambda e, q: 1 - (e * q).sum(-1),
            lambda e, q: (e - q).abs().pow(3).sum(-1),
            lambda e, q: -(e * q.log()).sum(-1),
            lambda e, q: 3 * (e - q).square().sum(-1) - 1,
        ],
    ),
    "01b.3": Answers(
        [cold],
        [
            lambda gap, left, classes: -1.0,
            lambda gap, left, classes: gap / math.log(1 / left),
            lambda gap, left, classes: math.log((classes - 1) / left) / gap,
            lambda *draw: 2 * cold(*draw),
            lambda *draw: 0.5 * cold(*draw),
        ],
    ),
    "01b.5": Answers(
        [drawn_share],
        [
            lambda means: 100 * drawn_share(means),
            lambda means: 1 - drawn_share(means),
            lambda means: drawn_share(means) ** 0.5,
            lambda means: 1 / drawn_share(means),
            lambda means: 0.4,
            lambda means: drawn_share(2 * means),
        ],
    ),
    "02.2": Answers(
        [of_classes],
        [
            lambda logits, classes: -1.0,
            lambda logits, classes: 1 / of_classes(logits, classes),
            where_entropy_is,
            lambda logits, classes: where_entropy_is(logits, math.log2(classes)),
            lambda logits, classes: classes,
            lambda logits, classes: min(of_classes(logits, classes), 2.0 + float(logits[0]) / 100),
        ],
    ),
    "02.3": Answers(
        [highest],
        [
            lambda logits, k: softmax(logits.numpy() / highest(logits, k))[k],
            lambda logits, k: 1 / highest(logits, k),
            lambda logits, k: 4.0,
            lambda logits, k: 100.0 + k,
            lambda logits, k: 1.2 * highest(logits, k),
        ],
    ),
    "02.4": Answers(
        [each_class(0.01, 1.0), each_class(1.0, 1000.0)],
        [lambda logits, label: 2.0, each_class(1.0, -1.0), each_class(2.0, 1.0), each_class(0.999, 1.0)],
    ),
    "02.6": scaling(),
    "03.5": Answers(
        [(squares, lambda z, v: 2 * (z - v) / z.numel()), [kl, apart]],
        [
            squares,
            (lambda z, v: v.sum(), lambda z, v: torch.zeros_like(z)),
            (lambda z, v: (z**2).sum(), lambda z, v: 2 * z),
            (squares, lambda z, v: 0.1),
            (kl, lambda z, v: -apart(z, v)),
            (lambda z, v: kl(z, v) / len(z), apart),
            (kl, lambda z, v: apart(z, v) / len(z)),
            (kl, lambda z, v: z - v),
        ],
    ),
    "03b.5": Answers(
        [(library, 4.0, (2 / 16) / (2 / 16 + 1), 1 + 2 / 16), (tutorial, 3, 0.7, 1)],
        [library, (library, 4.0, 2.0, 1.0), (library, 4.0, 0.5, 1.0), (library, 4.0, (2 / 16) / (2 / 16 + 1), 1.0)],
    ),
    "04.2": SHUFFLED,
    "04.4": Answers(
        [lambda length: accuracies(length).idxmax()],
        [
            lambda length: accuracies(length).max(),
            lambda length: accuracies(length).idxmin(),
            lambda length: accuracies(100).idxmax(),
            lambda length: accuracies(3000).idxmax(),
            lambda length: 1.0 if length < 3000 else 2.0,
        ],
    ),
    "05b.6": two_teachers(),
    "06.5": FLAT,
    "06.6": temperatures(),
    "08.6": Answers(
        [CLAIM, CLAIM | {"verdict": "wrong", "evidence": "https://arxiv.org/abs/1906.02629"}],
        [
            CLAIM["claim"],
            CLAIM | {"claim": "no"},
            CLAIM | {"verdict": "perhaps"},
            CLAIM | {"evidence": "everybody knows"},
            CLAIM | {"control": ""},
        ],
    ),
    "09.5": reports(),
    "10.6": with_features(),
}
