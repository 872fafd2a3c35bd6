"""Image data sets, decoded once and held as uint8 tensors: CIFAR-10, MNIST, or any folder of images by class."""

import os
from pathlib import Path

import torch
from torch import Tensor

from kdlearn.data.dataset import Dataset, Examples, Normalise, stratified_sample
from kdlearn.data.digits import load_digits
from kdlearn.data.image_folder import Whole, check_memory, padded_memory, read_folder

NAMED = ("cifar10", "mnist")


def load_images(
    source: str | Path,
    *,
    root: Path | None = None,
    download: bool = False,
    num_validation: int = 0,
    seed: int = 0,
    device: str | torch.device = "cpu",
    resize: tuple[int, int] | None = None,
    cache: Path | None = None,
    progress: bool = False,
) -> Dataset:
    """The data set "cifar10" or "mnist", or a folder that holds `train/<class>/*` and `test/<class>/*`.

    The named sets lie under `root` (by default the folder in the variable KDLEARN_DATA, or `data`); `download` fetches
    them. A folder's classes are numbered by name. Its images are decoded once and kept in the file `cache` (by default
    hidden in the folder), which serves as long as neither an image nor `resize` changes. `num_validation` images are
    held out of the training part by `seed`, stratified; 0: there is no validation split.

    A folder's images are turned as their EXIF orientation says. If any has colour (a palette is colour), all become
    RGB. An alpha channel that is opaque everywhere is dropped. Refused by name are 16 bits a channel, transparency,
    several frames, CMYK, and sizes that differ, unless `resize`, (height, width) in pixels, is given: then every image,
    whatever its proportions, is stretched to it by Pillow's `BILINEAR`, whose kernel grows where it shrinks an image,
    so that all pixels count. Colour profiles are not applied.

    Returns:
        Inputs `(N, channels, height, width)` uint8; `normalise` knows the training split's mean and deviation.

    Raises:
        FileNotFoundError: what is missing.
        ValueError: what cannot be used.
        OSError: a download failed.

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
    named = source in NAMED
    check_resize(resize, source)
    if named:
        whole = read_named(str(source), root, download)
    else:
        whole = read_folder(Path(source), resize, cache, num_validation, progress)
    train, validation = hold_out(whole.train, whole.class_names, num_validation, seed)
    if torch.device(device).type == "cuda":
        needed = sum(part.inputs.nbytes for part in (whole.train, whole.test))
        needed += padded_memory(train.inputs.shape[1:], len(train.inputs))
        check_memory(needed, torch.cuda.mem_get_info(device)[0])
    name = str(source) if named else Path(source).resolve().name
    return dataset_of(train, whole.test, validation, whole.class_names, name).to(device)


def check_resize(resize: object, source: str | Path) -> None:
    """A ValueError for what is no size in pixels, or for a data set that has a size of its own."""
    if resize is None:
        return
    whole = isinstance(resize, tuple) and len(resize) == 2 and all(isinstance(one, int) and one > 0 for one in resize)
    if not whole:
        raise ValueError(f"resize must be (height, width) in pixels, whole numbers of at least 1; got {resize!r}")
    if source in NAMED:
        raise ValueError(f"resize is for folders of images; {source} is used as it was published: leave resize away")


def stand_in() -> Dataset:
    """scikit-learn's digits, enlarged to CIFAR-10's 3×32×32: for code that waits for it. Their numbers mean nothing."""
    digits = load_digits()
    low, high = digits.train.inputs.min(), digits.train.inputs.max()

    def enlarged(part: Examples) -> Examples:
        pixels = (255 * (part.inputs - low) / (high - low)).round().clamp(0, 255).byte()
        return Examples(pixels.repeat(1, 3, 1, 1).repeat_interleave(4, 2).repeat_interleave(4, 3), part.labels)

    train, test = enlarged(digits.train), enlarged(digits.test)
    validation = enlarged(digits.validation) if digits.validation else None
    return dataset_of(train, test, validation, digits.class_names, "stand-in")


def dataset_of(
    train: Examples, test: Examples, validation: Examples | None, class_names: tuple[str, ...], name: str
) -> Dataset:
    """Pixels as a data set that normalises them by the training split."""
    normalise = Normalise(*pixel_statistics(train.inputs))
    return Dataset(train, test, validation, class_names=class_names, normalise=normalise, name=name)


def hold_out(train: Examples, class_names: tuple[str, ...], size: int, seed: int) -> tuple[Examples, Examples | None]:
    """The training part without `size` images, and those (None for 0); classes keep their shares."""
    if size == 0:
        return train, None
    total, classes = len(train.labels), len(class_names)
    fewest, label = train.labels.bincount().min(dim=0)
    if fewest < 2:
        raise ValueError(f"num_validation must be 0: class {class_names[label]} has a single training image")
    if not classes <= size <= total - classes:
        raise ValueError(
            f"num_validation must be 0 or {classes} … {total - classes}, so that each of {classes} classes "
            f"can have an image on both sides; got {size}"
        )
    held = torch.zeros(total, dtype=torch.bool)
    held[stratified_sample(train.labels, size, seed)] = True
    return train.take(~held), train.take(held)


def pixel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation a channel of uint8 images, in units where 255 is 1; exact, by counting the 256 values."""
    values = torch.arange(256, dtype=torch.float64) / 255
    counts = torch.zeros(images.shape[1], 256, dtype=torch.float64)
    for part in images.split(4096):
        counts += torch.stack([channel.flatten().bincount(minlength=256) for channel in part.unbind(1)])
    shares = counts / counts.sum(dim=1, keepdim=True)
    mean = shares @ values
    deviation = (shares * (values - mean[:, None]) ** 2).sum(dim=1).sqrt()
    return tuple(mean.tolist()), tuple(deviation.tolist())


def read_named(source: str, root: Path | None, download: bool) -> Whole:
    try:
        from kdlearn.data import torchvision_sets
    except ImportError as error:
        raise ImportError(f'{source} is read by torchvision: pip install "kdlearn-course[images]"') from error
    return torchvision_sets.read_named(source, Path(root or os.environ.get("KDLEARN_DATA", "data")), download)
