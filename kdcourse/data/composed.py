"""Pictures that hold several things at once, composed of pictures of one: a data set of many labels."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor

from kdlearn.data.dataset import Dataset, Split, generator_of

SIZES = {"train": 1200, "validation": 400, "test": 800}


def compose_pictures(
    data: Dataset, sizes: Mapping[str, int] | None = None, *, held: Sequence[int] = (2, 3), seed: int = 0
) -> Dataset:
    """Pictures of two rows and two columns of places, of which two or three hold a picture, of different classes.

    How many are held, which classes, which of their pictures and where is drawn by the seed, each with equal chance;
    an empty place has the smallest value of the split. A split is composed of its own pictures alone.

    Args:
        data: of images `(N, channels, height, width)`, such as `load_digits()`, with a picture of every class in each
            split.
        sizes: how many pictures are made of each split; by default 1,200 of train, 400 of validation, 800 of test.
        held: numbers of pictures that one may hold, from 1 to 4.
        seed: of the drawing; other splits and seeds are independent.

    Returns:
        A `Dataset` of inputs `(N, channels, 2 · height, 2 · width)` and labels `(N, C)` int64, which are
        1 for each class that is there and 0 for the others.

    Raises:
        ValueError: `held` or `sizes` that cannot be, or inputs that are no images.

    >>> from kdlearn import load_digits
    >>> several = compose_pictures(load_digits(), {"train": 5, "test": 3})
    >>> several.train.inputs.shape, several.train.labels.shape
    (torch.Size([5, 1, 16, 16]), torch.Size([5, 10]))
    >>> sorted(set(several.train.labels.sum(dim=1).tolist()) | {2, 3})
    [2, 3]
    """
    classes = len(data.class_names) or int(data.train.labels.max()) + 1
    check_held(held, classes)
    wanted = {name: size for name, size in (sizes or SIZES).items() if getattr(data, name, None) is not None}
    if not {"train", "test"} <= wanted.keys() or min(wanted.values()) < 1:
        raise ValueError(f"sizes must name at least 1 picture of train and of test; got {dict(sizes or SIZES)}")
    parts = {
        name: composed(getattr(data, name), wanted[name], classes, held, generator_of(seed, place))
        for place, name in enumerate(("train", "validation", "test"))
        if name in wanted
    }
    made: dict[str, Split | None] = {"train": None, "test": None, "validation": None, **parts}
    return replace(data, **made, name=f"composed {data.name}")


def check_held(held: Sequence[int], classes: int) -> None:
    if not held or any(not isinstance(one, int) or not 1 <= one <= min(4, classes) for one in held):
        raise ValueError(f"held must be whole numbers from 1 to {min(4, classes)}, places and classes; got {held}")


def composed(part: Split, size: int, classes: int, held: Sequence[int], generator: Generator) -> Split:
    if part.inputs.ndim != 4:
        raise ValueError(f"inputs must be images (N, channels, height, width); got {tuple(part.inputs.shape)}")
    rows_of_class = [(part.labels == one).nonzero().flatten() for one in range(classes)]
    labels = torch.zeros(size, classes, dtype=torch.int64)
    channels, height, width = part.inputs.shape[1:]
    places = part.inputs.min().repeat(size, 4, channels, height, width)
    for picture in range(size):
        number = held[int(torch.randint(len(held), (1,), generator=generator))]
        for place, one in drawn_places(number, classes, generator):
            rows = rows_of_class[one]
            places[picture, place] = part.inputs[rows[torch.randint(len(rows), (1,), generator=generator)]][0]
            labels[picture, one] = 1
    return Split(in_two_rows(places), labels)


def drawn_places(number: int, classes: int, generator: Generator) -> list[tuple[int, int]]:
    """A place and a class for each picture that is held, none twice."""
    drawn = (torch.randperm(count, generator=generator)[:number].tolist() for count in (4, classes))
    return list(zip(*drawn, strict=True))


def in_two_rows(places: Tensor) -> Tensor:
    """`(N, 4, channels, height, width)` as pictures of two by two."""
    size, _, channels, height, width = places.shape
    grid = places.view(size, 2, 2, channels, height, width).permute(0, 3, 1, 4, 2, 5)
    return grid.reshape(size, channels, 2 * height, 2 * width)
