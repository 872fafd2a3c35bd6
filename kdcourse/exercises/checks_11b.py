"""Notebook 11b: what counts as an answer. The loss of 11b.3 is in the tuning of studies/language_models: 3.70."""

import torch
from torch import Generator, Tensor

from kdcourse.exercises.answers import Formula, Number
from kdcourse.exercises.comparisons import of_your_own

GENERATOR = Generator().manual_seed(11)
LENGTHS = torch.tensor([[2], [7], [5]])
MASKED = [
    (torch.rand(3, 7, generator=GENERATOR, dtype=torch.float64), torch.arange(7) < lengths)
    for lengths in (LENGTHS, LENGTHS.flip(0) - 1, LENGTHS + 1 - LENGTHS // 7)
]
TAUGHT, LEARNED = (
    [torch.randn(8, generator=GENERATOR, dtype=torch.float64).mul(2).softmax(0) for _ in range(3)] for _ in range(2)
)
KNOWN = list(zip(TAUGHT, LEARNED, (1, 3, 5), strict=True))


def mean_of_places(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum()


def draws_needed(p: Tensor, noise: float) -> Tensor:
    return (1 - (p**2).sum()) / noise


def kl(p: Tensor, q: Tensor) -> Tensor:
    return (p * (p / q).log()).sum()


def largest(p: Tensor, q: Tensor, k: int) -> tuple[Tensor, Tensor]:
    places = p.topk(k).indices
    return p[places], q[places]


def with_rest(known: Tensor) -> Tensor:
    return torch.cat([known, 1 - known.sum().reshape(1)])


def kl_with_bucket(p: Tensor, q: Tensor, k: int) -> Tensor:
    known = largest(p, q, k)
    return kl(with_rest(known[0]), with_rest(known[1]))


def as_nothing(p: Tensor, q: Tensor, k: int) -> Tensor:
    known = largest(p, q, k)
    return kl(known[0] / known[0].sum(), known[1])


def both_divided(p: Tensor, q: Tensor, k: int) -> Tensor:
    known = largest(p, q, k)
    return kl(*(one / one.sum() for one in known))


def nats_a_character(nats: float, tokens: int, characters: int) -> float:
    return nats * tokens / characters


EXERCISES = {
    "11b.1": Formula(
        mean_of_places,
        MASKED,
        {
            "The padding still counts below the line: divide by the number of real places": (
                lambda values, mask: (values * mask).mean()
            ),
            "The padding counts. Multiply by the mask first": lambda values, mask: values.mean(),
            "Here each text counts alike, however long it is. Each place should": (
                lambda values, mask: ((values * mask).sum(1) / mask.sum(1)).mean()
            ),
            "This is the sum. Divide it by the number of real places": lambda values, mask: (values * mask).sum(),
        },
        "Add up what is not padding, and divide by how many places are not padding.",
    ),
    "11b.2": Formula(
        draws_needed,
        list(zip(TAUGHT, (0.01, 0.1, 0.5), strict=True)),
        {
            "So it is for a noise of 1. How noisy one draw is depends on p: (11b.3)": lambda p, noise: 1 / noise,
            "A variance falls as 1/M. Its root falls as 1/√M, but the noise here is no root": (
                lambda p, noise: (1 - (p**2).sum()) / noise**2
            ),
            "The sum of squares is large for a sure teacher, which has little noise. Take 1 less it": (
                lambda p, noise: (p**2).sum() / noise
            ),
            "Upside down: this is how much noise is left of a draw, over the noise of one": (
                lambda p, noise: noise / (1 - (p**2).sum())
            ),
        },
        "Divide the noise of one draw, 1 − Σ p², by the noise that is wanted.",
    ),
    "11b.3": Number(
        3.1,
        4.17,
        {
            "As at its best? It knows its characters by heart by then, and others become improbable": (
                2.4,
                2.7,
            ),
            "It rises, but further: each pass makes the student surer of its own characters": (2.7, 3.1),
            "The loss on validation, not on the piece. There it is small indeed": (0.0, 2.4),
            "Worse than an even guess? It does not go that far here": (4.17, 100.0),
        },
        "Answer in nats a character.",
    ),
    "11b.4": Formula(
        kl_with_bucket,
        KNOWN,
        {
            "The tail is left out. Its two sums are one class more": lambda *drawn: kl(*largest(*drawn)),
            "The largest were divided by their sum, so the tail counts as nothing": as_nothing,
            "Both were divided by their sums, so that nothing is asked about the tail": both_divided,
            "This is the whole KL, which knows what is in the tail": lambda p, q, k: kl(p, q),
            "The other direction: the logarithm of p / q is weighed by p": (
                lambda p, q, k: kl(*map(with_rest, reversed(largest(p, q, k))))
            ),
            "K are the largest of the teacher, not of the student": (
                lambda p, q, k: kl(*map(with_rest, reversed(largest(q, p, k))))
            ),
        },
        "Make k + 1 classes of both: the k largest of p, and what is left. Then take KL.",
    ),
    "11b.5": Formula(
        nats_a_character,
        [(3.4, 500, 1000), (1.9, 1000, 1000), (2.5, 300, 1100)],
        {
            "A token of two characters says more than one of one: count how many tokens there are": (
                lambda nats, tokens, characters: nats
            ),
            "Upside down: more characters a token make the loss of one character smaller": (
                lambda nats, tokens, characters: nats * characters / tokens
            ),
            "This is the loss of the whole text. Divide it by its characters": (
                lambda nats, tokens, characters: nats * tokens
            ),
            "Nats are asked for, not bits": lambda nats, tokens, characters: nats * tokens / characters / 0.6931472,
        },
        "The loss of the whole text, over its characters.",
    ),
    "11b.6": of_your_own("teacher's hard labels"),
}
