"""Notebook 01b: what counts as an answer."""

from math import exp, log
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from kdcourse.exercises.answers import Formula, Properties, close, value_of

STATED = torch.linspace(0.02, 0.98, 97, dtype=torch.float64)
PAIRS = torch.stack([STATED, 1 - STATED], 1)
FIRST, SECOND = torch.eye(2, dtype=torch.float64)


def payments(answer: Any) -> SimpleNamespace:
    """What a stated distribution costs if the first class comes, and if the second does."""
    costs = [torch.as_tensor(value_of(answer, label, PAIRS)).detach().double() for label in (FIRST, SECOND)]
    return SimpleNamespace(costs=costs, fits=all(one.shape == STATED.shape for one in costs))


def least_at_truth(seen: SimpleNamespace, sign: int = 1) -> bool:
    averages = ((p, sign * (p * seen.costs[0] + (1 - p) * seen.costs[1])) for p in (0.2, 0.35, 0.5, 0.7))
    return all(abs(float(STATED[average.argmin()]) - p) < 0.006 for p, average in averages)


def same_rule(seen: SimpleNamespace, costs: Tensor) -> bool:
    """Whether the rule is a known one, but for a scale and a constant."""
    known, mine = (one - one.mean() for one in (costs, seen.costs[0]))
    return close(mine / mine.norm(), known / known.norm())


PROPER = Properties(
    payments,
    {
        "Return one payment for each stated distribution, shape (97,)": lambda seen: seen.fits,
        "This is a reward: the truth gets most. A payment is to be least there": lambda seen: (
            not least_at_truth(seen, -1)
        ),
        "Its average is least at an end: it rewards exaggeration": lambda seen: (
            int((0.7 * seen.costs[0] + 0.3 * seen.costs[1]).argmin()) != len(STATED) - 1
        ),
        "Its average is not least where the stated probability is the true one": least_at_truth,
        "This is the log rule of the notebook. Find another": lambda seen: not same_rule(seen, -STATED.log()),
        "This is the squared rule of the notebook. Find another": lambda seen: not same_rule(seen, (1 - STATED) ** 2),
    },
)

COLD = [(2.0, 0.01, 10), (0.5, 0.001, 100), (6.0, 0.05, 3)]


def shares(answer: Any) -> list[SimpleNamespace]:
    """The share of the others where all lie `gap` below the largest, at the learner's temperature."""
    found = []
    for gap, left, classes in COLD:
        T = float(value_of(answer, gap, left, classes))
        rest = (classes - 1) * exp(min(-gap / T, 700.0)) if T > 0 else float("nan")
        found.append(SimpleNamespace(T=T, gap=gap, left=left, classes=classes, share=rest / (1 + rest)))
    return found


COLD_ENOUGH = Properties(
    shares,
    {
        "A temperature lies above 0": lambda seen: all(one.T > 0 for one in seen),
        "This forgets that there are C - 1 other classes": lambda seen: (
            not all(close(one.T, one.gap / log(1 / one.left)) for one in seen)
        ),
        "This is 1 / T": lambda seen: (
            not all(close(one.T, log((one.classes - 1) / one.left) / one.gap) for one in seen)
        ),
        "At this temperature the others can have more than `left`": lambda seen: all(
            one.share <= one.left * (1 + 1e-9) for one in seen
        ),
        "It is colder than it need be: if all other logits are equal, the others have less than half of `left`": (
            lambda seen: all(one.share >= one.left / 2 for one in seen)
        ),
    },
)

WORLDS = [torch.tensor([-m, 0.0, m], dtype=torch.float64) for m in (0.2, 1.0, 2.0, 4.0)]


def share_left(means: Tensor) -> float:
    """Variance with the Bayes teacher's labels over that with drawn ones, by integration over x."""
    x = torch.linspace(-14, 14, 8001, dtype=torch.float64)[:, None]
    logits = means * x - means**2 / 2
    density = torch.exp(-((x - means) ** 2) / 2).sum(1)
    weights, p, loss = density / density.sum(), logits.softmax(1), -(0.5 * logits).log_softmax(1)
    mean = (p * loss).sum(1)
    square = (weights * mean).sum() ** 2
    kept, total = (weights * mean**2).sum() - square, (weights[:, None] * p * loss**2).sum() - square
    return float(kept / total)


def world_shares(answer: Any) -> list[SimpleNamespace]:
    return [SimpleNamespace(found=float(value_of(answer, means)), right=share_left(means)) for means in WORLDS]


def nearly(seen: list[SimpleNamespace], change: Any) -> bool:
    return all(abs(one.found - change(one.right)) < 0.04 for one in seen)


WORLD = Properties(
    world_shares,
    {
        "A share is asked for, from 0 to 1, and not a percentage": lambda seen: (
            not nearly([SimpleNamespace(found=one.found / 100, right=one.right) for one in seen], float)
        ),
        "This is what the Bayes teacher saves. What remains is asked for": lambda seen: (
            not nearly(seen, lambda s: 1 - s)
        ),
        "This is the share of the standard deviation. The variance is its square": lambda seen: (
            not nearly(seen, lambda s: s**0.5)
        ),
        "The variance with drawn labels is the larger one: divide by it": lambda seen: all(
            one.found <= 1.05 for one in seen
        ),
        "It does not move with the means": lambda seen: len({round(one.found, 3) for one in seen}) > 1,
        "It is off by more than 0.04. Draw 100,000 examples, and give the student the logits 0.5 v": lambda seen: (
            nearly(seen, float)
        ),
    },
)

EXERCISES = {
    "01b.1": PROPER,
    "01b.2": Formula(
        lambda drawn, biased, bias: (drawn - biased) / bias**2,
        [(0.15, 0.06, 0.1), (0.5, 0.2, 0.3), (1.0, 0.9, 0.05)],
        {
            "The bias enters squared": lambda drawn, biased, bias: (drawn - biased) / bias,
            "Drawn labels have the larger variance; the sign is turned": lambda drawn, biased, bias: (
                (biased - drawn) / bias**2
            ),
            "The biased estimate has a variance too": lambda drawn, biased, bias: drawn / bias**2,
            "This is the inverse": lambda drawn, biased, bias: bias**2 / (drawn - biased),
        },
        "Set drawn_variance / N equal to bias² + biased_variance / N, and solve for N.",
    ),
    "01b.3": COLD_ENOUGH,
    "01b.4": Formula(
        lambda p_0, smoothing: (1 - smoothing) * p_0 + smoothing / 2,
        [(0.7, 0.2), (0.1, 0.5), (0.95, 0.1)],
        {
            "This is what the student states without smoothing": lambda p_0, smoothing: p_0,
            "The smoothing comes back to both classes: half of it to class 0": lambda p_0, smoothing: (
                (1 - smoothing) * p_0
            ),
            "Two classes share the smoothing": lambda p_0, smoothing: (1 - smoothing) * p_0 + smoothing / 10,
            "The weights are turned: the share that is spread is the smoothing": lambda p_0, smoothing: (
                smoothing * p_0 + (1 - smoothing) / 2
            ),
        },
        "The mean loss is the loss on the mean label: p₀ of the labels are (1 - ε/2, ε/2), the others (ε/2, 1 - ε/2).",
    ),
    "01b.5": WORLD,
}
