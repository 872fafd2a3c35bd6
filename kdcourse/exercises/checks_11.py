"""Notebook 11: what counts as an answer. The points of 11.2 are those of the record of studies/languages."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from kdcourse.exercises.answers import Formula, Number
from kdcourse.exercises.comparisons import of_your_own

GENERATOR = Generator().manual_seed(11)
LOGITS = [4 * torch.randn(5, 10, generator=GENERATOR, dtype=torch.float64) for _ in range(3)]
KNOWN = [(*v.log_softmax(dim=1).topk(k, dim=1), 10) for v, k in zip(LOGITS, (1, 3, 5), strict=True)]
GROUPS = [[[0], [1, 2], [3, 4, 5]], [[9, 0], [8, 1], [7, 2, 3]], [[4, 5, 6, 7], [0, 1]]]
MERGED = list(zip(LOGITS, GROUPS, strict=True))


def temperature_for(number: float, known_number: float, known_temperature: float) -> float:
    return 1 + (number - 1) * (known_temperature - 1) / (known_number - 1)


def filled_up(logprobs: Tensor, classes: Tensor, num_classes: int, shared_by: int | None = None) -> Tensor:
    """What the largest leave is shared by the other classes; `shared_by` another number is a mistake."""
    known = logprobs.double()
    rest = (1 - known.exp().sum(dim=1, keepdim=True)).clamp_min(1e-300)
    share = rest / (shared_by or num_classes - known.shape[1])
    return share.log().expand(-1, num_classes).scatter(1, classes, known)


def put_together(logits: Tensor, groups: Sequence[Sequence[int]]) -> Tensor:
    return torch.stack([logits[:, list(group)].logsumexp(dim=1) for group in groups], dim=1).log_softmax(dim=1)


def by_group(logits: Tensor, groups: Sequence[Sequence[int]], way: str) -> Tensor:
    """The mistakes of taking a group's largest, mean or total logit."""
    found = [getattr(logits[:, list(group)], way)(dim=1) for group in groups]
    return torch.stack(found, dim=1).log_softmax(dim=1)


def shared(ngrams: int, buckets: int) -> float:
    return 1 - buckets * (1 - (1 - 1 / buckets) ** ngrams) / ngrams


EXERCISES = {
    "11.1": Formula(
        temperature_for,
        [(50, 25, 1.6), (10, 25, 1.6), (200, 20, 3.0)],
        {
            "T is not proportional to n: of one number alone it is 1": lambda n, known, T: T * n / known,
            "A root of the length is the package's own rule. Use (11.4)": lambda n, known, T: T * (n / known) ** 0.5,
            "The correlation counts n − 1 partners of a number, and not n": lambda n, known, T: 1 + (T - 1) * n / known,
            "This is the correlation. Put it into 1 + (n − 1) ρ once more": lambda n, known, T: (T - 1) / (known - 1),
            "The length has to matter": lambda n, known, T: T,
        },
        "First solve T = 1 + (n − 1) ρ for ρ, at the number that is known.",
    ),
    "11.2": Number(
        1.7,
        5.0,
        {
            "So it was with 25 characters. Of 10 the teacher is less sure, and its labels are softer": (-1.0, 1.7),
            "A teacher that is right more often than its student is rarely worse than nothing at T = 1": (-100.0, -1.0),
            "At the chosen T, 16, it is 5.3. At T = 1 less of the softness is there": (5.0, 100.0),
        },
        "Answer in points of accuracy.",
    ),
    "11.3": Formula(
        filled_up,
        KNOWN,
        {
            "Each of the other classes got the whole rest. They share it": (
                lambda logprobs, classes, num: filled_up(logprobs, classes, num, shared_by=1)
            ),
            "The rest was shared with the classes that are known already": (
                lambda logprobs, classes, num: filled_up(logprobs, classes, num, shared_by=num)
            ),
            "These are probabilities. Return their logarithms": lambda *known: filled_up(*known).exp(),
            "The largest probabilities were divided by their sum, so that nothing is left for the others": (
                lambda logprobs, classes, num: filled_up(logprobs.log_softmax(dim=1), classes, num)
            ),
        },
        "exp of each row must sum to 1, with the given logarithms in their places and the rest even.",
    ),
    "11.4": Formula(
        put_together,
        MERGED,
        {
            "The largest member stands for its group here. The others count too": (
                lambda logits, groups: by_group(logits, groups, "amax")
            ),
            "Probabilities are added, not logits": lambda logits, groups: by_group(logits, groups, "sum"),
            "A mean makes large groups smaller. Probabilities are added": (
                lambda logits, groups: by_group(logits, groups, "mean")
            ),
            "These are probabilities. Return their logarithms": lambda *drawn: put_together(*drawn).exp(),
            "Classes of no group are still in the sum. Divide by what is kept, as in (11.5)": (
                lambda logits, groups: torch.stack(
                    [logits.log_softmax(dim=1)[:, list(group)].logsumexp(dim=1) for group in groups], dim=1
                )
            ),
        },
        "The log-probability of a group is log Σ e^v of its members, less that of all members of all groups.",
    ),
    "11.5": Formula(
        shared,
        [(3424, 4096), (100, 50), (10, 4096), (20_000, 4096)],
        {
            "This is the share of buckets that are empty": lambda ngrams, buckets: (1 - 1 / buckets) ** ngrams,
            "This is the share of buckets that are used": lambda ngrams, buckets: 1 - (1 - 1 / buckets) ** ngrams,
            "This is the share of n-grams that come first into their bucket. The others are asked for": (
                lambda ngrams, buckets: 1 - shared(ngrams, buckets)
            ),
            "This is the chance that the last one meets another. Ask it of each as it comes": (
                lambda ngrams, buckets: 1 - (1 - 1 / buckets) ** (ngrams - 1)
            ),
            "So it would be if no bucket stayed empty": lambda ngrams, buckets: max(0.0, 1 - buckets / ngrams),
        },
        "A bucket stays empty with probability (1 − 1 / buckets) to the power of ngrams.",
    ),
    "11.6": of_your_own("teacher's hard labels"),
}
