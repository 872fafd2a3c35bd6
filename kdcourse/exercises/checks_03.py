"""Notebook 03: what counts as an answer."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Generator, Tensor

from kdcourse.exercises.answers import Formula, Properties, close, value_of
from kdcourse.exercises.checks_04 import EXERCISES as OF_04

Z = torch.randn(5, 4, dtype=torch.float64, generator=Generator().manual_seed(1))
V = 3 * torch.randn(5, 4, dtype=torch.float64, generator=Generator().manual_seed(2))
TEMPERATURES = (0.7, 2.0, 4.0)


def pull(z: Tensor, v: Tensor, teachers: float, students: float, over: float = 1.0) -> Tensor:
    return ((z / students).softmax(1) - (v / teachers).softmax(1)) / over


def of_two(z: Tensor, v: Tensor, T: float, power: int = 1) -> Tensor:
    student, teacher = ((logits[:, 0] - logits[:, 1]) / T for logits in (z, v))
    return T**power * (student.sigmoid() - teacher.sigmoid())


def entropy(v: Tensor, T: float) -> Tensor:
    return torch.special.entr((v / T).softmax(1)).sum(1)


def of_ones_own(answer: Any) -> SimpleNamespace:
    """The learner's gradient of a loss of their own, and autograd's."""
    functions = isinstance(answer, tuple | list) and len(answer) == 2 and all(map(callable, answer))
    if not functions:
        return SimpleNamespace(functions=False)
    loss, gradient = answer
    z = Z.clone().requires_grad_()
    value = torch.as_tensor(value_of(loss, z, V)).sum()
    right = torch.autograd.grad(value, z, allow_unused=True)[0] if value.requires_grad else None
    other = torch.as_tensor(value_of(loss, Z, 0.5 * V)).sum()
    return SimpleNamespace(
        functions=True,
        found=torch.as_tensor(value_of(gradient, Z, V)).detach(),
        right=torch.zeros_like(Z) if right is None else right,
        reads_teacher=not close(value.detach(), other.detach()),
    )


OWN_LOSS = Properties(
    of_ones_own,
    {
        "Hand over two functions of the logits z and v: `(loss, gradient)`": lambda seen: seen.functions,
        "The loss does not move with z, so a student cannot learn from it": lambda seen: bool(
            seen.right.abs().max() > 0
        ),
        "The loss does not read the teacher: other logits v give the same": lambda seen: seen.reads_teacher,
        "A gradient has a value for each logit, like z": lambda seen: seen.found.shape == seen.right.shape,
        "The sign is turned: a gradient points to where the loss rises": lambda seen: (
            not close(-seen.found, seen.right)
        ),
        "It is N times too large: the loss is a mean over N images": lambda seen: (
            not close(seen.found / len(Z), seen.right)
        ),
        "It is N times too small: the loss is no mean over the images": lambda seen: (
            not close(seen.found * len(Z), seen.right)
        ),
        "Autograd finds another gradient. Check a single logit by moving it a little": lambda seen: close(
            seen.found, seen.right
        ),
    },
)

EXERCISES = {
    "03.1": Formula(
        lambda z, v, S, T: pull(z, v, S, T, T),
        [(Z, V, S, T) for S, T in ((1.0, 4.0), (3.0, 2.0), (0.5, 1.5))],
        {
            "The chain rule sees the student's temperature: z goes in as z/T": lambda z, v, S, T: pull(z, v, S, T, S),
            "The chain rule gives a factor 1/T": lambda z, v, S, T: pull(z, v, S, T),
            "The teacher's temperature is S": lambda z, v, S, T: pull(z, v, T, T, T),
            "T² was not in this loss": lambda z, v, S, T: T**2 * pull(z, v, S, T, T),
            "The sign is turned: what the student says stands first": lambda z, v, S, T: -pull(z, v, S, T, T),
        },
        "It is (3.8) with softmax(v/S) in place of p.",
    ),
    "03.2": Formula(
        of_two,
        [(Z[:, :2], V[:, :2], T) for T in TEMPERATURES],
        {
            "T² times 1/T leaves one T": lambda z, v, T: of_two(z, v, T, 0),
            "The chain rule takes one of the two powers of T away": lambda z, v, T: of_two(z, v, T, 2),
            "The sign is turned: what is, less what should be": lambda z, v, T: -of_two(z, v, T),
            "The temperature divides the differences of the logits too": lambda z, v, T: (
                T * ((z[:, 0] - z[:, 1]).sigmoid() - (v[:, 0] - v[:, 1]).sigmoid())
            ),
        },
        "q₀ is sigmoid((z₀ - z₁)/T). Put it and p₀ into T (q₀ - p₀).",
    ),
    "03.3": Formula(
        entropy,
        [(V, T) for T in TEMPERATURES],
        {
            "The teacher's soft labels are those at T": lambda v, T: entropy(v, 1.0),
            "Cross-entropy is larger than KL, so the difference is positive": lambda v, T: -entropy(v, T),
            "The factor T² was left out on both sides": lambda v, T: T**2 * entropy(v, T),
            "One value a row is asked for, and not their mean": lambda v, T: entropy(v, T).mean(),
        },
        "By (1.7), cross-entropy is KL plus something that does not contain z.",
    ),
    "03.4": OF_04["04.1"],
    "03.5": OWN_LOSS,
}
