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

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from kdlearn import Adam, GroundTruth, SoftLabels, SoftLabelsAndGroundTruth, ViewBatches, Views, predict
from kdlearn.data import Batch, Examples, LabelStore, load_images
from kdlearn.data.files import write_json
from kdlearn.networks import seeded
from kdlearn.studies import PRESETS, Preset, Schooling, provenance
from kdlearn.training.loop import step
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


class OneByOne(Dataset):
    """An image at a time, from an array to PIL to a normalised tensor, as torchvision's data sets do."""

    def __init__(self, examples: Examples) -> None:
        self.images, self.labels = examples.images.permute(0, 2, 3, 1).numpy(), examples.labels.tolist()
        self.transform = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(**IMAGENET)])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[row])), self.labels[row]


def stepping(model: nn.Module, batches: Iterable, strategy: Strategy, recipe: Recipe, machine: Machine) -> Work:
    """One step with the next batch, of as many epochs as are asked for."""
    stepper = recipe.optimizer(machine.place(model).train())
    endless = (Batch(*batch) for again in repeat(batches) for batch in again)
    return lambda: step(model, next(endless), strategy, stepper, machine)


def tutorial(images: Examples) -> dict[str, tuple[Work, int]]:
    """A step of each part in float32, and how many there are."""
    machine, recipe, both = Machine(), Adam(1e-3), SoftLabelsAndGroundTruth(temperature=2.0, soft_weight=0.25)
    teacher, answering = (machine.place(seeded(tutorial_teacher, 0)) for _ in range(2))

    def asking(logits: Tensor, batch: Batch) -> Tensor:
        with torch.no_grad():
            answers = answering.eval()(batch.images)
        return both(logits, batch._replace(teacher_logits=answers))

    def work(model: nn.Module, strategy: Strategy) -> Work:
        return stepping(
            model, DataLoader(OneByOne(images), 128, shuffle=True, num_workers=2), strategy, recipe, machine
        )

    count = NUM_EPOCHS * -(-len(images.labels) // 128)
    return {
        "teacher": (work(teacher, GroundTruth()), count),
        "student alone": (work(seeded(tutorial_student, 0), GroundTruth()), count),
        "labels": (lambda: None, 0),  # it stores none
        "distilled student": (work(seeded(tutorial_student, 0), asking), count),
    }


def engine(
    views: Views, labels: Tensor, networks: Sequence[nn.Module], schoolings: Sequence[Schooling], machine: Machine
) -> dict[str, tuple[Work, int]]:
    """A step of each part in this engine. What the stored labels say does not change how long a step takes."""
    (teacher, student), (long, short) = networks, schoolings
    store, asked = LabelStore(torch.zeros(1, len(views), 10)), views(0, torch.arange(1000))
    answering = machine.place(deepcopy(teacher))

    def work(model: nn.Module, schooling: Schooling, strategy: Strategy, store: LabelStore | None = None) -> Work:
        batches = ViewBatches(views, labels, schooling.batch_size, seed=0, store=store)
        return stepping(deepcopy(model), batches, strategy, schooling.optimizer, machine)

    def count(schooling: Schooling) -> int:
        return schooling.num_epochs * -(-len(views) // schooling.batch_size)

    return {
        "teacher": (work(teacher, long, GroundTruth()), count(long)),
        "student alone": (work(student, short, GroundTruth()), count(short)),
        "labels": (lambda: predict(answering, asked, machine=machine), short.num_epochs * len(views) // 1000),
        "distilled student": (work(student, short, SoftLabels(2.0), store), count(short)),
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


def at_preset(preset: Preset, images: Examples, views: Views, machine: Machine) -> dict[str, tuple[Work, int]]:
    networks = [seeded(lambda one=one: one.build(10, 3), 0) for one in (preset.teacher, preset.student)]
    return engine(views, images.labels, networks, (preset.teacher_schooling, preset.student_schooling), machine)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="holds train/<class>/* and test/<class>/*")
    parser.add_argument("--out", type=Path, help="a JSON file for the seconds")
    options = parser.parse_args()
    images, machine, like_theirs = load_images(options.data), best_machine("cpu"), Schooling(NUM_EPOCHS, 500, Adam())
    views = Views(images.train.images, images.mean, images.deviation)
    theirs = [seeded(build, 0) for build in (tutorial_teacher, tutorial_student)]
    rows = {
        "the tutorial": tutorial(images.train),
        "its networks, this engine": engine(views, images.train.labels, theirs, (like_theirs, like_theirs), machine),
        **{f"preset {name}": at_preset(PRESETS[name], images.train, views, machine) for name in ("cpu", "cpu-quick")},
    }
    report = {
        name: {part: count and count * seconds_of_a_step(work) for part, (work, count) in row.items()}
        for name, row in rows.items()
    }
    totals = {name: sum(parts.values()) for name, parts in report.items()}
    print(f"{machine}; seconds for {len(views):,} images, from {SECONDS} seconds of each part:")
    print(f"{'':28}" + "".join(f"{part:>18}" for part in (*PARTS, "all", "/ the tutorial")))
    for name, parts in report.items():
        print(f"{name:28}" + "".join(f"{value:18,.0f}" for value in (*parts.values(), totals[name])), end="")
        print(f"{totals[name] / totals['the tutorial']:18.2f}")
    if options.out:
        write_json(options.out, {"seconds": report, "machine": asdict(machine), "provenance": provenance()})


if __name__ == "__main__":
    main()
