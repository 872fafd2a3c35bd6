"""Notebook 00b: answers that somebody may write; the right ones differ from the notebook's solution."""

import math

import numpy as np
from scipy import stats


def ends(values: np.ndarray) -> tuple[float, float]:
    found = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    return found.low, found.high


def one_by_one(ours: np.ndarray, base: np.ndarray) -> tuple[int, int]:
    overlapping = paired = 0
    for a, b in zip(ours, base, strict=True):
        (low, high), (other_low, other_high) = ends(a), ends(b)
        if low <= other_high and other_low <= high:
            overlapping += 1
            paired += ends(a - b)[0] > 0
    return overlapping, paired


def by_p_value(ours: np.ndarray, base: np.ndarray) -> np.ndarray:
    first = np.array([one_by_one(ours[[row]], base[[row]])[0] for row in range(len(ours))], dtype=bool)
    shown = (stats.ttest_rel(ours, base, axis=1).pvalue < 0.05) & (ours.mean(1) > base.mean(1))
    return np.array([first.sum(), (first & shown).sum()])


def apart(ours: np.ndarray, base: np.ndarray) -> tuple[int, int]:
    overlapping, paired = one_by_one(ours, base)
    return len(ours) - overlapping, paired


def of_all(ours: np.ndarray, base: np.ndarray) -> tuple[int, int]:
    return one_by_one(ours, base)[0], sum(ends(a - b)[0] > 0 for a, b in zip(ours, base, strict=True))


def by_loop(level: float) -> int:
    n = 0
    while 2 * 0.5**n >= level:
        n += 1
    return n


A = np.array([3.0, 2.5, 4.0, 3.6, 2.0, 3.3])
B = np.array([2.0, 1.0, 3.5, 2.9, 1.8, 2.0])
CENTRE, SPREAD = (A - B).mean(), (A - B).std(ddof=1)
LOW, HIGH = ends(A - B)
APART = math.hypot(*(stats.t.ppf(0.975, 5) * one.std(ddof=1) / math.sqrt(6) for one in (A, B)))

ANSWERS = {
    "00b.1": {
        "right": [one_by_one, by_p_value],
        "wrong": [
            apart,
            of_all,
            lambda ours, base: (one_by_one(ours, base)[0], 0),
            lambda ours, base: one_by_one(ours.T, base.T),
            lambda ours, base: (len(ours), len(ours)),
        ],
    },
    "00b.2": {"right": [3.1, 1.54 * 2], "wrong": [0, 2.0, 3.92, 6]},
    "00b.3": {
        "right": [by_loop, lambda level: math.floor(math.log2(2 / level)) + 1],
        "wrong": [
            lambda level: math.floor(math.log2(1 / level)) + 1,
            lambda level: math.log2(2 / level),
            lambda level: by_loop(level) + 1,
            lambda level: math.floor(1 / level) + 1,
        ],
    },
    "00b.4": {
        "right": [lambda width, n: math.hypot(width, width * math.sqrt(n)), lambda width, n: width * (1 + n) ** 0.5],
        "wrong": [
            lambda width, n: width,
            lambda width, n: width * math.sqrt(n),
            lambda width, n: width * math.sqrt(1 + 1 / n),
            lambda width, n: width * (1 + math.sqrt(n)),
        ],
    },
    "00b.5": {
        "right": [(A, B, (LOW, HIGH)), (list(A), tuple(B), [HIGH, LOW])],
        "wrong": [
            (A - B).mean(),
            (A, B[:5], (LOW, HIGH)),
            (A[:4], B[:4], (LOW, HIGH)),
            (A, B, (CENTRE - 1.96 * SPREAD / 6**0.5, CENTRE + 1.96 * SPREAD / 6**0.5)),
            (A, B, (CENTRE - APART, CENTRE + APART)),
            (A, B, ((LOW - CENTRE) * 6**0.5 + CENTRE, (HIGH - CENTRE) * 6**0.5 + CENTRE)),
            (A, A - 1, (0.9, 1.1)),
            (A, B, (0.0, 1.0)),
        ],
    },
}
