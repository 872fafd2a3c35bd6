"""The small networks of the figure "Draw a digit": do they read drawings, and what do soft labels give the students?

Data. The digits of scikit-learn (split 0), as counts from 0 to 16 over 16. Every image that is learned from is seen in
40 copies, each turned by up to 20°, sheared by up to 0.3, scaled by 0.7 to 1.15 and shifted by up to a pixel: shifts
alone do not prepare a network for what people draw.

Arms. One teacher, a perceptron 64-256-128-10 on all 1,200 training images. Twenty students of each arm, perceptrons
64-24-10, on the copies of 120 of these images: on ground truth, and on the teacher's soft labels at T = 2. Students of
a seed share first weights and order. All weights are then rounded to int8, with a scale for each row of a matrix.

Planned, one claim, two-sided, Student's t over the seeds, after rounding, on the 400 test images as they are:
soft labels - ground truth, for this teacher and these 120 images. All else in the record is exploratory.

Nothing was chosen on the test images for training. The figure begins with the outline of a warped test image, and has
test images that the teacher finds hard, as 32 × 32 cells: in each block of 4 × 4 as many cells as the image counts, the
darkest ones of an interpolation.

Command: `python studies/draw_a_digit/plan.py` writes record.json beside this file and
`kdcourse/figures/draw_a_digit.safetensors`, which carries the record too; seconds on one thread are in the record.
"""

import json
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, interpolate, pixel_unshuffle

import kdlearn
from kdlearn.data.dataset import stratified_sample

FOLDER = Path(__file__).parent
RECORD = FOLDER / "record.json"
WEIGHTS = FOLDER.parents[1] / "kdcourse/figures/draw_a_digit.safetensors"
COPIES, SAMPLE, SEEDS, TEMPERATURE, COUNT = 40, 120, range(20), 2.0, 12
TEACHER = partial(kdlearn.perceptron, 64, 256, 128, 10)
STUDENT = partial(kdlearn.perceptron, 64, 24, 10)
ARMS: Mapping[str, kdlearn.Strategy] = {
    "ground truth": kdlearn.GroundTruth(),
    "soft labels": kdlearn.SoftLabels(TEMPERATURE),
}


def digits() -> tuple[kdlearn.Split, kdlearn.Split]:
    """Training and test images, `(N, 1, 8, 8)` counts over 16."""
    data = kdlearn.load_digits(0)
    lowest = data.train.inputs.min()
    scale = max(part.inputs.max() for part in (data.train, data.test)) - lowest
    parts = [
        part._replace(inputs=(16 * (part.inputs - lowest) / scale).round() / 16) for part in (data.train, data.test)
    ]
    return parts[0], parts[1]


def warped(images: Tensor, copies: int, seed: int) -> Tensor:
    """`(copies · N, 1, 8, 8)`: every image turned, sheared, scaled and shifted its own way; whole counts over 16."""
    images = images.repeat(copies, 1, 1, 1)
    draw = torch.rand(6, len(images), generator=torch.Generator().manual_seed(seed))
    angle, shear = math.radians(20) * (2 * draw[0] - 1), 0.3 * (2 * draw[1] - 1)
    wide, high = 1 / (0.7 + 0.45 * draw[2]), 1 / (0.7 + 0.45 * draw[3])
    cos, sin, shift = angle.cos(), angle.sin(), (2 * draw[4:] - 1) / 4
    rows = [wide * cos, wide * (shear * cos - sin), shift[0], high * sin, high * (shear * sin + cos), shift[1]]
    grid = affine_grid(torch.stack(rows, dim=1).view(-1, 2, 3), list(images.shape), align_corners=False)
    return (16 * grid_sample(images, grid, align_corners=False).clamp(0, 1)).round() / 16


def copies_of(part: kdlearn.Split, seed: int) -> kdlearn.Dataset:
    """What is learned from; as test examples one copy more of each."""
    labels = part.labels.repeat(COPIES)
    test = kdlearn.Split(warped(part.inputs, 1, seed + 1), part.labels)
    return kdlearn.Dataset(kdlearn.Split(warped(part.inputs, COPIES, seed), labels), test)


def trained(data: kdlearn.Dataset, build: Any, strategy: kdlearn.Strategy, seed: int, epochs: int, teacher: Any) -> Any:
    """A network, trained."""
    network = kdlearn.seeded(build, seed)
    kdlearn.distill(teacher, network, data, strategy=strategy, num_epochs=epochs, seed=seed, progress=False)
    return network.eval()


@torch.no_grad()
def rounded(network: nn.Module) -> dict[str, Tensor]:
    """Matrices as int8 with a float32 scale for each row; biases float32. The network then computes with these."""
    tensors = {}
    for name, weight in network.named_parameters():
        if weight.ndim == 2:
            scale = weight.abs().amax(dim=1) / 127
            tensors[name] = (weight / scale[:, None]).round().to(torch.int8)
            tensors[name.replace("weight", "scale")] = scale
            weight.copy_(tensors[name] * scale[:, None])
        else:
            tensors[name] = weight.detach().clone()
    return tensors


def network_of(tensors: Mapping[str, Tensor], build: Any) -> nn.Module:
    """The network of rounded weights, in float64."""
    network = build().double()
    for name, weight in network.named_parameters():
        scale = tensors[name.replace("weight", "scale")].double() if weight.ndim == 2 else None
        value = tensors[name].double()
        weight.data = value if scale is None else value * scale[:, None]
    return network


def cells_of(images: Tensor) -> Tensor:
    """`(N, 1, 32, 32)` bool: in each block of 4 × 4 as many cells as `images`, `(N, 1, 8, 8)`, count."""
    dark = pixel_unshuffle(interpolate(images, scale_factor=4, mode="bicubic"), 4)  # (N, 16, 8, 8)
    ranks = (-dark).argsort(dim=1, stable=True).argsort(dim=1)
    return nn.functional.pixel_shuffle((ranks < (16 * images).round()).float(), 4).bool()


def outlines_of(images: Tensor) -> Tensor:
    """`(N, 1, 32, 32)` bool: where an interpolation of `images`, `(N, 1, 8, 8)`, is dark; edges without steps."""
    return interpolate(images, scale_factor=4, mode="bicubic") > 0.4


@torch.no_grad()
def margins(teacher: nn.Module, part: kdlearn.Split) -> tuple[Tensor, Tensor]:
    """For each image how far its best logit lies above the next, infinite if it is read wrongly; and both classes."""
    logits = teacher(part.inputs.to(next(teacher.parameters()).dtype))
    best, classes = logits.topk(2, dim=-1)
    return torch.where(classes[:, 0] == part.labels, best[:, 0] - best[:, 1], math.inf), classes


def examples_of(teacher: nn.Module, test: kdlearn.Split) -> Tensor:
    """`(COUNT, 128)` uint8 cells of images that the teacher reads rightly: first a 4 or 9, then the hardest.

    The first is the outline of a test image, turned and scaled, whose second class is the other of 4 and 9
    and has 20 to 45 %: of those that no side cuts the one with most ink.
    """
    drawn = outlines_of(warped(test.inputs, 10, 30))
    counts = avg_pool2d(drawn.float(), 4)
    margin, classes = margins(teacher, kdlearn.Split(counts, test.labels.repeat(10)))
    four_or_nine = (classes.sort(dim=1).values == torch.tensor([4, 9])).all(dim=1)
    whole = (counts[..., [0, -1]].sum(dim=(1, 2, 3)) + counts[..., [0, -1], :].sum(dim=(1, 2, 3))) == 0
    suitable = four_or_nine & whole & ((margin - 0.85).abs() < 0.6)
    first = torch.where(suitable, counts.sum(dim=(1, 2, 3)), -math.inf).argmax()
    hardest = margins(teacher, test)[0].argsort()[: COUNT - 1]
    cells = torch.cat([drawn[first : first + 1], cells_of(test.inputs[hardest])])
    return torch.from_numpy(np.packbits(cells.flatten(1).numpy(), axis=1))


def networks_of(held: Mapping[str, Tensor]) -> tuple[nn.Module, dict[str, list[nn.Module]]]:
    """The teacher and each arm's students, from what the figure's file holds."""
    teacher = network_of({name[8:]: one for name, one in held.items() if name.startswith("teacher.")}, TEACHER)
    students: dict[str, list[nn.Module]] = {}
    for arm in ARMS:
        stack = {name[len(arm) + 1 :]: one for name, one in held.items() if name.startswith(f"{arm}.")}
        students[arm] = [network_of({name: one[seed] for name, one in stack.items()}, STUDENT) for seed in SEEDS]
    return teacher, students


def accuracy(network: nn.Module, part: kdlearn.Split) -> float:
    return kdlearn.accuracy(kdlearn.predict(network, part.inputs.to(next(network.parameters()).dtype)), part.labels)


def carried_out() -> dict[str, Tensor]:
    """All networks, trained and rounded, by name."""
    train, test = digits()
    teacher = trained(copies_of(train, 0), TEACHER, kdlearn.GroundTruth(), 0, 12, kdlearn.seeded(TEACHER, 0))
    tensors = {f"teacher.{name}": one for name, one in rounded(teacher).items()}
    few = copies_of(train.take(stratified_sample(train.labels, SAMPLE, 0)), 10)
    for arm, strategy in ARMS.items():
        students = [rounded(trained(few, STUDENT, strategy, seed, 40, teacher)) for seed in SEEDS]
        tensors |= {f"{arm}.{name}": torch.stack([one[name] for one in students]) for name in students[0]}
    return tensors | {"examples": examples_of(networks_of(tensors)[0], test)}


def measured(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Accuracies in percent, and the planned difference in points."""
    teacher, students = networks_of(tensors)
    _, test = digits()
    moved = test._replace(inputs=warped(test.inputs, 1, 20))
    parts = {"as they are": test, "warped": moved}
    teachers = {name: 100 * accuracy(teacher, part) for name, part in parts.items()}
    arms = {
        arm: {name: [100 * accuracy(one, part) for one in networks] for name, part in parts.items()}
        for arm, networks in students.items()
    }
    pairs = [torch.tensor(arms[arm]["as they are"], dtype=torch.float64) for arm in ("soft labels", "ground truth")]
    found = kdlearn.paired_difference(*pairs)
    difference = {"mean": found.mean, "half_width": found.half_width, "p_value": found.p_value}
    return {"teacher": teachers, "students": arms, "soft labels - ground truth": difference}


if __name__ == "__main__":
    torch.set_num_threads(1)
    start = perf_counter()
    found = carried_out()
    record = {**measured(found), "seconds": round(perf_counter() - start)}
    save_file(found, WEIGHTS, {"record": json.dumps(record)})
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    print(RECORD.read_text())
