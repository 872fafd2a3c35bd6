"""Teachers of the atlas: of each kind one a replicate, as the logits that it answers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

import kdlearn
from kdlearn import Dataset, Run
from kdlearn.data.dataset import seed_of
from kdlearn.formulas.labels import logits_from, soft_labels

BATCH_SIZE, CLASSES = 60, 10
PLAIN, OF_STUDENT, UNTRAINED = "as they are", "student's labels", "untrained"
Logits = Mapping[str, Tensor]

digits = cache(kdlearn.load_digits)  # of a replicate: one object, so that its runs share it


def convnet(data: Dataset, replicate: int, **other: Any) -> list[Run]:
    """A small convolutional network on ground truth, 15 epochs of 1,200 images."""
    optimizer = kdlearn.Adam(1e-3)
    options = {"network": kdlearn.small_convnet, "lengths": (300,), "optimizer": optimizer, "batch_size": BATCH_SIZE}
    return [Run(data, replicate=replicate, **{**options, **other})]


def shifted(data: Dataset, replicate: int, num_updates: int) -> list[Run]:
    views = kdlearn.Views(pixels=1, flip=False, seed=replicate, border="darkest")
    return convnet(data, replicate, lengths=(num_updates,), views=views)


def ensemble(data: Dataset, replicate: int) -> list[Run]:
    return [run for seed in range(5) for run in convnet(data, replicate, seed=seed)]


OWN_SIZE = {"network": partial(kdlearn.perceptron, 64, 32, 10), "lengths": (1000,), "optimizer": kdlearn.Adam(3e-3)}

RECIPES: Mapping[str, Callable[[Dataset, int], list[Run]]] = {
    PLAIN: convnet,
    "shifted, short": partial(shifted, num_updates=300),
    "shifted, long": partial(shifted, num_updates=900),
    "small": partial(convnet, network=partial(kdlearn.small_convnet, 8)),
    "large": partial(convnet, network=partial(kdlearn.small_convnet, 48)),
    "trained long": partial(convnet, lengths=(900,)),
    "smoothed": partial(convnet, strategy=kdlearn.SmoothedGroundTruth(0.1)),
    "ensemble": ensemble,
    "student's size": partial(convnet, **OWN_SIZE),
}


def teachers(
    kind: str, replicates: Iterable[int], data_of: Callable[[int], Dataset] = digits, **where: Any
) -> dict[int, Logits]:
    """A teacher of one kind for each replicate; `where` as in `kdlearn.study`."""
    replicates = list(replicates)
    if kind == UNTRAINED:
        return {replicate: untrained(data_of(replicate), replicate) for replicate in replicates}
    members = {replicate: RECIPES[kind](data_of(replicate), replicate) for replicate in replicates}
    found = iter(kdlearn.trained_logits([run for runs in members.values() for run in runs], **where))
    return {replicate: mean_of([next(found) for _ in runs]) for replicate, runs in members.items()}


def mean_of(members: Sequence[Logits]) -> Logits:
    """One teacher as it is; of several the logits of their mean probabilities."""
    if len(members) == 1:
        return members[0]
    return {
        split: logits_from(torch.stack([soft_labels(one[split]) for one in members]).mean(dim=0))
        for split in members[0]
    }


def untrained(data: Dataset, replicate: int) -> Logits:
    network = kdlearn.seeded(kdlearn.small_convnet, seed_of(replicate, 0))
    return {split: kdlearn.predict(network, data.inputs(split)) for split, _ in data.splits()}


def of_students_labels(
    replicates: Iterable[int], seeds: Sequence[int], images: int, **where: Any
) -> dict[tuple[int, int], Logits]:
    """For each replicate and student's seed a teacher that was trained on the student's images alone."""
    places = [(replicate, seed) for replicate in replicates for seed in seeds]
    options = {"sample": images, "lengths": (200,)}
    runs = [run for replicate, seed in places for run in convnet(digits(replicate), replicate, seed=seed, **options)]
    return dict(zip(places, kdlearn.trained_logits(runs, **where), strict=True))
