"""The grids of the atlas: which students are trained. `plan.py` says why."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
from controls import CONTROLS, controlled
from teachers import BATCH_SIZE, OF_STUDENT, PLAIN, RECIPES, UNTRAINED, digits, of_students_labels, teachers
from torch.nn.functional import avg_pool2d

import kdcourse
import kdlearn
from kdlearn import Choice, Comparison, Dataset, GroundTruth, Run, SoftLabels, Split, Strategy, TeachersHardLabels
from kdlearn.data.dataset import generator_of, stratified_sample

SIZES = {20: 6, 60: 2, 240: 2, 1200: 2}  # images of grid A, and seeds a replicate: more where students differ more
FURTHER = {20: range(6, 14), 60: range(2, 6)}  # seeds of grid A that were added later
LENGTHS = (100, 300, 1000, 3000)
RATES, TUNING_REPLICATES, TUNING_SEEDS = (0.001, 0.003, 0.01, 0.03), 8, (1000, 1001)
RATE = 0.003  # of all grids but A
KEPT = ["grid", "images", "wrong", "teacher", "kind", "control", "width", "strategy", "temperature", "soft_weight"]
KEPT += ["learning_rate", "replicate", "seed", "length", "accuracy", "loss", "agreement", "teacher_accuracy"]
OF_REPLICATE = "of the replicate"
WIDTHS = {8: range(2), 32: range(2), 128: range(1)}  # units of grid D's students, and seeds: the widest cost most
FURTHER_SEED = range(2, 3)  # of grid D, for each width
TEMPERATURES, WEIGHTS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0), (0.25, 0.5, 0.75, 0.9, 1.0)
TRUTH, HARD = GroundTruth(), TeachersHardLabels()
Where = Mapping[str, Any]

ARMS: Mapping[str, Strategy] = {
    "ground truth": TRUTH,
    "smoothed ground truth": kdlearn.SmoothedGroundTruth(0.1),
    "teacher's hard labels": HARD,
    "soft labels, T = 1": SoftLabels(1.0),
    "soft labels, T = 2": SoftLabels(2.0),
    "soft labels, T = 4": SoftLabels(4.0),
    "soft labels, T = 8": SoftLabels(8.0),
    "soft labels + ground truth, T = 4": kdlearn.SoftLabelsAndGroundTruth(4.0, 0.5),
    "same entropy, spread evenly, T = 4": kdlearn.EvenlySpread(4.0),
}


def students(
    grid: str,
    data: Dataset,
    strategies: Iterable[Strategy],
    taught: Any,
    replicate: int,
    seeds: Iterable[int],
    *,
    images: int = 60,
    width: int = 32,
    lengths: tuple[int, ...] = (1000,),
    rate: float = RATE,
    **names: Any,
) -> Iterator[Run]:
    """Students by strategy and seed; `names` are columns of the table."""
    inputs = data.train.inputs[0].numel()
    network, sample = partial(kdlearn.perceptron, inputs, width, 10), None if images == 1200 else images
    options: dict[str, Any] = {"optimizer": kdlearn.Adam(rate), "batch_size": BATCH_SIZE, "sample": sample}
    for strategy, seed in product(strategies, seeds):
        told = {"grid": grid, "images": images, "width": width, "kind": PLAIN, "control": "", "wrong": 0.0, **names}
        told["teacher"] = OF_REPLICATE if strategy.asks_teacher else ""
        told["kind"] = told["kind"] if strategy.asks_teacher else ""
        yield Run(data, network, strategy, taught, lengths, seed, replicate, names=told, **options)


def carried_out(runs: Iterable[Run], where: Where) -> Comparison:
    return Comparison(kdlearn.study(list(runs), **where))


def labels(replicates: Iterable[int], where: Where, images: int) -> Comparison:
    """A: every arm with a learning rate of its own at each length, chosen on other replicates' validation images."""
    replicates = list(replicates)
    tuning = range(max(replicates) + 1, max(replicates) + 1 + TUNING_REPLICATES)
    taught = teachers(PLAIN, [*replicates, *tuning], **where)
    found = kdlearn.compare(
        partial(kdlearn.perceptron, 64, 32, 10), ARMS, digits, teacher=lambda replicate, data: taught[replicate],
        seeds=range(SIZES[images]), lengths=LENGTHS, replicates=replicates, batch_size=BATCH_SIZE,
        choose=Choice({}, RATES, TUNING_SEEDS, TUNING_REPLICATES), sample=None if images == 1200 else images, **where,
    )  # fmt: skip
    table = found.table.assign(grid="A labels", images=images, width=32, control="", wrong=0.0)
    table["kind"] = table["teacher"].replace(OF_REPLICATE, PLAIN)
    table["strategy"] = table["strategy"].str.partition(", T = ")[0]  # the temperature has a column
    return replace(found, table=table)


def chosen_lengths(images: int) -> Mapping[tuple[str, float], tuple[int, ...]]:
    """For each arm of grid A and each rate that the record's tuning chose for it, the lengths for which it did."""
    table = kdcourse.load_atlas().table
    rows = table[(table["grid"] == "A labels") & (table["images"] == images)]
    found: dict[tuple[str, float], tuple[int, ...]] = {}
    for name, strategy in ARMS.items():
        temperature = getattr(strategy, "temperature", None)
        same = rows["temperature"].isna() if temperature is None else rows["temperature"] == temperature
        told = rows.loc[same & (rows["strategy"] == strategy.name), ["learning_rate", "length"]].drop_duplicates()
        for rate, of_rate in told.groupby("learning_rate"):
            found[name, float(rate)] = tuple(sorted(of_rate["length"].tolist()))
    return found


def further_labels(replicates: Iterable[int], where: Where, images: int) -> Comparison:
    """A: further seeds of every arm, at the rates that were chosen."""
    runs, chosen = [], chosen_lengths(images)
    for one, taught in teachers(PLAIN, replicates, **where).items():
        for (name, rate), lengths in chosen.items():
            options: dict[str, Any] = {"images": images, "lengths": lengths, "rate": rate}
            runs += students("A labels", digits(one), [ARMS[name]], taught, one, FURTHER[images], **options)
    return carried_out(runs, where)


def kinds_of_teacher(replicates: Iterable[int], where: Where) -> Comparison:
    """B: which teacher? Each kind's hard labels, its soft labels at T = 1 and T = 4."""
    replicates, seeds, strategies = list(replicates), range(4), (HARD, SoftLabels(1.0), SoftLabels(4.0))
    runs = [run for one in replicates for run in students("B teachers", digits(one), [TRUTH], None, one, seeds)]
    for kind in (*RECIPES, UNTRAINED):
        for one, taught in teachers(kind, replicates, **where).items():
            runs += students("B teachers", digits(one), strategies, taught, one, seeds, kind=kind)
    for (one, seed), taught in of_students_labels(replicates, seeds, 60, **where).items():
        runs += students("B teachers", digits(one), strategies, taught, one, [seed], kind=OF_STUDENT)
    return carried_out(runs, where)


def controls(replicates: Iterable[int], where: Where, temperature: float = 2.0) -> Comparison:
    """C: what is it in softness? Soft labels from which one thing at a time is taken away."""
    runs: list[Run] = []
    for one, taught in teachers(PLAIN, replicates, **where).items():
        for name in CONTROLS:
            told = controlled(name, taught, digits(one), temperature, seed=one)
            for images in (60, 240):
                names = {"images": images, "control": name}
                runs += students("C controls", digits(one), [SoftLabels(temperature)], told, one, range(8), **names)
        for images in (60, 240):
            runs += students("C controls", digits(one), [TRUTH], None, one, range(8), images=images)
    return carried_out(runs, where)


def temperature_and_weight(replicates: Iterable[int], where: Where, seeds: Mapping[int, range]) -> Comparison:
    """D: accuracy over temperature and weight, for students of three widths, read at three lengths."""
    both = [kdlearn.SoftLabelsAndGroundTruth(*cell) for cell in product(TEMPERATURES, WEIGHTS)]
    runs: list[Run] = []
    for one, taught in teachers(PLAIN, replicates, **where).items():
        for width, of_width in seeds.items():
            options = {"width": width, "lengths": LENGTHS[:3]}
            runs += students(
                "D temperature and weight", digits(one), [TRUTH, HARD, *both], taught, one, of_width, **options
            )
    return carried_out(runs, where)


def with_wrong_labels(data: Dataset, share: float, seed: int) -> Dataset:
    """A share of the training labels replaced by another class, drawn evenly."""
    generator, labels = generator_of(seed), data.train.labels.clone()
    rows = torch.randperm(len(labels), generator=generator)[: round(share * len(labels))]
    labels[rows] = (labels[rows] + torch.randint(1, 10, (len(rows),), generator=generator)) % 10
    return replace(data, train=data.train._replace(labels=labels))


def wrong_labels(replicates: Iterable[int], where: Where, seeds: range) -> Comparison:
    """E: the teacher and the student on ground truth both learn from labels of which some are wrong."""
    replicates, strategies, runs = list(replicates), (TRUTH, HARD, SoftLabels(1.0), SoftLabels(4.0)), []
    for share in (0.2, 0.4):
        noisy = cache(lambda one, share=share: with_wrong_labels(digits(one), share, one))
        for one, taught in teachers(PLAIN, replicates, noisy, **where).items():
            runs += students("E wrong labels", noisy(one), strategies, taught, one, seeds, images=1200, wrong=share)
    return carried_out(runs, where)


def long_training(replicates: Iterable[int], where: Where, seeds: range) -> Comparison:
    """Does the gain last? 60 images, ten times as many updates as in the other grids."""
    strategies, lengths, runs = (TRUTH, HARD, SoftLabels(2.0), SoftLabels(4.0)), (1000, 3000, 10000), []
    for one, taught in teachers(PLAIN, replicates, **where).items():
        runs += students("long", digits(one), strategies, taught, one, seeds, lengths=lengths)
    return carried_out(runs, where)


def cells(replicates: Iterable[int], where: Where, num_cells: int = 5000) -> Comparison:
    """Cells drawn from all axes together, each with ground truth, hard and soft labels: what the guide learns from."""
    replicates, draw = list(replicates), np.random.default_rng(2026)
    kinds = {kind: teachers(kind, replicates, **where) for kind in (*RECIPES, UNTRAINED)}
    runs: list[Run] = []
    for cell in range(num_cells):
        one, kind = int(draw.choice(replicates)), str(draw.choice(list(kinds)))
        images = 10 * round(10 ** draw.uniform(np.log10(2), np.log10(120)))
        soft = kdlearn.SoftLabelsAndGroundTruth(float(draw.choice(TEMPERATURES)), float(draw.choice(WEIGHTS)))
        names = {"images": images, "width": int(draw.choice(list(WIDTHS))), "kind": kind}
        options = {"lengths": (int(draw.choice(LENGTHS[:3])),), **names}
        runs += students("cells", digits(one), (TRUTH, HARD, soft), kinds[kind][one], one, [cell], **options)
    return carried_out(runs, where)


@cache
def small_mnist(replicate: int) -> Dataset:
    """MNIST at 14 × 14, means of 2 × 2 pixels: 5,000 images to train, 1,000 to validate, 2,000 to test, drawn anew."""
    whole = all_of_mnist()
    train, test = (
        stratified_sample(whole.train.labels, 6000, replicate),
        stratified_sample(whole.test.labels, 2000, replicate),
    )
    train = train[torch.randperm(6000, generator=generator_of(replicate))]
    drawn = {
        "train": whole.train.take(train[:5000]),
        "validation": whole.train.take(train[5000:]),
        "test": whole.test.take(test),
    }
    pooled = {name: avg_pool2d(part.inputs.float(), 2) for name, part in drawn.items()}
    mean, deviation = pooled["train"].mean(), pooled["train"].std()
    parts = {name: Split((pooled[name] - mean) / deviation, part.labels) for name, part in drawn.items()}
    return Dataset(**parts, class_names=tuple("0123456789"), name="mnist 14")


@cache
def all_of_mnist() -> Any:
    return kdlearn.load_images("mnist")


def mnist_teacher(data: Dataset, replicate: int) -> list[Run]:
    network, options = (
        partial(kdlearn.perceptron, 196, 512, 10),
        {"optimizer": kdlearn.Adam(1e-3), "batch_size": BATCH_SIZE},
    )
    return [Run(data, network, lengths=(1000,), replicate=replicate, **options)]


def mnist(replicates: Iterable[int], where: Where) -> Comparison:
    """Another data set: MNIST at 14 × 14, a perceptron of 512 units on 5,000 images as teacher."""
    strategies, runs = (TRUTH, HARD, SoftLabels(2.0), SoftLabels(4.0)), []
    taught = kdlearn.trained_logits(
        [run for one in replicates for run in mnist_teacher(small_mnist(one), one)], **where
    )
    for one, logits in zip(replicates, taught, strict=True):
        for images in (60, 240):
            runs += students("MNIST", small_mnist(one), strategies, logits, one, range(6), images=images)
    return carried_out(runs, where)


class Part(NamedTuple):
    """What is computed at a time: a grid, or what its images and seeds say of it."""

    grid: str  # in the column of that name
    carry_out: Callable[[Iterable[int], Where], Comparison]
    images: int | None = None
    seeds: range | None = None


def of_labels(images: int) -> Part:
    return Part("A labels", partial(labels, images=images), images, range(SIZES[images]))


def of_further_labels(images: int) -> Part:
    return Part("A labels", partial(further_labels, images=images), images, FURTHER[images])


def of_temperature(seeds: Mapping[int, range]) -> Part:
    return Part(
        "D temperature and weight", partial(temperature_and_weight, seeds=seeds), seeds=max(seeds.values(), key=len)
    )


def of_seeds(grid: str, carry_out: Callable[..., Comparison], seeds: range) -> Part:
    return Part(grid, partial(carry_out, seeds=seeds), seeds=seeds)


PARTS: Mapping[str, Part] = {
    "controls": Part("C controls", controls),
    "teachers": Part("B teachers", kinds_of_teacher),
    "wrong": of_seeds("E wrong labels", wrong_labels, range(8)),
    "temperature": of_temperature(WIDTHS),
    "labels-20": of_labels(20),
    "labels-240": of_labels(240),
    "labels-60": of_labels(60),
    "cells": Part("cells", cells),
    "mnist": Part("MNIST", mnist),
    "labels-1200": of_labels(1200),
    "long": of_seeds("long", long_training, range(2)),
    "further-labels-20": of_further_labels(20),
    "further-labels-60": of_further_labels(60),
    "further-long": of_seeds("long", long_training, range(2, 4)),
    "further-wrong": of_seeds("E wrong labels", wrong_labels, range(8, 12)),
    "further-temperature": of_temperature(dict.fromkeys(WIDTHS, FURTHER_SEED)),
}
