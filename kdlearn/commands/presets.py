"""Networks by name, and presets: sizes and lengths for studies on small images."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from kdlearn.data.dataset import Dataset
from kdlearn.data.image_folder import available_memory
from kdlearn.networks.airbench import airbench, whitened_airbench, whitening_filters, whitening_images
from kdlearn.training.optimizers import NesterovSGD

NUM_WIDTHS = {"airbench": 3, "resnet18": 1}
COPIES = 3  # weights, gradients, and what the optimiser remembers


@dataclass(frozen=True)
class Schooling:
    """How long a network trains, and how it is stepped."""

    num_epochs: int
    batch_size: int = 500
    optimizer: NesterovSGD = NesterovSGD()

    def num_updates(self, rows: int) -> int:
        """As many as show so many rows `num_epochs` times, nearly."""
        return max(1, round(self.num_epochs * rows / self.batch_size))


@dataclass(frozen=True)
class Preset:
    """Networks by name, and their schooling; students see the views of `period` epochs again and again."""

    teacher: str
    student: str
    teacher_schooling: Schooling
    student_schooling: Schooling
    period: int


def in_small_batches(num_epochs: int) -> Schooling:
    """Half the batch and the learning rate: twice as many steps, which on a CPU take hardly longer."""
    return Schooling(num_epochs, 250, NesterovSGD(0.4))


SHORT = Schooling(2, 50, NesterovSGD(0.1))  # a tenth of the batch and, in proportion, of the learning rate
TEACHER, STUDENT = "airbench:64,256,256", "airbench:16,80,96"
PRESETS = {
    "cpu": Preset(TEACHER, STUDENT, Schooling(12), Schooling(9), 9),
    "cpu-quick": Preset(TEACHER, STUDENT, in_small_batches(6), in_small_batches(8), 8),
    "cpu-long": Preset(TEACHER, "airbench:32,64,112", in_small_batches(19), in_small_batches(12), 12),
    "gpu": Preset("resnet18:64", "airbench:24,88,88", Schooling(60), Schooling(60), 30),
    "tiny": Preset("airbench:8,16,16", "airbench:4,8,8", SHORT, SHORT, 2),
}


def network_named(name: str, data: Dataset) -> Callable[[], nn.Module]:
    """What builds `airbench:24,88,88` or `resnet18:64` for these images; an airbench's first layer whitens them.

    A name that is none, or a network that is too large for this machine's memory, is a ValueError.
    """
    kind, widths = parsed(name)
    classes, channels = len(data.class_names), data.train.inputs.shape[1]
    if kind == "resnet18":
        from kdlearn.networks.resnet import resnet18  # torchvision, which a study of other networks does not need

        check_size(name, build := partial(resnet18, *widths, classes, channels))
        return build
    check_size(name, partial(airbench, widths, classes, channels))
    return partial(whitened_airbench, widths, classes, channels, whitening_filters(whitening_images(data)))


def parsed(name: str) -> tuple[str, tuple[int, ...]]:
    """The architecture and its widths."""
    kind, _, widths = name.partition(":")
    parts = widths.split(",")
    if NUM_WIDTHS.get(kind) != len(parts) or not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise ValueError(f"a network is written airbench:24,88,88 or resnet18:64; got {name}")
    return kind, tuple(map(int, parts))


def check_size(name: str, build: Callable[[], nn.Module]) -> None:
    """A ValueError for a network that cannot be trained in this machine's memory."""
    try:
        with torch.device("meta"):
            network = build()
    except (RuntimeError, TypeError, OverflowError) as problem:  # widths whose product is no int64
        raise ValueError(f"{name} is too large a network") from problem
    needed = COPIES * sum(weight.numel() * weight.element_size() for weight in network.parameters())
    if needed > available_memory():
        there = f"{needed / 2**30:,.0f} GiB of memory, {available_memory() / 2**30:.1f} GiB are free"
        raise ValueError(f"to train {name} takes {there}; take smaller widths")
