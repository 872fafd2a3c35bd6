"""One experiment, one call: does distillation help this student, on these data, and by how much?"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import Any

from kdlearn.data.convert import batch_size_of, dataset_of
from kdlearn.data.dataset import Dataset
from kdlearn.data.views import Views
from kdlearn.formulas.metrics import accuracy, direction_of
from kdlearn.studies.comparison import Comparison
from kdlearn.studies.doubts import doubts_about
from kdlearn.studies.notes import notes_of
from kdlearn.studies.run import Metric, Network, Run, name_of_metric
from kdlearn.studies.study import study
from kdlearn.studies.tuning import Choice, Chosen, choose_settings
from kdlearn.training.machine import Machine
from kdlearn.training.optimizers import Adam, Optimizer, recipe_of
from kdlearn.training.strategies import GroundTruth, Strategy


def compare(
    student: Network,
    strategies: Iterable[Strategy] | Mapping[str, Strategy],
    data: Any,
    *,
    teacher: Any = None,
    seeds: Iterable[int] = range(10),
    lengths: Sequence[int] = (300,),
    replicates: int | Iterable[int] | None = None,
    against: str = "ground truth",
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
        against: the strategy that others are compared with.
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
        A `Comparison`. It prints itself; `difference(a, b)` gives any difference with its interval, `table` every run.

    Raises:
        ValueError, TypeError: what cannot be used, before anything is trained.

    >>> from kdlearn import SoftLabels, load_digits, perceptron
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
        student, strategies, data, teacher, seeds, whole(lengths), replicates, against, metric, optimizer,
        batch_size, sample, views, answers,
    )  # fmt: skip
    where = {"machine": machine, "executor": executor, "workers": workers, "progress": progress}
    chosen, scores = question.choose(choose, folder, where)
    table = study(list(question.runs(chosen)), folder, **where)
    comparison = Comparison(table, question.metric_name, getattr(metric, "share", False), against, scores=scores)
    notes = [*question.doubts(), *notes_of(comparison, chosen, direction_of(metric), question.one_answer)]
    return replace(comparison, notes=tuple(notes))


@dataclass(frozen=True, eq=False)
class Question:
    """The arguments of `compare`, in one form each."""

    student: Network
    given_strategies: Iterable[Strategy] | Mapping[str, Strategy]
    given_data: Any
    teacher: Any
    given_seeds: Iterable[int]
    lengths: tuple[int, ...]
    given_replicates: int | Iterable[int] | None
    against: str
    metric: Metric
    optimizer: Optimizer
    given_batch_size: int | None
    sample: int | None
    views: Views | None
    answers: str
    made: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def strategies(self) -> dict[str, list[Strategy]]:
        """The strategies of each name, ground truth first where it was missing."""
        pairs = named(self.given_strategies)
        for place, (name, one) in enumerate(pairs):
            check_strategy(name, one)
            if any(name == other and repr(one.settings) == repr(two.settings) for other, two in pairs[:place]):
                raise ValueError(f"two strategies named {name!r} have the same settings: give a mapping of names")
        if self.against == GroundTruth.name and self.against not in [name for name, _ in pairs]:
            pairs.insert(0, (GroundTruth.name, GroundTruth()))
        if self.against not in [name for name, _ in pairs]:
            raise ValueError(
                f"against must name one of the strategies, {[name for name, _ in pairs]}; got {self.against!r}"
            )
        found: dict[str, list[Strategy]] = {}
        for name, one in pairs:
            found.setdefault(name, []).append(one)
        return found

    @cached_property
    def seeds(self) -> list[int]:
        return distinct("seeds", self.given_seeds)

    @cached_property
    def replicates(self) -> list[int]:
        given = self.given_replicates
        if isinstance(given, int) and given < 2:
            raise ValueError(f"replicates must be at least 2, or None; got {given}")
        return distinct("replicates", range(given) if isinstance(given, int) else given or [0])

    @cached_property
    def batch_size(self) -> int:
        if self.given_batch_size is not None:
            return self.given_batch_size
        return batch_size_of(self.given_data) or 64

    @property
    def metric_name(self) -> str:
        return name_of_metric(self.metric)

    def data(self, replicate: int) -> Dataset:
        given = self.given_data
        if callable(given) and not isinstance(given, Dataset):
            return self.once(("data", replicate), lambda: dataset_of(given(replicate)))
        return self.once("data", lambda: dataset_of(given))

    def teachers(self, replicate: int) -> dict[str, Any]:
        """The teachers of a replicate, by name."""
        return self.once(("teachers", replicate), lambda: self.make_teachers(replicate))

    def make_teachers(self, replicate: int) -> dict[str, Any]:
        if self.given_replicates is not None and self.teacher is not None:
            if not callable(self.teacher) or hasattr(self.teacher, "parameters"):
                raise TypeError(
                    "with replicates, teacher must be a function teacher(replicate, data), so that each has its own; "
                    f"got {type(self.teacher).__name__}"
                )
            return {"of the replicate": self.teacher(replicate, self.data(replicate))}
        stored = isinstance(self.teacher, Mapping) and all(hasattr(one, "shape") for one in self.teacher.values())
        if isinstance(self.teacher, Mapping) and not stored:
            return {str(name): one for name, one in self.teacher.items()}
        if isinstance(self.teacher, list):
            return {f"teacher {place}": one for place, one in enumerate(self.teacher)}
        return {} if self.teacher is None else {"teacher": self.teacher}

    @property
    def one_answer(self) -> float:
        """The share of the most frequent class in the test of the first replicate, if accuracy is measured."""
        test = self.data(self.replicates[0]).test
        if self.metric is not accuracy or test.labels.is_floating_point():
            return 0.0
        counted = test.labels if test.mask is None else test.labels[test.mask]
        return float(counted.flatten().bincount().max() / counted.numel())

    def doubts(self) -> Iterator[str]:
        """Of the first replicate."""
        asks = any(one.asks_teacher for some in self.strategies.values() for one in some)
        first = self.replicates[0]
        yield from doubts_about(self.data(first), self.student, self.teachers(first) if asks else {})

    def once(self, name: Any, make: Callable[[], Any]) -> Any:
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    def choose(self, choose: Any, folder: Any, where: Mapping[str, Any]) -> tuple[Chosen | None, Any]:
        if choose is None:
            return None, None
        choice = choose if isinstance(choose, Choice) else Choice(choose)
        return choose_settings(self, choice, folder, where)

    def runs(self, chosen: Chosen | None = None) -> Iterator[Run]:
        """All runs, in the order of the table."""
        for name, candidates in self.strategies.items():
            for strategy in candidates:
                if chosen is None:
                    yield from self.runs_of(name, strategy, self.optimizer, self.stretches())
                    continue
                for length in self.lengths:
                    picked = chosen.best[name, length]
                    yield from self.runs_of(name, picked.strategy, picked.optimizer, [(length,)])

    def stretches(self) -> list[tuple[int, ...]]:
        """With a constant rate one run is read at all lengths; with a schedule each length is a run of its own."""
        constant = recipe_of(self.optimizer).constant
        return [self.lengths] if constant else [(length,) for length in self.lengths]

    def runs_of(
        self,
        name: str,
        strategy: Strategy,
        optimizer: Optimizer,
        lengths: Sequence[tuple[int, ...]],
        **options: Any,
    ) -> Iterator[Run]:
        """The runs of one arm over replicates, teachers and seeds."""
        seeds, replicates = options.pop("seeds", self.seeds), options.pop("replicates", self.replicates)
        for replicate in replicates:
            teachers = self.teachers(replicate) if strategy.asks_teacher else {"": None}
            if not teachers:
                raise ValueError(f"strategy {name!r} reads a teacher's answers: give a teacher")
            for who, teacher in teachers.items():
                for seed in seeds:
                    for some in lengths:
                        yield self.run(name, strategy, optimizer, some, replicate, who, teacher, seed, options)

    def run(
        self, name: str, strategy: Strategy, optimizer: Optimizer, lengths: tuple[int, ...], replicate: int,
        who: str, teacher: Any, seed: int, options: Mapping[str, Any],
    ) -> Run:  # fmt: skip
        return Run(
            self.data(replicate), self.student, strategy, teacher, lengths, seed, replicate, optimizer,
            self.batch_size, self.sample, self.views, None, self.answers, self.metric,
            names={"strategy": name, "teacher": who}, **options,
        )  # fmt: skip


def named(strategies: Any) -> list[tuple[str, Strategy]]:
    """Each strategy with its name, of one, several in a list, or a mapping of names."""
    if isinstance(strategies, Mapping):
        return list(strategies.items())
    given = list(strategies) if isinstance(strategies, Iterable) else [strategies]
    return [(getattr(one, "name", ""), one) for one in given]


def check_strategy(name: str, strategy: Any) -> None:
    if not isinstance(strategy, Strategy):
        raise TypeError(
            "strategies must be instances of kdlearn.Strategy, such as kdlearn.SoftLabels(2.0), in a list or a mapping "
            f"of names; got {strategy!r}{f' named {name!r}' if name else ''}. An own one is a subclass, whose "
            "__call__(student_logits, batch) gives one value for each label"
        )
    if not getattr(strategy, "name", None):
        raise ValueError(f"{type(strategy).__name__} must have a name, which the table shows")


def whole(lengths: Iterable[Any]) -> tuple[Any, ...]:
    """NumPy's whole numbers as Python's; what is none is refused by the checks of a run."""
    return tuple(int(one) if isinstance(one, Integral) else one for one in lengths)


def distinct(name: str, values: Any) -> list[int]:
    if not isinstance(values, Iterable):
        raise TypeError(f"{name} must be several whole numbers, such as range({values}); got {values!r}")
    found = list(values)
    if not found or len(set(found)) < len(found) or any(not isinstance(one, Integral) or one < 0 for one in found):
        raise ValueError(f"{name} must be distinct whole numbers of at least 0, one or more; got {found}")
    return [int(one) for one in found]
