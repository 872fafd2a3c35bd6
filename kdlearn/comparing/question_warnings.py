"""What would make an answer mean something else: said before anything is trained, since it may be meant."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from kdlearn.data.dataset import Dataset, bytes_of
from kdlearn.engine.run import Network, Run
from kdlearn.networks.basic import seeded
from kdlearn.training.answers import StoredTeacher, as_array

ASKED = 1000  # training rows, about which an estimator is asked
MANY = 0.1  # of the inputs of a split: fewer that another has too are told beside the result alone
SHARED = (
    ("test", "train", "training inputs too: they measure memory"),
    ("test", "validation", "validation inputs too: choices fit them"),
    ("validation", "train", "training inputs too: choices reward memory"),
)
CHANCE = 0.1  # of the way from what shuffled rows would give to all: what an order by accident may reach


def warnings_about(
    data: Dataset, student: Network, teachers: Mapping[str, Any], shared: Mapping[str, float], hottest: float = 1.0
) -> Iterator[str]:
    """A sentence each for splits that share rows or lack a class, for equal first weights, and for what teachers say.

    `shared` is what `about_rows` found, `hottest` the highest temperature of a strategy.
    """
    yield from (sentence for sentence, share in shared.items() if share > MANY)
    yield from about_first_weights(student)
    if names_classes(data):
        yield from about_classes(data)
    for name, teacher in teachers.items():
        yield from about_test_rows(name, teacher, data)
        yield from about_zeros(name, teacher, data, hottest)
        yield from about_order(name, teacher, data)


def names_classes(data: Dataset) -> bool:
    """Whether each training row has a label of its own."""
    return data.train.labels is not None and data.train.labels.ndim == 1


def about_rows(data: Dataset) -> Iterator[tuple[str, float]]:
    """Which splits share inputs, and which share of the first one's."""
    parts = dict(data.splits())
    for few, many, harm in SHARED:
        if few in parts and many in parts and (shared := rows_shared(parts[few].inputs, parts[many].inputs)):
            number = len(parts[few].inputs)
            yield f"{shared:,} of the {number:,} {few} inputs are {harm}.", shared / number


def rows_shared(few: Tensor, many: Tensor) -> int:
    """How many of few rows are among the many, of which no second copy is kept."""
    rows = [bytes(bytes_of(row)) for row in few]
    held = set(rows)
    seen = {row for row in (bytes(bytes_of(one)) for one in many) if row in held}
    return sum(row in seen for row in rows)


def about_classes(data: Dataset) -> Iterator[str]:
    train, test = ({*part.labels[part.labels >= 0].tolist()} for part in (data.train, data.test))
    if len(train) == 1:
        yield "all training labels are of one class: there is nothing to tell apart."
    unknown = sorted(test - train)
    if unknown:
        yield f"the test holds classes that the training lacks, {unknown}: were the rows sorted before they were split?"


def about_first_weights(student: Network) -> Iterator[str]:
    """A builder that seeds itself makes every seed the same student."""
    built = [] if isinstance(student, nn.Module) else [seeded(student, seed) for seed in (0, 1)]
    one, other = [network.state_dict() for network in built if isinstance(network, nn.Module)] or ({}, {})
    if one and all(torch.equal(one[name], other[name]) for name in one):
        yield "every seed starts from the same first weights: the intervals do not cover the luck of first weights."


def about_test_rows(name: str, teacher: Any, data: Dataset) -> Iterator[str]:
    """A teacher that learned the test rows hands out their ground truth."""
    learned = isinstance(teacher, Run) and teacher.data is not data
    if learned and (shared := rows_shared(data.test.inputs, teacher.data.train.inputs)):
        yield f"{shared:,} of the {len(data.test.inputs):,} test inputs were training inputs of {name!r}."


def about_zeros(name: str, teacher: Any, data: Dataset, hottest: float) -> Iterator[str]:
    """Where an estimator says 0, `logits_from` puts its eps, whose share of a soft label grows with T."""
    if not hasattr(teacher, "predict_proba") or not hasattr(teacher, "classes_"):  # which a run's checks refuse
        return
    probabilities = np.asarray(teacher.predict_proba(as_array(data.inputs("train", slice(0, ASKED)))))
    there = len(data.class_names) if data.train.labels is None else int(data.train.labels.max()) + 1
    if (known := probabilities.shape[-1]) < there:
        yield f"{name!r} has seen {known} of the {there} classes: it teaches that the others never occur."
    if hottest > 1 and (zeros := round(100 * float((probabilities == 0).mean()))):
        yield (
            f"{zeros} % of the probabilities of {name!r} are 0, for which logits_from puts eps: at T = {hottest:g} the "
            "soft labels depend on that eps. At T = 1 they do not."
        )


def about_order(name: str, teacher: Any, data: Dataset) -> Iterator[str]:
    """Stored logits whose rows are not those of the data look like a teacher that knows nothing."""
    logits = stored_on_train(teacher)
    if logits is None or len(logits) != len(data.train.inputs) or not names_classes(data):
        return
    known = data.train.labels >= 0
    if not known.any():
        return
    labels, named = data.train.labels[known], torch.as_tensor(logits)[known].argmax(dim=-1)
    together = counted_together(named, labels, logits.shape[-1])
    right, shuffled = float(together.trace()), float(together.sum(dim=0) @ together.sum(dim=1))
    told = f"stored logits of {name!r} name the ground truth of {100 * right:.1f} % of the training rows"
    places, classes = linear_sum_assignment(-together.numpy())
    best = float(together[places, classes].sum())
    if best > right + CHANCE and best > (1 + shuffled) / 2:
        yield f"{told}, with columns taken for {classes.tolist()} {100 * best:.1f} %: is that their classes' order?"
    elif right < shuffled + CHANCE * (1 - shuffled):
        yield f"{told}, hardly more than chance: are they in the order of the training rows?"


def counted_together(named: Tensor, labels: Tensor, classes: int) -> Tensor:
    """`(C, C)`: the share of rows of each named class, a row, and label, a column."""
    counts = torch.bincount(named * classes + labels, minlength=classes**2).reshape(classes, classes)
    return counts.double() / len(labels)


def stored_on_train(teacher: Any) -> Tensor | None:
    if isinstance(teacher, StoredTeacher):
        return teacher.splits.get("train")
    found = teacher.get("train") if isinstance(teacher, Mapping) else teacher
    return found if hasattr(found, "shape") and not callable(found) else None
