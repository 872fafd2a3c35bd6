"""Notebook 03b: what counts as an answer."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Generator, Tensor

from kdcourse.exercises.answers import Formula, Properties, close, value_of
from kdlearn.formulas.losses import distillation_loss

Z = torch.randn(6, 5, dtype=torch.float64, generator=Generator().manual_seed(1))
V = 3 * torch.randn(6, 5, dtype=torch.float64, generator=Generator().manual_seed(2))
Y = torch.tensor([0, 3, 1, 4, 2, 0])
TEMPERATURES = (0.7, 2.0, 4.0)


def softmax(logits: Tensor, T: float) -> Tensor:
    return (logits / T).softmax(1)


def of_two(z: Tensor, factor: float = 2.0) -> Tensor:
    q = (z[:, 0] - z[:, 1]).sigmoid()
    return factor * q * (1 - q)


def right_class(v: Tensor, y: Tensor, T: float) -> Tensor:
    return softmax(v, T).gather(1, y[:, None])[:, 0]


def forwards(z: Tensor, v: Tensor, T: float) -> Tensor:
    return (softmax(z, T) - softmax(v, T)) / T


def backwards(z: Tensor, v: Tensor, T: float) -> Tensor:
    q, ratio = softmax(z, T), (z / T).log_softmax(1) - (v / T).log_softmax(1)
    return q * (ratio - (q * ratio).sum(1, keepdim=True)) / T


def translation(answer: Any) -> SimpleNamespace:
    """Gradients on z of the learner's loss and of what it is said to be."""
    if not (isinstance(answer, tuple | list) and len(answer) == 4 and callable(answer[0])):
        return SimpleNamespace(four=False)
    loss, (T, weight, scale) = answer[0], (float(one) for one in answer[1:])
    z = Z.clone().requires_grad_()
    found = torch.autograd.grad(torch.as_tensor(value_of(loss, z, V, Y)).sum(), z)[0]
    if not (T > 0 and 0 <= weight <= 1):
        return SimpleNamespace(four=True, allowed=False)
    ours = distillation_loss(z, V, Y, temperature=T, soft_weight=weight)
    said = scale * torch.autograd.grad(ours, z)[0]
    return SimpleNamespace(four=True, allowed=True, found=found, said=said, scale=scale)


def parallel(seen: SimpleNamespace) -> bool:
    """Whether the two gradients have one direction, whatever their lengths."""
    return close(seen.found / seen.found.norm(), seen.said / seen.said.norm())


TRANSLATION = Properties(
    translation,
    {
        "Hand over four things: `(loss, temperature, soft_weight, scale)`": lambda seen: seen.four,
        "A temperature lies above 0, and a soft weight from 0 to 1": lambda seen: seen.allowed,
        "Temperature or soft weight are not those of this loss: the gradients have another direction": parallel,
        "The scale is another: the direction of the gradients is right, their length is not": lambda seen: close(
            seen.found, seen.said
        ),
    },
)

EXERCISES = {
    "03b.1": Formula(
        of_two,
        [(Z[:, :2],), (V[:, :2],)],
        {
            "The eigenvector (1, -1) has the squared length 2": lambda z: of_two(z, 4.0),
            "This is one entry of K. The eigenvalue adds the other": lambda z: of_two(z, 1.0),
            "This is not the curvature but 1 less it": lambda z: 1 - of_two(z),
            "The smaller eigenvalue is 0: all logits may be shifted alike": lambda z: torch.zeros(len(z)).double(),
        },
        "q (1 - q) times the matrix with rows (1, -1) and (-1, 1), at T = 1.",
    ),
    "03b.2": Formula(
        lambda v, y, T: 1 - right_class(v, y, T),
        [(V, Y, T) for T in TEMPERATURES],
        {
            "This is the teacher's certainty. The other classes weigh by its doubt": right_class,
            "The doubt is that at the temperature T": lambda v, y, T: 1 - right_class(v, y, 1.0),
            "The weight is one for each row, and not for the batch": lambda v, y, T: (1 - right_class(v, y, T)).mean(),
            "T² is outside of both parts": lambda v, y, T: T**2 * (1 - right_class(v, y, T)),
        },
        "In (3b.6) something of the teacher stands before NCKD. It depends on the image.",
    ),
    "03b.3": Formula(
        lambda z, v, T: forwards(z, v, T) + backwards(z, v, T),
        [(Z, V, T) for T in TEMPERATURES],
        {
            "This is the gradient of KL(p ‖ q) alone": forwards,
            "This is the gradient of KL(q ‖ p) alone": backwards,
            "The chain rule gives a factor 1/T": lambda z, v, T: T * (forwards(z, v, T) + backwards(z, v, T)),
            "The sign is turned": lambda z, v, T: -forwards(z, v, T) - backwards(z, v, T),
        },
        "A sum's gradient is the sum of (3.8) and (3b.10).",
    ),
    "03b.4": Formula(
        lambda weight, T: (weight / (weight + T), 1 + weight / T),
        [(1.0, 4.0), (0.5, 2.0), (3.0, 0.7)],
        {
            "The two weights must sum to 1: divide by their sum, which is the scale": lambda weight, T: (
                weight / T,
                1.0,
            ),
            "T · KL is T² · KL over T: the soft part has the weight λ/T": lambda weight, T: (
                weight / (weight + 1),
                1 + weight,
            ),
            "T · KL has one T less than T² · KL, not one more": lambda weight, T: (
                weight * T / (weight * T + 1),
                1 + weight * T,
            ),
            "This is the hard weight": lambda weight, T: (T / (weight + T), 1 + weight / T),
        },
        "λ T KL = (λ/T) T² KL beside a hard weight of 1. Return soft weight and scale.",
    ),
    "03b.5": TRANSLATION,
}
