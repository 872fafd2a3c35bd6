"""The article's case studies on photographs, made small enough for minutes on one thread.

Question. What do its three image cases give when they are carried out: ResNet-18 to a thin ResNet-18 with Adam at
0.001 (section 4.3), ResNet to MobileNet (section 6.1), and its own script, repaired (section 5.2)?

Data. 5,000 training images of CIFAR-10, 1,000 others to choose rates on, 2,000 test images, all drawn by one seed,
without augmentation. The full cases use 50,000 images and hundreds of epochs; these figures rank recipes of minutes,
no more.

Cases. "thin": torchvision's ResNet-18 (11.2 million parameters, 250 updates of 100 images) teaches one of an eighth
of its width for 300 updates: as written, at rate 0.001 with the unweighted sum of both losses at T = 1, then each arm
at the rate that did best on the validation images, of 0.001, 0.003 and 0.01. "mobile": the same teacher, MobileNetV2
at a quarter of its width for 300 updates. "script": the article's two networks for 50 updates, the teacher never
trained as printed, or trained; the student gets its first 500 classes; beside it a thin ResNet-18 hundreds of times
smaller, for as many updates and for 500.

Planned claims: none; one teacher a case, two seeds for "thin", one for the others: all exploratory.

Command: `KDLEARN_DATA=... python studies/article/photographs.py FOLDER` writes photographs.parquet beside this file,
and goes on in FOLDER where it was stopped. About seven minutes of computing on one thread.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torchvision
from torch import nn

import kdlearn
from kdlearn.data.dataset import stratified_sample
from kdlearn.networks.resnet import stage

RECORD = Path(__file__).with_name("photographs.parquet")
ONE_THREAD, RATES, AS_WRITTEN = kdlearn.Machine(threads=1), (0.001, 0.003, 0.01), 0.001
TRUTH, SOFT, SUM = kdlearn.GroundTruth(), kdlearn.SoftLabels(2.0), kdlearn.SoftLabelsAndGroundTruth(1.0, 0.5)


def thin_resnet18(width: int, num_classes: int = 10) -> nn.Sequential:
    """torchvision's ResNet-18, stem and all, at another width; it has 64."""
    stem = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    stages = [stage(width, width, 1), *(stage(width * n, 2 * width * n, 2) for n in (1, 2, 4))]
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, num_classes))


def article_network(num_classes: int, kept: int | None = None) -> nn.Sequential:
    """The script's networks: one convolution, one linear layer; `kept` of the classes are answered."""
    layers = [nn.Conv2d(3, 32, 3, 1, 1), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 32 * 32, num_classes)]
    return nn.Sequential(*layers, *([] if kept is None else [FirstClasses(kept)]))


class FirstClasses(nn.Module):
    """The first logits alone: their softmax is the distribution renormalised over these classes."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        return logits[:, : self.count]


def few_photographs(folder: str | Path) -> kdlearn.Dataset:
    whole = kdlearn.load_images(folder)
    rows = stratified_sample(whole.train.labels, 6000, seed=0)
    rows, held = rows[:5000], rows[5000:]
    test = whole.test.take(stratified_sample(whole.test.labels, 2000, seed=0))
    return replace(whole, train=whole.train.take(rows), validation=whole.train.take(held), test=test)


def run_of(data: kdlearn.Dataset, network: Any, strategy: kdlearn.Strategy, names: dict, **told: Any) -> kdlearn.Run:
    """One run of 100 images a batch; `names` become columns."""
    teacher = "of the case" if strategy.asks_teacher else ""
    optimizer = kdlearn.Adam(names.setdefault("rate", AS_WRITTEN))
    names = {"purpose": "test", "taught by": "", "teacher": teacher, **names}
    return kdlearn.Run(data, network, strategy, optimizer=optimizer, batch_size=100, names=names, **told)


def resnet_teacher(data: kdlearn.Dataset) -> kdlearn.Run:
    network = partial(torchvision.models.resnet18, num_classes=10)
    return run_of(data, network, TRUTH, {"case": "teacher", "student": "ResNet-18"}, lengths=(250,))


def thin_runs(data: kdlearn.Dataset, teacher: kdlearn.Run, rates: dict, purpose: str = "test") -> Iterator[kdlearn.Run]:
    """ResNet-18 to a thin one, `rates` by strategy; to choose one, another seed is measured on validation images."""
    network, on = partial(thin_resnet18, 8), "test" if purpose == "test" else "validation"
    for strategy, rate in ((strategy, rate) for strategy, several in rates.items() for rate in several):
        for seed in range(2) if purpose == "test" else (100,):
            names = {"case": "thin", "student": "thin ResNet-18", "rate": rate, "purpose": purpose}
            told = {"teacher": teacher, "lengths": (300,), "seed": seed, "measured_on": on}
            yield run_of(data, network, strategy, names, **told)


def mobile_runs(data: kdlearn.Dataset, teacher: kdlearn.Run) -> Iterator[kdlearn.Run]:
    network = partial(torchvision.models.mobilenet_v2, num_classes=10, width_mult=0.25)
    for strategy in (TRUTH, SOFT):
        names = {"case": "mobile", "student": "MobileNetV2, a quarter wide"}
        yield run_of(data, network, strategy, names, teacher=teacher, lengths=(300,))


def script_runs(data: kdlearn.Dataset) -> Iterator[kdlearn.Run]:
    """The article's networks of 16 and 33 million parameters, and a student of 45 thousand beside them."""
    student, teacher = partial(article_network, 500), partial(article_network, 1000, 500)
    names = {"case": "script", "student": "as printed"}
    trained = run_of(data, teacher, TRUTH, names | {"student": "teacher as printed"}, lengths=(50,))
    yield trained
    yield run_of(data, student, TRUTH, names, lengths=(50,))
    for who, kind in ((trained, "trained"), (kdlearn.seeded(teacher, 1), "never trained")):
        yield run_of(data, student, SUM, names | {"taught by": kind}, teacher=who, lengths=(50,))
    small = names | {"student": "thin ResNet-18, hundreds of times smaller"}
    yield run_of(data, partial(thin_resnet18, 4), TRUTH, small, lengths=(50, 500))


def best_rates(table: pd.DataFrame) -> dict[kdlearn.Strategy, list[float]]:
    """For each arm the rate with the most validation images right; ties go to the smaller rate."""
    found = {}
    for strategy in (TRUTH, SUM, SOFT):
        rows = table[(table["strategy"] == strategy.name)].sort_values("rate")
        found[strategy] = [float(rows.loc[rows["accuracy"].idxmax(), "rate"])]
    return found


def carried_out(folder: Path, photographs: str | Path) -> kdlearn.Comparison:
    data, where = few_photographs(photographs), {"folder": folder, "machine": ONE_THREAD, "progress": True}
    teacher, every = resnet_teacher(data), {strategy: list(RATES) for strategy in (TRUTH, SUM, SOFT)}
    tried = kdlearn.study(list(thin_runs(data, teacher, every, "choose")), **where)
    chosen = {strategy: sorted({AS_WRITTEN, *rates}) for strategy, rates in best_rates(tried).items()}
    stages = ([teacher, *thin_runs(data, teacher, chosen)], script_runs(data), mobile_runs(data, teacher))
    tables = [kdlearn.study(list(runs), **where) for runs in stages]
    table = pd.concat([*tables, tried], ignore_index=True)
    return kdlearn.Comparison(table.drop(columns=["rows", "learning_rate"]))


if __name__ == "__main__":
    record = carried_out(Path(sys.argv[1]), os.environ["KDLEARN_DATA"])
    record.save(RECORD)
    print(record.table.drop(columns=["teacher", "replicate"]).to_string())
