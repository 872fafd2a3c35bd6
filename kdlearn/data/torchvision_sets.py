"""CIFAR-10 and MNIST by torchvision, which checks what it fetches, and CIFAR-10's files before it unpickles them."""

import hashlib
import json
from pathlib import Path

import torch
from torchvision.datasets import CIFAR10, MNIST

from kdlearn.data.dataset import Examples, bytes_of
from kdlearn.data.image_folder import Whole

SETS = {"cifar10": (CIFAR10, CIFAR10.base_folder), "mnist": (MNIST, "MNIST/raw")}
# torchvision checks the archives of MNIST, but not the files once unpacked
MNIST_KEY = "8c4573ebec9bf362541d223d03651080a87eb6dbede8695087e6d90249d4529b"


def read_named(name: str, root: Path, download: bool) -> Whole:
    """Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images; LeCun et al. 1998, MNIST."""
    kind, folder = SETS[name]
    try:
        parts = [kind(root, train=train, download=download) for train in (True, False)]
        whole = Whole(examples(parts[0]), examples(parts[1]), tuple(parts[0].classes))
        if name == "mnist" and digest_of(whole) != MNIST_KEY:
            raise RuntimeError("the images are not the published ones")
    except Exception as error:  # torchvision raises many kinds for files that are cut short
        raise in_words(name, root, folder, download, error) from error
    return whole


def examples(part: CIFAR10 | MNIST) -> Examples:
    """torchvision holds `(N, height, width, 3)` in numpy, or `(N, height, width)` in torch."""
    images = torch.as_tensor(part.data)
    images = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()
    return Examples(images, torch.as_tensor(part.targets))


def digest_of(whole: Whole) -> str:
    """SHA-256 of class names, shapes, images and labels."""
    tensors = [tensor for part in (whole.train, whole.test) for tensor in (part.inputs, part.labels)]
    shapes = [(str(tensor.dtype), *tensor.shape) for tensor in tensors]
    digest = hashlib.sha256(json.dumps([whole.class_names, shapes]).encode())
    for tensor in tensors:
        digest.update(bytes_of(tensor))
    return digest.hexdigest()


def in_words(name: str, root: Path, folder: str, download: bool, error: Exception) -> OSError | ValueError:
    """Missing, altered or out of reach, and both ways to get it."""
    ways = f"root, or the variable KDLEARN_DATA, may name another folder that holds {folder}"
    if download:
        return OSError(f"{name} could not be fetched whole ({error}): delete {root / folder} and try again; {ways}")
    if (root / folder).is_dir():
        return ValueError(f"{root / folder} is not whole ({error}): delete it and pass download=True; {ways}")
    copy = f". The images in {root / 'train'} are another data set: give {root} as the source to load those"
    missing = f"{name} is not there: no folder {root / folder}. load_images({name!r}, download=True) fetches it; {ways}"
    return FileNotFoundError(missing + copy * (root / "train").is_dir())
