"""PyTorch's official distillation tutorial beside this engine: how long a distilled student takes, all included.

The tutorial's recipe is written anew from its description (https://docs.pytorch.org/tutorials, "Knowledge
Distillation"): its two networks, batches of 128 through a DataLoader, images normalised by ImageNet's statistics, Adam
at 0.001, ten epochs, T = 2, soft weight 0.25, and a teacher that answers every batch anew. The steps of each part are
timed, the making of their batches included, and multiplied by their number; nothing is trained to its end here.

The rows differ in networks, optimiser, views, precision and length: a difference between them is one of recipes, and
says nothing about distillation.

python benchmarks/official_tutorial.py FOLDER_OF_CIFAR10 [--out FILE.json]
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import asdict
from itertools import chain, repeat
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from kdcourse.records import provenance
from kdlearn import Adam, BatchStream, Dataset, GroundTruth, SoftLabels, SoftLabelsAndGroundTruth, Views, predict
from kdlearn.commands.presets import PRESETS, Preset, TrainingSchedule, network_named
from kdlearn.data.batches import Batch
from kdlearn.data.dataset import Split
from kdlearn.data.files import write_json
from kdlearn.data.images import load_images
from kdlearn.networks.basic import seeded
from kdlearn.training.answers import StoredAnswers
from kdlearn.training.loop import OneNetwork, update
from kdlearn.training.machine import Machine, best_machine
from kdlearn.training.optimizers import Recipe
from kdlearn.training.strategies import Strategy

NUM_EPOCHS, SECONDS = 10, 10
Work = Callable[[], object]
PARTS = ("teacher", "student alone", "labels", "distilled student")
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def convolution(inputs: int, outputs: int, *, pool: bool) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), *([nn.MaxPool2d(2)] if pool else [])]


def classifier(features: int, hidden: int) -> list[nn.Module]:
    return [nn.Flatten(), nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(0.1), nn.Linear(hidden, 10)]


def tutorial_teacher() -> nn.Module:
    plan = [(3, 128, False), (128, 64, True), (64, 64, False), (64, 32, True)]
    layers = chain.from_iterable(convolution(a, b, pool=pool) for a, b, pool in plan)
    return nn.Sequential(*layers, *classifier(32 * 8 * 8, 512))


def tutorial_student() -> nn.Module:
    return nn.Sequential(*convolution(3, 16, pool=True), *convolution(16, 16, pool=True), *classifier(1024, 256))


class OneByOne(torch.utils.data.Dataset):
    """An image at a time, from an array to PIL to a normalised tensor, as torchvision's data sets do."""

    def __init__(self, examples: Split) -> None:
        self.images, self.labels = examples.inputs.permute(0, 2, 3, 1).numpy(), examples.labels.tolist()
        self.transform = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(**IMAGENET)])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[row])), self.labels[row]


def stepping(
    model: nn.Module,
    batches: Iterable,
    strategy: Strategy,
    recipe: Recipe,
    machine: Machine,
    asked: Callable[[Batch], Batch] = lambda batch: batch,
) -> Work:
    """One step with the next batch, of as many epochs as are asked for."""
    stepper = recipe.optimizer(machine.place(model).train())
    endless = (asked(Batch(*batch)) for again in repeat(batches) for batch in again)
    learner = OneNetwork(model, strategy, machine, lambda: next(endless))
    return lambda: update(learner, next(endless), stepper)


def tutorial(images: Split) -> dict[str, tuple[Work, int]]:
    """A step of each part in float32, and how many there are."""
    machine, recipe, both = Machine(), Adam(1e-3), SoftLabelsAndGroundTruth(temperature=2.0, soft_weight=0.25)
    teacher, answering = (machine.place(seeded(tutorial_teacher, 0)) for _ in range(2))

    def asked(batch: Batch) -> Batch:
        with torch.no_grad():
            return batch._replace(teacher_logits=answering.eval()(batch.inputs))

    def work(model: nn.Module, strategy: Strategy, **options: Any) -> Work:
        batches = DataLoader(OneByOne(images), 128, shuffle=True, num_workers=2)
        return stepping(model, batches, strategy, recipe, machine, **options)

    count = NUM_EPOCHS * -(-len(images.labels) // 128)
    return {
        "teacher": (work(teacher, GroundTruth()), count),
        "student alone": (work(seeded(tutorial_student, 0), GroundTruth()), count),
        "labels": (lambda: None, 0),  # it stores none
        "distilled student": (work(seeded(tutorial_student, 0), both, asked=asked), count),
    }


def engine(
    data: Dataset, networks: Sequence[nn.Module], schedules: Sequence[TrainingSchedule], machine: Machine
) -> dict[str, tuple[Work, int]]:
    """A step of each part in this engine. What the stored answers say does not change how long a step takes."""
    (teacher, student), (long, short) = networks, schedules
    views, rows = Views().of(data), len(data.train.labels)
    answers, answering = StoredAnswers([torch.zeros(rows, 10)]), machine.place(deepcopy(teacher))
    asked = views(0, torch.arange(1000))

    def work(
        model: nn.Module, schedule: TrainingSchedule, strategy: Strategy, answers: StoredAnswers | None = None
    ) -> Work:
        batches = BatchStream(data.train, schedule.batch_size, seed=0, inputs=views, answers=answers)
        return stepping(deepcopy(model), batches, strategy, schedule.optimizer, machine)

    return {
        "teacher": (work(teacher, long, GroundTruth()), long.num_updates(rows)),
        "student alone": (work(student, short, GroundTruth()), short.num_updates(rows)),
        "labels": (lambda: predict(answering, asked, machine=machine), short.num_epochs * rows // 1000),
        "distilled student": (work(student, short, SoftLabels(2.0), answers), short.num_updates(rows)),
    }


def seconds_of_a_step(work: Work) -> float:
    """The mean over `SECONDS`, after as many steps as data loaders have made ahead."""
    for _ in range(5):
        work()
    start, count = perf_counter(), 0
    while perf_counter() - start < SECONDS:
        work()
        count += 1
    return (perf_counter() - start) / count


def at_preset(preset: Preset, data: Dataset, machine: Machine) -> dict[str, tuple[Work, int]]:
    networks = [seeded(network_named(name, data), 0) for name in (preset.teacher, preset.student)]
    return engine(data, networks, (preset.teacher_schedule, preset.student_schedule), machine)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="holds train/<class>/* and test/<class>/*")
    parser.add_argument("--out", type=Path, help="a JSON file for the seconds")
    options = parser.parse_args()
    data, machine, like_theirs = (
        load_images(options.data),
        best_machine("cpu"),
        TrainingSchedule(NUM_EPOCHS, 500, Adam()),
    )
    theirs = [seeded(build, 0) for build in (tutorial_teacher, tutorial_student)]
    rows = {
        "the tutorial": tutorial(data.train),
        "its networks, this engine": engine(data, theirs, (like_theirs, like_theirs), machine),
        **{f"preset {name}": at_preset(PRESETS[name], data, machine) for name in ("cpu", "cpu-quick")},
    }
    report = {
        name: {part: count and count * seconds_of_a_step(work) for part, (work, count) in row.items()}
        for name, row in rows.items()
    }
    totals = {name: sum(parts.values()) for name, parts in report.items()}
    print(f"{machine}; seconds for {len(data.train.labels):,} images, from {SECONDS} seconds of each part:")
    print(f"{'':28}" + "".join(f"{part:>18}" for part in (*PARTS, "all", "/ the tutorial")))
    for name, parts in report.items():
        print(f"{name:28}" + "".join(f"{value:18,.0f}" for value in (*parts.values(), totals[name])), end="")
        print(f"{totals[name] / totals['the tutorial']:18.2f}")
    if options.out:
        write_json(options.out, {"seconds": report, "machine": asdict(machine), "provenance": provenance()})


if __name__ == "__main__":
    main()
