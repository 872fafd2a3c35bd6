"""Notebook 09: what counts as an answer. The gain of a large student is that which its recorded run printed."""

from typing import Any

import torch
from torch import Generator, Tensor

from kdcourse.exercises.answers import Formula, Number, Properties

LOGITS = [
    (torch.randn(rows, classes, generator=generator), 3 * torch.randn(rows, classes, generator=generator))
    for rows, classes in ((6, 10), (4, 5), (7, 3))
    for generator in [Generator().manual_seed(rows)]
]
PROBABILITIES = [(student, teacher.softmax(1)) for student, teacher in LOGITS]


def without_square(soft_weight: float, temperature: float, power: int = 2) -> float:
    soft = soft_weight / temperature**power
    return soft / (soft + 1 - soft_weight)


def divergence(student: Tensor, teacher: Tensor, temperature: float = 4.0, dim: int = 1) -> Tensor:
    """One value a class and image: the terms of KL."""
    log_q, log_p = ((logits / temperature).log_softmax(dim) for logits in (student, teacher))
    return log_p.exp() * (log_p - log_q)


def soft_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    return temperature**2 * divergence(student, teacher, temperature).sum(1).mean()


def is_report(answer: Any) -> bool:
    from kdlearn.examination.examine_training import TrainingReport
    from kdlearn.examination.report import Report

    return isinstance(answer, Report | TrainingReport)


REPORT = Properties(
    lambda answer: answer,
    {
        "Hand over the report, and not its names: they are only its headlines": lambda answer: (
            not (isinstance(answer, tuple | list | str))
        ),
        "Hand over what `kdlearn.examine(loss)` returns, and not the loss": lambda answer: (
            not (callable(answer) and not is_report(answer))
        ),
        "This is the value of a loss. Hand over the report that `kdlearn.examine` makes of the loss": lambda answer: (
            not isinstance(answer, float | int | Tensor)
        ),
        "Hand over a report of `kdlearn.examine` or `kdlearn.examine_training`": is_report,
    },
)

EXERCISES = {
    "09.1": Formula(
        without_square,
        [(0.5, 8.0), (0.9, 4.0), (0.3, 2.0)],
        {
            "The two weights must sum to 1 again: divide by their sum": lambda w, T: w / T**2,
            "Two powers of T are missing and not one": lambda w, T: without_square(w, T, 1),
            "Without T² the soft loss is smaller, and so is its weight": lambda w, T: without_square(w, T, -2),
            "The weight changes: its loss has lost a factor, and the hard loss has not": lambda w, T: w,
        },
        "Without T² the soft loss has the weight w / T² beside a hard weight of 1 - w. Divide by the sum.",
    ),
    "09.2": Formula(
        lambda student, teacher: soft_loss(student, teacher, 4.0),
        LOGITS,
        {
            "The sum over the classes of one image is 1. Here the sum over the images of one class is: `dim=1`": (
                lambda student, teacher: 16 * divergence(student, teacher, dim=0).sum() / len(student)
            ),
            "The sum is over the classes, the mean over the images alone": lambda student, teacher: (
                16 * divergence(student, teacher).mean()
            ),
            "T² has been lost": lambda student, teacher: divergence(student, teacher).sum(1).mean(),
            "This is KL(student ‖ teacher), the other direction": lambda student, teacher: soft_loss(
                teacher, student, 4.0
            ),
            "The sum over the images is to be a mean": lambda student, teacher: 16 * divergence(student, teacher).sum(),
        },
        "It is to be T² times the mean over the images of KL(teacher ‖ student), with T = 4.",
    ),
    "09.3": Number(
        2.0,
        20.0,
        {
            "It is large, but it has 60 labels too. What else could tell it what these labels do not say?": (-2.0, 2.0),
            "Does a larger student learn less from its teacher?": (-100.0, -2.0),
            "The baseline names most images already, so there is not so much to gain": (20.0, 100.0),
        },
        "Answer in points of accuracy.",
    ),
    "09.4": Formula(
        lambda student, teacher: soft_loss(student, teacher.log(), 2.0),
        PROBABILITIES,
        {
            "Softmax is taken of what is a distribution already, so the labels are almost even": (
                lambda student, teacher: soft_loss(student, teacher, 2.0)
            ),
            "The teacher's probabilities are at T = 1 and the student's at T = 2. Both need the same T": (
                lambda student, teacher: 4 * (teacher * (teacher.log() - (student / 2).log_softmax(1))).sum(1).mean()
            ),
            "log p - log(1 - p) are the logits of one class against the rest. Softmax wants log p": (
                lambda student, teacher: soft_loss(student, teacher.logit(), 2.0)
            ),
            "T² has been lost": lambda student, teacher: soft_loss(student, teacher.log(), 2.0) / 4,
            "This is T = 1": lambda student, teacher: soft_loss(student, teacher.log(), 1.0),
        },
        "Logits of a distribution are its logarithms. Then it is the usual loss at T = 2.",
    ),
    "09.5": REPORT,
}
