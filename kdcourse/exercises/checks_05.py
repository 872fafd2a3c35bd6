"""Notebook 05: what counts as an answer. The points are those that its recorded runs printed."""

import math
from typing import Any

import torch
from scipy.optimize import root_scalar
from torch import Generator, Tensor

from kdcourse.exercises.answers import Formula, Number
from kdcourse.exercises.comparisons import of_your_own
from kdlearn.formulas.labels import entropy, soft_labels
from kdlearn.formulas.losses import hard_label_loss, kl_divergence

GENERATOR = Generator().manual_seed(5)
BATCHES = [
    (
        torch.randn(20, 10, generator=GENERATOR),
        3 * torch.randn(20, 10, generator=GENERATOR),
        torch.randint(10, (20,), generator=GENERATOR),
        temperature,
    )
    for temperature in (2.0, 4.0)
]
LOGITS = [(3 * torch.randn(6, 10, generator=GENERATOR), target) for target in (0.5, 1.0, 2.0)]
NETWORKS = [(300, 60, 50_000, 2_000), (1000, 64, 9_000_000, 400_000), (20, 10, 800, 300)]


def weighed(
    z: Tensor, v: Tensor, y: Tensor, temperature: float, *, power: int = 2, hotter: float = 1.0, swapped: bool = False
) -> Tensor:
    trust = (v / hotter).softmax(dim=1).gather(1, y[:, None])[:, 0]
    trust = 1 - trust if swapped else trust
    soft = temperature**power * kl_divergence(z, v, temperature)
    return trust * soft + (1 - trust) * hard_label_loss(z, y, reduction="none")


def temperatures_for(logits: Any, target: float) -> Tensor:
    """For each row the temperature at which its entropy is the target, in nats."""
    return torch.tensor([temperature_for(row[None].double(), target) for row in logits])


def temperature_for(logits: Tensor, target: float) -> float:
    """The one temperature at which the mean entropy of these rows is the target."""
    return root_scalar(lambda at: float(entropy(soft_labels(logits, at)).mean()) - target, bracket=(1e-2, 1e4)).root


def answers_until_paid(updates: int, batch_size: int, teacher_macs: float, student_macs: float) -> float:
    return 3 * updates * batch_size * student_macs / (teacher_macs - student_macs)


EXERCISES = {
    "05.1": Number(
        7.5,
        13.0,
        {
            "These images are harder, yet what a teacher knows of them can still be told": (-1.0, 3.0),
            "Softness helped on 60 digits of 8 × 8 pixels. Why should it harm here?": (-100.0, -1.0),
            "About so much it was on the digits of 8 × 8 pixels. Here ground truth alone leaves more to gain": (
                3.0,
                7.5,
            ),
            "Ground truth alone reaches 70 %, and the teacher 95 %. Half of the way up is too much to expect": (
                13.0,
                100.0,
            ),
        },
        "Answer in points of accuracy.",
    ),
    "05.2": Formula(
        lambda classes: (classes - 1) / classes,
        [(2,), (3,), (10,), (1000,)],
        {
            "A half is the limit for two classes. With more classes the wrong labels are spread over many": lambda c: (
                0.5
            ),
            "This is the share of right labels at the limit. The share of wrong ones is asked for": lambda c: 1 / c,
            "There are C − 1 wrong classes, and they share the wrong labels: ρ / (C − 1) each": lambda c: c / (c + 1),
        },
        "Set the probability of the right class, 1 − ρ, equal to that of one wrong class.",
    ),
    "05.3": Formula(
        weighed,
        BATCHES,
        {
            "The two weights are the wrong way round: where the teacher agrees with the label, it is trusted": (
                lambda *batch: weighed(*batch, swapped=True)
            ),
            "The soft loss is multiplied by T²": lambda *batch: weighed(*batch, power=0),
            "The trust is the teacher's probability at temperature 1": lambda *batch: weighed(*batch, hotter=batch[3]),
            "Give one value for each image. The loop takes the mean": lambda *batch: weighed(*batch).mean(),
            "Trust the teacher, and not the student: the probability is softmax(v)'s": lambda z, v, y, temperature: (
                z.softmax(dim=1).gather(1, y[:, None])[:, 0]
                * (temperature**2 * kl_divergence(z, v, temperature) - hard_label_loss(z, y, reduction="none"))
                + hard_label_loss(z, y, reduction="none")
            ),
        },
        "For each image: trust · T² · KL + (1 − trust) · cross-entropy.",
    ),
    "05.4": Formula(
        temperatures_for,
        LOGITS,
        {
            "This is 1/T": lambda logits, target: 1 / temperatures_for(logits, target),
            "The entropy is in nats here: take the natural logarithm": lambda logits, target: temperatures_for(
                logits, target * math.log(2)
            ),
            "This is the entropy at T = 1. The temperature is asked for": lambda logits, target: entropy(
                soft_labels(logits)
            ),
            "One temperature for the whole batch: look for one in each row": lambda logits, target: torch.full(
                logits.shape[:1], temperature_for(logits, target)
            ),
            "These are the soft labels. Return the temperatures that give them": lambda logits, target: (
                logits / temperatures_for(logits, target)[:, None]
            ).softmax(dim=-1),
        },
        "Halve the interval in each row: where the entropy is too small, the temperature must rise.",
    ),
    "05.5": Formula(
        answers_until_paid,
        NETWORKS,
        {
            "An update is a forward pass and a backward pass, which costs about two more": (
                lambda n, b, t, s: answers_until_paid(n, b, t, s) / 3
            ),
            "The student's own answers cost something too. What is saved is the difference": (
                lambda n, b, t, s: 3 * n * b * s / t
            ),
            "Every update sees a whole batch of images": lambda n, b, t, s: answers_until_paid(n, 1, t, s),
            "This has the sign reversed: each answer saves the teacher's cost less the student's": (
                lambda n, b, t, s: -answers_until_paid(n, b, t, s)
            ),
            "It is the student that is trained here. The teacher is there already": (
                lambda n, b, t, s: 3 * n * b * t / (t - s)
            ),
        },
        "Divide what the student's training costs by what one answer saves.",
    ),
    "05.6": of_your_own("teacher's hard labels"),
}
