"""Soft labels in which one thing of the teacher's is taken away, as logits whose softmax at T gives them."""

from collections.abc import Callable, Mapping
from math import log

import torch
from scipy.optimize import brentq
from torch import Tensor

from kdlearn import Dataset
from kdlearn.data.dataset import generator_of
from kdlearn.formulas.labels import entropy, evenly_spread, logits_from, soft_labels

SOFT, NO_TEACHER = "the teacher's", "no teacher"
Control = Callable[[Tensor, Tensor, int], Tensor]  # probabilities (N, C), ground truth (N,), seed -> probabilities


def permuted(probabilities: Tensor, labels: Tensor, seed: int) -> Tensor:
    """The arg max keeps its probability; the others of the row change places, for each image in another way."""
    top = probabilities.argmax(dim=-1, keepdim=True)
    keys = torch.rand(probabilities.shape, generator=generator_of(seed)).scatter(-1, top, 2.0)
    order = keys.argsort(dim=-1)  # the top class comes last
    rank = probabilities.scatter(-1, top, 2.0).argsort(dim=-1)
    return torch.empty_like(probabilities).scatter(-1, order, probabilities.gather(-1, rank))


def of_another_image(probabilities: Tensor, labels: Tensor, seed: int) -> Tensor:
    """The soft label of another training image with the same arg max."""
    classes, found = probabilities.argmax(dim=-1), probabilities.clone()
    for one in classes.unique():
        rows = (classes == one).nonzero().flatten()
        shuffled = rows[torch.randperm(len(rows), generator=generator_of(seed))]
        found[shuffled] = probabilities[shuffled.roll(1)]  # one cycle: no image keeps its own
    return found


def class_mean(probabilities: Tensor, labels: Tensor, seed: int) -> Tensor:
    """The mean soft label of all training images with the same arg max: which classes look alike, not which image."""
    classes = probabilities.argmax(dim=-1)
    means = torch.stack([probabilities[classes == one].mean(dim=0) for one in range(probabilities.shape[-1])])
    return means[classes]


def evenly(probabilities: Tensor, labels: Tensor, seed: int) -> Tensor:
    """The same entropy of each image, the same for every class but the arg max."""
    return evenly_spread(probabilities)


def no_teacher(probabilities: Tensor, labels: Tensor, seed: int) -> Tensor:
    """Ground truth with one doubt for all, of the teacher's mean entropy, after Yuan et al. 2020 (arXiv 1909.11723)."""
    classes, mean = probabilities.shape[-1], float(entropy(probabilities.double()).mean())

    def too_doubtful(right: float) -> float:
        doubt = 1 - right
        return -right * log(right) - doubt * log(doubt / (classes - 1)) - mean

    right = brentq(too_doubtful, 1 / classes, 1 - 1e-12)
    return torch.full_like(probabilities, (1 - right) / (classes - 1)).scatter(-1, labels[:, None], right)


CONTROLS: Mapping[str, Control] = {
    SOFT: lambda probabilities, labels, seed: probabilities,
    "evenly spread": evenly,
    "class mean": class_mean,
    "permuted": permuted,
    "another image's": of_another_image,
    NO_TEACHER: no_teacher,
}


def controlled(
    name: str, logits: Mapping[str, Tensor], data: Dataset, temperature: float, seed: int
) -> dict[str, Tensor]:
    """Training logits that give the control's labels at this temperature; test logits stay the teacher's."""
    labels = CONTROLS[name](soft_labels(logits["train"], temperature), data.train.labels, seed)
    return {**logits, "train": temperature * logits_from(labels, eps=1e-12)}
