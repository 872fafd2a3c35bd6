"""Notebook 10b: what counts as an answer."""

import torch
from torch import Generator, Tensor

from kdcourse.exercises.answers import Formula, Number
from kdcourse.exercises.comparisons import of_your_own
from kdlearn.formulas.many_labels import average_precision

GENERATOR = Generator().manual_seed(10)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64)


LOGITS = [tuple(3 * drawn(2, 6, 4)) for _ in range(2)]
DISTRIBUTIONS = [(*drawn(2, 5, classes).softmax(dim=-1), torch.arange(classes) % 3 > 0) for classes in (4, 10)]
MAPS = [
    (drawn(6, len(targets)).softmax(dim=1), torch.tensor(targets), count)
    for targets, count in (([0, 1, 1, -1], 2), ([2, -1, 0, 0, 1, 2, -1], 3))
]
RANKINGS = [(drawn(size), torch.rand(size, generator=GENERATOR) < 0.4) for size in (9, 30)]


def divergence(p: Tensor, q: Tensor) -> Tensor:
    return torch.special.xlogy(p, p / q).sum(dim=-1)


def inside(p: Tensor, q: Tensor, kept: Tensor) -> Tensor:
    """KL between what p and q say within the kept classes."""
    return divergence(*(one[:, kept] / one[:, kept].sum(dim=1, keepdim=True) for one in (p, q)))


def thrown_away(p: Tensor, q: Tensor, kept: Tensor) -> Tensor:
    return divergence(p, q) - p[:, kept].sum(dim=1) * inside(p, q, kept)


def of_shares(p: Tensor, q: Tensor, kept: Tensor) -> Tensor:
    """KL of the two shares, kept and not."""
    return divergence(*(torch.stack([one[:, kept].sum(1), one[:, ~kept].sum(1)], dim=1) for one in (p, q)))


def put_together(p: Tensor, targets: Tensor, count: int) -> Tensor:
    """Probabilities added where they go; the student's classes first, then what is left out."""
    places = torch.where(targets < 0, count, targets).expand_as(p)
    return p.new_zeros(len(p), count + 1).scatter_add(1, places, p)


def mapped(p: Tensor, targets: Tensor, count: int) -> Tensor:
    kept = put_together(p, targets, count)[:, :count]
    return kept / kept.sum(dim=1, keepdim=True)


def last_wins(p: Tensor, targets: Tensor, count: int) -> Tensor:
    """The mistake of `q[:, targets] = p`, which adds nothing."""
    kept = torch.stack([p[:, int((targets == one).nonzero()[-1])] for one in range(count)], dim=1)
    return kept / kept.sum(dim=1, keepdim=True)


def of_means(p: Tensor, targets: Tensor, count: int) -> Tensor:
    kept = torch.stack([p[:, targets == one].mean(dim=1) for one in range(count)], dim=1)
    return kept / kept.sum(dim=1, keepdim=True)


def over_all_rows(scores: Tensor, answers: Tensor) -> float:
    """The mistake of taking the precision at each row, and not at each right one."""
    ranked = answers[scores.argsort(descending=True)].double()
    return (ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)).mean().item()


def in_right_order(scores: Tensor, answers: Tensor) -> float:
    """The share of pairs of a right and a wrong row in which the right one has the higher score."""
    return (scores[answers][:, None] > scores[~answers][None]).double().mean().item()


EXERCISES = {
    "10b.1": Formula(
        lambda z, v: (z - v) ** 2 / 8,
        LOGITS,
        {
            "Its slope would be (z - v) / 2. By (10b.5) the slope is (z - v) / 4": lambda z, v: (z - v) ** 2 / 4,
            "This is the slope, (10b.5). The loss whose slope it is, is asked for": lambda z, v: (z - v) / 4,
            "For C classes the limit is the squared distance of centred logits, over 2C. A question's logits are 0 and "
            "z, so that the centred ones are -z/2 and z/2": lambda z, v: (z - v) ** 2 / 2,
            "Give a value for each label. The mean is taken later": lambda z, v: ((z - v) ** 2 / 8).mean(),
        },
        "Integrate (z - v) / 4 over z, from v.",
    ),
    "10b.2": Formula(
        thrown_away,
        DISTRIBUTIONS,
        {
            "This is what cut labels keep, times its weight. The other two terms are asked for": (
                lambda p, q, kept: p[:, kept].sum(dim=1) * inside(p, q, kept)
            ),
            "In (10b.3) the part within K has the weight P_K. It was taken off without it": (
                lambda p, q, kept: divergence(p, q) - inside(p, q, kept)
            ),
            "Which of the other classes it is, is thrown away too: the third term of (10b.3)": of_shares,
            "The part within R has the weight P_R": (lambda p, q, kept: of_shares(p, q, kept) + inside(p, q, ~kept)),
            "The two sides are swapped: KL(q ‖ p)": lambda p, q, kept: thrown_away(q, p, kept),
        },
        "KL(P ‖ Q) + P_R KL(p^R ‖ q^R), which is KL(p ‖ q) less P_K KL(p^K ‖ q^K).",
    ),
    "10b.3": Number(
        0.22,
        0.24,
        {
            "A half is what five of ten classes have at T = 1, or where all ten are softened before they are added": (
                0.49,
                0.51,
            ),
            "This is the limit of a very high temperature: one of six classes": (0.16, 0.17),
            "This is one digit at T = 1. Five of them are put together": (0.09, 0.11),
            "Take the fourth root of each of the six probabilities, and divide by their sum": (0.8, 1.0),
        },
        "The six probabilities are five times 0.1, and 0.5. At T = 4 take fourth roots, then divide by their sum.",
    ),
    "10b.4": Formula(
        mapped,
        MAPS,
        {
            "The rows must sum to 1: divide by what is kept": lambda p, targets, count: put_together(p, targets, count)[
                :, :count
            ],
            "Where several classes go to one, only the last has arrived. Add them up": last_wins,
            "Probabilities of classes that exclude each other are added. This takes their mean": of_means,
            "There is a column too many: what is left out goes nowhere": lambda p, targets, count: put_together(
                p, targets, count
            ),
        },
        "Add the probabilities of the classes with the same target, leave out target -1, and divide by the sum.",
    ),
    "10b.5": Formula(
        average_precision,
        RANKINGS,
        {
            "The mean is taken over all rows. Take it over the rows whose answer is yes": over_all_rows,
            "The lowest score stands first here": lambda scores, answers: average_precision(-scores, answers),
            "This is the share of pairs in the right order, another measure": in_right_order,
            "This is the share of rows with yes, which a random order gets on average, nearly": (
                lambda scores, answers: answers.double().mean()
            ),
            "This counts right answers at a threshold of 0. Average precision asks for the order alone": (
                lambda scores, answers: ((scores > 0) == answers).double().mean()
            ),
        },
        "For each row with yes: of the rows whose score is at least as high, the share that has yes. Then the mean.",
    ),
    "10b.6": of_your_own("teacher's hard labels"),
}
