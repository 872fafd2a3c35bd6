"""A folder of images by class, decoded once: checked, read in a fixed order, and cached by the content of its files."""

import hashlib
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from kdlearn.data.dataset import Examples
from kdlearn.data.files import read_tensors, write_tensors
from kdlearn.data.pictures import Form, form_of, read_bytes, read_pixels
from kdlearn.data.views import Views

SPLITS = ("train", "test")


class Whole(NamedTuple):
    """A data set as it was published, before validation images are held out."""

    train: Examples
    test: Examples
    class_names: tuple[str, ...]


def read_folder(
    folder: Path, resize: tuple[int, int] | None, cache: Path | None, num_validation: int, progress: bool
) -> Whole:
    """The images of `folder`; from the file `cache`, by default hidden in the folder, if it was made of these files."""
    if not folder.is_dir():
        raise FileNotFoundError(f"source must be 'cifar10', 'mnist' or a folder of images; there is no folder {folder}")
    train, test = listed = [list_split(folder, split) for split in SPLITS]
    if train.keys() != test.keys():
        odd = ", ".join(sorted(train.keys() ^ test.keys()))
        raise ValueError(f"train and test in {folder} must hold the same classes; only one of them holds {odd}")
    paths = [[path for paths in classes.values() for path in paths] for classes in listed]
    labels = [torch.arange(len(train)).repeat_interleave(torch.tensor([*map(len, split.values())])) for split in listed]
    digest, forms = surveyed(paths)
    shape = common_shape([path for split in paths for path in split], forms, resize)
    needed = needed_memory(shape, len(paths[0]), len(paths[1]), num_validation)
    check_memory(needed, available_memory())
    cache, decided_by = cache or folder / ".kdlearn-cache.safetensors", {"files": digest, "resize": str(resize)}
    images = read_cache(cache, decided_by)
    if images is None:
        sized = resize is not None
        images = {split: decode(part, shape, sized, progress) for split, part in zip(SPLITS, paths, strict=True)}
        with suppress(OSError):  # where there is no place for it, images are decoded each time
            write_tensors(cache, images, decided_by)
    of_train, of_test = (Examples(images[split], part) for split, part in zip(SPLITS, labels, strict=True))
    return Whole(of_train, of_test, tuple(train))


def list_split(folder: Path, split: str) -> dict[str, list[str]]:
    """The paths of each class, all in the order of their names."""
    if not (folder / split).is_dir():
        raise FileNotFoundError(f"{folder} must hold train/<class>/* and test/<class>/*; there is no folder {split}")
    classes = {
        Path(path).name: visible(path, folder) for path in visible(folder / split, folder) if os.path.isdir(path)
    }
    if not classes:
        raise ValueError(f"{folder / split} must hold a folder of images for each class; it holds none")
    for name, paths in classes.items():
        if not paths:
            raise ValueError(f"class {name} is empty: {folder / split / name} must hold at least one image")
    return classes


def visible(path: str | Path, folder: Path) -> list[str]:
    """Paths by name, without the hidden files of file managers. A link may lead to another place in `folder` only."""
    with os.scandir(path) as entries:
        found = [entry for entry in entries if not entry.name.startswith(".") and entry.name.lower() != "thumbs.db"]
    for link in (Path(path), *(Path(entry.path) for entry in found if entry.is_symlink())):
        if not Path(os.path.realpath(link)).is_relative_to(os.path.realpath(folder)):
            raise ValueError(f"{link} is a link that leads out of {folder}; put the files themselves there")
    return sorted(entry.path for entry in found)


def available_memory() -> float:
    """Bytes: what Linux says a program can get; elsewhere all there is; infinite where the system does not tell."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf


def needed_memory(image: tuple[int, ...], num_train: int, num_test: int, num_validation: int) -> int:
    """Bytes at most: the decoded images `(channels, height, width)`, and the largest of what stands beside them.

    That is first a copy that is written to the cache, then copies of the training images when some are held out, then
    the padded ones of `Views()`.
    """
    decoded = math.prod(image) * (num_train + num_test)
    held_out = math.prod(image) * num_train if num_validation else 0
    return decoded + max(decoded, held_out, padded_memory(image, num_train - num_validation))


def padded_memory(image: tuple[int, ...], count: int) -> int:
    """Bytes that `Views()` needs for its borders."""
    channels, height, width = image
    return count * channels * (height + 2 * Views().pixels) * (width + 2 * Views().pixels)


def check_memory(needed: int, available: float) -> None:
    if needed > available:
        raise ValueError(
            f"the images need {needed / 2**30:.3g} GiB of memory, {available / 2**30:.3g} GiB are free. "
            "kdlearn.train takes any iterable of Batch: make one that reads from the disk, or make the images smaller"
        )


def surveyed(paths: list[list[str]]) -> tuple[str, list[Form]]:
    """SHA-256 of the names and bytes of all files, and the form of each; every file is read once."""
    digest, forms = hashlib.sha256(), []
    for path in (path for split in paths for path in split):
        content, name = read_bytes(path), "/".join(path.split(os.sep)[-3:])
        digest.update(os.fsencode(f"{name}\0{len(content)}\0") + content)
        forms.append(form_of(path, content))
    return digest.hexdigest(), forms


def common_shape(paths: list[str], forms: list[Form], resize: tuple[int, int] | None) -> tuple[int, int, int]:
    """`(channels, height, width)` of all images; a ValueError where sizes differ and `resize` is None."""
    first = forms[0]
    for path, form in zip(paths, forms, strict=True):
        if resize is None and form[:2] != first[:2]:
            raise ValueError(
                f"{path} is {form.height} pixels high and {form.width} wide, the first image {first.height} and "
                f"{first.width}: give resize=(height, width), on the command line --resize N, or make all alike"
            )
    channels = 3 if any(form.colour for form in forms) else 1
    return channels, *(resize or first[:2])


def decode(paths: list[str], shape: tuple[int, int, int], resize: bool, progress: bool) -> Tensor:
    """Images `(N, channels, height, width)` uint8."""
    images = np.empty((len(paths), *shape), np.uint8)
    for row, path in enumerate(tqdm(paths, desc="decoding", unit="image", disable=not progress)):
        images[row] = read_pixels(path, shape, resize)
    return torch.from_numpy(images)


def read_cache(cache: Path, decided_by: dict[str, str]) -> dict[str, Tensor] | None:
    """None where the cache is absent, of other files, cut short or altered."""
    try:
        return read_tensors(cache, decided_by)
    except (OSError, ValueError):
        return None
