"""One experiment, one call: does distillation help this student, on these data, and by how much?"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any

from kdlearn.comparing.comparison import Comparison
from kdlearn.comparing.notes import notes_of
from kdlearn.comparing.question import Question
from kdlearn.comparing.question_warnings import about_rows, warnings_about
from kdlearn.comparing.students import Students
from kdlearn.comparing.tuning import Choice, choose_settings
from kdlearn.data.views import Views
from kdlearn.engine.run import Metric, Network
from kdlearn.engine.study import study
from kdlearn.formulas.metrics import accuracy, direction_of, is_share
from kdlearn.training.machine import Machine
from kdlearn.training.optimizers import Adam, Optimizer
from kdlearn.training.strategies import Strategy


def compare(
    student: Network,
    strategies: Iterable[Strategy] | Mapping[str, Strategy],
    data: Any,
    *,
    teacher: Any = None,
    seeds: Iterable[int] = range(10),
    lengths: Sequence[int] = (300,),
    replicates: int | Iterable[int] | None = None,
    baseline: str = "ground truth",
    choose: Choice | Mapping[str, Sequence[Strategy]] | None = None,
    metric: Metric = accuracy,
    optimizer: Optimizer = Adam(),
    batch_size: int | None = None,
    sample: int | None = None,
    views: Views | None = None,
    answers: str = "float32",
    folder: str | Path | None = None,
    machine: Machine = Machine(),
    executor: Executor | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> Comparison:
    """Train students by each strategy and seed, and say how they differ, with intervals.

    Args:
        student: a callable that builds one, such as `lambda: kdlearn.perceptron(64, 32, 10)`.
        strategies: a list, or a mapping of names; ground truth is added where it is missing.
        data: a `Dataset`, a folder of images, or a mapping of `train`, `test` and, if anything is chosen, `validation`
            to a pair `(inputs, labels)`, a torch data set or a DataLoader; or a function of the replicate.
        teacher: a network, a callable from inputs to logits, an estimator with `predict_proba` (of numbers
            `predict`), stored logits, a `Run`; several in a list or a mapping of names, crossed with the seeds; with
            `replicates` a function `teacher(replicate, data)` of one.
        seeds: of the students. Runs of one teacher, seed and length are paired: the same first weights, the same order.
        lengths: numbers of updates at which each student is measured.
        replicates: how often all is repeated, each time with a teacher (and a split) of its own.
        baseline: the strategy that others are compared with.
        choose: candidates for each arm, scored on validation with other seeds than the reported ones.
        metric: `metric(logits, labels)`, a float; with an attribute `share = True` it is shown in points. With `choose`
            it must be a share or have an attribute `smaller_is_better`, True or False.
        optimizer: `Adam()`, or torch's by a function of the parameters.
        batch_size: 64 unless told; a DataLoader's own.
        sample: train on so many rows, drawn by the seed; each class keeps its share.
        views: augmentation that teacher and student share.
        answers: how the teacher's are stored, "float32" or "float16", or "live".
        folder: keeps what is done, so that a comparison that was stopped goes on.
        machine, executor, workers, progress: as in `study`.

    Returns:
        A `Comparison`. It prints itself; `difference(a, b)` gives any difference with its interval, `table` every run,
        `summary()` a table for a paper, `student(arm, seed)` a trained network.

    Raises:
        ValueError, TypeError: what cannot be used, before anything is trained.

    >>> from kdlearn import Run, SoftLabels, load_digits, perceptron
    >>> digits = load_digits()
    >>> teacher = Run(digits, lambda: perceptron(64, 64, 10), lengths=(30,))  # trained along
    >>> options = {"teacher": teacher, "seeds": range(3), "lengths": (10,)}
    >>> comparison = compare(lambda: perceptron(64, 8, 10), [SoftLabels(2.0)], digits, **options)
    >>> [(row["arm"], row["seeds"]) for row in comparison.arms()]
    [('ground truth', 3), ('soft labels', 3)]
    """
    if not isinstance(lengths, Iterable):
        raise TypeError(f"lengths must be several numbers of updates, such as ({lengths},); got {lengths!r}")
    question = Question(
        student, strategies, data, teacher, seeds, whole(lengths), replicates, baseline, metric, optimizer,
        batch_size, sample, views, answers,
    )  # fmt: skip
    first = question.data(question.replicates[0])
    shared = dict(about_rows(first))
    warned = list(warnings_about(first, student, question.teachers_asked, shared, question.hottest))
    if question.repeats_nothing:
        warned.append("replicates have the same data and the same teacher: they are other seeds, and repeat nothing.")
    for sentence in warned:
        warnings.warn(sentence, stacklevel=2)
    where = {"machine": machine, "executor": executor, "workers": workers, "progress": progress}
    choice = choose if isinstance(choose, Choice | None) else Choice(choose)
    chosen, scores = choose_settings(question, choice, folder, where) if choice else (None, None)
    runs = list(question.runs(chosen))
    table, students = study(runs, folder, **where), Students(runs, folder, machine)
    comparison = Comparison(table, question.metric_name, is_share(metric), baseline, scores=scores, students=students)
    notes = notes_of(comparison, chosen, direction_of(metric), question.one_answer)
    return replace(comparison, notes=tuple(dict.fromkeys([*warned, *shared, *notes])))


def whole(lengths: Iterable[Any]) -> tuple[Any, ...]:
    """NumPy's whole numbers as Python's; what is none is refused by the checks of a run."""
    return tuple(int(one) if isinstance(one, Integral) else one for one in lengths)
