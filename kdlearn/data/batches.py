"""Batches whose rows and views are a function of the seed and the update alone."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kdlearn.data.dataset import Split, generator_of, tensors_hash

BLOCK = 4096  # so many rows are drawn at once: one generator a small permutation would take longer than an update

Inputs = Callable[[int, Tensor], Tensor]  # (epoch, rows) -> what a network takes
Answers = Callable[[int, Tensor], dict[str, Any]]  # (epoch, rows) -> fields of a batch


class Batch(NamedTuple):
    """What a strategy can read, a row an example; what is not there is None.

    `inputs` `(N, …)` · `labels` `(N,)` or `(N, time)` int64, ground truth, or numbers `(N, D)` floating ·
    `teacher_logits`, the labels' shape and C, of numbers their shape · `labelled` `(N,)` bool, whose labels are ground
    truth · `mask`, of the labels' shape, False where one does not count ·
    `student_features`, `teacher_features`: tuples, one entry a pair of `layers` · `trained`: what `prepare` made.
    The types say Any, since a strategy reads what it has said that it `reads`, and that is there.

    >>> from kdlearn import GroundTruth
    >>> batch = Batch(torch.zeros(3, 64), labels=torch.tensor([4, 0, 7]))
    >>> GroundTruth()(torch.zeros(3, 10), batch)  # log 10 each
    tensor([2.3026, 2.3026, 2.3026])
    """

    inputs: Tensor
    labels: Any = None
    teacher_logits: Any = None
    labelled: Any = None
    mask: Any = None
    student_features: Any = None
    teacher_features: Any = None
    trained: Any = None


class Order:
    """The endless sequence of permutations of `size` rows in which a student with this seed sees them."""

    def __init__(self, seed: int, size: int) -> None:
        self.seed, self.size, self.block = seed, size, max(1, BLOCK // size) * size
        self.drawn = lru_cache(maxsize=2)(self.draw)

    def __call__(self, start: int, stop: int) -> Tensor:
        """Row numbers `(stop - start,)` at these places of the sequence; place p lies in epoch p // size."""
        first, last = start // self.block, (stop - 1) // self.block
        rows = torch.cat([self.drawn(number) for number in range(first, last + 1)])
        return rows[start - first * self.block : stop - first * self.block]

    def draw(self, number: int) -> Tensor:
        """Permutations one after the other, `(block,)`."""
        keys = torch.rand(self.block // self.size, self.size, generator=generator_of(self.seed, number))
        return keys.argsort(dim=1, stable=True).flatten()


class BatchStream:
    """`stream(update)`: the batch of an update; iterated, the batches of the next epoch, so that `train` takes it.

    Every batch has `batch_size` rows, taken from consecutive permutations, none short: an epoch is the number of
    batches closest to once through the rows.

    Args:
        examples: what is learned from.
        seed: the student's; students that share it see the same rows in the same order.
        rows: those that this student sees; None for all.
        inputs: `inputs(epoch, rows)`, such as `Views(...).of(data)`; None takes `examples.inputs` as they are.
        answers: `answers(epoch, rows)`, the teacher's part of the batch.
        share: the rows of each batch that are made here, where processes share it.

    >>> from kdlearn import Split
    >>> stream = BatchStream(Split(torch.randn(10, 64), torch.arange(10)), batch_size=4, seed=0)
    >>> [len(batch.labels) for batch in stream]  # an epoch; stream(2) is the first batch of the next
    [4, 4]
    """

    def __init__(
        self,
        examples: Split,
        batch_size: int,
        *,
        seed: int,
        rows: Tensor | None = None,
        inputs: Inputs | None = None,
        answers: Answers | None = None,
        share: slice = slice(None),
    ) -> None:
        self.examples, self.batch_size, self.share, self.epoch = examples, batch_size, share, 0
        self.rows = torch.arange(len(examples.inputs)) if rows is None else rows
        check_sizes(examples, self.rows, batch_size, share)
        self.inputs = inputs or (lambda epoch, rows: examples.inputs[rows])
        self.answers, self.order = answers, Order(seed, len(self.rows))
        self.told = {
            name: values for name, values in examples._asdict().items() if name != "inputs" and values is not None
        }

    def about(self) -> dict[str, Any]:
        """What decides the batches, but for the views and the teacher, which are functions."""
        held = self.examples._asdict() | {"rows": self.rows}
        return {"data": tensors_hash(held.items()), "batch_size": self.batch_size, "order": self.order.seed}

    def __len__(self) -> int:
        return max(1, round(len(self.rows) / self.batch_size))

    def __iter__(self) -> Iterator[Batch]:
        start, self.epoch = self.epoch * len(self), self.epoch + 1
        return map(self, range(start, start + len(self)))

    def __call__(self, update: int) -> Batch:
        start, stop = update * self.batch_size, (update + 1) * self.batch_size
        rows = self.rows[self.order(start, stop)][self.share].to(self.examples.inputs.device)
        epochs = (torch.arange(start, stop) // len(self.rows))[self.share]
        parts = [self.of_epoch(epoch, rows[epochs == epoch]) for epoch in epochs.unique().tolist()]
        fields = {name: join([part[name] for part in parts]) for name in parts[0]}
        return Batch(**{name: values[rows] for name, values in self.told.items()}, **fields)

    def of_epoch(self, epoch: int, rows: Tensor) -> dict[str, Any]:
        """What an epoch shows of these rows, and what the teacher says about it."""
        return {"inputs": self.inputs(epoch, rows), **(self.answers(epoch, rows) if self.answers else {})}


def join(values: list[Any]) -> Any:
    """Tensors one after the other, and tuples of tensors likewise; a single one as it is."""
    if len(values) == 1 or values[0] is None:
        return values[0]
    if isinstance(values[0], tuple):
        return tuple(map(torch.cat, zip(*values, strict=True)))
    return torch.cat(values)


def check_sizes(examples: Split, rows: Tensor, batch_size: int, share: slice) -> None:
    for name, values in examples._asdict().items():
        if values is not None and len(values) != len(examples.inputs):
            raise ValueError(f"{name} must have a row for each of {len(examples.inputs)} inputs; got {len(values)}")
    if len(rows) == 0 or not 0 <= int(rows.min()) <= int(rows.max()) < len(examples.inputs):
        raise ValueError(f"rows must name at least one of the {len(examples.inputs)} inputs; got {rows.tolist()[:5]} …")
    if batch_size < 1 or batch_size % (share.step or 1):
        parts = share.step or 1
        raise ValueError(f"batch_size must be at least 1 and divisible by the {parts} processes; got {batch_size}")


class Stretches:
    """A training as stretches of updates, after each of which it is kept and may be measured: `ends` are their ends."""

    def __init__(self, batch_of: Callable[[int], Any], ends: list[int]) -> None:
        self.batch_of, self.ends = batch_of, ends

    def __len__(self) -> int:
        return len(self.ends)

    def batches(self, stretch: int) -> Iterator[Any]:
        return map(self.batch_of, range(self.start(stretch), self.ends[stretch]))

    def progress(self, stretch: int, done: int) -> float:
        """The share of all updates that is done, in [0, 1)."""
        return (self.start(stretch) + done) / self.ends[-1]

    @property
    def updates(self) -> int:
        return self.ends[-1]

    def start(self, stretch: int) -> int:
        return self.ends[stretch - 1] if stretch else 0
