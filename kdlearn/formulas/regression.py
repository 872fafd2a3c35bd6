"""Distillation of numbers instead of classes: outputs and labels are floating point and of one shape, `(N, D)`."""

import torch
from torch import Tensor
from torch.nn import functional as F

from kdlearn.formulas.arguments import check_mask, check_rows, check_weight, sum_is_finite, values_can_be_read
from kdlearn.formulas.labels import full_precision
from kdlearn.formulas.metrics import smaller_is_better
from kdlearn.formulas.preparation import Reduction, reduced

__all__ = ["mean_squared_error", "regression_distillation_loss"]


def regression_distillation_loss(
    student_outputs: Tensor,
    teacher_outputs: Tensor,
    labels: Tensor,
    *,
    margin: float | Tensor = 0.0,
    bound_weight: float | Tensor = 0.5,
    reduction: Reduction = "mean",
    mask: Tensor | None = None,
) -> Tensor:
    """Σ h(s - y) + bound_weight · ‖s - y‖² of each row that is not yet better than the teacher by the margin.

    h is Huber's function: half the square up to 1, the size less 1/2 beyond. With outputs s of the student, t of the
    teacher and labels y, the second term is there while ‖s - y‖² + margin > ‖t - y‖². The teacher's number is no
    target, since it can be wrong in any direction and by any amount: the teacher's error alone says how much is asked
    of the student.
    Source: Chen et al. 2017, Learning Efficient Object Detection Models with Knowledge Distillation (NeurIPS),
    section 3.3.

    Args:
        student_outputs, teacher_outputs, labels: floating point, `(N, D)`. The teacher's receive no gradient.
        margin: at least 0, in squared units of the labels.
        bound_weight: at least 0; at 0 the teacher does not matter.
        reduction: "mean" over the rows, or "none".
        mask: boolean, `(N,)`: which rows count.

    Returns:
        A scalar; one value a row, `(N,)`, for `reduction="none"`.

    Raises:
        ValueError, TypeError: other dtypes and shapes, a weight out of range, and, for tensors on the CPU outside
            `torch.compile` and `torch.func`, NaN and infinity in what counts.

    >>> labels, teacher = torch.zeros(2, 1), torch.full((2, 1), 0.5)
    >>> student = torch.tensor([[0.25], [1.0]])  # the first is already better than the teacher
    >>> regression_distillation_loss(student, teacher, labels, reduction="none")
    tensor([0.0312, 1.0000])
    """
    check_weight("margin", margin, highest=float("inf"))
    check_weight("bound_weight", bound_weight, highest=float("inf"))
    student, teacher, labels = comparable(student_outputs, teacher_outputs.detach(), labels, mask=mask)
    error, teachers_error = ((one - labels).square().sum(dim=-1) for one in (student, teacher))
    bound = torch.where(error + margin <= teachers_error, 0, error) + 0 * teachers_error  # NaN stays to be refused
    own = F.smooth_l1_loss(student, labels, reduction="none").sum(dim=-1)
    values = own + bound_weight * bound
    if values_can_be_read(values) and not sum_is_finite(values):
        raise ValueError("outputs and labels must be finite; some hold NaN or infinity. mask leaves rows out")
    return reduced(values, reduction, mask)


@smaller_is_better
def mean_squared_error(outputs: Tensor, labels: Tensor) -> float:
    """The mean, over rows and numbers, of the squared distance of an output from its label.

    Returns:
        A float, of outputs and labels of one shape `(N, D)`, in squared units of the labels.

    >>> mean_squared_error(torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [1.0]]))
    2.0
    """
    outputs, labels = comparable(outputs, labels)
    return (outputs - labels).double().square().mean().item()


def comparable(*tensors: Tensor, mask: Tensor | None = None) -> list[Tensor]:
    """All checked, of one shape and precision, 0 where the mask is False."""
    for name, one in zip(("outputs", "the other outputs or labels", "labels"), tensors, strict=False):
        check_rows(name, one)
        if one.shape != tensors[0].shape:
            raise ValueError(
                f"outputs and labels must have one shape (N, D); got {tuple(tensors[0].shape)} and {tuple(one.shape)}. "
                "labels.unsqueeze(1) makes labels (N, 1)"
            )
    if mask is not None:
        check_mask(mask, tensors[0].shape[:-1])
        tensors = tuple(torch.where(mask.unsqueeze(-1), one, 0) for one in tensors)
    dtype = torch.promote_types(full_precision(tensors[0]).dtype, tensors[-1].dtype)
    return [one.to(dtype) for one in tensors]
