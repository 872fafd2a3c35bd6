"""Notebook 01: what counts as an answer."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Generator, Tensor

from kdcourse.exercises.answers import Formula

Z = torch.randn(6, 10, dtype=torch.float64, generator=Generator().manual_seed(1))
V = 3 * torch.randn(6, 10, dtype=torch.float64, generator=Generator().manual_seed(2))
LABELS = [torch.tensor(labels) for labels in ([0, 1, 2, 2, 1, 0], [0, 0, 0, 1], [3, 1, 1, 0, 3, 3, 5])]


def divergence(z: Tensor, v: Tensor) -> Tensor:
    log_q, log_p = z.log_softmax(1), v.log_softmax(1)
    return (log_p.exp() * (log_p - log_q)).sum(1)


def smoothed_entropy(smoothing: float, num_classes: int) -> float:
    label = np.full(num_classes, smoothing / num_classes)
    label[0] += 1 - smoothing
    return float(-(label * np.log(label)).sum())


def without_its_share(smoothing: float, num_classes: int) -> float:
    """As if the right class gave away its share and got none of it back."""
    other = smoothing / num_classes
    return float(-(1 - smoothing) * np.log(1 - smoothing) - (num_classes - 1) * other * np.log(other))


def bits(labels: Tensor, logarithm: Callable = torch.log2) -> float:
    shares = labels.unique(return_counts=True)[1].double() / len(labels)
    return float(-(shares * logarithm(shares)).sum())


EXERCISES = {
    "01.1": Formula(
        lambda p, z: z.softmax(1) - p,  # as notebook 03 derives
        [(V.softmax(1), Z), (Z.softmax(1), V)],
        {
            "The sign is turned: the change is after less before": lambda p, z: p - z.softmax(1),
            "Both ways are 2h apart: divide by 2h": lambda p, z: 2 * (z.softmax(1) - p),
            "This divides by neither h nor 2h": lambda p, z: 2e-4 * (z.softmax(1) - p),
            "KL is a function of z through q. Move the logits, not the probabilities": lambda p, z: -p / z.softmax(1),
        },
        "For each class move its logit alone by h both ways, and divide the change of KL by 2h.",
    ),
    "01.2": Formula(
        divergence,
        [(Z, V), (1000 * Z, 1000 * V), (V, Z)],
        {
            "It is not finite for logits in the thousands. Take log softmax in one step": lambda z, v: (
                v.softmax(1) * (v.softmax(1).log() - z.softmax(1).log())
            ).sum(1),
            "This is KL(q ‖ p), the other direction": lambda z, v: divergence(v, z),
            "This is the cross-entropy. KL is less by the entropy of p": lambda z, v: (
                -(v.softmax(1) * z.log_softmax(1)).sum(1)
            ),
            "One value a row is asked for, and not their mean": lambda z, v: divergence(z, v).mean(),
        },
        "Sum p (log p - log q) over the classes, with both logarithms from `z - torch.logsumexp(z, 1, True)`.",
    ),
    "01.3": Formula(
        smoothed_entropy,
        [(0.1, 10), (0.3, 4), (0.05, 100)],
        {
            "The right class gets a share of the smoothing too: ε/C": without_its_share,
            "This is in bits. Natural logarithms count in nats": lambda smoothing, C: (
                smoothed_entropy(smoothing, C) / np.log(2)
            ),
            "There are C - 1 other classes, and not one": lambda smoothing, C: (
                smoothed_entropy(smoothing, C) + (C - 2) * smoothing / C * np.log(smoothing / C)
            ),
            "An entropy is minus the sum of p log p": lambda smoothing, C: -smoothed_entropy(smoothing, C),
        },
        "Put 1 - ε + ε/C once and ε/C for the C - 1 others into (1.4).",
    ),
    "01.4": Formula(
        lambda p_y, p_m: 1 / (1 + p_m - p_y),
        [(0.2, 0.5), (0.05, 0.9), (0.3, 0.35)],
        {
            "The signs are turned: the larger the lead of m, the smaller the weight": lambda p_y, p_m: (
                1 / (1 + p_y - p_m)
            ),
            "Class y gets a share of the soft label too: w p_y": lambda p_y, p_m: 1 / (1 + p_m),
            "This is the weight of the ground truth": lambda p_y, p_m: 1 - 1 / (1 + p_m - p_y),
            "The ground truth has to make up for the lead, not only for one half": lambda p_y, p_m: 0.5,
        },
        "Set w p_y + 1 - w equal to w p_m, and solve for w.",
    ),
    "01.5": Formula(
        bits,
        [(labels,) for labels in LABELS],
        {
            "This is in nats. Divide by log 2": lambda labels: bits(labels, torch.log),
            "This is log₂ C, which holds for balanced classes alone": lambda labels: float(
                np.log2(int(labels.max()) + 1)
            ),
            "This counts the classes that come. How often each comes matters too": lambda labels: float(
                np.log2(len(labels.unique()))
            ),
            "This is the sum over all labels. A mean is asked for": lambda labels: len(labels) * bits(labels),
        },
        "Count each class, divide by the number of labels, and take the entropy in bits. 0 log 0 is 0.",
    ),
}
