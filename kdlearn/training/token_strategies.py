"""Strategies of language models, one value a token; they take logits `(N, C)` as well."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdlearn.data.batches import Batch
from kdlearn.formulas.arguments import check_temperature, check_weight
from kdlearn.formulas.labels import soft_labels
from kdlearn.formulas.losses import hard_label_loss
from kdlearn.formulas.token_losses import Tail, skewed_kl_loss, skewed_reverse_kl_loss, top_k_loss
from kdlearn.training.strategies import Softened, Strategy


@dataclass(frozen=True)
class SkewedDivergence(Softened):
    """Forward KL to a mixture of teacher and student, which bounds it. See `skewed_kl_loss`.

    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[0.0, 99.0]]))
    >>> SkewedDivergence(1.0, share=0.5)(torch.tensor([[99.0, 0.0]]), batch)  # log 2, where KL is 99
    tensor([0.6931])
    """

    temperature: float = 1.0
    share: float = 0.1
    name = "skewed divergence"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weight("share", self.share)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        options = {"reduction": "none", "mask": batch.mask}
        return skewed_kl_loss(student_logits, batch.teacher_logits, self.temperature, self.share, **options)


@dataclass(frozen=True)
class SkewedReverseDivergence(SkewedDivergence):
    """Reverse KL to a mixture of teacher and student, which bounds it. See `skewed_reverse_kl_loss`.

    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[0.0, 99.0]]))
    >>> SkewedReverseDivergence(1.0, share=0.5)(torch.tensor([[99.0, 0.0]]), batch)
    tensor([0.6931])
    """

    name = "skewed reverse divergence"

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        options = {"reduction": "none", "mask": batch.mask}
        return skewed_reverse_kl_loss(student_logits, batch.teacher_logits, self.temperature, self.share, **options)


@dataclass(frozen=True)
class TopK(Strategy):
    """Soft labels of which only the teacher's k likeliest classes are known; `tail` as in `top_k_loss`.

    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[3.0, 2.0, 1.0, 0.0]]))
    >>> TopK(2)(torch.tensor([[3.0, 2.0, 0.0, 1.0]]), batch) < 1e-6  # in the tail it may differ
    tensor([True])
    """

    k: int = 8
    tail: Tail = "bucket"
    temperature: float = 1.0
    name = "top-k"
    reads = ("teacher_logits",)

    def __post_init__(self) -> None:
        check_temperature(self.temperature)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        options = {"tail": self.tail, "reduction": "none", "mask": batch.mask}
        return top_k_loss(student_logits, batch.teacher_logits, self.k, self.temperature, **options)


@dataclass(frozen=True)
class TeachersSampledLabels(Strategy):
    """A hard label drawn from the teacher's probabilities, anew at every update, with torch's random numbers.

    Its mean over draws is the cross-entropy with the teacher's soft labels at T = 1, and so is its gradient's. Random
    numbers keep it out of stacks: it is trained alone.

    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[99.0, 0.0]]))  # as good as certain
    >>> TeachersSampledLabels()(torch.zeros(1, 2), batch)
    tensor([0.6931])
    """

    name = "teacher's sampled labels"
    reads = ("teacher_logits",)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        shares = soft_labels(batch.teacher_logits)
        labels = torch.multinomial(shares.flatten(0, -2), 1).reshape(shares.shape[:-1])
        return hard_label_loss(student_logits, labels, reduction="none", mask=batch.mask)
