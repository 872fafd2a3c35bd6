"""A folder of images by class, found by torchvision, decoded once, and cached by the content of its files."""

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.datasets import ImageFolder
from tqdm.auto import tqdm

from kdlearn.data.dataset import Dataset, Split
from kdlearn.data.files import read_tensors, write_tensors
from kdlearn.data.memory import check_memory
from kdlearn.data.views import Views

FORMATS = ("BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # not all that Pillow knows: for EPS it runs Ghostscript
GREY, COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA")


def read_folder(folder: Path, resize: tuple[int, int] | None, cache: Path | None, progress: bool) -> Dataset:
    """The images of `folder`; from the file `cache`, by default hidden in the folder, if it was made of these files."""
    train, test = (images_by_class(folder, split) for split in ("train", "test"))
    if train.classes != test.classes:
        odd = sorted({*train.classes} ^ {*test.classes})
        raise ValueError(f"train and test in {folder} must hold the same classes; only one holds {', '.join(odd)}")
    paths = [path for path, _ in (*train.samples, *test.samples)]
    cache = cache or folder / ".kdlearn-cache.safetensors"
    decided_by = {"files": digest_of(folder, paths), "resize": str(resize)}
    images = read_cache(cache, decided_by)
    if images is None:
        images = decode(paths, resize, progress)
        with suppress(OSError):  # where there is no place for it, images are decoded each time
            write_tensors(cache, {"images": images}, decided_by)
    parts = zip(images.split([len(train), len(test)]), (train, test), strict=True)
    examples = (Split(inputs, torch.tensor(part.targets)) for inputs, part in parts)
    return Dataset(*examples, class_names=tuple(train.classes), name=folder.resolve().name)


def images_by_class(folder: Path, split: str) -> ImageFolder:
    """The classes and files of a split, in the order of their names."""
    try:
        return ImageFolder(folder / split, is_valid_file=is_visible)
    except OSError as problem:
        layout = "'cifar10', 'mnist' or a folder that holds train/<class>/* and test/<class>/*"
        raise FileNotFoundError(f"source must be {layout}; got {folder}: {problem}") from problem


def is_visible(path: str) -> bool:
    """Whether a file is none of a file manager: `.DS_Store`, `._0.png`, `Thumbs.db`."""
    return not os.path.basename(path).startswith((".", "Thumbs.db"))


def digest_of(folder: Path, paths: list[str]) -> str:
    """SHA-256 of the names and bytes of all files."""
    digest = sha256()
    for path in paths:
        digest.update(sha256(os.fsencode(os.path.relpath(path, folder))).digest())
        digest.update(sha256(Path(path).read_bytes()).digest())
    return digest.hexdigest()


def read_cache(cache: Path, decided_by: dict[str, str]) -> Tensor | None:
    """None where the cache is absent, of other files, cut short or altered."""
    with suppress(OSError, ValueError):
        return read_tensors(cache, decided_by)["images"]
    return None


def decode(paths: list[str], resize: tuple[int, int] | None, progress: bool) -> Tensor:
    """Images `(N, channels, height, width)` uint8: one channel where no file has colour, else three."""
    first = picture_of(paths[0], resize)
    check_memory(needed_memory(len(paths), first.height, first.width))
    images = []
    for path in tqdm(paths, desc="decoding", unit="image", disable=not progress):
        image = picture_of(path, resize)
        if image.size != first.size:
            raise ValueError(
                f"{path} is {image.height} pixels high and {image.width} wide, the first image {first.height} and "
                f"{first.width}: give resize=(height, width), on the command line --resize N, or make all alike"
            )
        images.append(torch.from_numpy(np.atleast_3d(np.array(image))).permute(2, 0, 1))
    channels = max(map(len, images))
    return torch.stack([image.expand(channels, -1, -1) for image in images])


def needed_memory(count: int, height: int, width: int) -> int:
    """Bytes at most: images in colour, and beside them their copies with the borders of `Views()`.

    In place of these copies stand, before, one for the cache and then one of the images that are not held out.
    """
    border = 2 * Views().pixels
    return 3 * count * (height * width + (height + border) * (width + border))


def picture_of(path: str, resize: tuple[int, int] | None) -> Image.Image:
    """The picture as it is looked at, grey or RGB; a ValueError names the file and what is wrong with it."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.mode not in (*GREY, *COLOUR):
                raise ValueError(f"its mode is {image.mode}; save it as grey or RGB of 8 bits")
            if image.has_transparency_data and np.array(image.convert("RGBA"))[..., 3].min() < 255:
                raise ValueError("it is transparent in places; save it on a background of your choice")
            plain = ImageOps.exif_transpose(image).convert("L" if image.mode in GREY else "RGB")
            return plain.resize((resize[1], resize[0]), Image.Resampling.BILINEAR) if resize else plain
    except Exception as problem:  # Pillow raises many kinds for what is broken
        raise ValueError(f"{path} is no image that can be used ({', '.join(FORMATS)}): {problem}") from problem
