"""A label strategy: which labels a student sees, and the loss of each that follows from it.

`strategy(student_logits, batch)` gives one value for each label, `(N,)` or `(N, time)`; the loop takes the mean over
`batch.mask`, or over all. A strategy of your own is a subclass with a `name`, what it `reads`, and `__call__`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from kdlearn.data.batches import Batch
from kdlearn.formulas.arguments import check_temperature, check_weight
from kdlearn.formulas.labels import (
    evenly_spread,
    full_precision,
    hard_labels,
    smooth_labels,
    soft_labels,
    standardised_logits,
)
from kdlearn.formulas.losses import (
    decoupled_loss,
    distillation_loss,
    hard_label_loss,
    jensen_shannon_loss,
    logit_matching_loss,
    reverse_kl_loss,
    soft_label_loss,
)


class Strategy:
    """What a student learns from.

    `name` is what people see, `cli_name` what the command line takes (None: `module:Class`), `reads` the fields of the
    batch that it needs, `layers` pairs of names of a student's and a teacher's layer whose outputs it wants as
    `batch.student_features` and `batch.teacher_features`. Its settings are its dataclass fields, or its attributes.
    `strategy(student_logits, batch)` gives one value for each label: `(N,)` for logits `(N, C)`, `(N, time)` for
    `(N, time, C)`.

    >>> class Mine(Strategy):
    ...     name, reads = "mine", ("teacher_logits",)
    ...     def __call__(self, student_logits, batch):
    ...         return (student_logits - batch.teacher_logits).abs().sum(dim=-1)
    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[2.0, -1.0]]))
    >>> Mine()(torch.zeros(1, 2), batch)
    tensor([3.])
    """

    name: str
    cli_name: ClassVar[str | None] = None
    reads: tuple[str, ...] = ()
    layers: tuple[tuple[str, str], ...] = ()

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, student_logits, batch)")

    def prepare(self, example: Batch) -> nn.Module | None:
        """What is trained along with the student, such as a projection, made anew for each run; `batch.trained`."""
        return None

    @property
    def settings(self) -> dict[str, Any]:
        """What tells two strategies of one class apart."""
        if is_dataclass(self):
            return {field.name: getattr(self, field.name) for field in fields(self)}
        return dict(vars(self))

    @property
    def asks_teacher(self) -> bool:
        return any(field.startswith("teacher") for field in self.reads)


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

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return hard_label_loss(student_logits, batch.labels, reduction="none", mask=batch.mask)


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

    def __post_init__(self) -> None:
        check_weight("smoothing", self.smoothing)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        counted = batch.labels if batch.mask is None else torch.where(batch.mask, batch.labels, 0)
        labels = smooth_labels(counted, student_logits.shape[-1], self.smoothing)
        return -(labels * full_precision(student_logits).log_softmax(dim=-1)).sum(dim=-1)


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
        labels = hard_labels(batch.teacher_logits)
        return hard_label_loss(student_logits, labels, reduction="none", mask=batch.mask)


@dataclass(frozen=True)
class Softened(Strategy):
    """What strategies with a temperature share."""

    temperature: float = 4.0
    reads = ("teacher_logits",)

    def __post_init__(self) -> None:
        check_temperature(self.temperature)


@dataclass(frozen=True)
class SoftLabels(Softened):
    """The teacher's probabilities at a temperature: reads no ground truth, so unlabelled rows will do.

    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[2.0, -1.0]]))
    >>> SoftLabels(2.0)(torch.tensor([[0.0, 0.0]]), batch)  # T² · KL; 0 for a student that says the same
    tensor([0.8724])
    """

    name = "soft labels"
    cli_name = "soft"

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return soft_label_loss(
            student_logits, batch.teacher_logits, self.temperature, reduction="none", mask=batch.mask
        )


@dataclass(frozen=True)
class SoftLabelsAndGroundTruth(Softened):
    """The teacher's probabilities at a temperature, and the data set's class indices.

    Where `batch.known` says that there is no ground truth, its term is left out, and the other keeps its weight.

    >>> batch = Batch(torch.zeros(1, 64), torch.tensor([1]), teacher_logits=torch.tensor([[2.0, -1.0]]))
    >>> SoftLabelsAndGroundTruth(2.0, soft_weight=0.0)(torch.tensor([[0.0, 0.0]]), batch)  # ground truth alone
    tensor([0.6931])
    """

    soft_weight: float = 0.9
    name = "soft labels + ground truth"
    cli_name = "both"
    reads = ("teacher_logits", "labels", "known")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weight("soft_weight", self.soft_weight)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        options: dict[str, Any] = {"reduction": "none", "mask": batch.mask}
        weights = {"temperature": self.temperature, "soft_weight": self.soft_weight}
        known, labels = rows_known(batch), batch.labels
        labels = labels if known is None else torch.where(known, labels, 0)
        both = distillation_loss(student_logits, batch.teacher_logits, labels, **weights, **options)
        if known is None:
            return both
        soft = soft_label_loss(student_logits, batch.teacher_logits, self.temperature, **options)
        return torch.where(known, both, self.soft_weight * soft)


def rows_known(batch: Batch) -> Tensor | None:
    """Whose labels are ground truth, in the labels' dimensions: a row is known with all of its time. None: all."""
    return None if batch.known is None else batch.known.reshape(-1, *[1] * (batch.labels.ndim - 1))


HOTTEST = 50.0


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
            raise ValueError(f"temperature must be at most {HOTTEST:g}: rounding; got {self.temperature}")

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        # Near the uniform distribution the entropy is too flat for float32 to tell its labels apart.
        labels = evenly_spread(soft_labels(batch.teacher_logits, self.temperature))
        log_q = (full_precision(student_logits) / self.temperature).log_softmax(dim=-1)
        cost = torch.special.entr(labels).sum(dim=-1) + (labels * log_q).sum(dim=-1)
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

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        weights = {"target_weight": self.target_weight, "nontarget_weight": self.nontarget_weight}
        options = {**weights, "temperature": self.temperature, "reduction": "none", "mask": batch.mask}
        return decoupled_loss(student_logits, batch.teacher_logits, batch.labels, **options)


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

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return logit_matching_loss(student_logits, batch.teacher_logits, reduction="none", mask=batch.mask)


@dataclass(frozen=True)
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
        student, teacher = standardised_logits(student_logits), standardised_logits(batch.teacher_logits)
        return soft_label_loss(student, teacher, self.temperature, reduction="none", mask=batch.mask)


@dataclass(frozen=True)
class ReverseDivergence(Softened):
    """KL(student ‖ teacher): the student is punished for what the teacher finds unlikely, and may leave classes out.

    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[0.0, 0.0, -9.0]]))
    >>> sure = torch.tensor([[9.0, 0.0, -9.0]])  # of the first of two classes that the teacher finds as likely
    >>> bool(ReverseDivergence(1.0)(sure, batch) < SoftLabels(1.0)(sure, batch))
    True
    """

    name = "reverse divergence"
    cli_name = "reverse"

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return reverse_kl_loss(
            student_logits, batch.teacher_logits, self.temperature, reduction="none", mask=batch.mask
        )


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

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        options = {"teacher_share": self.teacher_share, "reduction": "none", "mask": batch.mask}
        return jensen_shannon_loss(student_logits, batch.teacher_logits, self.temperature, **options)


@dataclass(frozen=True)
class TruthWhereKnown(Strategy):
    """Cross-entropy with ground truth where `batch.known` says that there is one, another strategy elsewhere.

    A known label enters at temperature 1. Softened like the others, it would ask the student for logits T times as far
    apart, and T² would multiply its gradient.

    >>> teacher_logits, known = torch.zeros(2, 2), torch.tensor([True, False])
    >>> batch = Batch(torch.zeros(2, 64), torch.tensor([1, -1]), teacher_logits, known)
    >>> TruthWhereKnown(SoftLabels(2.0))(torch.zeros(2, 2), batch)
    tensor([0.6931, 0.0000])
    """

    otherwise: Strategy

    def __post_init__(self) -> None:
        if self.otherwise.layers:
            raise TypeError("otherwise must have no layers: Hint(..., beside=TruthWhereKnown(...)) has both")
        object.__setattr__(self, "name", f"{self.otherwise.name}, ground truth where known")
        object.__setattr__(self, "reads", tuple(dict.fromkeys(("labels", "known", *self.otherwise.reads))))

    @property
    def settings(self) -> dict[str, Any]:
        return self.otherwise.settings

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        known = rows_known(batch)
        if known is None:
            return hard_label_loss(student_logits, batch.labels, reduction="none", mask=batch.mask)
        labels = torch.where(known, batch.labels, 0)
        truth = hard_label_loss(student_logits, labels, reduction="none", mask=batch.mask)
        return torch.where(known, truth, self.otherwise(student_logits, batch))


def subclasses(kind: type = Strategy) -> list[type[Strategy]]:
    return [found for one in kind.__subclasses__() for found in (one, *subclasses(one))]


def strategies_by_cli_name() -> Mapping[str, type[Strategy]]:
    """The strategies that the command line knows by name, in the order in which they are defined."""
    return {one.cli_name: one for one in subclasses() if one.cli_name and one.__module__ == __name__}


HIDDEN = ("labels", "teacher_logits", "known")


def told_to(strategy: Strategy, batch: Batch) -> Batch:
    """The batch with what the strategy `reads`; what it has not named is None, so that it cannot be read unnoticed."""
    missing = [name for name in strategy.reads if name != "known" and getattr(batch, name) is None]
    if missing:
        way = "answers=... of a Stream, kdlearn.distill and kdlearn.compare give it" if "teacher" in missing[0] else ""
        raise ValueError(
            f"strategy {strategy.name!r} reads {', '.join(missing)}, which the batch lacks. {way}".rstrip()
        )
    told = {name: getattr(batch, name) if name in strategy.reads else None for name in HIDDEN}
    if batch.mask is not None:  # what does not count is neither checked nor felt, NaN included
        told = {name: masked(value, batch.mask) if name != "known" else value for name, value in told.items()}
    return batch._replace(**told)


def masked(values: Tensor | None, mask: Tensor) -> Tensor | None:
    """The values, 0 where the mask is False."""
    if values is None:
        return None
    return torch.where(mask if values.ndim == mask.ndim else mask.unsqueeze(-1), values, 0)


def mean_loss(strategy: Strategy, student_logits: Tensor, batch: Batch) -> Tensor:
    """The mean over the labels that count, of the last dimensions: what the loop minimises."""
    batch = told_to(strategy, batch)
    if batch.mask is not None:
        student_logits = torch.where(batch.mask.unsqueeze(-1), student_logits, 0)
    values = strategy(student_logits, batch)
    expected = student_logits.shape[:-1]
    if not isinstance(values, Tensor) or values.shape != expected:
        came = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
        each_class = isinstance(values, Tensor) and values.shape == student_logits.shape
        way = "Add the classes up: .sum(dim=-1)" if each_class else 'Losses do so with reduction="none"'
        raise ValueError(
            f"strategy {strategy.name!r} must give one value for each label, shape {tuple(expected)}; got {came}. {way}"
        )
    values = full_precision(values)
    if batch.mask is None:
        return values.mean()
    return torch.where(batch.mask, values, 0).sum() / batch.mask.sum().clamp_min(1)
