"""CIFAR-10 and MNIST by torchvision, which checks what it fetches, and CIFAR-10's files before it unpickles them."""

from pathlib import Path

import torch
from torchvision.datasets import CIFAR10, MNIST

from kdlearn.data.dataset import Dataset, Split

SETS = {"cifar10": (CIFAR10, CIFAR10.base_folder), "mnist": (MNIST, "MNIST/raw")}
# torchvision checks the archives of MNIST, but not the files once unpacked
MNIST_KEY = "aa28665425a61a84275eb1e19e0255b10cdfa3bfa667fbe6420a2b601067d896"


def read_named(name: str, root: Path, download: bool) -> Dataset:
    """Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images; LeCun et al. 1998, MNIST."""
    published, folder = SETS[name]
    try:
        parts = [published(root, train=train, download=download) for train in (True, False)]
        data = Dataset(*map(examples_of, parts), class_names=tuple(parts[0].classes), name=name)
        if name == "mnist" and data.key != MNIST_KEY:
            raise ValueError("the images are not the published ones")
    except Exception as problem:  # torchvision raises many kinds for files that are absent or cut short
        kind = OSError if (root / folder).is_dir() else FileNotFoundError
        raise kind(
            f"{name} is not whole in {root / folder} ({problem}): delete that folder if it is there, and pass "
            f"download=True; root, or the variable KDLEARN_DATA, may name another place that holds {folder}"
        ) from problem
    return data


def examples_of(part: CIFAR10 | MNIST) -> Split:
    """torchvision holds `(N, height, width, 3)` in numpy, or `(N, height, width)` in torch."""
    images = torch.as_tensor(part.data)
    images = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()
    return Split(images, torch.as_tensor(part.targets))
