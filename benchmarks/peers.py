"""torchdistill beside this engine: the same networks, first weights, images, epochs, optimiser and loss.

A teacher is trained once; its soft labels at T = 2 teach one student by torchdistill 1.1.5 (Matsubara,
https://github.com/yoshitomo-matsubara/torchdistill) and one by `kdlearn.distill`, in float32, and by `kdlearn.distill`
in bfloat16 where the processor computes in it. The teacher is asked about every batch. Both shift images by up to two
pixels and mirror them, each in its own order: torchdistill an image at a time in a DataLoader, as torchvision's data
sets do, without worker processes. AdamW at 0.001, batches of 100. torchdistill's `KDLoss` at `alpha=0` leaves T² away,
so its weight is T² here.

Accuracies are of one student each: they show that the same is trained, and rank nothing. Seconds are those of the
processor, which other work on the machine changes less than those of the clock; both are told. In one run on a busy
core of an AMD EPYC without AMX, 2,000 images of CIFAR-10 and 3 epochs, torchdistill took 14.2 seconds of the processor,
kdlearn 9.3 in float32 and 6.4 in bfloat16; accuracies were 34.0, 34.2 and 34.7 %.

pip install ".[torchdistill,course]"
python benchmarks/peers.py FOLDER_OF_IMAGES [--images 5000] [--epochs 4]     # 32 × 32 pixels; two minutes for CIFAR-10
"""

import argparse
import copy
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter, process_time

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import RandomSampler
from torchdistill.core.distillation import get_distillation_box
from torchdistill.core.interfaces import forward_proc as _forward_proc  # noqa: F401 - its functions register themselves
from torchdistill.losses import high_level as _high_level  # noqa: F401
from torchdistill.losses import mid_level as _mid_level  # noqa: F401
from torchvision.transforms import v2

import kdlearn
from kdlearn import Adam, BatchStream, Dataset, GroundTruth, Machine, SoftLabels, Views
from kdlearn.commands.presets import network_named
from kdlearn.data.dataset import stratified_sample
from kdlearn.networks.basic import seeded
from kdlearn.training.machine import best_machine

TEACHER, STUDENT = "airbench:32,64,112", "airbench:16,80,96"
TEMPERATURE, RATE, BATCH_SIZE = 2.0, 1e-3, 100


class OneByOne(torch.utils.data.Dataset):
    """An image at a time, from PIL to a shifted, perhaps mirrored, normalised tensor."""

    def __init__(self, data: Dataset) -> None:
        self.images, self.labels = data.train.inputs.permute(0, 2, 3, 1).numpy(), data.train.labels.tolist()
        statistics = data.normalise.mean, data.normalise.deviation
        moves = [v2.RandomCrop(32, padding=2, padding_mode="reflect"), v2.RandomHorizontalFlip()]
        to_tensor = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(*statistics)]
        self.transform = v2.Compose([*moves, *to_tensor])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[row])), self.labels[row]


def configuration(num_epochs: int) -> dict:
    """The recipe in torchdistill's words."""
    outputs = {f"{who}_module_{what}": value for who in ("student", "teacher") for what, value in PLACE.items()}
    loss = {"key": "KDLoss", "kwargs": {**outputs, "temperature": TEMPERATURE, "alpha": 0.0}}
    terms = {"kd": {"criterion": loss, "weight": TEMPERATURE**2}}
    loader = {"dataset_id": "train", "sampler": {"class_or_func": RandomSampler}, "kwargs": {"batch_size": BATCH_SIZE}}
    return {
        "num_epochs": num_epochs,
        "train_data_loader": loader,
        "teacher": {"forward_proc": "forward_batch_only", "requires_grad": False},
        "student": {"forward_proc": "forward_batch_only"},
        "optimizer": {"key": "AdamW", "kwargs": {"lr": RATE, "weight_decay": 0.0, "fused": True}},
        "criterion": {"key": "WeightedSumLoss", "kwargs": {"sub_terms": terms}},
    }


PLACE = {"path": ".", "io": "output"}


def by_torchdistill(teacher: nn.Module, student: nn.Module, data: Dataset, num_epochs: int) -> None:
    options = {"device": torch.device("cpu"), "device_ids": None, "distributed": False, "lr_factor": 1}
    images = {"train": OneByOne(data)}
    box = get_distillation_box(teacher.eval(), student, images, configuration(num_epochs), **options)
    for epoch in range(num_epochs):
        box.pre_epoch_process(epoch=epoch)
        for inputs, labels, about in box.train_data_loader:
            box.pre_forward_process()
            box.post_forward_process(loss=box.forward_process(inputs, labels, about))
        box.post_epoch_process()


def by_kdlearn(teacher: nn.Module, student: nn.Module, data: Dataset, num_epochs: int, machine: Machine) -> None:
    options = {"optimizer": Adam(RATE), "batch_size": BATCH_SIZE, "views": Views(), "machine": machine}
    strategy = SoftLabels(TEMPERATURE)
    kdlearn.distill(teacher, student, data, strategy=strategy, num_epochs=num_epochs, progress=False, **options)


def trained_teacher(data: Dataset, num_epochs: int, machine: Machine) -> nn.Module:
    network = machine.place(seeded(network_named(TEACHER, data), 1))
    batches = BatchStream(data.train, BATCH_SIZE, seed=1, inputs=Views(seed=1).of(data))
    kdlearn.train(network, batches, GroundTruth(), num_epochs=num_epochs, optimizer=Adam(RATE), progress=False)
    return network


def some_of(data: Dataset, images: int) -> Dataset:
    """So many training images, drawn in equal shares of the classes, and as many test images at most."""
    sizes = {"train": images, "test": min(images, len(data.test.labels) - len(data.class_names))}
    drawn = {name: stratified_sample(getattr(data, name).labels, size, seed=0) for name, size in sizes.items()}
    return replace(data, **{name: getattr(data, name).take(rows) for name, rows in drawn.items()})


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds of the processor, and of the clock."""
    begun = process_time(), perf_counter()
    work()
    return process_time() - begun[0], perf_counter() - begun[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="cifar10, or a folder that holds train/<class>/* and test/<class>/*")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    data, machine = some_of(kdlearn.load_images(options.data), options.images), Machine()
    teacher, first = trained_teacher(data, options.epochs, machine), seeded(network_named(STUDENT, data), 0)
    ways = {
        "torchdistill": lambda student: by_torchdistill(teacher, student, data, options.epochs),
        "kdlearn": lambda student: by_kdlearn(teacher, student, data, options.epochs, machine),
    }
    if (fast := best_machine("cpu")).autocast:
        ways["kdlearn, bfloat16"] = lambda student: by_kdlearn(teacher, student, data, options.epochs, fast)
    print(f"{options.images:,} images, {options.epochs} epochs, {torch.get_num_threads()} threads")
    print(f"{'':20}{'processor s':>14}{'clock s':>10}{'/ torchdistill':>16}{'accuracy':>10}")
    reference = None
    for name, way in ways.items():
        student = copy.deepcopy(first)
        processor, clock = timed(lambda way=way, student=student: way(student))
        reference = reference or processor
        accuracy = kdlearn.accuracy(kdlearn.predict(student, data.inputs("test")), data.test.labels)
        print(f"{name:20}{processor:14.1f}{clock:10.1f}{processor / reference:16.2f}{accuracy:10.3f}")


if __name__ == "__main__":
    main()
