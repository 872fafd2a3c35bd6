"""Notebook 07: what counts as an answer."""

from collections.abc import Callable, Sequence
from math import ceil, sqrt

from scipy import stats

from kdcourse.exercises.answers import Formula, Number
from kdcourse.exercises.comparisons import of_your_own

Bins = Sequence[dict[str, float]]
BINS = [
    ([{"images": images, "confidence": c, "accuracy": a} for images, c, a in told],)
    for told in (
        [(900, 0.95, 0.97), (80, 0.6, 0.4), (20, 0.3, 0.5)],
        [(10, 0.2, 0.1), (500, 0.8, 0.6)],
        [(300, 0.99, 0.9), (300, 0.7, 0.75), (50, 0.5, 0.7)],
    )
]


def first_count(spread: float, wanted: float, width: Callable[[float, int], float]) -> int:
    return next(count for count in range(2, 100_000) if width(spread, count) < wanted)


def by_student(spread: float, count: int) -> float:
    return float(stats.t.ppf(0.975, count - 1)) * spread / sqrt(count)


def too_sure(bins: Bins) -> float:
    total = sum(one["images"] for one in bins)
    return 100 * sum(one["images"] * (one["confidence"] - one["accuracy"]) for one in bins) / total


def calibration_error(bins: Bins) -> float:
    total = sum(one["images"] for one in bins)
    return 100 * sum(one["images"] * abs(one["confidence"] - one["accuracy"]) for one in bins) / total


def students(student: float, share: float, alone: float) -> int:
    return next(n for n in range(1, 100_000) if (student + share / n) / alone < 2)


EXERCISES = {
    "07.1": Formula(
        lambda spread, wanted: first_count(spread, wanted, by_student),
        [(0.5, 0.1), (2.0, 1.0), (1.0, 0.5), (0.3, 0.4), (0.3, 0.2)],
        {
            "1.96 is too small for few pairs. Take Student's t of the count": lambda spread, wanted: first_count(
                spread, wanted, lambda s, n: 1.96 * s / sqrt(n)
            ),
            "The half width is t times s/√n, and not s/√n alone": lambda spread, wanted: first_count(
                spread, wanted, lambda s, n: s / sqrt(n)
            ),
            "The half width shrinks with √n, and not with n": lambda spread, wanted: first_count(
                spread, wanted, lambda s, n: float(stats.t.ppf(0.975, n - 1)) * s / n
            ),
            "The degrees of freedom are n - 1": lambda spread, wanted: first_count(
                spread, wanted, lambda s, n: float(stats.t.ppf(0.975, n)) * s / sqrt(n)
            ),
            "`ppf(0.95, n - 1)` leaves 5 % on one side. There are two": lambda spread, wanted: first_count(
                spread, wanted, lambda s, n: float(stats.t.ppf(0.95, n - 1)) * s / sqrt(n)
            ),
        },
        "Return the first whole count whose half width is below what is wanted.",
    ),
    "07.2": Number(
        0.65,
        0.9,
        {
            "The best is chosen for its luck, so it is above 79 % on average": (-1.0, 0.2),
            "This is the spread of one candidate. The best of six lies farther out": (0.2, 0.65),
            "So far ahead is the best of a hundred": (1.3, 1.7),
            "On 5,000 images one candidate's spread is 0.6 points": (1.7, 100.0),
        },
        "Answer in points. The spread of one candidate is √(0.79 · 0.21 / 5,000).",
    ),
    "07.3": Formula(
        too_sure,
        BINS,
        {
            "The sign is turned: too sure is confidence above accuracy": lambda bins: -too_sure(bins),
            "This is the calibration error, which has no sign": calibration_error,
            "Points are asked for, that is, percent": lambda bins: too_sure(bins) / 100,
            "A bin with more images counts for more": lambda bins: (
                100 * sum(one["confidence"] - one["accuracy"] for one in bins) / len(bins)
            ),
        },
        "Weigh confidence less accuracy of each bin by its images, and divide by all images.",
    ),
    "07.4": Formula(
        students,
        [(100.0, 770.0, 98.0), (50.0, 30.0, 60.0), (10.0, 200.0, 40.0), (90.0, 5010.0, 70.0)],
        {
            "Each student costs its own seconds too, beside its part of the share": lambda student, share, alone: next(
                n for n in range(1, 100_000) if share / n / alone < 2
            ),
            "The share is paid once and divided by all students": lambda student, share, alone: (
                1 if student + share < 2 * alone else float("inf")
            ),
            "A number of students is whole": lambda student, share, alone: share / (2 * alone - student),
            "Less than twice was asked, and not less than once": lambda student, share, alone: next(
                (n for n in range(1, 100_000) if (student + share / n) / alone < 1), float("inf")
            ),
            "This is one less than is needed": lambda student, share, alone: ceil(share / (2 * alone - student)) - 1,
        },
        "With n students each costs student + share / n. Look for the first n below twice alone.",
    ),
    "07.5": of_your_own("teacher's hard labels"),
}
