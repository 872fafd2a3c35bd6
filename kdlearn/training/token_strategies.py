"""Strategies of language models, one value a token; they take logits `(N, C)` as well."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdlearn.data.batches import Batch
from kdlearn.formulas.divergences import log_softmax, scaled
from kdlearn.formulas.labels import full_precision, soft_labels
from kdlearn.formulas.losses import hard_label_loss
from kdlearn.formulas.token_losses import Tail, skewed_kl_loss, skewed_reverse_kl_loss, top_k_loss
from kdlearn.training.strategy import Softened, Strategy

__all__ = ["SkewedDivergence", "SkewedReverseDivergence", "TeachersSampledLabels", "TopK"]


@dataclass(frozen=True)
class SkewedDivergence(Softened):
    """Forward KL to a mixture of teacher and student, which bounds it. See `skewed_kl_loss`.

    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[0.0, 99.0]]))
    >>> SkewedDivergence(1.0, share=0.5)(torch.tensor([[99.0, 0.0]]), batch)  # log 2, where KL is 99
    tensor([0.6931])
    """

    share: float = 0.1
    name = "skewed divergence"
    loss = staticmethod(skewed_kl_loss)


class SkewedReverseDivergence(SkewedDivergence):
    """Reverse KL to a mixture of teacher and student, which bounds it. See `skewed_reverse_kl_loss`.

    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[0.0, 99.0]]))
    >>> SkewedReverseDivergence(1.0, share=0.5)(torch.tensor([[99.0, 0.0]]), batch)
    tensor([0.6931])
    """

    name = "skewed reverse divergence"
    loss = staticmethod(skewed_reverse_kl_loss)


@dataclass(frozen=True)
class TopK(Softened):
    """Soft labels of which only the teacher's k likeliest classes are known; `tail` as in `top_k_loss`.

    All of the teacher's logits are there, so that any temperature will do. For "sampled" one more class is drawn, with
    torch's random numbers, which keeps it out of stacks.

    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[3.0, 2.0, 1.0, 0.0]]))
    >>> TopK(1.0, k=2)(torch.tensor([[3.0, 2.0, 0.0, 1.0]]), batch) < 1e-6  # in the tail it may differ
    tensor([True])
    """

    k: int = 8
    tail: Tail = "bucket"
    name = "top-k"

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        T, log_p = self.temperature, log_softmax(full_precision(batch.teacher_logits), self.temperature)
        indices = log_p.topk(self.k).indices
        if self.tail == "sampled":
            drawn = drawn_classes(log_p.scatter(-1, indices, -torch.inf).softmax(dim=-1))
            indices = torch.cat([indices, drawn.unsqueeze(-1)], dim=-1)
        known = log_p.gather(-1, indices), indices
        return T**2 * top_k_loss(scaled(student_logits, T), *known, tail=self.tail, reduction="none")


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
        return hard_label_loss(student_logits, drawn_classes(soft_labels(batch.teacher_logits)), reduction="none")


def drawn_classes(probabilities: Tensor) -> Tensor:
    """A class of each row `(..., C)`, `(...)` int64."""
    return torch.multinomial(probabilities.flatten(0, -2), 1).reshape(probabilities.shape[:-1])
