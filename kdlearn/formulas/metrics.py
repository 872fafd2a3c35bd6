"""How good a student is, from its logits `(N, C)` or `(..., C)`: each a float in [0, 1].

A metric with an attribute `share = True` counts labels, and is shown in points of a hundred: `is_share(metric)`.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from kdlearn.formulas.arguments import check_labels, check_logits
from kdlearn.formulas.labels import hard_labels, soft_labels

Function = TypeVar("Function", bound=Callable[..., Any])


def share(metric: Function) -> Function:
    """Mark a metric as one that is shown in points."""
    cast(Any, metric).share = True
    return metric


def smaller_is_better(metric: Function) -> Function:
    """Mark a metric of which a choice takes the smallest value."""
    cast(Any, metric).smaller_is_better = True
    return metric


def direction_of(metric: Callable[..., float]) -> int | None:
    """1 where more is better, -1 where less is; None of a metric that does not say so."""
    if hasattr(metric, "smaller_is_better"):
        return -1 if metric.smaller_is_better else 1
    return 1 if is_share(metric) else None


def is_share(metric: Callable[..., float]) -> bool:
    """Whether a metric is marked so."""
    return bool(getattr(metric, "share", False))


@share
def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The share of rows whose arg max is the label.

    Returns:
        A float in [0, 1], of logits `(..., C)` and labels `(...)` int64.

    >>> accuracy(torch.tensor([[2.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]))
    0.5
    """
    return hits(logits, labels).double().mean().item()


def hits(logits: Tensor, labels: Tensor) -> Tensor:
    """`(...)` bool: whether the arg max of a row is its label."""
    check_logits(logits=logits)
    check_labels(labels, logits.shape[-1], shape=logits.shape[:-1])
    return hard_labels(logits) == labels


@share
def agreement(student_logits: Tensor, teacher_logits: Tensor) -> float:
    """The share of rows in which student and teacher name the same class, right or wrong.

    Returns:
        A float in [0, 1], of the logits `(..., C)` of both.

    >>> agreement(torch.tensor([[2.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.3, 0.1], [0.0, 5.0]]))
    0.5
    """
    check_logits(student_logits=student_logits, teacher_logits=teacher_logits)
    return (hard_labels(student_logits) == hard_labels(teacher_logits)).double().mean().item()


@share
def macro_recall(logits: Tensor, labels: Tensor) -> float:
    """The mean, over the classes that occur among the labels, of the share of their rows that are found.

    Returns:
        A float in [0, 1], of logits `(..., C)` and labels `(...)` int64.

    >>> always_class_0 = torch.tensor([[1.0, 0.0]] * 4)
    >>> macro_recall(always_class_0, torch.tensor([0, 0, 0, 1]))
    0.5
    """
    counts = confusion_matrix(logits, labels)
    occurs = counts.sum(dim=1) > 0
    return (counts.diagonal() / counts.sum(dim=1))[occurs].mean().item()


@share
def macro_f1(logits: Tensor, labels: Tensor) -> float:
    """The mean of 2 · hits / (labelled + predicted), over the classes that occur among the labels or predictions.

    Returns:
        A float in [0, 1], of logits `(..., C)` and labels `(...)` int64.

    >>> always_class_0 = torch.tensor([[1.0, 0.0]] * 4)
    >>> f"{macro_f1(always_class_0, torch.tensor([0, 0, 0, 1])):.3f}"  # (2 · 3 / (3 + 4) + 0) / 2
    '0.429'
    """
    counts = confusion_matrix(logits, labels)
    labelled_and_predicted = counts.sum(dim=1) + counts.sum(dim=0)
    return (2 * counts.diagonal() / labelled_and_predicted)[labelled_and_predicted > 0].mean().item()


@smaller_is_better
def expected_calibration_error(logits: Tensor, labels: Tensor, num_bins: int = 15) -> float:
    """How far confidence and accuracy lie apart: the mean over rows of `|accuracy - mean confidence|` of the row's bin.

    A row's confidence is its largest probability; bin k holds those in (k / num_bins, (k + 1) / num_bins].
    Source: Guo et al. 2017 (arXiv 1706.04599), equation 3.

    Returns:
        A float in [0, 1], of logits `(..., C)` and labels `(...)` int64.

    >>> sure_to_88_percent = torch.tensor([[2.0, 0.0], [2.0, 0.0]])
    >>> f"{expected_calibration_error(sure_to_88_percent, torch.tensor([0, 1])):.2f}"  # half are right
    '0.38'
    """
    check_logits(logits=logits)
    check_labels(labels, num_classes=logits.shape[-1], shape=logits.shape[:-1])
    labels = labels.flatten()
    confidence, prediction, bins = binned_confidence(logits.flatten(0, -2), num_bins)
    surplus = torch.zeros(num_bins, dtype=torch.float64, device=logits.device)
    surplus.index_add_(0, bins, (prediction == labels).double() - confidence)
    return surplus.abs().sum().item() / len(labels)


def binned_confidence(logits: Tensor, num_bins: int = 15) -> tuple[Tensor, Tensor, Tensor]:
    """For each row its confidence, its prediction, and the bin of its confidence."""
    confidence, prediction = soft_labels(logits.double()).max(dim=-1)
    return confidence, prediction, (confidence * num_bins).ceil().long().clamp(1, num_bins) - 1


def confusion_matrix(logits: Tensor, labels: Tensor) -> Tensor:
    """`(C, C)` float64 counts: row the label, column the prediction."""
    check_logits(logits=logits)
    num_classes = logits.shape[-1]
    check_labels(labels, num_classes, shape=logits.shape[:-1])
    cells = labels * num_classes + hard_labels(logits)
    return cells.flatten().bincount(minlength=num_classes**2).reshape(num_classes, num_classes).double()
