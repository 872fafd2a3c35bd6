"""Views: every image of every epoch shifted and mirrored its own way, and made again whenever they are asked for.

Order and initialisation are the student's; the views belong to the study. So a teacher can label the views of an epoch
once, and every student that sees them finds its labels in a `LabelStore`.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from kdlearn.data.batches import Batch, generator_of

SHIFTS, SIDES = 1, 2  # two streams of random numbers, apart from the one that shuffles
CERTAIN = 1000.0  # the logit of a class that is known; the others' are 0


class Views:
    """`views(epoch, rows)`: normalised images `(len(rows), channels, height, width)`, float32.

    A view is a function of (`seed`, epoch, index) alone, the same on every device: the image moved by -`pixels` …
    `pixels` in both directions, what enters at the border being its reflection, and, if `flip`, mirrored in every other
    epoch, so that two epochs together show both sides (Jordan 2024, arXiv 2404.00498). `pixels=0, flip=False` leaves
    the images as they are.

    Args:
        images: `(N, channels, height, width)` uint8, on the device on which the views are wanted.
        mean: one number a channel, of pixels in [0, 1].
        deviation: likewise.
    """

    def __init__(
        self,
        images: Tensor,
        mean: Sequence[float],
        deviation: Sequence[float],
        *,
        seed: int = 0,
        pixels: int = 2,
        flip: bool = True,
    ) -> None:
        if images.ndim != 4 or images.dtype != torch.uint8:
            came = f"{tuple(images.shape)} {images.dtype}"
            raise TypeError(f"images must be (N, channels, height, width) uint8; got {came}")
        if not 0 <= pixels < min(images.shape[-2:]):
            raise ValueError(f"pixels must lie in 0 … {min(images.shape[-2:]) - 1}, inside the image; got {pixels}")
        self.seed, self.pixels, self.flip = seed, pixels, flip
        self.mean, self.deviation = (
            255 * torch.as_tensor(values, dtype=torch.float32, device=images.device).view(-1, 1, 1)
            for values in (mean, deviation)
        )
        sides = torch.randint(2, (len(images),), generator=generator_of(seed, 0, SIDES)).to(images.device)
        self.mirrored = sides.bool() & flip  # in even epochs; in odd ones the others are
        height, width = images.shape[-2:]
        padded = images[:, :, reflected(height, pixels)][..., reflected(width, pixels)]
        padded[self.mirrored] = padded[self.mirrored].flip(-1)  # so that an epoch mirrors whole batches or nothing
        self.windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (N, channels, down, right, height, width)
        self.drawn_for: int | None = None

    def __len__(self) -> int:
        return len(self.windows)

    def __call__(self, epoch: int, rows: Tensor) -> Tensor:
        down, right = (values[rows] for values in self.draw(epoch))
        right = torch.where(self.mirrored[rows], 2 * self.pixels - right, right)
        images = self.windows[rows, :, down, right]
        if self.flip and epoch % 2:
            images = images.flip(-1)
        return images.float().sub_(self.mean).div_(self.deviation)

    def draw(self, epoch: int) -> Tensor:
        """For each image how far down and right its window lies before it is mirrored: `(2, N)`."""
        if self.drawn_for != epoch:
            size, generator = (2, len(self)), generator_of(self.seed, epoch, SHIFTS)
            self.drawn = torch.randint(2 * self.pixels + 1, size, generator=generator).to(self.mean.device)
            self.drawn_for = epoch
        return self.drawn

    def recipe(self) -> dict[str, int | bool]:
        """What decides the views besides the images, for a label store to remember."""
        return {"view_seed": self.seed, "pixels": self.pixels, "flip": self.flip}


def reflected(size: int, pixels: int) -> Tensor:
    """The places of a row with its reflection at both ends: 2 1 0 1 2 3 … for two pixels."""
    places = torch.arange(-pixels, size + pixels).abs()
    return torch.where(places < size, places, 2 * (size - 1) - places)


class LabelStore:
    """`store(epoch, rows)`: the teacher's logits `(len(rows), C)` of those views, in float32.

    Args:
        logits: `(epochs, N, C)`, by `kdlearn.label_views`.
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits

    def __len__(self) -> int:
        return len(self.logits)

    def __call__(self, epoch: int, rows: Tensor) -> Tensor:
        return self.logits[epoch, rows].float()

    def knowing(self, rows: Tensor, labels: Tensor) -> "LabelStore":
        """The same store, but what it says of `rows` `(n,)` is their ground truth `(n,)`, without a doubt."""
        logits = self.logits.clone()
        logits[:, rows] = CERTAIN * one_hot(labels, logits.shape[-1]).to(logits.dtype)
        return LabelStore(logits)


class ViewBatches:
    """Shuffled batches of views; each time through is an epoch, whose order is a function of (`seed`, epoch).

    Args:
        views: what the images look like in each epoch, the same for every student of a study.
        labels: `(N,)` int64 ground truth; None where the student must not see it.
        batch_size: how many images a batch; the last one may be smaller.
        seed: the student's.
        rows: the images that this student sees; by default all.
        store: the teacher's logits of the views. A student that trains for more epochs sees the store's epochs again.
        share: the rows of each batch that are made here, `slice(rank, None, num_processes)` where processes share them.
    """

    def __init__(
        self,
        views: Views,
        labels: Tensor | None,
        batch_size: int,
        *,
        seed: int,
        rows: Tensor | None = None,
        store: LabelStore | None = None,
        share: slice = slice(None),
    ) -> None:
        rows = torch.arange(len(views)) if rows is None else rows
        if any(size % (share.step or 1) for size in (batch_size, len(rows) % batch_size)):
            sizes = f"batches of {batch_size} and the last of {len(rows) % batch_size or batch_size} images"
            raise ValueError(f"batch_size must leave batches that {share.step} processes can share evenly; got {sizes}")
        self.views, self.labels, self.store, self.rows = views, labels, store, rows.to(views.mean.device)
        self.batch_size, self.seed, self.share, self.epoch = batch_size, seed, share, 0

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        order = torch.randperm(len(self.rows), generator=generator_of(self.seed, epoch)).to(self.rows.device)
        seen = epoch if self.store is None else epoch % len(self.store)
        for rows in self.rows[order].split(self.batch_size):
            yield self.batch(seen, rows[self.share])

    def batch(self, epoch: int, rows: Tensor) -> Batch:
        labels = None if self.labels is None else self.labels[rows]
        return Batch(self.views(epoch, rows), labels, None if self.store is None else self.store(epoch, rows))
