"""Asking a teacher once, for all students that will read its answers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kdlearn.data.dataset import Dataset, logits_shape
from kdlearn.data.files import write_tensors
from kdlearn.data.views import Views, training_inputs
from kdlearn.engine.run import Run
from kdlearn.engine.tasks import ONE_AT_A_TIME, Task, answers_file, trained_network
from kdlearn.training.answers import StoredTeacher, answers_on, ask
from kdlearn.training.machine import Machine
from kdlearn.training.outputs import predict

PROBE = "probe"  # answers by which a teacher that is asked live is known


@dataclass(frozen=True, eq=False)
class Query:
    """What a teacher is asked on a data set: some epochs of views, and the splits that students are measured on."""

    name: str
    data: Dataset
    views: Views | None
    dtype: str
    epochs: tuple[int, ...]
    splits: tuple[str, ...]
    live: bool = False

    @property
    def wanted(self) -> list[str]:
        return [*map(str, self.epochs), *self.splits]

    def answers(self, teacher: Any, machine: Machine) -> Iterator[tuple[str, Tensor]]:
        """An epoch or split, and the logits; one at a time, so that no more is held in memory."""
        if isinstance(teacher, nn.Module):
            teacher = machine.place(teacher)
        data = self.data.to(machine.device)
        inputs = training_inputs(data, self.views)
        if self.live:  # known by what it says of all training rows: another teacher may differ on a few alone
            yield PROBE, ask(teacher, data, inputs, 0, machine=machine).cpu()
        for epoch in self.epochs:
            yield str(epoch), ask(teacher, data, inputs, epoch, self.dtype, machine).cpu()
        for split in self.splits:
            logits = answers_on(teacher, data, split, machine)
            if logits is not None:
                yield split, logits


def query_of(name: str, runs: Sequence[Run]) -> Query:
    """One query that is enough for all of these runs."""
    first, stored = runs[0], [run for run in runs if run.stores_answers]
    epochs = tuple(range(max((run.num_epochs for run in stored), default=0)))
    splits = tuple(sorted({run.measured_on for run in runs}))
    live = not isinstance(first.teacher, Run) and len(stored) < len(runs)
    return Query(name, first.data, first.views, first.answers, epochs, splits, live)


def keep_answers(folder: Path, name: str | None, answers: Iterable[tuple[str, Tensor]]) -> None:
    for what, logits in answers:
        file = answers_file(folder, name, what)
        if not file.exists():
            write_tensors(file, {"logits": logits.contiguous()}, file.stem)


def ask_network(query: Query, run: Run, weights: str, task: Task) -> None:
    """What a worker does between teachers and students: ask a trained network."""
    if all(answers_file(task.folder, query.name, what).exists() for what in query.wanted):
        return
    with ONE_AT_A_TIME, task.machine.threading():
        network = trained_network(run, task.folder, weights)
        keep_answers(task.folder, query.name, query.answers(network, task.machine))


def check_steady(teacher: Any, data: Dataset, machine: Machine) -> None:
    """A teacher says the same when it is asked again: no dropout, no noise."""
    if isinstance(teacher, StoredTeacher):
        return
    inputs = data.to(machine.device).inputs("train", slice(0, 64))
    try:
        one, other = (predict(teacher, inputs, machine=machine) for _ in range(2))
    except Exception as problem:
        came = f"{inputs.dtype} of shape {tuple(inputs.shape)}; it raised {type(problem).__name__}: {problem}"
        way = "A function that brings them into its form makes a teacher fit; call what builds a network"
        raise ValueError(f"the teacher must answer the inputs of the data, {came}. {way}") from problem
    if one.shape == other.shape and not torch.allclose(one, other, rtol=1e-2, atol=1e-2, equal_nan=True):
        way = "Put it into eval() mode, and take random numbers out of it"
        raise ValueError(f"the teacher must give the same answer twice; it gives another, as dropout does. {way}")


def check_answers(what: str, logits: Tensor, data: Dataset, num_classes: int) -> None:
    """Every teacher that is no run answers for each label, in the student's classes, with finite numbers."""
    of_train = what.isdecimal() or what == PROBE
    part = data.train if of_train else getattr(data, what)
    expected = (len(part.inputs), num_classes) if part.labels is None else logits_shape(part.labels, num_classes)
    where = "views of the training rows" if of_train else what
    if tuple(logits.shape) != expected:
        raise ValueError(
            f"teacher must give logits {expected} of {where}, one for each of the student's outputs; "
            f"got {tuple(logits.shape)}. Give the student as many, or a function that picks the teacher's columns"
        )
    if not logits.isfinite().all():
        raise ValueError(f"teacher must give finite logits; those of {where} hold NaN or infinity")
