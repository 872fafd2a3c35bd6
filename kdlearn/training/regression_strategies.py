"""Strategies for labels that are numbers: `data` holds them floating point, `(N, D)`, as the network gives them.

In `compare` the reference is named: `against="true values"`, and `metric=kdlearn.mean_squared_error` measures.
"""

from dataclasses import dataclass

from torch import Tensor

from kdlearn.data.batches import Batch
from kdlearn.formulas.arguments import check_weight
from kdlearn.formulas.regression import regression_distillation_loss
from kdlearn.training.strategies import Strategy


@dataclass(frozen=True)
class TrueValues(Strategy):
    """The data set's numbers by Huber's function: learning without a teacher, and how a teacher itself is trained.

    >>> import torch
    >>> TrueValues()(torch.tensor([[3.0]]), Batch(torch.zeros(1, 4), labels=torch.tensor([[1.0]])))
    tensor([1.5000])
    """

    name = "true values"
    reads = ("labels",)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return values_without_bound(student_logits, batch.labels, batch.mask)


@dataclass(frozen=True)
class TeachersValues(Strategy):
    """The teacher's numbers as if they were true: reads no ground truth, so unlabelled rows will do.

    >>> import torch
    >>> TeachersValues()(torch.tensor([[3.0]]), Batch(torch.zeros(1, 4), teacher_logits=torch.tensor([[3.5]])))
    tensor([0.1250])
    """

    name = "teacher's values"
    reads = ("teacher_logits",)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return values_without_bound(student_logits, batch.teacher_logits, batch.mask)


@dataclass(frozen=True)
class BoundedByTeacher(Strategy):
    """True values, and more of them where the student is worse than the teacher. See `regression_distillation_loss`.

    Source: Chen et al. 2017, Learning Efficient Object Detection Models with Knowledge Distillation (NeurIPS).

    >>> import torch
    >>> batch = Batch(torch.zeros(1, 4), torch.tensor([[0.0]]), teacher_logits=torch.tensor([[0.5]]))
    >>> BoundedByTeacher(bound_weight=2.0)(torch.tensor([[1.0]]), batch)  # 1/2 + 2 · 1
    tensor([2.5000])
    """

    bound_weight: float = 0.5
    margin: float = 0.0
    name = "bounded by the teacher"
    reads = ("teacher_logits", "labels")

    def __post_init__(self) -> None:
        check_weight("bound_weight", self.bound_weight, highest=float("inf"))
        check_weight("margin", self.margin, highest=float("inf"))

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        options = {"margin": self.margin, "bound_weight": self.bound_weight, "reduction": "none", "mask": batch.mask}
        return regression_distillation_loss(student_logits, batch.teacher_logits, batch.labels, **options)


def values_without_bound(outputs: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    values = values.detach()
    options = {"bound_weight": 0.0, "reduction": "none", "mask": mask}
    return regression_distillation_loss(outputs, values, values, **options)
