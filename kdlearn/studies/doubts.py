"""What in a question would make its answer mean something else: said beside the result, since it may be meant."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from kdlearn.data.dataset import Dataset, bytes_of
from kdlearn.formulas.metrics import accuracy
from kdlearn.networks import seeded
from kdlearn.studies.run import Network
from kdlearn.training.answers import StoredTeacher

CHANCE = 1.5  # times the share of a class: what an order by accident may reach


def doubts_about(data: Dataset, student: Network, teachers: Mapping[str, Any]) -> Iterator[str]:
    """A sentence each for splits that share rows or lack a class, for equal first weights, and for stored logits."""
    yield from about_rows(data)
    if data.train.labels.ndim == 1:
        yield from about_classes(data)
    yield from about_first_weights(student)
    for name, teacher in teachers.items():
        if data.train.labels.ndim == 1:
            yield from about_order(name, teacher, data)


def about_rows(data: Dataset) -> Iterator[str]:
    tested = [bytes(bytes_of(row)) for row in data.test.inputs]
    held = set(tested)  # the smaller split: no second copy of the training images is kept
    seen = {row for row in (bytes(bytes_of(one)) for one in data.train.inputs) if row in held}
    shared = sum(row in seen for row in tested)
    if shared:
        yield f"{shared:,} of the {len(tested):,} test inputs are training inputs too: they measure memory."


def about_classes(data: Dataset) -> Iterator[str]:
    train, test = ({*part.labels[part.labels >= 0].tolist()} for part in (data.train, data.test))
    if len(train) == 1:
        yield "all training labels are of one class: there is nothing to tell apart."
    unknown = sorted(test - train)
    if unknown:
        yield f"the test holds classes that the training lacks, {unknown}: were the rows sorted before they were split?"


def about_first_weights(student: Network) -> Iterator[str]:
    """A builder that seeds itself makes every seed the same student."""
    one, other = (seeded(student, seed).state_dict() for seed in (0, 1))
    if one and all(torch.equal(one[name], other[name]) for name in one):
        yield "every seed starts from the same first weights: the intervals do not cover the luck of first weights."


def about_order(name: str, teacher: Any, data: Dataset) -> Iterator[str]:
    """Stored logits whose rows are not those of the data look like a teacher that knows nothing."""
    logits = stored_on_train(teacher)
    known = data.train.labels >= 0
    if logits is None or not known.any():
        return
    right = accuracy(torch.as_tensor(logits)[known], data.train.labels[known])
    yield f"stored logits of {name!r} name the ground truth of {100 * right:.1f} % of the training rows."
    if right < CHANCE / logits.shape[-1]:
        yield "that is hardly more than chance: are the stored logits in the order of the training rows?"


def stored_on_train(teacher: Any) -> Tensor | None:
    if isinstance(teacher, StoredTeacher):
        return teacher.splits.get("train")
    found = teacher.get("train") if isinstance(teacher, Mapping) else teacher
    return found if hasattr(found, "shape") and not callable(found) else None
