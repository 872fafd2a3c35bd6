"""A label strategy: which labels a student sees, and the loss that follows from it.

A strategy turns `(student_logits, batch)` into a loss. Which fields of the batch it reads is the whole difference.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import cross_entropy

from kdlearn.data import CERTAIN, Batch
from kdlearn.formulas.labels import full_precision, hard_labels, smooth_labels
from kdlearn.formulas.losses import distillation_loss, hard_label_loss, soft_label_loss

Strategy = Callable[[Tensor, Batch], Tensor]


@dataclass(frozen=True)
class GroundTruth:
    """The data set's class indices: learning without a teacher, and how a teacher itself is trained."""

    name: ClassVar[str] = "ground truth"

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return hard_label_loss(student_logits, batch.labels)


@dataclass(frozen=True)
class SmoothedGroundTruth:
    """The data set's class indices with a little doubt, the same for every class and image."""

    smoothing: float = 0.1
    name: ClassVar[str] = "smoothed ground truth"

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        labels = smooth_labels(batch.labels, student_logits.shape[-1], self.smoothing)
        return cross_entropy(full_precision(student_logits), labels)


@dataclass(frozen=True)
class TeachersHardLabels:
    """The teacher's arg max: reads no ground truth, so unlabelled images will do."""

    name: ClassVar[str] = "teacher's hard labels"

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return hard_label_loss(student_logits, hard_labels(batch.teacher_logits))


@dataclass(frozen=True)
class SoftLabels:
    """The teacher's probabilities at a temperature: reads no ground truth, so unlabelled images will do."""

    temperature: float = 4.0
    name: ClassVar[str] = "soft labels"

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return soft_label_loss(student_logits, batch.teacher_logits, self.temperature)


@dataclass(frozen=True)
class TruthWhereKnown:
    """Another strategy, but cross-entropy on the images whose teacher's logits are certain: `LabelStore.knowing`.

    A known label enters at temperature 1. Softened like the others, it would ask the student for logits T times as far
    apart, and T² would multiply its gradient.
    """

    otherwise: Strategy

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        known = batch.teacher_logits.amax(dim=1) == CERTAIN
        truth = TeachersHardLabels()
        parts = [
            strategy(student_logits[rows], batch._replace(teacher_logits=batch.teacher_logits[rows])) * rows.sum()
            for strategy, rows in ((truth, known), (self.otherwise, ~known))
            if rows.any()
        ]
        return sum(parts) / len(known)


@dataclass(frozen=True)
class SoftLabelsAndGroundTruth:
    """The teacher's probabilities at a temperature, and the data set's class indices."""

    temperature: float = 4.0
    soft_weight: float = 0.9
    name: ClassVar[str] = "soft labels + ground truth"

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return distillation_loss(
            student_logits,
            batch.teacher_logits,
            batch.labels,
            temperature=self.temperature,
            soft_weight=self.soft_weight,
        )
