"""Label strategies: which labels a student sees, and the loss of each label that follows from it.

`strategy(student_logits, batch)` gives one value for each label, `(N,)` or `(N, time)`; the loop takes the mean over
`batch.mask`, or over all. Most declare a loss of `kdlearn.formulas`, which gets what the strategy reads, and its
settings by their names; the loss refuses settings out of range. `kdlearn.Strategy` says how to write one's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from kdlearn.data.batches import Batch
from kdlearn.formulas import labels, losses
from kdlearn.formulas.arguments import check_weight
from kdlearn.training.ground_truth import loss_where_known
from kdlearn.training.strategy import Softened, Strategy, subclasses


@dataclass(frozen=True)
class GroundTruth(Strategy):
    """The data set's class indices: learning without a teacher, and how a teacher itself is trained.

    >>> batch = Batch(torch.zeros(1, 64), labels=torch.tensor([1]))
    >>> GroundTruth()(torch.tensor([[0.0, 0.0]]), batch)
    tensor([0.6931])
    """

    name = "ground truth"
    cli_name = "ground-truth"
    reads = ("labels",)
    loss = staticmethod(losses.hard_label_loss)


@dataclass(frozen=True)
class SmoothedGroundTruth(Strategy):
    """The data set's class indices with a little doubt, the same for every class and row.

    >>> batch = Batch(torch.zeros(1, 64), labels=torch.tensor([1]))
    >>> SmoothedGroundTruth(0.2)(torch.tensor([[0.0, 4.0]]), batch)
    tensor([0.4181])
    """

    smoothing: float = 0.1
    name = "smoothed ground truth"
    cli_name = "smoothed"
    reads = ("labels",)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        smoothed = labels.smooth_labels(batch.labels, student_logits.shape[-1], self.smoothing)
        return -(smoothed * labels.full_precision(student_logits).log_softmax(dim=-1)).sum(dim=-1)


@dataclass(frozen=True)
class TeachersHardLabels(Strategy):
    """The teacher's arg max: reads no ground truth, so unlabelled rows will do.

    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[2.0, -1.0]]))
    >>> TeachersHardLabels()(torch.tensor([[0.0, 0.0]]), batch)  # the teacher says class 0
    tensor([0.6931])
    """

    name = "teacher's hard labels"
    cli_name = "hard"
    reads = ("teacher_logits",)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return losses.hard_label_loss(student_logits, labels.hard_labels(batch.teacher_logits), reduction="none")


class SoftLabels(Softened):
    """The teacher's probabilities at a temperature: reads no ground truth, so unlabelled rows will do.

    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[2.0, -1.0]]))
    >>> SoftLabels(2.0)(torch.tensor([[0.0, 0.0]]), batch)  # T² · KL; 0 for a student that says the same
    tensor([0.8724])
    """

    name = "soft labels"
    cli_name = "soft"
    loss = staticmethod(losses.soft_label_loss)


@dataclass(frozen=True)
class SoftLabelsAndGroundTruth(Softened):
    """The teacher's probabilities at a temperature, and the data set's class indices.

    Where `batch.labelled` says that there is no ground truth, its term is left out, and the other keeps its weight.

    >>> batch = Batch(torch.zeros(1, 64), torch.tensor([1]), teacher_logits=torch.tensor([[2.0, -1.0]]))
    >>> SoftLabelsAndGroundTruth(2.0, soft_weight=0.0)(torch.tensor([[0.0, 0.0]]), batch)  # ground truth alone
    tensor([0.6931])
    """

    soft_weight: float = 0.9
    name = "soft labels + ground truth"
    cli_name = "both"
    reads = ("teacher_logits", "labels", "labelled")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weight("soft_weight", self.soft_weight)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        soft = losses.soft_label_loss(student_logits, batch.teacher_logits, self.temperature, reduction="none")
        return self.soft_weight * soft + (1 - self.soft_weight) * loss_where_known(student_logits, batch)


HOTTEST = 50.0  # at a higher temperature the entropy is too flat for float32 to tell its labels apart


@dataclass(frozen=True)
class EvenlySpread(Softened):
    """A control: soft labels of the teacher's entropy whose doubt is the same for every class but the arg max.

    What is left of a gain when these replace the soft labels needs no knowledge of which classes look alike.

    >>> student = torch.zeros(1, 3)
    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[2.0, 0.0, 0.0]]))  # even doubt
    >>> torch.allclose(EvenlySpread(2.0)(student, batch), SoftLabels(2.0)(student, batch), atol=1e-3)
    True
    """

    name = "same entropy, spread evenly"
    cli_name = "evenly"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature > HOTTEST:
            raise ValueError(f"temperature must be at most {HOTTEST:g}; got {self.temperature}")

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        spread = labels.evenly_spread(labels.soft_labels(batch.teacher_logits, self.temperature))
        log_q = (labels.full_precision(student_logits) / self.temperature).log_softmax(dim=-1)
        cost = torch.special.entr(spread).sum(dim=-1) + (spread * log_q).sum(dim=-1)
        return -(self.temperature**2) * cost


@dataclass(frozen=True)
class DecoupledLabels(Softened):
    """KL in its two parts, target and the other classes, with a weight each. Zhao et al. 2022 (arXiv 2203.08679).

    >>> batch = Batch(torch.zeros(1, 64), torch.tensor([0]), teacher_logits=torch.tensor([[2.0, 1.0, 1.0]]))
    >>> DecoupledLabels(target_weight=0.0)(torch.zeros(1, 3), batch)  # the other classes are alike in both
    tensor([0.])
    """

    target_weight: float = 1.0
    nontarget_weight: float = 8.0
    name = "decoupled"
    cli_name = "decoupled"
    reads = ("teacher_logits", "labels")
    loss = staticmethod(losses.decoupled_loss)


@dataclass(frozen=True)
class LogitMatching(Strategy):
    """The squared distance of centred logits: soft labels in the limit of a high temperature.

    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[2.0, -1.0]]))
    >>> LogitMatching()(batch.teacher_logits + 5.0, batch)  # a shift of all logits changes no probability
    tensor([0.])
    """

    name = "logit matching"
    cli_name = "logits"
    reads = ("teacher_logits",)
    loss = staticmethod(losses.logit_matching_loss)


class StandardisedSoftLabels(Softened):
    """Soft labels of logits with mean 0 and deviation 1 in each row, both sides. Sun et al. 2024 (arXiv 2403.01427).

    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[4.0, 0.0, -4.0]]))
    >>> less_sure = batch.teacher_logits / 4.0
    >>> bool(StandardisedSoftLabels(2.0)(less_sure, batch) < 1e-6)  # which costs nothing
    True
    """

    name = "standardised logits"
    cli_name = "standardised"

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        student, teacher = map(labels.standardised_logits, (student_logits, batch.teacher_logits))
        return losses.soft_label_loss(student, teacher, self.temperature, reduction="none")


class ReverseDivergence(Softened):
    """KL(student ‖ teacher): the student is punished for what the teacher finds unlikely, and may leave classes out.

    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[0.0, 0.0, -9.0]]))
    >>> sure = torch.tensor([[9.0, 0.0, -9.0]])  # of the first of two classes that the teacher finds as likely
    >>> bool(ReverseDivergence(1.0)(sure, batch) < SoftLabels(1.0)(sure, batch))
    True
    """

    name = "reverse divergence"
    cli_name = "reverse"
    loss = staticmethod(losses.reverse_kl_loss)


@dataclass(frozen=True)
class JensenShannon(Softened):
    """Between both directions of KL: the distance of teacher and student from their mixture.

    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[0.0, 99.0]]))
    >>> JensenShannon(1.0)(torch.tensor([[99.0, 0.0]]), batch)  # at most log 2, where KL is 99
    tensor([0.6931])
    """

    teacher_share: float = 0.5
    name = "Jensen–Shannon"
    cli_name = "jensen-shannon"
    loss = staticmethod(losses.jensen_shannon_loss)


def strategies_by_cli_name() -> Mapping[str, type[Strategy]]:
    """kdlearn's own strategies by their names on the command line, in the order in which they are defined."""
    return {one.cli_name: one for one in subclasses() if one.cli_name and one.__module__.startswith("kdlearn.")}
