"""The teacher and the students of one pair, and what is tried for each arm. `plan.py` says why."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

import kdlearn
from kdlearn import Batch, Dataset, GroundTruth, NesterovSGD, Run, SoftLabels, Strategy, TeachersHardLabels
from kdlearn.commands.presets import PRESETS, network_named
from kdlearn.data.dataset import generator_of, seed_of
from kdlearn.engine.run import Network

FIRST, TUNING = 7000, 7900  # replicates: pair 0, and the pair that rates are chosen on
STUDENT, INDEPENDENT, TEACHER = 0, 1, 2  # seeds within a pair
PERIOD, TEMPERATURE, HELD_OUT, TEACHERS_RATE = 9, 2.0, 5000, 0.8


@dataclass(frozen=True)
class Permuted(Strategy):
    """Soft labels in which the classes beside the arg max have changed places, for each arg max in one way.

    The way is `drawn` by a number: within it every class but the arg max goes to the place of another.
    """

    temperature: float
    drawn: int
    name = "soft labels, permuted"
    reads = ("teacher_logits",)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        places = places_of(batch.teacher_logits.shape[-1], self.drawn).to(batch.teacher_logits.device)
        logits = batch.teacher_logits.gather(-1, places[batch.teacher_logits.argmax(dim=-1)])
        return kdlearn.soft_label_loss(student_logits, logits, self.temperature, reduction="none")


def places_of(classes: int, drawn: int) -> Tensor:
    """`(C, C)`: for each arg max, from which class each class takes its logit; the arg max from itself."""
    places, generator = torch.arange(classes).repeat(classes, 1), generator_of(drawn)
    for top in range(classes):
        others = torch.randperm(classes, generator=generator)
        others = others[others != top]
        places[top, others] = others.roll(1)  # one cycle: no class keeps its own
    return places


def arms_of(replicate: int) -> dict[str, Strategy]:
    """The six kinds of labels by name."""
    smoothed, evenly = kdlearn.SmoothedGroundTruth(0.1), kdlearn.EvenlySpread(TEMPERATURE)
    told = [GroundTruth(), TeachersHardLabels(), SoftLabels(TEMPERATURE)]
    return {one.name: one for one in [*told, smoothed, evenly, Permuted(TEMPERATURE, replicate)]}


TRUTH, HARD, SOFT, SMOOTHED, EVENLY, PERMUTED = arms_of(FIRST)


@dataclass(frozen=True, eq=False)
class Setting:
    """Data, networks, and lengths in epochs of the images that a student sees."""

    data: Dataset
    teacher: Network
    student: Network
    teacher_epochs: int = 12
    lengths: tuple[int, int, int] = (4, 9, 18)
    few: int = 5000
    few_lengths: tuple[int, ...] = (30, 60, 120)
    batch_size: int = 500

    @property
    def whole(self) -> int:
        return len(self.data.train.labels)

    def options(self, images: int, epochs: int) -> dict[str, Any]:
        """What a run of this length is told."""
        sample = None if images == self.whole else images
        updates = round(epochs * images / self.batch_size)
        return {"lengths": (updates,), "batch_size": self.batch_size, "sample": sample}


def cifar10(num_validation: int = 0) -> Dataset:
    """As published where KDLEARN_DATA holds it, else a folder of its images by class."""
    folder = Path(os.environ.get("KDLEARN_DATA", "data"))
    by_class = (folder / "train").is_dir() and not (folder / "cifar-10-batches-py").is_dir()
    return kdlearn.load_images(folder if by_class else "cifar10", num_validation=num_validation)


def photographs() -> Setting:
    """CIFAR-10, of whose training images 5,000 are held out, and the networks of the preset `cpu`."""
    data, preset = cifar10(HELD_OUT), PRESETS["cpu"]
    return Setting(data, network_named(preset.teacher, data), network_named(preset.student, data))


class Cell(NamedTuple):
    """An arm on so many images: the rate is chosen, and the length where there are several; `slower` halves a rate."""

    strategy: str
    images: int
    lengths: tuple[int, ...]
    slower: bool = False


class Candidate(NamedTuple):
    """What is tried for a cell."""

    learning_rate: float
    epochs: int


Choices = Mapping[Cell, Candidate]


def cells(setting: Setting) -> list[Cell]:
    """All that a pair trains but its teacher and its independent student."""
    main, (_, middle, _) = (TRUTH, HARD, SOFT), setting.lengths
    whole = [cell_of(setting, arm, epochs) for epochs in setting.lengths for arm in main]
    controls = [cell_of(setting, arm, middle) for arm in (SMOOTHED, EVENLY, PERMUTED)]
    return [*whole, *controls, *(Cell(arm, setting.few, setting.few_lengths) for arm in main)]


def cell_of(setting: Setting, arm: str, epochs: int) -> Cell:
    """Of all images: half of the smallest rate too but for the shortest length."""
    return Cell(arm, setting.whole, (epochs,), slower=epochs > min(setting.lengths))


def candidates(cell: Cell, rates: Sequence[float]) -> list[Candidate]:
    tried = [*[min(rates) / 2] * cell.slower, *rates]
    return [Candidate(rate, epochs) for epochs in cell.lengths for rate in tried]


def teacher_of(setting: Setting, replicate: int, measured_on: str = "test") -> Run:
    """A network on ground truth, on views that no student sees."""
    names = {"role": "teacher", "images": setting.whole, "epochs": setting.teacher_epochs}
    views, optimizer = kdlearn.Views(seed=seed_of(replicate, TEACHER)), NesterovSGD(TEACHERS_RATE)
    shared = {"views": views, "optimizer": optimizer, "measured_on": measured_on, "names": names}
    options = setting.options(setting.whole, setting.teacher_epochs) | shared
    return Run(setting.data, setting.teacher, seed=TEACHER, replicate=replicate, **options)


def student_of(
    setting: Setting, cell: Cell, one: Candidate, taught: Run, seed: int = STUDENT, measured_on: str = "test"
) -> Run:
    """A student beside, or of, the teacher `taught`, on the views that all students of the pair see."""
    strategy = arms_of(taught.replicate)[cell.strategy]
    names = {"role": "student" if seed == STUDENT else "independent student", "images": cell.images}
    names |= {"epochs": one.epochs, "teacher": "of the pair" if strategy.asks_teacher else ""}
    views = kdlearn.Views(seed=seed_of(taught.replicate, STUDENT), period=PERIOD)
    options = setting.options(cell.images, one.epochs) | {"views": views, "optimizer": NesterovSGD(one.learning_rate)}
    options |= {"answers": "float16", "measured_on": measured_on, "names": names}
    of_teacher = taught if strategy.asks_teacher else None
    return Run(setting.data, setting.student, strategy, of_teacher, seed=seed, replicate=taught.replicate, **options)


def without_test(setting: Setting) -> Setting:
    """The same with the images that are held out in the place of the test images."""
    return replace(setting, data=replace(setting.data, test=setting.data.validation))


def tuning_runs(setting: Setting, rates: Sequence[float]) -> Iterator[Run]:
    """Another teacher and every candidate, measured on the images that are held out."""
    setting = without_test(setting)
    yield (taught := teacher_of(setting, TUNING, "validation"))
    for cell in cells(setting):
        for one in candidates(cell, rates):
            yield student_of(setting, cell, one, taught, measured_on="validation")


def runs_of(setting: Setting, pair: int, chosen: Choices) -> Iterator[Run]:
    """A fresh teacher, a student of ground truth with another seed, and a student for each cell."""
    yield (taught := teacher_of(setting, FIRST + pair))
    alone = cell_of(setting, TRUTH, setting.lengths[1])
    yield student_of(setting, alone, chosen[alone], taught, seed=INDEPENDENT)
    for cell in cells(setting):
        yield student_of(setting, cell, chosen[cell], taught)
