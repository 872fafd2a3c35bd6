"""Strategies for labels that are numbers: `data` holds them floating point, `(N, D)`, as the network gives them.

In `compare` the reference is named: `baseline="true values"`, and `metric=mean_squared_error` measures.
"""

from dataclasses import dataclass

from torch import Tensor

from kdlearn.formulas.losses import Reduction
from kdlearn.formulas.regression import regression_distillation_loss
from kdlearn.training.strategy import Strategy

__all__ = ["BoundedByTeacher", "TeachersValues", "TrueValues"]


def huber_loss(outputs: Tensor, values: Tensor, *, reduction: Reduction) -> Tensor:
    """The distance of outputs from values, ground truth or a teacher's, which is no bound here."""
    values = values.detach()
    return regression_distillation_loss(outputs, values, values, bound_weight=0.0, reduction=reduction)


@dataclass(frozen=True)
class TrueValues(Strategy):
    """The data set's numbers by Huber's function: learning without a teacher, and how a teacher itself is trained.

    >>> import torch
    >>> from kdlearn import Batch
    >>> TrueValues()(torch.tensor([[3.0]]), Batch(torch.zeros(1, 4), labels=torch.tensor([[1.0]])))
    tensor([1.5000])
    """

    name = "true values"
    reads = ("labels",)
    loss = staticmethod(huber_loss)


@dataclass(frozen=True)
class TeachersValues(Strategy):
    """The teacher's numbers as if they were true: reads no ground truth, so unlabelled rows will do.

    >>> import torch
    >>> from kdlearn import Batch
    >>> TeachersValues()(torch.tensor([[3.0]]), Batch(torch.zeros(1, 4), teacher_logits=torch.tensor([[3.5]])))
    tensor([0.1250])
    """

    name = "teacher's values"
    reads = ("teacher_logits",)
    loss = staticmethod(huber_loss)


@dataclass(frozen=True)
class BoundedByTeacher(Strategy):
    """True values, and more of them where the student is worse than the teacher. See `regression_distillation_loss`.

    Source: Chen et al. 2017, Learning Efficient Object Detection Models with Knowledge Distillation (NeurIPS).

    >>> import torch
    >>> from kdlearn import Batch
    >>> batch = Batch(torch.zeros(1, 4), torch.tensor([[0.0]]), teacher_logits=torch.tensor([[0.5]]))
    >>> BoundedByTeacher(bound_weight=2.0)(torch.tensor([[1.0]]), batch)  # 1/2 + 2 · 1
    tensor([2.5000])
    """

    bound_weight: float = 0.5
    margin: float = 0.0
    name = "bounded by the teacher"
    reads = ("teacher_logits", "labels")
    loss = staticmethod(regression_distillation_loss)
