"""A user's own data as a `Dataset`: tensors, arrays, torch data sets, loaders, or a folder of images."""

from collections.abc import Callable, Mapping, Sized
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, default_collate

from kdlearn.data.batches import join
from kdlearn.data.dataset import UNKNOWN, Dataset, Split
from kdlearn.data.images import load_images
from kdlearn.data.memory import check_memory
from kdlearn.formulas.arguments import check_mask

READ_TWICE = 40  # rows, to find out whether a data set is augmented
EVERY_ROW = {SequentialSampler, RandomSampler, BatchSampler, type(None)}
SPLITS = ("train", "test", "validation")


def dataset_of(data: Any) -> Dataset:
    """A `Dataset` of what a user has.

    Of a `DataLoader` the data set and the collate function are taken; the order is ours, so that rows can be paired.
    Labels may be names, which are numbered in their order. Beside inputs and labels may stand a mask of the labels'
    shape, False where one does not count, as labels of -100 do not either. A fourth entry "unlabelled" of the mapping
    holds inputs without labels. What cannot be used is a TypeError or ValueError that says what can.
    """
    if isinstance(data, Dataset):
        return data
    if isinstance(data, str | Path):
        return load_images(data)
    if not isinstance(data, Mapping):
        raise TypeError(
            "data must be a kdlearn.Dataset, a folder of images, or a mapping of train, test and perhaps validation to "
            f"(inputs, labels), a torch data set or a DataLoader; got {type(data).__name__}"
        )
    if not {"train", "test"} <= data.keys() <= {*SPLITS, "unlabelled"}:
        raise ValueError(f"data must map train and test, and perhaps validation and unlabelled; got {', '.join(data)}")
    parts: dict[str, Any] = {name: read(name, data[name]) for name in SPLITS if data.get(name) is not None}
    names = class_names_of(parts["train"].labels)
    parts = {name: part._replace(labels=numbered(name, part.labels, names)) for name, part in parts.items()}
    if data.get("unlabelled") is not None:
        parts["train"] = with_unlabelled(parts["train"], as_tensor("unlabelled", data["unlabelled"]))
    check_alike(parts)
    return Dataset(**parts, class_names=names)


def batch_size_of(data: Any) -> int | None:
    """That of a DataLoader for the training split; None if there is none."""
    loader = data.get("train") if isinstance(data, Mapping) else data
    return loader.batch_size if isinstance(loader, DataLoader) else None


def read(name: str, part: Any) -> Split:
    """A split with labels as they came: numbers or names."""
    if isinstance(part, Split):
        return part
    if isinstance(part, DataLoader):
        if isinstance(part.dataset, Sized):
            check_sampler(name, part)
        return read_items(name, part.dataset, part.collate_fn)
    if isinstance(part, tuple | list) and len(part) in (2, 3):
        inputs, labels = as_tensor(f"inputs of {name}", part[0]), from_pandas(part[1])
        if labels is not None and len(inputs) != len(labels):
            raise ValueError(f"{name} must have a label for each of {len(inputs)} inputs; got {len(labels)}")
        mask = torch.as_tensor(from_pandas(part[2])) if len(part) == 3 else None
        if mask is not None:
            check_mask(mask, tuple(np.asarray(labels).shape))
        return Split(inputs, labels, None, mask)
    if hasattr(part, "__getitem__") and isinstance(part, Sized):
        return read_items(name, part, default_collate)
    raise TypeError(f"{name} must be (inputs, labels[, mask]), a data set or a DataLoader; got {type(part).__name__}")


def check_sampler(name: str, loader: DataLoader) -> None:
    """A loader that selects or weighs rows is refused: its order is not used, and so its selection would be lost."""
    if odd := {type(loader.sampler), type(loader.batch_sampler)} - EVERY_ROW:
        raise ValueError(
            f"{name} must be a DataLoader that reads every row once, since the order is ours; its "
            f"{odd.pop().__name__} selects or weighs rows. torch.utils.data.Subset(dataset, rows) holds some rows alone"
        )


def from_pandas(labels: Any) -> Any:
    """Labels of pandas as an array of their own."""
    return labels.to_numpy(copy=True) if hasattr(labels, "to_numpy") else labels


def read_items(name: str, items: Any, collate: Callable[[list[Any]], Any]) -> Split:
    """All items of a map-style data set, read once."""
    if not hasattr(items, "__len__") or len(items) == 0:
        raise ValueError(f"{name} must be a data set with a length and at least one item, so that rows can be paired")
    first = collate([items[0]])
    if not isinstance(first, tuple | list) or len(first) != 2:
        raise TypeError(f"{name} must give pairs (inputs, label); got {type(first).__name__} from its collate function")
    if any(changes(items, row, collate) for row in range(0, len(items), -(-len(items) // READ_TWICE))):
        raise ValueError(
            f"{name} gives another input each time that it is read: take its augmentation away, and say "
            "views=kdlearn.Views(...) instead, so that teacher and student see the same view"
        )
    check_memory(2 * len(items) * torch.as_tensor(first[0]).nbytes)
    parts = [collate([items[i] for i in range(at, min(at + 256, len(items)))]) for at in range(0, len(items), 256)]
    labels = [part[1] for part in parts]
    joined = torch.cat(labels) if isinstance(labels[0], Tensor) else [one for part in labels for one in part]
    return Split(torch.cat([torch.as_tensor(part[0]) for part in parts]), joined)


def changes(items: Any, row: int, collate: Callable[[list[Any]], Any]) -> bool:
    """Whether an item is another when it is read again."""
    one, other = (torch.as_tensor(collate([items[row]])[0]) for _ in range(2))
    return not torch.equal(one, other)


def as_tensor(name: str, values: Any) -> Tensor:
    values = from_pandas(values)
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"{name} must be a plain array, since a mask would be lost; {name}.filled(value) makes one")
    try:
        found = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as problem:
        raise TypeError(f"{name} must be a tensor or an array of numbers; got {type(values).__name__}") from problem
    if found.ndim < 1 or len(found) == 0:
        raise ValueError(f"{name} must hold at least one row; got shape {tuple(found.shape)}")
    return found.float() if found.dtype == torch.float64 else found


def class_names_of(labels: Any) -> tuple[str, ...]:
    """The names of the training labels in their order; empty where labels are numbers."""
    found = np.empty(0) if labels is None or isinstance(labels, Tensor) else np.asarray(labels)
    return tuple(map(str, np.unique(found))) if found.dtype.kind in "UOS" else ()


def numbered(name: str, labels: Any, names: tuple[str, ...]) -> Tensor | None:
    """Class indices int64; of many labels `(N, C)`."""
    if labels is None:
        return None
    if names:
        places = {one: place for place, one in enumerate(names)}
        if odd := sorted({*map(str, labels)} - {*names}):
            raise ValueError(f"labels of {name} must be among those of train, {', '.join(names)}; got {', '.join(odd)}")
        return torch.tensor([places[str(one)] for one in labels])
    found = torch.as_tensor(labels if isinstance(labels, Tensor) else np.asarray(labels))
    of_numbers = found.is_floating_point() or found.dtype == torch.bool
    if of_numbers or (found.ndim == 2 and is_one_label(found.long())):
        raise ValueError(
            f"labels of {name} must be class indices (N,) or names; got {found.dtype} {tuple(found.shape)}. "
            "labels.long() makes indices of numbers, labels.squeeze(1) of a column, labels.argmax(1) of one-hot rows; "
            "numbers that are to be estimated stand in a kdlearn.Dataset"
        )
    return found.long()


def is_one_label(labels: Tensor) -> bool:
    """Whether labels `(N, C)` are a column of indices or one-hot; several yes in a row, or none, are many labels."""
    return labels.shape[1] == 1 or torch.equal(one_hot(labels.argmax(1), labels.shape[1]), labels)


def with_unlabelled(train: Split, inputs: Tensor) -> Split:
    """Rows whose ground truth is not known behind those where it is."""
    if train.labels is None:
        raise ValueError("unlabelled goes beside labelled rows; train has no labels itself")
    labels = train.labels.new_full((len(inputs), *train.labels.shape[1:]), UNKNOWN)
    known = torch.ones(len(train.labels), dtype=torch.bool) if train.labelled is None else train.labelled
    mask = None if train.mask is None else torch.ones_like(labels, dtype=torch.bool)
    added = Split(inputs.to(train.inputs.dtype), labels, known.new_zeros(len(inputs)), mask)
    return Split(*(join([*pair]) for pair in zip(train._replace(labelled=known), added, strict=True)))


def check_alike(examples: Mapping[str, Split]) -> None:
    shapes = {name: (tuple(part.inputs.shape[1:]), part.inputs.dtype) for name, part in examples.items()}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"{name} {shape} {dtype}" for name, (shape, dtype) in shapes.items())
        raise ValueError(f"inputs of all splits must have the same shape and type; got {told}")
