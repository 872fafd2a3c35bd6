"""What a study trains: networks by name, how long and how, and which student learns from which labels."""

import hashlib
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import nn

from kdlearn.networks import airbench
from kdlearn.training.optimizers import NesterovSGD
from kdlearn.training.strategies import (
    GroundTruth,
    SmoothedGroundTruth,
    SoftLabels,
    SoftLabelsAndGroundTruth,
    Strategy,
    TeachersHardLabels,
)

STRATEGIES = {
    "ground-truth": GroundTruth,
    "smoothed": SmoothedGroundTruth,
    "hard": TeachersHardLabels,
    "soft": SoftLabels,
    "both": SoftLabelsAndGroundTruth,
}
STRATEGY_NAMES = [strategy.name for strategy in STRATEGIES.values()]
READS_NO_TEACHER = (GroundTruth, SmoothedGroundTruth)
NUM_WIDTHS = {"airbench": 3, "resnet18": 1}


@dataclass(frozen=True)
class Network:
    """An architecture by name: `airbench` with three widths, or `resnet18` with one."""

    name: str
    widths: tuple[int, ...]

    def build(self, num_classes: int, channels: int) -> nn.Module:
        if self.name == "airbench":
            return airbench(self.widths, num_classes, channels)
        from kdlearn.networks.resnet import resnet18  # torchvision, which a study of other networks does not need

        return resnet18(*self.widths, num_classes, channels)

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.widths))})"

    @classmethod
    def parse(cls, text: str) -> "Network":
        """`airbench:24,88,88` or `resnet18:64`."""
        name, _, widths = text.partition(":")
        parts = widths.split(",")
        if NUM_WIDTHS.get(name) != len(parts) or not all(part.isdecimal() and int(part) for part in parts):
            raise ValueError(f"a network is written airbench:24,88,88 or resnet18:64; got {text}")
        return cls(name, tuple(map(int, parts)))


@dataclass(frozen=True)
class Schooling:
    """How long a network trains, and how it is stepped."""

    num_epochs: int
    batch_size: int = 500
    optimizer: NesterovSGD = NesterovSGD()


@dataclass(frozen=True)
class Preset:
    """Sizes and lengths. Students that train for more than `label_epochs` epochs see those epochs' views again."""

    teacher: Network
    student: Network
    teacher_schooling: Schooling
    student_schooling: Schooling
    label_epochs: int
    teacher_smoothing: float = 0.0


def in_small_batches(num_epochs: int) -> Schooling:
    """Half the batch and the learning rate: twice as many steps, which on a CPU take hardly longer."""
    return Schooling(num_epochs, 250, NesterovSGD(0.4))


SHORT = Schooling(2, 50, NesterovSGD(0.1))  # a tenth of the batch and, in proportion, of the learning rate
TEACHER, STUDENT = Network("airbench", (64, 256, 256)), Network("airbench", (16, 80, 96))
PRESETS = {
    "cpu": Preset(TEACHER, STUDENT, Schooling(12), Schooling(9), 9),
    "cpu-quick": Preset(TEACHER, STUDENT, in_small_batches(6), in_small_batches(8), 8),
    "cpu-long": Preset(TEACHER, Network("airbench", (32, 64, 112)), in_small_batches(19), in_small_batches(12), 12),
    "gpu": Preset(Network("resnet18", (64,)), Network("airbench", (24, 88, 88)), Schooling(60), Schooling(60), 30),
    "tiny": Preset(Network("airbench", (8, 16, 16)), Network("airbench", (4, 8, 8)), SHORT, SHORT, 2),
}


@dataclass(frozen=True)
class Run:
    """One student: who, taught by which labels, from which start, with which seed."""

    student: Network
    strategy: Strategy
    seed: int
    start: str = "random"  # or "teacher", or a file of weights
    learning_rate: float | None = None  # in place of the preset's
    labelled: float = 1.0  # the share of images whose ground truth is known; the seed draws them

    def __post_init__(self) -> None:
        if not 0 < self.labelled <= 1:
            raise ValueError(f"labelled must be a share of the images, above 0 and at most 1; got {self.labelled}")
        if self.labelled < 1 and isinstance(self.strategy, SoftLabelsAndGroundTruth):
            raise ValueError("soft labels + ground truth need labelled=1: they read the ground truth of every image")

    @property
    def reads_teacher(self) -> bool:
        return not isinstance(self.strategy, READS_NO_TEACHER)

    def schooling(self, preset: Preset) -> Schooling:
        """The preset's number of steps, whether a student sees all images or those alone that are labelled."""
        schooling = preset.student_schooling
        if self.learning_rate is not None:
            schooling = replace(schooling, optimizer=replace(schooling.optimizer, learning_rate=self.learning_rate))
        if self.labelled < 1 and not self.reads_teacher:
            return replace(schooling, num_epochs=round(schooling.num_epochs / self.labelled))
        return schooling

    @property
    def origin(self) -> str:
        """Where its first weights come from: random, teacher, or a file's name and hash."""
        if self.start in ("random", "teacher"):
            return self.start
        return f"{Path(self.start).stem} {hashlib.sha256(Path(self.start).read_bytes()).hexdigest()[:8]}"

    @property
    def name(self) -> str:
        """The name of its folder: all that tells it from other runs of the study."""
        start = [] if self.start == "random" else [f"from {self.origin}"]
        rate = [] if self.learning_rate is None else [f"rate {self.learning_rate:g}"]
        known = [f"labelled {self.labelled:g}"] if self.labelled < 1 else []
        strategy = [self.strategy.name, *asdict(self.strategy).values()]
        parts = [self.student, *strategy, *start, *rate, *known, f"seed {self.seed}"]
        return re.sub(r"[^a-z0-9.]+", "-", " ".join(map(str, parts)).lower()).strip("-")
