"""Views: every image of every epoch shifted and mirrored its own way, and made again whenever they are asked for.

Order and initialisation are the student's; the views belong to the data. So a teacher can answer for the views of an
epoch once, and every student that sees them reads its answers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral

import torch
from torch import Tensor
from torch.nn.functional import pad

from kdlearn.data.batches import Inputs
from kdlearn.data.dataset import Dataset, generator_of

SHIFTS, SIDES = 1, 2  # two streams of random numbers, apart from the one that shuffles


@dataclass(frozen=True)
class Views:
    """How images are augmented: a recipe, which `of` applies to a data set.

    Args:
        pixels: an image is moved by -`pixels` … `pixels` in both directions.
        flip: it is mirrored in every other epoch, so that two epochs together show both sides (Jordan 2024, arXiv
            2404.00498). `Views(pixels=0, flip=False)` leaves the images as they are.
        seed: of the views alone; students that share it see the same.
        period: epoch e shows view e mod `period`, so that answers for that many epochs serve longer trainings; None:
            each epoch its own.
        border: what enters: "reflect", the image's reflection, or "darkest", the smallest value of all images.

    >>> from kdlearn import load_digits
    >>> views = Views(pixels=1, flip=False).of(load_digits())
    >>> views(7, torch.tensor([0, 1, 2])).shape  # how epoch 7 shows the first three images
    torch.Size([3, 1, 8, 8])
    """

    pixels: int = 2
    flip: bool = True
    seed: int = 0
    period: int | None = None
    border: str = "reflect"

    def __post_init__(self) -> None:
        period = {} if self.period is None else {"period": 1}
        for name, least in {"pixels": 0, "seed": 0, **period}.items():
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < least:
                raise ValueError(f"{name} must be a whole number of at least {least}; got {value!r}")
            object.__setattr__(self, name, int(value))  # NumPy's numbers print otherwise, and a recipe is hashed
        for name, allowed in {"flip": (True, False), "border": ("reflect", "darkest")}.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}; got {getattr(self, name)!r}")

    def of(self, data: Dataset, split: str = "train") -> "BoundViews":
        """The views of a split, on its device.

        Inputs that are not images `(N, channels, height, width)` larger than `pixels`, uint8 or floating, are a
        ValueError.
        """
        part = getattr(data, split)
        if part is None:
            raise ValueError(f"split must be one that the data set has; {data.name} has no {split} examples")
        return BoundViews(self, part.inputs, data.normalise)


class BoundViews:
    """`views(epoch, rows)`: what a network takes, floating `(len(rows), channels, height, width)`; by `Views.of`.

    A view is a function of (seed, epoch, row) alone, the same on every device.
    """

    def __init__(self, recipe: Views, images: Tensor, normalise: Callable[[Tensor], Tensor] | None = None) -> None:
        check_images(recipe, images)
        self.recipe, self.normalise = recipe, normalise
        sides = torch.randint(2, (len(images),), generator=generator_of(recipe.seed, 0, SIDES))
        self.mirrored = sides.bool().to(images.device)  # in even epochs; in odd ones the others are
        height, width = images.shape[-2:]
        # (N, channels, down, right, height, width)
        self.windows = with_border(images, recipe).unfold(2, height, 1).unfold(3, width, 1)

    def __call__(self, epoch: int, rows: Tensor) -> Tensor:
        epoch = epoch % self.recipe.period if self.recipe.period else epoch
        down, right = shifts(self.recipe, epoch, len(self.windows)).to(self.windows.device)[:, rows]
        images = self.windows[rows, :, down, right]
        if self.recipe.flip:
            mirrored = self.mirrored[rows] ^ bool(epoch % 2)
            images = torch.where(mirrored[..., None, None, None], images.flip(-1), images)
        if self.normalise is not None:
            return self.normalise(images)
        return images if images.is_floating_point() else images.float()


def training_inputs(data: Dataset, views: Views | None) -> Inputs:
    """`inputs(epoch, rows)`: what a network takes of the training rows."""
    return views.of(data) if views else lambda epoch, rows: data.inputs("train", rows)


@lru_cache(maxsize=16)  # every batch of an epoch asks for them
def shifts(recipe: Views, epoch: int, size: int) -> Tensor:
    """For each image how far down and right its window lies: `(2, size)`."""
    return torch.randint(2 * recipe.pixels + 1, (2, size), generator=generator_of(recipe.seed, epoch, SHIFTS))


def check_images(recipe: Views, images: Tensor) -> None:
    if images.ndim != 4 or 0 in images.shape or not (images.dtype == torch.uint8 or images.is_floating_point()):
        expected = "images (N, channels, height, width), uint8 or floating"
        raise ValueError(f"inputs must be {expected}; got {tuple(images.shape)} {images.dtype}. Others take views=None")
    if recipe.pixels >= (size := min(images.shape[-2:])):
        raise ValueError(f"pixels must lie in 0 … {size - 1}, inside the image; got {recipe.pixels}")


def with_border(images: Tensor, recipe: Views) -> Tensor:
    if recipe.border == "darkest":
        return pad(images, (recipe.pixels,) * 4, value=images.min().item())
    down, right = (reflected(size, recipe.pixels).to(images.device) for size in images.shape[-2:])
    return images[:, :, down[:, None], right]


def reflected(size: int, pixels: int) -> Tensor:
    """The places of a row with its reflection at both ends: 2 1 0 1 2 3 … for two pixels."""
    places = torch.arange(-pixels, size + pixels).abs()
    return torch.where(places < size, places, 2 * (size - 1) - places)
