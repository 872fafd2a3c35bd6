"""What a strategy is, and the mean of its values, which the training loop makes small."""

from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from kdlearn.data.batches import Batch
from kdlearn.formulas.arguments import check_mask, check_temperature
from kdlearn.formulas.labels import DEFAULT_TEMPERATURE, full_precision
from kdlearn.training.processes import labels_a_process

HIDDEN = ("labels", "teacher_logits", "labelled")  # fields that only a strategy which reads them gets
DECLARED = ("name", "cli_name", "reads", "layers", "loss")  # no settings, where an object declares them too


class Strategy:
    """What a student learns from.

    `name` is what people see, `cli_name` what the command line takes (None: `module:Class`), `reads` the fields of the
    batch that it needs, `layers` pairs of names of a student's and a teacher's layer whose outputs it wants as
    `batch.student_features` and `batch.teacher_features`. Its settings are its dataclass fields, or its attributes.
    `strategy(student_logits, batch)` gives one value for each label: `(N,)` for logits `(N, C)`, `(N, time)` for
    `(N, time, C)`. The loop gives float32 logits or wider ones, with 0 in place of what `batch.mask` leaves out.

    A subclass defines `__call__`:

    >>> class Mine(Strategy):
    ...     name, reads = "mine", ("teacher_logits",)
    ...     def __call__(self, student_logits, batch):
    ...         return (student_logits - batch.teacher_logits).abs().sum(dim=-1)
    >>> batch = Batch(torch.zeros(1, 64), teacher_logits=torch.tensor([[2.0, -1.0]]))
    >>> Mine()(torch.zeros(1, 2), batch)
    tensor([3.])

    or declares its `loss`, a function of the student's logits, of what the strategy reads, and of its settings by name:

    >>> from kdlearn import logit_matching_loss
    >>> class Declared(Strategy):
    ...     name, reads, loss = "declared", ("teacher_logits",), staticmethod(logit_matching_loss)
    >>> Declared()(torch.zeros(1, 2), batch)
    tensor([1.1250])
    """

    name: str
    cli_name: ClassVar[str | None] = None
    reads: tuple[str, ...] = ()
    layers: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def loss(*logits_and_read: Any, **settings: Any) -> Tensor:
        raise NotImplementedError("a strategy must declare its loss, or define __call__(self, student_logits, batch)")

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        read = (getattr(batch, name) for name in self.reads)
        return self.loss(student_logits, *read, **self.settings, reduction="none")

    def prepare(self, example: Batch) -> nn.Module | None:
        """What is trained along with the student, such as a projection, made anew for each run; `batch.trained`."""
        return None

    @property
    def settings(self) -> dict[str, Any]:
        """What tells two strategies of one class apart."""
        names = [field.name for field in fields(self)] if is_dataclass(self) else [*vars(self)]
        return {name: getattr(self, name) for name in names if name not in DECLARED}

    @property
    def asks_teacher(self) -> bool:
        return any(field.startswith("teacher") for field in self.reads)


@dataclass(frozen=True)
class Softened(Strategy):
    """What strategies with a temperature share; a subclass with settings of its own is a frozen dataclass, too."""

    temperature: float = DEFAULT_TEMPERATURE
    reads = ("teacher_logits",)

    def __post_init__(self) -> None:
        check_temperature(self.temperature)


def subclasses(kind: type = Strategy) -> list[type[Strategy]]:
    return [found for one in kind.__subclasses__() for found in (one, *subclasses(one))]


def mean_loss(strategy: Strategy, student_logits: Tensor, batch: Batch) -> Tensor:
    """The mean of the strategy's values over the labels that count, in float32 or wider; 0 where none counts."""
    student_logits, batch, mask = full_precision(student_logits), select_fields(strategy, batch), batch.mask
    if mask is None:
        return checked_values(strategy, student_logits, batch).mean()
    check_mask(mask, student_logits.shape[:-1])
    read = {name: filled(getattr(batch, name), mask) for name in ("labels", "teacher_logits")}
    values = checked_values(strategy, filled(student_logits, mask), batch._replace(**read))
    return filled(values, mask).sum() / labels_a_process(mask)


def select_fields(strategy: Strategy, batch: Batch) -> Batch:
    """The batch with what the strategy `reads`; what it has not named is None, so that it cannot be read unnoticed."""
    missing = [name for name in strategy.reads if name != "labelled" and getattr(batch, name) is None]
    if missing:
        raise ValueError(
            f"strategy {strategy.name!r} reads {', '.join(missing)}, which the batch lacks. What a teacher says comes "
            "with answers=... of a BatchStream, and with kdlearn.distill and kdlearn.compare"
        )
    return batch._replace(**{name: None for name in HIDDEN if name not in strategy.reads})


def filled(values: Any, mask: Tensor) -> Any:
    """0 where the mask is False, so that what does not count, NaN included, is neither checked nor felt."""
    return None if values is None else torch.where(mask if values.ndim == mask.ndim else mask.unsqueeze(-1), values, 0)


def checked_values(strategy: Strategy, student_logits: Tensor, batch: Batch) -> Tensor:
    values, expected = strategy(student_logits, batch), tuple(student_logits.shape[:-1])
    if not isinstance(values, Tensor) or values.shape != expected:
        came = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(
            f"strategy {strategy.name!r} must give one value for each label, shape {expected}; got {came}. Losses do "
            'so with reduction="none", and .sum(dim=-1) adds up what is there for each class'
        )
    return full_precision(values)
