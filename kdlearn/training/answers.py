"""What a teacher says about views: `answers(epoch, rows)` gives fields of a batch, stored or asked live."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdlearn.data.batches import Inputs
from kdlearn.data.dataset import Dataset
from kdlearn.formulas.arguments import check_logits, warn_of_probabilities
from kdlearn.formulas.labels import logits_from
from kdlearn.training.loop import eval_mode, listening, predict
from kdlearn.training.machine import Machine

DTYPES = {"float32": torch.float32, "float16": torch.float16}
EPS = 1e-6


class StoredAnswers:
    """The teacher's logits of each epoch's views, a row an example; after the last epoch the first comes again."""

    def __init__(self, epochs: Sequence[Tensor]) -> None:
        self.epochs = epochs

    def __call__(self, epoch: int, rows: Tensor) -> dict[str, Any]:
        logits = self.epochs[epoch % len(self.epochs)]
        return {"teacher_logits": logits[rows.to(logits.device)].float().to(rows.device)}


class LiveAnswers:
    """The teacher is asked about every batch; `layers` of a network arrive as `teacher_features`."""

    def __init__(self, teacher: Callable[[Tensor], Tensor], inputs: Inputs, layers: Sequence[str], machine: Machine):
        if layers and not isinstance(teacher, nn.Module):
            raise TypeError(f"a teacher with layers must be a torch network; got {type(teacher).__name__}")
        self.teacher: Any = teacher
        self.inputs, self.layers, self.machine = inputs, list(layers), machine

    @torch.no_grad()
    def __call__(self, epoch: int, rows: Tensor) -> dict[str, Any]:
        if not self.layers:
            return {"teacher_logits": predict(self.teacher, self.inputs(epoch, rows), machine=self.machine)}
        with listening(self.teacher, self.layers) as heard, eval_mode(), self.machine.precision():
            logits = self.teacher(self.inputs(epoch, rows)).float()
        return {"teacher_logits": logits, "teacher_features": tuple(heard)}


@dataclass(frozen=True, eq=False)
class Estimator:
    """An estimator with `predict_proba`, such as scikit-learn's, as a teacher: logits are logarithms of probabilities.

    Its `classes_` are matched with the data's: class indices, or names. A class that it does not know has probability
    0. `eps` stands in for probabilities below it: a forest is often certain, and `eps` decides how certain its logits.
    """

    model: Any
    class_names: tuple[str, ...]
    num_classes: int
    eps: float = EPS

    def __call__(self, inputs: Tensor) -> Tensor:
        found = np.asarray(self.model.predict_proba(inputs.flatten(1).cpu().numpy()))
        probabilities = torch.zeros(len(inputs), self.num_classes)
        probabilities[:, self.columns()] = torch.as_tensor(found, dtype=torch.float32)
        return logits_from(probabilities, eps=self.eps)

    def columns(self) -> list[int]:
        """For each class of the estimator its index in the data."""
        names = {name: index for index, name in enumerate(self.class_names)}
        indices = {index: index for index in range(self.num_classes)}
        if not hasattr(self.model, "classes_"):
            raise ValueError(f"the teacher must be fitted, so that it has classes_; {type(self.model).__name__} is not")
        found = np.asarray(self.model.classes_).tolist()
        if names and all(str(one) in names for one in found):  # 3 is the class named "3", wherever it stands
            found = [str(one) for one in found]
        known: dict[Any, int] = names if names and all(isinstance(one, str) for one in found) else indices
        odd = [one for one in found if one not in known]
        if odd:
            raise ValueError(f"classes_ of the teacher must be classes of the data, {list(known)}; got {odd}")
        return [known[one] for one in found]


@dataclass(frozen=True, eq=False)
class Estimated:
    """An estimator with `predict`, such as scikit-learn's regressors, as a teacher of numbers `(N, D)`."""

    model: Any
    shape: tuple[int, ...]

    def __call__(self, inputs: Tensor) -> Tensor:
        found = np.asarray(self.model.predict(inputs.flatten(1).cpu().numpy()))
        return torch.as_tensor(found, dtype=torch.float32).reshape(-1, *self.shape)


@dataclass(frozen=True, eq=False)
class StoredTeacher:
    """Logits that somebody computed before: `(N, C)` of the training rows, and of other splits where they are there."""

    splits: Mapping[str, Tensor]


def teacher_of(teacher: Any, data: Dataset, num_classes: int) -> Any:
    """A network or callable as it is, an estimator or stored logits as something that answers."""
    if isinstance(teacher, StoredTeacher | Estimator | Estimated | nn.Module):
        return teacher
    if isinstance(teacher, Tensor | np.ndarray | Mapping):
        splits = teacher if isinstance(teacher, Mapping) else {"train": teacher}
        return stored_teacher({name: torch.as_tensor(logits) for name, logits in splits.items()}, data)
    if hasattr(teacher, "predict_proba"):
        estimator = Estimator(teacher, data.class_names, num_classes)
        estimator.columns()
        return estimator
    numbers = data.test.labels
    if hasattr(teacher, "predict") and numbers is not None and numbers.is_floating_point():
        return Estimated(teacher, tuple(numbers.shape[1:]))
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
            there = f"the {sizes[name]} inputs of {name}" if name in sizes else f"a split of {', '.join(sizes)}"
            raise ValueError(f"stored logits must have a row for each of {there}; got {name} with {len(logits)}")
        check_stored(name, logits, data)
    if "train" not in splits:
        raise ValueError(f"stored logits must cover train, and perhaps other splits; got {', '.join(splits)}")
    return StoredTeacher(splits)


def check_stored(split: str, logits: Tensor, data: Dataset) -> None:
    """Finite numbers: logits, or, where labels are numbers, one for each of them."""
    if not logits.isfinite().all():
        rows = int((~logits.isfinite()).flatten(1).any(dim=1).sum())
        raise ValueError(
            f"stored logits must be finite; {rows} rows of {split} hold NaN or infinity. Leave rows that the teacher "
            "did not answer out of the data"
        )
    labels = data.train.labels
    if labels is not None and labels.is_floating_point():
        if logits.shape[1:] != labels.shape[1:]:
            raise ValueError(
                f"stored numbers must have the labels' shape, {tuple(labels.shape)}; got {tuple(logits.shape)}"
            )
        return
    check_logits(teacher_logits=logits)
    warn_of_probabilities(logits, None)


def ask(
    teacher: Callable[[Tensor], Tensor] | StoredTeacher,
    data: Dataset,
    inputs: Inputs,
    epoch: int,
    dtype: str = "float32",
    machine: Machine = Machine(),
) -> Tensor:
    """The teacher's logits of an epoch's views of all training rows, `(N, C)`."""
    if isinstance(teacher, StoredTeacher):
        return teacher.splits["train"].to(DTYPES[dtype])
    rows = torch.arange(len(data.train.inputs), device=data.train.inputs.device).split(1000)
    logits = torch.cat([predict(teacher, inputs(epoch, part), machine=machine).to(DTYPES[dtype]) for part in rows])
    warn_of_probabilities(logits, None)
    if not logits.isfinite().all():
        way = "scale them, or ask for float32" if dtype == "float16" else "it answers NaN or infinity for some rows"
        raise ValueError(f"the teacher's logits must be finite in {dtype}: {way}")
    return logits


def answers_on(
    teacher: Callable[[Tensor], Tensor] | StoredTeacher, data: Dataset, split: str, machine: Machine = Machine()
) -> Tensor | None:
    """The teacher's logits of a split as it is, `(N, C)`; None where stored ones do not cover it."""
    if isinstance(teacher, StoredTeacher):
        return teacher.splits.get(split)
    return predict(teacher, data.inputs(split), machine=machine).cpu()
