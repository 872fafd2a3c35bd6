"""What a teacher says about views: `answers(epoch, rows)` gives fields of a batch, stored or asked live."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdlearn.data.batches import Inputs
from kdlearn.data.dataset import Dataset
from kdlearn.formulas.arguments import check_rows, warn_of_probabilities
from kdlearn.formulas.labels import logits_from
from kdlearn.training.machine import Machine
from kdlearn.training.outputs import captured_outputs, predict

DTYPES = {"float32": torch.float32, "float16": torch.float16}


@dataclass(frozen=True, eq=False)
class StoredAnswers:
    """The teacher's logits of each epoch's views, a row an example; after the last epoch the first comes again."""

    epochs: Sequence[Tensor]

    def __call__(self, epoch: int, rows: Tensor) -> dict[str, Any]:
        logits = self.epochs[epoch % len(self.epochs)]
        return {"teacher_logits": logits[rows.to(logits.device)].float().to(rows.device)}


@dataclass(frozen=True, eq=False)
class LiveAnswers:
    """The teacher is asked about every batch; `layers` of a network arrive as `teacher_features`."""

    teacher: Callable[[Tensor], Tensor]
    inputs: Inputs
    layers: Sequence[str]
    machine: Machine

    def __call__(self, epoch: int, rows: Tensor) -> dict[str, Any]:
        with captured_outputs(self.teacher, self.layers) as features:  # of one forward pass of all rows
            logits = predict(self.teacher, self.inputs(epoch, rows), len(rows), self.machine)
        return {"teacher_logits": logits, "teacher_features": tuple(features) or None}


@dataclass(frozen=True, eq=False)
class StoredTeacher:
    """Logits that somebody computed before: `(N, C)` of the training rows, and of other splits where they are there."""

    splits: Mapping[str, Tensor]


Teacher = Callable[[Tensor], Tensor] | StoredTeacher


def teacher_of(teacher: Any, data: Dataset, num_classes: int) -> Any:
    """A network or callable as it is, an estimator or stored logits as something that answers."""
    if isinstance(teacher, StoredTeacher | nn.Module):
        return teacher
    if isinstance(teacher, Tensor | np.ndarray | Mapping):
        splits = teacher if isinstance(teacher, Mapping) else {"train": teacher}
        return stored_teacher({name: torch.as_tensor(logits) for name, logits in splits.items()}, data)
    if hasattr(teacher, "predict_proba"):
        return partial(logits_by, teacher, classes_of(teacher, data.class_names, num_classes), num_classes)
    numbers = data.test.labels
    if hasattr(teacher, "predict") and numbers is not None and numbers.is_floating_point():
        return partial(numbers_by, teacher, tuple(numbers.shape[1:]))
    if not callable(teacher):
        raise TypeError(
            "teacher must be a torch network, a callable from inputs to logits, an estimator with predict_proba, or "
            f"stored logits; got {type(teacher).__name__}. compare and study take a Run too, and train it"
        )
    return teacher


def stored_teacher(splits: Mapping[str, Tensor], data: Dataset) -> StoredTeacher:
    sizes = {name: len(part.inputs) for name, part in data.splits()}
    for name, logits in splits.items():
        if len(logits) != sizes.get(name):
            there = ", ".join(f"{size} of {split}" for split, size in sizes.items())
            raise ValueError(f"stored logits must have a row for each input, {there}; got {len(logits)} of {name}")
    if "train" not in splits:
        raise ValueError(f"stored logits must cover train, and perhaps other splits; got {', '.join(splits)}")
    return StoredTeacher(splits)


def logits_by(estimator: Any, classes: Sequence[int], num_classes: int, inputs: Tensor) -> Tensor:
    """Logarithms of the probabilities of an estimator such as scikit-learn's; a class that it does not know has 0."""
    probabilities = torch.zeros(len(inputs), num_classes)
    probabilities[:, classes] = torch.as_tensor(estimator.predict_proba(as_array(inputs)), dtype=torch.float32)
    return logits_from(probabilities)


def numbers_by(estimator: Any, shape: tuple[int, ...], inputs: Tensor) -> Tensor:
    """What an estimator with `predict`, such as scikit-learn's regressors, says: numbers `(N, D)`."""
    return torch.as_tensor(estimator.predict(as_array(inputs)), dtype=torch.float32).reshape(-1, *shape)


def as_array(inputs: Tensor) -> np.ndarray:
    return inputs.flatten(1).cpu().numpy()


def classes_of(estimator: Any, names: Sequence[str], num_classes: int) -> list[int]:
    """For each class of an estimator its index in the data: its own number, or the place of its name."""
    if not hasattr(estimator, "classes_"):
        raise ValueError(f"the teacher must be fitted, so that it has classes_; {type(estimator).__name__} is not")
    found = np.asarray(estimator.classes_).tolist()
    if names and all(str(one) in names for one in found):  # 3 is the class named "3", wherever it stands
        return [names.index(str(one)) for one in found]
    if not all(one in range(num_classes) for one in found):
        there = list(names or range(num_classes))
        raise ValueError(f"classes_ of the teacher must be classes of the data, {there}; got {found}")
    return list(map(int, found))


def ask(
    teacher: Teacher, data: Dataset, inputs: Inputs, epoch: int, dtype: str = "float32", machine: Machine = Machine()
) -> Tensor:
    """The teacher's logits of an epoch's views of all training rows, `(N, C)`."""
    if isinstance(teacher, StoredTeacher):
        logits = teacher.splits["train"].to(DTYPES[dtype])
    else:
        rows = torch.arange(len(data.train.inputs), device=data.train.inputs.device).split(1000)
        logits = torch.cat([predict(teacher, inputs(epoch, part), machine=machine).to(DTYPES[dtype]) for part in rows])
    check_rows("the teacher's logits", logits)
    warn_of_probabilities(logits, None)
    wrong = int((~logits.isfinite()).flatten(1).any(dim=1).sum())
    if wrong:
        way = "Scale them, or ask for float32" if dtype == "float16" else "Leave such rows out of the data"
        raise ValueError(f"the teacher's logits must be finite in {dtype}; {wrong} rows hold NaN or infinity. {way}")
    return logits


def answers_on(teacher: Teacher, data: Dataset, split: str, machine: Machine = Machine()) -> Tensor | None:
    """The teacher's logits of a split as it is, `(N, C)`; None where stored ones do not cover it."""
    if isinstance(teacher, StoredTeacher):
        return teacher.splits.get(split)
    return predict(teacher, data.inputs(split), machine=machine).cpu()
