"""Ground truth that is known of some rows alone."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kdlearn.data.batches import Batch
from kdlearn.formulas.losses import hard_label_loss
from kdlearn.training.strategy import Strategy


@dataclass(frozen=True)
class TruthWhereKnown(Strategy):
    """Cross-entropy with ground truth where `batch.labelled` says that there is one, another strategy elsewhere.

    A known label enters at temperature 1. Softened like the others, it would ask the student for logits T times as far
    apart, and T² would multiply its gradient.

    >>> from kdlearn import SoftLabels
    >>> teacher_logits, known = torch.zeros(2, 2), torch.tensor([True, False])
    >>> batch = Batch(torch.zeros(2, 64), torch.tensor([1, -1]), teacher_logits, known)
    >>> TruthWhereKnown(SoftLabels(2.0))(torch.zeros(2, 2), batch)
    tensor([0.6931, 0.0000])
    """

    otherwise: Strategy

    def __post_init__(self) -> None:
        if self.otherwise.layers:
            raise TypeError("otherwise must have no layers: Hint(..., beside=TruthWhereKnown(...)) has both")
        reads = tuple(dict.fromkeys(("labels", "labelled", *self.otherwise.reads)))
        vars(self).update(name=f"{self.otherwise.name}, ground truth where known", reads=reads)

    @property
    def settings(self) -> dict[str, Any]:
        return self.otherwise.settings

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        truth = loss_where_known(student_logits, batch)
        if batch.labelled is None:
            return truth
        return torch.where(known_labels(batch), truth, self.otherwise(student_logits, batch))


def loss_where_known(student_logits: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy with ground truth, and 0 where there is none."""
    if batch.labelled is None:
        return hard_label_loss(student_logits, batch.labels, reduction="none")
    known = known_labels(batch)
    return torch.where(known, hard_label_loss(student_logits, torch.where(known, batch.labels, 0), reduction="none"), 0)


def known_labels(batch: Batch) -> Tensor:
    """`batch.labelled` in the labels' dimensions: a row is known with all of its time."""
    return batch.labelled.reshape(-1, *[1] * (batch.labels.ndim - 1))
