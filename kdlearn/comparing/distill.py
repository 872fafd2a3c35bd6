"""One student, trained in place by one teacher."""

import copy
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from kdlearn.comparing.question_warnings import about_order
from kdlearn.data.batches import Answers, BatchStream, Inputs
from kdlearn.data.convert import batch_size_of, dataset_of
from kdlearn.data.dataset import Dataset
from kdlearn.data.views import Views, training_inputs
from kdlearn.engine.checks import Checks
from kdlearn.engine.queries import check_answers, check_steady
from kdlearn.engine.run import Run
from kdlearn.formulas.metrics import accuracy
from kdlearn.formulas.regression import mean_squared_error
from kdlearn.training.answers import LiveAnswers, StoredAnswers, ask, teacher_of
from kdlearn.training.loop import train
from kdlearn.training.machine import Machine
from kdlearn.training.optimizers import Adam, Optimizer
from kdlearn.training.strategies import SoftLabels, Strategy


def distill(
    teacher: Any,
    student: nn.Module,
    data: Any,
    *,
    strategy: Strategy = SoftLabels(),
    num_epochs: int = 1,
    optimizer: Optimizer = Adam(),
    batch_size: int | None = None,
    seed: int = 0,
    views: Views | None = None,
    answers: str = "float32",
    machine: Machine = Machine(),
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Train one student in place on what a teacher says; it is left in `train()` mode.

    Args:
        teacher: a network, a callable from inputs to logits, an estimator with `predict_proba`, or stored logits.
        student: the network that is trained.
        data: what `compare` takes, or its training split alone, such as a DataLoader; the student learns from that
            split, and others are checked.
        strategy: which labels, which loss.
        num_epochs: how often every training row is seen.
        seed: of order and dropout.
        optimizer, batch_size, views, answers, machine: as in `compare`.
        progress: whether to show a bar with the time left.

    Returns:
        The learning curve, a dictionary of `epoch` and `loss` for each epoch.

    >>> import kdlearn
    >>> digits = kdlearn.load_digits()
    >>> teacher, student = kdlearn.small_convnet(), kdlearn.perceptron(64, 32, 10)
    >>> len(kdlearn.distill(teacher, student, digits, num_epochs=2, progress=False))
    2
    """
    if not isinstance(student, nn.Module):
        raise TypeError(f"student must be a torch network, trained in place; got {type(student).__name__}")
    if teacher is student:
        raise ValueError("teacher and student must be two networks; the same one came twice, and would follow itself")
    rows = batch_size if batch_size is not None else batch_size_of(data) or 64
    told = {"seed": seed, "batch_size": rows, "views": views, "answers": answers}
    given = trained_on(data)
    labels = given.train.labels
    metric = mean_squared_error if labels is not None and labels.is_floating_point() else accuracy  # measures nothing
    run = Run(given, lambda: copy.deepcopy(student), strategy, teacher, metric=metric, **told)
    checks = Checks(machine)
    checks.of(run)
    for sentence in about_order("teacher", teacher, given):
        warnings.warn(sentence, stacklevel=2)
    machine.place(student)
    options = {"num_epochs": num_epochs, "optimizer": optimizer, "seed": seed, "progress": progress}
    return train(student, stream_of(run, machine, checks.num_classes(run)), strategy, machine=machine, **options)


def trained_on(data: Any) -> Dataset:
    """The data set, of which the training split may be all there is: a loader or a torch data set."""
    data = data if isinstance(data, Dataset | Mapping | str | Path) else {"train": data}
    alone = isinstance(data, Mapping) and "test" not in data and "train" in data
    return dataset_of({**data, "test": data["train"]} if alone else data)


def stream_of(run: Run, machine: Machine, classes: int) -> BatchStream:
    data = run.data.to(machine.device)
    inputs = training_inputs(data, run.views)
    answers = answers_for(run, inputs, machine, classes)
    return BatchStream(data.train, run.batch_size, seed=run.seed, rows=run.rows, inputs=inputs, answers=answers)


def answers_for(run: Run, inputs: Inputs, machine: Machine, classes: int) -> Answers | None:
    """Asked once where the inputs stay the same, else live: one student sees each view once."""
    if not run.asks_teacher:
        return None
    teacher: Any = teacher_of(run.teacher, run.data, classes)
    check_steady(teacher, run.data, machine)
    if run.stores_answers and run.views is None:
        logits = ask(teacher, run.data.to(machine.device), inputs, 0, run.answers, machine)
        check_answers("0", logits, run.data, classes)
        return StoredAnswers([logits])
    return LiveAnswers(teacher, inputs, [layer for _, layer in run.strategy.layers], machine)
