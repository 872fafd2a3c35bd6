"""Examples, and batches of them whose order and views come back whenever the seed does."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import Generator, Tensor
from torch.nn.functional import pad

Augment = Callable[[Tensor, Generator], Tensor]


class Examples(NamedTuple):
    """Images `(N, channels, height, width)` and their ground-truth labels `(N,)` int64, None where unknown."""

    images: Tensor
    labels: Tensor | None


class Splits(NamedTuple):
    """What is learned from, what is tuned on, and what is read once at the end."""

    train: Examples
    validation: Examples
    test: Examples


class Batch(NamedTuple):
    """What a strategy can read. What is not there is None: an unlabelled image has no sentinel label."""

    images: Tensor
    labels: Tensor | None = None
    teacher_logits: Tensor | None = None


def stratified_sample(labels: Tensor, size: int, seed: int) -> Tensor:
    """Row indices `(size,)` of a random sample in which each class keeps its share."""
    rows, _ = train_test_split(np.arange(len(labels)), train_size=size, stratify=labels.cpu(), random_state=seed)
    return torch.from_numpy(rows)


def random_shift(images: Tensor, generator: Generator, pixels: int = 1) -> Tensor:
    """Each image moved by its own -`pixels` … `pixels` in both directions; the darkest value enters at the border."""
    size, (height, width) = 2 * pixels + 1, images.shape[-2:]
    padded = pad(images, (pixels,) * 4, value=float(images.min()))
    views = padded.unfold(2, height, 1).unfold(3, width, 1)
    down, right = torch.randint(size, (2, len(images)), generator=generator).to(images.device)
    return views[torch.arange(len(images), device=images.device), :, down, right]


def generator_of(*numbers: int) -> Generator:
    """A random generator that is a function of these numbers, the same on every machine."""
    return Generator().manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))


class Batches:
    """Shuffled batches; each time through is an epoch, whose order and views are a function of (seed, epoch).

    `teacher_logits` hold a row an image, or None. `augment(images, generator)` makes one view an image, such as
    `random_shift`. Students that share a seed see the same images in the same order. The last batch may be smaller.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        *,
        seed: int,
        teacher_logits: Tensor | None = None,
        augment: Augment | None = None,
    ) -> None:
        for name, rows in {"labels": examples.labels, "teacher_logits": teacher_logits}.items():
            if rows is not None and len(rows) != len(examples.images):
                raise ValueError(f"{name} must have a row for each of {len(examples.images)} images; got {len(rows)}")
        if augment is not None and teacher_logits is not None:
            raise ValueError("teacher_logits belong to the images as they are, not to augmented views; drop one")
        self.data, self.batch_size, self.seed = Batch(*examples, teacher_logits), batch_size, seed
        self.augment, self.epoch = augment, 0

    def __len__(self) -> int:
        return -(-len(self.data.images) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        generator = generator_of(self.seed, self.epoch)
        self.epoch += 1
        order = torch.randperm(len(self.data.images), generator=generator).to(self.data.images.device)
        for rows in order.split(self.batch_size):
            batch = Batch(*(None if values is None else values.index_select(0, rows) for values in self.data))
            yield batch if self.augment is None else batch._replace(images=self.augment(batch.images, generator))


class StackedBatches:
    """The batches of several seeds stacked: every tensor gets a leading dimension, one entry a seed."""

    def __init__(self, parts: Iterable[Iterable[Batch]]) -> None:
        self.parts = list(parts)

    def __iter__(self) -> Iterator[Batch]:
        for batches in zip(*self.parts, strict=True):
            yield Batch(*(None if values[0] is None else torch.stack(values) for values in zip(*batches, strict=True)))
