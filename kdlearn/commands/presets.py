"""Networks by name, and presets: sizes and lengths for studies on small images."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import nn

from kdlearn.data.dataset import Dataset
from kdlearn.networks.airbench import whitened_airbench, whitening_filters, whitening_images
from kdlearn.training.optimizers import NesterovSGD

FEWEST_BATCHES = 10  # of an epoch
NUM_WIDTHS = {"airbench": 3, "resnet18": 1}


@dataclass(frozen=True)
class TrainingSchedule:
    """How long a network trains, and how it is stepped."""

    num_epochs: int
    batch_size: int = 500
    optimizer: NesterovSGD = NesterovSGD()

    def num_updates(self, rows: int) -> int:
        """As many as show so many rows `num_epochs` times, nearly."""
        return max(1, round(self.num_epochs * rows / self.batch_size))

    def settings(self, rows: int) -> dict[str, Any]:
        """For `Run`, whose data hold so many training rows: of few an update takes fewer, at a smaller rate."""
        batch_size = max(1, min(self.batch_size, rows // FEWEST_BATCHES))
        rate = self.optimizer.learning_rate * batch_size / self.batch_size
        shrunk = replace(self, batch_size=batch_size, optimizer=replace(self.optimizer, learning_rate=rate))
        return {"lengths": (shrunk.num_updates(rows),), "batch_size": batch_size, "optimizer": shrunk.optimizer}


@dataclass(frozen=True)
class Preset:
    """Networks by name, and how long they train; students see the views of `period` epochs again and again."""

    teacher: str
    student: str
    teacher_schedule: TrainingSchedule
    student_schedule: TrainingSchedule
    period: int


def in_small_batches(num_epochs: int) -> TrainingSchedule:
    """Half the batch and the learning rate: twice as many steps, which on a CPU take hardly longer."""
    return TrainingSchedule(num_epochs, 250, NesterovSGD(0.4))


SHORT = TrainingSchedule(2, 50, NesterovSGD(0.1))  # a tenth of the batch and, in proportion, of the learning rate
TEACHER, STUDENT = "airbench:64,256,256", "airbench:16,80,96"
PRESETS = {
    "cpu": Preset(TEACHER, STUDENT, TrainingSchedule(12), TrainingSchedule(9), 9),
    "cpu-quick": Preset(TEACHER, STUDENT, in_small_batches(6), in_small_batches(8), 8),
    "cpu-long": Preset(TEACHER, "airbench:32,64,112", in_small_batches(19), in_small_batches(12), 12),
    "gpu": Preset("resnet18:64", "airbench:24,88,88", TrainingSchedule(60), TrainingSchedule(60), 30),
    "tiny": Preset("airbench:8,16,16", "airbench:4,8,8", SHORT, SHORT, 2),
}


def network_named(name: str, data: Dataset) -> Callable[[], nn.Module]:
    """What builds `airbench:24,88,88` or `resnet18:64` for these images; an airbench's first layer whitens them.

    A name that is none is a ValueError.
    """
    kind, widths = parsed(name)
    classes, channels = len(data.class_names), data.train.inputs.shape[1]
    if kind == "resnet18":
        from kdlearn.networks.resnet import resnet18  # torchvision, which a study of other networks does not need

        return partial(resnet18, *widths, classes, channels)
    return partial(whitened_airbench, widths, classes, channels, whitening_filters(whitening_images(data)))


def parsed(name: str) -> tuple[str, tuple[int, ...]]:
    """The architecture and its widths."""
    kind, _, widths = name.partition(":")
    parts = widths.split(",")
    if NUM_WIDTHS.get(kind) != len(parts) or not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise ValueError(f"a network is written airbench:24,88,88 or resnet18:64; got {name}")
    return kind, tuple(map(int, parts))
