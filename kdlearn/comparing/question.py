"""The arguments of `compare`, in one form each, and the runs that they ask for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from numbers import Integral, Real
from typing import Any

from kdlearn.comparing.chosen import Chosen
from kdlearn.data.convert import batch_size_of, dataset_of
from kdlearn.data.dataset import Dataset
from kdlearn.data.views import Views
from kdlearn.engine.once import Once
from kdlearn.engine.run import Metric, Network, Run, name_of_metric
from kdlearn.formulas.metrics import accuracy
from kdlearn.training.optimizers import Optimizer, recipe_of
from kdlearn.training.strategies import GroundTruth, Strategy


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
    baseline: str
    metric: Metric
    optimizer: Optimizer
    given_batch_size: int | None
    sample: int | None
    views: Views | None
    answers: str
    once: Once = field(default_factory=Once)

    @cached_property
    def strategies(self) -> dict[str, list[Strategy]]:
        """The strategies of each name, ground truth first where it was missing."""
        pairs = named(self.given_strategies)
        check_pairs(pairs)
        names = [name for name, _ in pairs]
        if self.baseline == GroundTruth.name and self.baseline not in names:
            pairs.insert(0, (GroundTruth.name, GroundTruth()))
        elif self.baseline not in names:
            raise ValueError(f"baseline must name one of the strategies, {names}; got {self.baseline!r}")
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
        return self.once(("teachers", replicate), lambda: teachers_of(self, replicate))

    @property
    def teachers_asked(self) -> dict[str, Any]:
        """Those of the first replicate, if any strategy reads a teacher's answers."""
        asks = any(one.asks_teacher for some in self.strategies.values() for one in some)
        return self.teachers(self.replicates[0]) if asks else {}

    @property
    def hottest(self) -> float:
        """The highest temperature at which a strategy reads a teacher's answers; 1 where none has any."""
        found = [one.settings.get("temperature") for some in self.strategies.values() for one in some]
        return max((float(one) for one in found if isinstance(one, Real)), default=1.0)

    @property
    def repeats_nothing(self) -> bool:
        """Whether two replicates have the very same data and teacher, so that they are only other seeds."""
        one, *others = self.replicates
        return bool(others) and self.data(others[0]) is self.data(one) and self.teachers_alike(one, others[0])

    def teachers_alike(self, *replicates: int) -> bool:
        one, other = (list(self.teachers(replicate).values()) for replicate in replicates)
        return bool(one) and all(mine is its for mine, its in zip(one, other, strict=True))

    @property
    def one_answer(self) -> float:
        """The share of the most frequent class in the test of the first replicate, if accuracy is measured."""
        test = self.data(self.replicates[0]).test
        if self.metric is not accuracy or test.labels.is_floating_point():
            return 0.0
        counted = test.labels if test.mask is None else test.labels[test.mask]
        return float(counted.flatten().bincount().max() / counted.numel())

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
        self, name: str, strategy: Strategy, optimizer: Optimizer, lengths: Sequence[tuple[int, ...]], **options: Any
    ) -> Iterator[Run]:
        """The runs of one arm over replicates, teachers and seeds."""
        seeds, replicates = options.pop("seeds", self.seeds), options.pop("replicates", self.replicates)
        for replicate in replicates:
            teachers: dict[str, Any] = self.teachers(replicate) if strategy.asks_teacher else {"": None}
            for who, teacher in teachers.items():
                for seed, some in product(seeds, lengths):
                    yield Run(
                        self.data(replicate), self.student, strategy, teacher, some, seed, replicate, optimizer,
                        self.batch_size, self.sample, self.views, None, self.answers, self.metric,
                        names={"strategy": name, "teacher": who}, **options,
                    )  # fmt: skip


def teachers_of(question: Question, replicate: int) -> dict[str, Any]:
    given = question.teacher
    if question.given_replicates is not None and given is not None:
        if not callable(given) or hasattr(given, "parameters"):
            raise TypeError(
                "with replicates, teacher must be a function teacher(replicate, data), so that each has its own; "
                f"got {type(given).__name__}"
            )
        return {"of the replicate": given(replicate, question.data(replicate))}
    stored = isinstance(given, Mapping) and all(hasattr(one, "shape") for one in given.values())
    if isinstance(given, Mapping) and not stored:
        return {str(name): one for name, one in given.items()}
    if isinstance(given, list):
        return {f"teacher {place}": one for place, one in enumerate(given)}
    return {"teacher": given}


def named(strategies: Any) -> list[tuple[str, Strategy]]:
    """Each strategy with its name, of one, several in a list, or a mapping of names."""
    if isinstance(strategies, Mapping):
        return list(strategies.items())
    given = list(strategies) if isinstance(strategies, Iterable) else [strategies]
    return [(getattr(one, "name", ""), one) for one in given]


def check_pairs(pairs: Sequence[tuple[str, Strategy]]) -> None:
    """Each is a strategy, and none is there twice."""
    for place, (name, one) in enumerate(pairs):
        check_strategy(name, one)
        if any(name == other and repr(one.settings) == repr(two.settings) for other, two in pairs[:place]):
            raise ValueError(f"two strategies named {name!r} have the same settings: give a mapping of names")
        if name == GroundTruth.name and one.asks_teacher:
            raise ValueError(f"{name!r} is the name of learning without a teacher; give {one!r} another name")


def check_strategy(name: str, strategy: Any) -> None:
    if not isinstance(strategy, Strategy):
        raise TypeError(
            "strategies must be instances of kdlearn.Strategy, such as kdlearn.SoftLabels(2.0), in a list or a mapping "
            f"of names; got {strategy!r}{f' named {name!r}' if name else ''}. An own one is a subclass, whose "
            "__call__(student_logits, batch) gives one value for each label"
        )
    if not getattr(strategy, "name", None):
        raise ValueError(f"{type(strategy).__name__} must have a name, which the table shows")


def distinct(name: str, values: Any) -> list[int]:
    if not isinstance(values, Iterable):
        raise TypeError(f"{name} must be several whole numbers, such as range({values}); got {values!r}")
    found = list(values)
    odd = [one for one in found if not isinstance(one, Integral) or isinstance(one, bool) or one < 0]
    if odd or not found or len(set(found)) < len(found):
        raise ValueError(f"{name} must be distinct whole numbers of at least 0, one or more; got {found}")
    return [int(one) for one in found]
