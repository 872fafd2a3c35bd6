"""Notebook 05b: answers that somebody may write; the right ones differ from the notebook's solution."""

import math

import numpy as np
import pandas as pd
from scipy.special import softmax
from scipy.stats import entropy
from torch import Tensor

from kdlearn.comparing.comparison import Comparison


def counted(accuracy: float, agreement: float, teacher_accuracy: float) -> float:
    """On 10,000 images, of which the teacher has some wrong."""
    wrong = 10_000 * (1 - teacher_accuracy)
    return (10_000 * agreement - 10_000 * accuracy) / wrong


def mean_entropy(logits: Tensor, factor: float, temperature: float) -> float:
    return entropy(softmax(factor * logits.numpy().astype(float) / temperature, axis=1), axis=1).mean()


def by_halving(logits: Tensor, wanted: float, temperature: float) -> float:
    low, high = -10.0, 10.0  # of the factor's logarithm
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_entropy(logits, math.exp(middle), temperature) > wanted else (low, middle)
    return math.exp(low)


def by_newton(logits: Tensor, wanted: float, temperature: float) -> float:
    """By secant steps in the logarithm, from the factor 1."""
    first, second = 0.0, 0.1
    for _ in range(50):
        one, other = (mean_entropy(logits, math.exp(at), temperature) - wanted for at in (first, second))
        if abs(other - one) < 1e-14:
            break
        first, second = second, second - max(-1.0, min(1.0, other * (second - first) / (other - one)))
    return math.exp(second)


def by_loop(gains: np.ndarray, pilot: int) -> float:
    kinds = range(len(gains))
    chosen = max(kinds, key=lambda kind: sum(gains[kind][:pilot]))
    later = [sum(gains[kind][pilot:]) / len(gains[kind][pilot:]) for kind in kinds]
    return max(later) - later[chosen]


def by_frame(gains: np.ndarray, pilot: int) -> float:
    table = pd.DataFrame(gains)
    later = table.iloc[:, pilot:].mean(axis=1)
    return later.max() - later[table.iloc[:, :pilot].mean(axis=1).idxmax()]


def judged_by_the_pilot(gains: np.ndarray, pilot: int) -> float:
    return gains[:, pilot:].mean(1).max() - gains[:, :pilot].mean(1).max()


def judged_by_all(gains: np.ndarray, pilot: int) -> float:
    means = gains.mean(1)
    return means.max() - means[gains[:, :pilot].mean(1).argmax()]


def comparison(*teachers: str, strategy: str = "soft labels", seeds: int = 6) -> Comparison:
    arms = [("ground truth", ""), *((strategy, teacher) for teacher in teachers)]
    rows = [
        {"strategy": arm, "teacher": teacher, "replicate": 0, "seed": seed, "length": 300, "accuracy": 0.5 + seed / 100}
        for arm, teacher in arms
        for seed in range(seeds)
    ]
    return Comparison(pd.DataFrame(rows))


ANSWERS = {
    "05b.1": {
        "right": [counted, lambda a, g, t: g / (1 - t) - a / (1 - t)],
        "wrong": [
            lambda a, g, t: g - a,
            lambda a, g, t: (g - a) / (1 - a),
            lambda a, g, t: (g - a) / t,
            lambda a, g, t: (a - g) / (1 - t),
        ],
    },
    "05b.2": {
        "right": [by_halving, by_newton],
        "wrong": [
            lambda logits, wanted, T: 1 / by_halving(logits, wanted, T),
            lambda logits, wanted, T: by_halving(logits, wanted, 1.0),
            lambda logits, wanted, T: by_halving(logits, wanted, 1 / T),
            lambda logits, wanted, T: wanted / mean_entropy(logits, 1.0, T),
        ],
    },
    "05b.3": {"right": [0.8, 1.5], "wrong": [-8.0, -0.2, 10]},
    "05b.4": {
        "right": [by_loop, by_frame],
        "wrong": [
            judged_by_the_pilot,
            judged_by_all,
            lambda gains, pilot: -by_loop(gains, pilot),
            lambda gains, pilot: 0.0,
        ],
    },
    "05b.5": {
        "right": [
            lambda error, spread, M: (error - spread) + spread / M,
            lambda error, spread, M: error - (M - 1) / M * spread,
        ],
        "wrong": [
            lambda error, spread, M: error / M,
            lambda error, spread, M: error - spread,
            lambda error, spread, M: error - spread / M,
            lambda error, spread, M: spread / M,
            lambda error, spread, M: error - spread * (1 - 1 / M**0.5),
        ],
    },
    "05b.6": {
        "right": [comparison("forest", "neighbours"), comparison("a", "b", "c", seeds=20)],
        "wrong": [
            comparison("forest", "neighbours").difference("soft labels"),
            comparison("forest", "neighbours", strategy="teacher's hard labels"),
            comparison("forest"),
            comparison("forest", "neighbours", seeds=3),
        ],
    },
}
