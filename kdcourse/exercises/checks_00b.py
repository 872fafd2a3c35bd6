"""Notebook 00b: what counts as an answer."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import stats

from kdcourse.exercises.answers import Formula, Number, Properties, short

GENERATOR = np.random.default_rng(0)
RECORDS = [
    (truth + gain + GENERATOR.normal(0, 1, truth.shape), truth)
    for truth, gain in ((GENERATOR.normal(87, 3, (20, seeds)), gain) for seeds, gain in ((6, 2.0), (4, 3.0), (10, 1.5)))
]


def half_width(values: np.ndarray) -> np.ndarray:
    count = values.shape[-1]
    return stats.t.ppf(0.975, count - 1) * values.std(axis=-1, ddof=1) / math.sqrt(count)


def overlap(ours: np.ndarray, base: np.ndarray) -> np.ndarray:
    return np.abs(ours.mean(1) - base.mean(1)) <= half_width(ours) + half_width(base)


def above(ours: np.ndarray, base: np.ndarray) -> np.ndarray:
    return (ours - base).mean(1) > half_width(ours - base)


def first_below(level: float, sides: int = 2) -> int:
    return next(n for n in range(1, 100) if sides / 2**n < level)


def measured(answer: Any) -> SimpleNamespace:
    """Two paired columns of the learner's own, and the interval of the learner beside the one that is right."""
    if not isinstance(answer, tuple | list) or len(answer) != 3:
        return SimpleNamespace(three=False, told=short(answer))
    a, b = (np.asarray(one, dtype=float).ravel() for one in answer[:2])
    ends = np.sort(np.asarray(answer[2], dtype=float).ravel())
    return SimpleNamespace(three=True, a=a, b=b, ends=ends, paired=a.shape == b.shape and ends.shape == (2,))


def within(seen: SimpleNamespace, width: float) -> bool:
    centre = (seen.a - seen.b).mean()
    return bool(np.allclose(seen.ends, [centre - width, centre + width], rtol=1e-3, atol=1e-3 * width))


def unpaired(seen: SimpleNamespace) -> float:
    return math.hypot(float(half_width(seen.a)), float(half_width(seen.b)))


MEASURED = Properties(
    measured,
    {
        "Hand over three things: `(first, second, (low, high))`": lambda seen: seen.three,
        "The two lists have a value for each pair, and an interval has two ends": lambda seen: seen.paired,
        "Fewer than five pairs make no interval": lambda seen: len(seen.a) >= 5,
        "All differences are the same. Take measurements in which something is luck": lambda seen: (
            (seen.a - seen.b).std() > 0
        ),
        "This is the interval with 1.96, which is too narrow for few pairs. Take Student's t": lambda seen: (
            not within(seen, 1.96 * (seen.a - seen.b).std(ddof=1) / len(seen.a) ** 0.5)
        ),
        "This is t times the spread of one pair. The mean's is smaller by √n": lambda seen: (
            not within(seen, float(half_width(seen.a - seen.b)) * len(seen.a) ** 0.5)
        ),
        "This is as wide as if the two lists were unrelated. Take the differences first": lambda seen: (
            not within(seen, unpaired(seen))
        ),
        "The interval of `first - second` is mean ± t · s/√n, with s by `ddof=1`": lambda seen: within(
            seen, float(half_width(seen.a - seen.b))
        ),
    },
)

EXERCISES = {
    "00b.1": Formula(
        lambda ours, base: [overlap(ours, base).sum(), (overlap(ours, base) & above(ours, base)).sum()],
        RECORDS,
        {
            "The first number is of those that do not overlap": lambda ours, base: [
                (~overlap(ours, base)).sum(),
                (overlap(ours, base) & above(ours, base)).sum(),
            ],
            "The second number is of all replicates. Count among those whose intervals overlap": lambda ours, base: [
                overlap(ours, base).sum(),
                above(ours, base).sum(),
            ],
            "The gain's interval is that of the differences, seed by seed": lambda ours, base: [
                overlap(ours, base).sum(),
                0,
            ],
            "Each interval is over the seeds of one replicate, along the rows": lambda ours, base: [
                overlap(ours.T, base.T).sum(),
                (overlap(ours.T, base.T) & above(ours.T, base.T)).sum(),
            ],
        },
        "Return two counts: overlapping, and of these the ones whose paired interval lies above 0.",
    ),
    "00b.2": Number(
        2.7,
        3.5,
        {
            "The mean of all is the same. The best of ten is chosen because it is high": (-0.5, 1.0),
            "This is in standard deviations. One of them is two points here": (1.45, 1.65),
            "About a third of all values lie more than one spread from the mean. There are ten": (1.0, 2.7),
            "So far out lies one value in forty on one side. There are ten": (3.5, 4.5),
            "A value three spreads away is rarer than one in a hundred": (4.5, 100.0),
        },
        "Answer in points.",
    ),
    "00b.3": Formula(
        first_below,
        [(0.05,), (0.01,), (0.001,), (0.3,)],
        {
            "All could be losses too, and you would have reported that as well": lambda level: first_below(
                level, sides=1
            ),
            "A number of pairs is whole": lambda level: math.log2(2 / level),
            "Each of the two signs counts once: 2 / 2ⁿ": lambda level: first_below(level, sides=4),
            "Two signs for each pair, so 2ⁿ outcomes and not 2n": lambda level: next(
                n for n in range(1, 10_000) if 2 / (2 * n) < level
            ),
        },
        "Try n = 1, 2, 3 and so on, until 2 / 2ⁿ is below the level.",
    ),
    "00b.4": Formula(
        lambda width, n: width * math.sqrt(n + 1),
        [(1.0, 8), (0.7, 3), (2.5, 24)],
        {
            "This is the interval of the mean. One run lies farther out": lambda width, n: width,
            "This is the spread of the new run alone. Your mean has luck too": lambda width, n: width * math.sqrt(n),
            "The half width of the mean has 1/√n in it already. Take it out first": lambda width, n: (
                width * math.sqrt(1 + 1 / n)
            ),
            "Variances add, standard deviations do not": lambda width, n: width * (math.sqrt(n) + 1),
        },
        "The half width of the mean is t s/√n. That of one more run is t s √(1 + 1/n).",
    ),
    "00b.5": MEASURED,
}
