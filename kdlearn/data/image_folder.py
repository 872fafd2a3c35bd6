"""A folder of images by class, decoded once: checked, read in a fixed order, and cached by the content of its files."""

import hashlib
import json
import math
import os
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm.auto import tqdm

from kdlearn.data.batches import Examples
from kdlearn.data.files import replacing

FORMATS = ("BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # not all that Pillow knows: for EPS it runs Ghostscript
SPLITS = ("train", "test")


class Whole(NamedTuple):
    """A data set as it was published, before validation images are held out."""

    train: Examples
    test: Examples
    class_names: tuple[str, ...]

    def key(self) -> str:
        """SHA-256 of class names, shapes, images and labels."""
        tensors = [*self.train, *self.test]
        shapes = [(str(tensor.dtype), *tensor.shape) for tensor in tensors]
        digest = hashlib.sha256(json.dumps([self.class_names, shapes]).encode())
        for tensor in tensors:
            digest.update(tensor.view(torch.uint8).numpy())
        return digest.hexdigest()


def read_folder(folder: Path, cache: Path | None, progress: bool) -> Whole:
    """The images of `folder`; from the file `cache`, by default hidden in the folder, if it was made of these files."""
    if not folder.is_dir():
        raise FileNotFoundError(f"source must be 'cifar10', 'mnist' or a folder of images; there is no folder {folder}")
    train, test = listed = [list_split(folder, split) for split in SPLITS]
    if train.keys() != test.keys():
        odd = ", ".join(sorted(train.keys() ^ test.keys()))
        raise ValueError(f"train and test in {folder} must hold the same classes; only one of them holds {odd}")
    paths = [[path for paths in classes.values() for path in paths] for classes in listed]
    labels = [torch.arange(len(train)).repeat_interleave(torch.tensor([*map(len, split.values())])) for split in listed]
    first = read_image(paths[0][0])
    check_memory(2 * first.nbytes * sum(map(len, paths)), available_memory())  # two copies when validation is held out
    cache, files = cache or folder / ".kdlearn-cache.safetensors", digest_files(paths)
    whole = read_cache(cache, files, labels, tuple(train))
    if whole is None:
        images = [decode(split, first.shape, progress) for split in paths]
        whole = Whole(*map(Examples, images, labels), tuple(train))
        write_cache(cache, files, whole)
    return whole


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


def check_memory(needed: int, available: float) -> None:
    if needed > available:
        raise ValueError(
            f"the decoded images need {needed / 2**30:.3g} GiB of memory, {available / 2**30:.3g} GiB are free. "
            "kdlearn.train takes any iterable of Batch: make one that reads from the disk, or make the images smaller"
        )


def read_bytes(path: str) -> bytes:
    if not os.path.isfile(path):
        raise ValueError(f"{path} must be an image file; it is a folder, a broken link or a special file")
    with open(path, "rb", buffering=0) as file:  # without a buffer small files are read several times faster
        return file.read()


def digest_files(paths: list[list[str]]) -> str:
    """SHA-256 of the names and bytes of all files."""
    digest = hashlib.sha256()
    for path in (path for split in paths for path in split):
        content, name = read_bytes(path), "/".join(path.split(os.sep)[-3:])
        digest.update(os.fsencode(f"{name}\0{len(content)}\0") + content)
    return digest.hexdigest()


def read_image(path: str) -> np.ndarray:
    """Pixels `(height, width, channels)` uint8."""
    try:
        with Image.open(BytesIO(read_bytes(path)), formats=FORMATS) as image:
            image.load()
            if image.mode not in ("L", "RGB"):
                raise ValueError(f"its mode is {image.mode}, not L (grey) or RGB of 8 bits; convert it")
            return np.atleast_3d(np.asarray(image))
    except Exception as error:  # Pillow raises many kinds for what is broken
        raise ValueError(f"{path} is no image that can be used ({', '.join(FORMATS)}): {error}") from error


def decode(paths: list[str], shape: tuple[int, ...], progress: bool) -> Tensor:
    """Images `(N, channels, height, width)` uint8."""
    height, width, channels = shape
    images = np.empty((len(paths), channels, height, width), np.uint8)
    for row, path in enumerate(tqdm(paths, desc="decoding", unit="image", disable=not progress)):
        pixels = read_image(path)
        if pixels.shape != shape:
            raise ValueError(f"{path} has shape {pixels.shape}, the first image {shape}: all must be alike")
        images[row] = pixels.transpose(2, 0, 1)
    return torch.from_numpy(images)


def read_cache(cache: Path, files: str, labels: list[Tensor], class_names: tuple[str, ...]) -> Whole | None:
    """None where the cache is absent, of other files, cut short or altered."""
    try:
        with safe_open(cache, "pt") as file:
            about = file.metadata() or {}
            if about.get("files") != files:
                return None
            whole = Whole(*map(Examples, map(file.get_tensor, SPLITS), labels), class_names)
    except (OSError, SafetensorError):
        return None
    return whole if whole.key() == about.get("key") else None


def write_cache(cache: Path, files: str, whole: Whole) -> None:
    """Left undone where there is no place for it: the images are then decoded each time."""
    images = {"train": whole.train.images, "test": whole.test.images}
    with suppress(OSError, SafetensorError), replacing(cache) as temporary:
        save_file(images, temporary, metadata={"files": files, "key": whole.key()})
