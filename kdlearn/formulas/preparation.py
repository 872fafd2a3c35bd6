"""What every loss on logits does before its formula and after it: checks, one precision, the mask, the mean."""

from typing import Literal

import torch
from torch import Tensor

from kdlearn.formulas.arguments import (
    IGNORED,
    check_finite,
    check_indices,
    check_mask,
    check_reach,
    check_reduction,
    check_result,
    check_rows,
    check_shapes,
    check_temperature,
    reach,
    values_can_be_read,
    warn_of_probabilities,
)
from kdlearn.formulas.labels import full_precision

Reduction = Literal["mean", "none"]


def comparable(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float | Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor, float | Tensor]:
    """All three checked: logits in one precision, 0 where the mask is False, the teacher's without a gradient."""
    check_temperature(temperature)
    check_shapes(student_logits=student_logits, teacher_logits=teacher_logits)
    student_logits, teacher_logits = kept(student_logits, mask), kept(teacher_logits.detach(), mask)
    warn_of_probabilities(teacher_logits, mask)
    dtype = torch.promote_types(student_logits.dtype, teacher_logits.dtype)
    return student_logits.to(dtype), teacher_logits.to(dtype), temperature


def kept(logits: Tensor, mask: Tensor | None) -> Tensor:
    """The logits in full precision, 0 where the mask is False, which is checked."""
    if mask is not None:
        check_mask(mask, logits.shape[:-1])
        logits = torch.where(mask.unsqueeze(-1), logits, 0)
    return full_precision(logits)


def kept_labels(labels: Tensor, mask: Tensor | None, logits: Tensor) -> tuple[Tensor, Tensor | None]:
    """The labels, checked against the logits, 0 where they do not count; and the mask, False where they are -100.

    Where values can be read and none is negative, nothing is done that takes time.
    """
    check_indices("labels", labels, logits.shape[:-1])
    found = reach(labels)
    if mask is not None or found is None or found[0] < 0:
        counts = labels != IGNORED
        mask = counts if mask is None else mask & counts
        labels = torch.where(mask, labels, 0)
        found = reach(labels)
    check_reach("labels", found, logits.shape[-1])
    return labels, mask


def kept_classes(student: Tensor, values: Tensor, indices: Tensor, mask: Tensor | None) -> tuple[Tensor, ...]:
    """The student's logits, and values `(..., k)` of the classes `indices`, without a gradient: all checked."""
    check_shapes(student_logits=student)
    check_rows("values", values)
    check_indices("indices", indices, values.shape)
    if values.shape[:-1] != student.shape[:-1] or values.shape[-1] >= student.shape[-1]:
        raise ValueError(f"values must be (..., k) of logits (..., C > k); got {[*values.shape]} of {[*student.shape]}")
    student, values = kept(student, mask), kept(values.detach(), mask)
    if mask is not None:
        indices = torch.where(mask.unsqueeze(-1), indices, torch.arange(values.shape[-1], device=values.device))
    check_finite(student_logits=student, values=values)
    check_reach("indices", reach(indices), student.shape[-1])
    if values_can_be_read(indices) and bool((indices.sort(dim=-1).values.diff(dim=-1) == 0).any()):
        raise ValueError("indices must hold a class once in a row, as topk gives them; got one twice")
    return student, values, indices


def reduced(values: Tensor, reduction: Reduction, mask: Tensor | None, **named_logits: Tensor) -> Tensor:
    """The mean of what is not masked, or all values with 0 for what is; NaN and infinity in the logits are refused."""
    check_reduction(reduction)
    check_result(values, **named_logits)
    if mask is None:
        return values.mean() if reduction == "mean" else values
    if reduction == "mean" and values_can_be_read(mask) and not mask.any():
        raise ValueError("mask must be True for at least one label that is not -100: there is no mean of none")
    values = torch.where(mask, values, 0)
    return values.sum() / mask.sum() if reduction == "mean" else values
