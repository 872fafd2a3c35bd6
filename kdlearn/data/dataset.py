"""A data set as tensors: what is learned from, what is tuned on, and what is read once at the end."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import Generator, Tensor

from kdlearn.formulas.arguments import IGNORED

UNKNOWN = -1  # the label of a row whose ground truth is not known: no loss takes it


class Split(NamedTuple):
    """Inputs `(N, …)` and what is known about them; what is not there is None.

    `labels` are ground truth, `(N,)` or `(N, time)` int64, or numbers that are to be estimated, `(N, D)` floating;
    `labelled` `(N,)` bool says which rows' labels may be read (None: all); `mask`, of the labels' shape (of numbers
    `(N,)`), is False where a label does not count, such as padding.

    >>> examples = Split(torch.randn(4, 8), torch.tensor([0, 1, 0, 1]))
    >>> examples.take(torch.tensor([1, 3])).labels
    tensor([1, 1])
    """

    inputs: Tensor
    labels: Any = None
    labelled: Any = None
    mask: Any = None

    def take(self, rows: Tensor) -> "Split":
        """These rows alone."""
        return Split(*(None if values is None else values[rows] for values in self))  # type: ignore[arg-type]

    def to(self, device: str | torch.device) -> "Split":
        """The same on a device."""
        return Split(*(None if values is None else values.to(device) for values in self))  # type: ignore[arg-type]


def without_ignored(rows: Any, always: bool = False) -> Any:
    """A Split or Batch whose mask is False at labels of -100; as it is where there is none, unless a mask is wanted."""
    if not isinstance(rows.labels, Tensor) or rows.labels.is_floating_point():
        return rows
    counts = rows.labels != IGNORED
    if not always and bool(counts.all()):
        return rows
    return rows._replace(mask=counts if rows.mask is None else rows.mask & counts)


@dataclass(frozen=True)
class Normalise:
    """Pixels `(N, channels, height, width)` uint8 as float32 with mean 0 and deviation 1 a channel.

    `mean` and `deviation` are in units where 255 is 1. A constant channel, whose deviation is 0, is only shifted.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __call__(self, pixels: Tensor) -> Tensor:
        mean, deviation = (
            255 * torch.tensor(values, device=pixels.device).view(-1, 1, 1)
            for values in (self.mean, [one or 1 / 255 for one in self.deviation])
        )
        return (pixels.float() - mean) / deviation


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three splits of examples, and what must be known to use them; `load_digits` and `load_images` make one.

    `inputs` may be stored as uint8 pixels: `normalise` turns them into what a network takes (None: they are taken as
    they are). Labels of -100 do not count: they get a mask. `name` is for people; `key` is decided by the content.

    >>> train, test = (Split(torch.randn(size, 8), torch.arange(size) % 2) for size in (6, 4))
    >>> data = Dataset(train, test, class_names=("cat", "dog"))
    >>> data.inputs("test").shape
    torch.Size([4, 8])
    """

    train: Split
    test: Split
    validation: Split | None = None
    class_names: tuple[str, ...] = ()
    normalise: Callable[[Tensor], Tensor] | None = None
    name: str = "data"

    def __post_init__(self) -> None:
        vars(self).update({name: without_ignored(part) for name, part in self.splits()})

    def inputs(self, split: str, rows: Tensor | slice = slice(None)) -> Tensor:
        """What a network takes, of the rows of "train", "validation" or "test": a copy, which may be changed."""
        stored = getattr(self, split).inputs[rows]
        stored = stored.clone() if isinstance(rows, slice) else stored
        return stored if self.normalise is None else self.normalise(stored)

    def to(self, device: str | torch.device) -> "Dataset":
        """The same data set on a device."""
        return replace(self, **{name: part.to(device) for name, part in self.splits()})

    def with_labelled(self, share: float, seed: int = 0) -> "Dataset":
        """The same data set, of which only a share of the training labels may be read, drawn by the seed in each class.

        What may not be read is not there: those labels become -1. A share that leaves a class without a label, or
        without one to hide, is a ValueError.
        """
        labels = self.train.labels
        known = stratified_mask("share", labels, share * len(labels), seed).to(labels.device)
        return replace(self, train=self.train._replace(labels=torch.where(known, labels, UNKNOWN), labelled=known))

    def splits(self) -> Iterator[tuple[str, Split]]:
        """The name and examples of each split that is there."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return ((name, part) for name, part in parts.items() if part is not None)

    @property
    def key(self) -> str:
        """SHA-256 of class names, shapes and content, in hexadecimal; where it lies and its name are left out."""
        held = ((f"{name} {kind}", values) for name, part in self.splits() for kind, values in part._asdict().items())
        known_by = b"" if self.normalise is None else bytes_of(self.inputs("train", slice(0, 64)))  # by what it does
        return tensors_hash(held, repr(self.class_names).encode() + known_by)


def bytes_of(values: Tensor) -> memoryview:
    """The content of a tensor, for a hash."""
    return values.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def tensors_hash(named: Iterable[tuple[str, Tensor | None]], start: bytes = b"") -> str:
    """SHA-256, in hexadecimal, of `start`, then of names, types, shapes and values; what is None is left out."""
    digest = hashlib.sha256(start)
    for name, values in named:
        if values is not None:
            digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
            digest.update(bytes_of(values))
    return digest.hexdigest()


def logits_shape(labels: Tensor, num_classes: int) -> tuple[int, ...]:
    """The shape of logits that go with labels: one a class for class indices; labels that are numbers have theirs."""
    return tuple(labels.shape) if labels.is_floating_point() else (*labels.shape, num_classes)


def stratified_sample(labels: Tensor, size: int, seed: int) -> Tensor:
    """Row indices `(size,)` of a random sample in which each class keeps its share."""
    rows, _ = train_test_split(np.arange(len(labels)), train_size=size, stratify=labels.cpu(), random_state=seed)
    return torch.from_numpy(rows)


def stratified_mask(name: str, labels: Tensor, size: float, seed: int) -> Tensor:
    """The same sample as `(N,)` bool; a size that leaves a class without a row on either side is a ValueError."""
    mask = torch.zeros(len(labels), dtype=torch.bool)
    try:
        mask[stratified_sample(labels, round(size), seed)] = True
    except ValueError as problem:
        needed = f"give each class a row on both sides; {size} of {len(labels)} rows do not"
        raise ValueError(f"{name} must {needed}: {problem}") from problem
    return mask


def seed_of(*numbers: int) -> int:
    """One seed from several numbers, the same on every machine; other numbers give an independent one."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def generator_of(*numbers: int) -> Generator:
    """A random generator that is a function of these numbers, the same on every machine."""
    return Generator().manual_seed(seed_of(*numbers))
