"""Image data sets, decoded once and held as uint8 tensors: CIFAR-10, MNIST, or any folder of images by class."""

import os
from dataclasses import replace
from pathlib import Path

import torch

from kdlearn.data.dataset import Dataset, Normalise, stratified_mask
from kdlearn.data.extras import extra

NAMED = ("cifar10", "mnist")


def load_images(
    source: str | Path,
    *,
    root: Path | None = None,
    download: bool = False,
    num_validation: int = 0,
    seed: int = 0,
    resize: tuple[int, int] | None = None,
    cache: Path | None = None,
    progress: bool = False,
) -> Dataset:
    """The data set "cifar10" or "mnist", or a folder that holds `train/<class>/*` and `test/<class>/*`.

    The named sets lie under `root` (by default the folder in the variable KDLEARN_DATA, or `data`); `download` fetches
    them. A folder is read as torchvision's `ImageFolder` reads it: its classes are numbered by name. Its images are
    decoded once and kept in the file `cache` (by default hidden in the folder), which serves as long as neither an
    image nor `resize` changes. `num_validation` images are held out of the training part by `seed`, stratified; 0:
    there is no validation split.

    A folder's images are turned as their EXIF orientation says. If any has colour (a palette is colour), all become
    RGB. An alpha channel that is opaque everywhere is dropped. Of several frames the first is taken, of 16 bits a
    channel in colour the upper 8. Refused by name are transparency, grey of 16 bits, CMYK, and sizes that differ,
    unless `resize`, (height, width) in pixels, is given: then every image, whatever its proportions, is stretched to
    it by Pillow's `BILINEAR`, whose kernel grows where it shrinks an image, so that all pixels count. Colour profiles
    are not applied.

    Returns:
        Inputs `(N, channels, height, width)` uint8; `normalise` knows the training split's mean and deviation.

    Raises:
        ImportError: torchvision is not there, which the extra `images` brings.
        FileNotFoundError: what is missing.
        OSError: a named set that is not whole, or could not be fetched.
        ValueError: what cannot be used.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> with TemporaryDirectory() as folder:
    ...     for place in ("train/cat", "train/dog", "test/cat", "test/dog"):
    ...         Path(folder, place).mkdir(parents=True)
    ...         Image.new("RGB", (9, 9)).save(Path(folder, place, "0.png"))
    ...     load_images(folder).train.inputs.shape
    torch.Size([2, 3, 9, 9])
    """
    check_resize(resize, source)
    with extra("images"):
        from kdlearn.data import image_folder, torchvision_sets
    if source in NAMED:
        place = Path(root or os.environ.get("KDLEARN_DATA", "data"))
        whole = torchvision_sets.read_named(str(source), place, download)
    else:
        whole = image_folder.read_folder(Path(source), resize, cache, progress)
    if num_validation:
        held = stratified_mask("num_validation", whole.train.labels, num_validation, seed)
        whole = replace(whole, train=whole.train.take(~held), validation=whole.train.take(held))
    return normalised(whole)


def check_resize(resize: object, source: str | Path) -> None:
    """A ValueError for what is no size in pixels, or for a data set that has a size of its own."""
    whole = isinstance(resize, tuple) and len(resize) == 2 and all(isinstance(one, int) and one > 0 for one in resize)
    if resize is not None and (source in NAMED or not whole):
        expected = f"(height, width) in pixels for a folder of images, and left away for {' and '.join(NAMED)}"
        raise ValueError(f"resize must be {expected}; got {resize!r} for {source}")


def normalised(data: Dataset) -> Dataset:
    """Pixels as a data set that normalises them by the training split: exact, by counting the 256 values a channel."""
    values, parts = torch.arange(256, dtype=torch.float64) / 255, data.train.inputs.split(4096)
    levels = [torch.stack([one.flatten().bincount(minlength=256) for one in part.unbind(1)]) for part in parts]
    counts = torch.stack(levels).sum(dim=0).double()
    shares = counts / counts.sum(dim=1, keepdim=True)
    mean = shares @ values
    deviation = (shares * (values - mean[:, None]) ** 2).sum(dim=1).sqrt()
    return replace(data, normalise=Normalise(tuple(mean.tolist()), tuple(deviation.tolist())))
