"""From the words of `kdlearn distill` to a teacher, students, their runs, and what was found."""

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from functools import cached_property
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn

from kdlearn.commands import results
from kdlearn.commands.named import Build, builder, check_name, settings_of, strategy_kind
from kdlearn.commands.presets import PRESETS, Preset, Schooling
from kdlearn.commands.words import WrongWordsError
from kdlearn.comparing.comparison import Comparison
from kdlearn.comparing.notes import notes_of
from kdlearn.data.dataset import Dataset
from kdlearn.data.images import load_images
from kdlearn.data.views import Views
from kdlearn.engine.plan import Plan
from kdlearn.engine.run import Run
from kdlearn.engine.study import study
from kdlearn.engine.teachers import trained_networks
from kdlearn.networks.basic import seeded
from kdlearn.networks.weights import initialise_from, load_weights, set_weights
from kdlearn.training.machine import Machine
from kdlearn.training.strategies import GroundTruth, SmoothedGroundTruth, Strategy, TruthWhereKnown

USUAL = ("ground-truth", "smoothed", "hard", "soft", "both")
GRID = {"temperature": [2.0], "soft_weight": [0.9]}


class Asked:
    """What the options of one command ask for."""

    def __init__(
        self, options: SimpleNamespace, machine: Machine, executor: Executor | None, *, progress: bool
    ) -> None:
        self.options, self.machine, self.executor, self.progress = options, machine, executor, progress
        if options.preset not in PRESETS:
            raise WrongWordsError(f"--preset must be one of {', '.join(PRESETS)}; got {options.preset}")
        for name in (self.teacher_name, *self.student_names):
            check_name(name)
        self.strategies  # noqa: B018  wrong words are found before data are read

    def comparison(self) -> Comparison:
        """Train what is not there; the table holds what this command asks for, whether trained now or before."""
        self.check_same_data()
        teacher, start = self.teacher, self.first_weights
        self.check_start(start)
        if self.options.start == "teacher" and isinstance(teacher, Run):
            Plan(self.runs(teacher, start), self.machine)  # refuses what could not be carried out
            teacher = self.trained(teacher)
            start = teacher.state_dict()
        where: dict[str, Any] = {"workers": self.options.workers, "executor": self.executor, "progress": self.progress}
        table = study(self.runs(teacher, start), self.options.out, machine=self.machine, **where)
        found = Comparison(table)
        return replace(found, notes=tuple(notes_of(found)))

    def check_same_data(self) -> None:
        """A folder that holds results of other data, or of another split, is a ValueError."""
        if not (self.options.out / results.FILE).exists():
            return
        found = results.comparison_in(self.options.out)
        for name in results.SHARED:
            before, now = found.table[name].iloc[0], self.about_data[name]
            if before != now:
                where = f"--out {self.options.out} holds results of other data or another split"
                raise ValueError(f"{where}: {name} was {before}, is now {now}; name another folder")

    @cached_property
    def preset(self) -> Preset:
        return PRESETS[self.options.preset]

    @cached_property
    def data(self) -> Dataset:
        options: dict[str, Any] = {name: getattr(self.options, name) for name in ("root", "download")}
        if size := self.options.resize:
            options["resize"] = (size, size)
        return load_images(
            self.options.source, num_validation=self.options.validation, progress=self.progress, **options
        )

    @cached_property
    def students_data(self) -> Dataset:
        share = self.options.labelled
        try:
            return self.data if share == 1 else self.data.with_known(share)
        except ValueError as problem:
            raise ValueError(f"--labelled: {problem}") from problem

    @property
    def about_data(self) -> dict[str, str]:
        measured_on = "validation" if self.options.validation else "test"
        return {"data": self.data.name, "data_key": self.data.key[:16], "measured_on": measured_on}

    def views(self, period: int | None) -> Views:
        return Views(flip=not self.options.no_flip and self.options.source != "mnist", period=period)

    @property
    def teacher_name(self) -> str:
        return self.preset.teacher if self.options.teacher is None else self.options.teacher

    @property
    def student_names(self) -> list[str]:
        return list(self.options.students or [self.preset.student])

    @cached_property
    def teacher(self) -> Run | nn.Module:
        """A run, or a network whose weights are there."""
        build = builder(self.teacher_name, self.data)
        if self.options.teacher_weights:
            return self.ready(build)
        schooling = changed(self.preset.teacher_schooling, num_epochs=self.options.teacher_epochs)
        smoothing = self.options.teacher_smoothing
        strategy = SmoothedGroundTruth(smoothing) if smoothing else GroundTruth()
        return self.run(self.data, build, strategy, schooling, self.views(None))

    def ready(self, build: Build) -> nn.Module:
        network = seeded(build, 0)
        try:
            set_weights(network, load_weights(self.options.teacher_weights))
        except ValueError as problem:
            raise ValueError(f"--teacher-weights must be of {self.teacher_name}: {problem}") from problem
        return network

    def trained(self, teacher: Run) -> nn.Module:
        """The network of the teacher's run, which is carried out by itself."""
        [network] = trained_networks([teacher], self.options.out, machine=self.machine, progress=self.progress)
        return network

    @cached_property
    def teachers_title(self) -> str:
        """The teacher in the table, so that two folders' teachers are told apart."""
        if self.options.teacher_weights:
            return f"{self.teacher_name}, {file_title(self.options.teacher_weights)}"
        teacher: Any = self.teacher
        smoothing = self.options.teacher_smoothing
        smoothed = f", smoothing {smoothing:g}" if smoothing else ""
        return f"{self.teacher_name}, {teacher.lengths[-1]} updates{smoothed}"

    @cached_property
    def builds(self) -> dict[str, Build]:
        return {name: builder(name, self.data) for name in self.student_names}

    @cached_property
    def schooling(self) -> Schooling:
        found = changed(
            self.preset.student_schooling, num_epochs=self.options.epochs, batch_size=self.options.batch_size
        )
        if found.batch_size > (rows := len(self.data.train.inputs)):
            raise ValueError(f"--batch-size must be at most {rows}, the training images; it is {found.batch_size}")
        return found

    @cached_property
    def strategies(self) -> list[Strategy]:
        words = self.options.strategies or [one for one in USUAL if self.options.labelled == 1 or one != "both"]
        kinds = {word: strategy_kind(word) for word in words}
        for name in GRID:
            if getattr(self.options, name) and not any(name in settings_of(kind) for kind in kinds.values()):
                raise WrongWordsError(f"--{name.replace('_', '-')} is read by none of --strategies {' '.join(words)}")
        found = [one for word, kind in kinds.items() for one in self.at_each_setting(word, kind)]
        names = [(one.name, str(one.settings)) for one in found]
        if len(set(names)) < len(names):
            raise WrongWordsError(f"strategies must have names that differ; got {', '.join(name for name, _ in names)}")
        return [self.where_known(one) for one in found]

    def at_each_setting(self, word: str, kind: type[Strategy]) -> Iterator[Strategy]:
        """A strategy at each temperature and weight that it knows."""
        grid = {name: getattr(self.options, name) or usual for name, usual in GRID.items() if name in settings_of(kind)}
        for values in product(*grid.values()):
            try:
                made = kind(**dict(zip(grid, values, strict=True)))
            except TypeError as problem:
                raise WrongWordsError(f"--strategies {word} needs defaults for its settings: {problem}") from problem
            if not isinstance(getattr(made, "name", None), str) or not made.name:
                raise WrongWordsError(f"--strategies {word}: the class must have a name, which the table shows")
            yield made

    def where_known(self, strategy: Strategy) -> Strategy:
        """The strategy, with ground truth where it is known if only some is."""
        if self.options.labelled == 1 or not strategy.asks_teacher or "known" in strategy.reads:
            return strategy
        if "labels" in strategy.reads or strategy.layers:
            what = "layers" if strategy.layers else "the ground truth of every image"
            raise WrongWordsError(f"{strategy.name} needs --labelled 1: it reads {what}")
        return TruthWhereKnown(strategy)

    @cached_property
    def first_weights(self) -> Mapping[str, Tensor] | None:
        """For students; those of a teacher that is still to be trained have the same shapes."""
        if self.options.start == "random":
            return None
        if self.options.start != "teacher":
            return load_weights(Path(self.options.start))
        teacher: Any = self.teacher
        ready = isinstance(teacher, nn.Module)
        return (teacher if ready else seeded(teacher.network, 0)).state_dict()

    def check_start(self, start: Mapping[str, Tensor] | None) -> None:
        """A ValueError where nothing that a student learns would be copied."""
        if start is None:
            return
        for name, build in self.builds.items():
            network = seeded(build, 0)
            learned = {name for name, weight in network.named_parameters() if weight.requires_grad}
            if not learned & {*initialise_from(network, start)}:
                raise ValueError(f"--start {self.options.start} gives {name} nothing: no layer that it learns fits")

    @property
    def start_title(self) -> str:
        named = self.options.start in ("random", "teacher")
        return self.options.start if named else file_title(Path(self.options.start))

    def runs(self, teacher: Run | nn.Module, start: Mapping[str, Tensor] | None) -> list[Run]:
        """Every student with every strategy, rate and seed."""
        usual = self.schooling.optimizer
        optimizers = [
            replace(usual, learning_rate=rate) for rate in self.options.learning_rate or [usual.learning_rate]
        ]
        views = self.views(self.preset.period)
        return [
            self.run(
                self.students_data, self.builds[student], strategy, replace(self.schooling, optimizer=optimizer), views,
                teacher=teacher, seed=seed, start=start, keep=True, names=self.names(student, strategy),
                answers="float16" if self.options.half_labels else "float32",
            )
            for student, strategy, optimizer, seed in product(
                self.student_names, self.strategies, optimizers, range(self.options.seeds)
            )
        ]  # fmt: skip

    def run(
        self, data: Dataset, build: Build, strategy: Strategy, schooling: Schooling, views: Views, **options: Any
    ) -> Run:
        lengths = (schooling.num_updates(len(self.data.train.inputs)),)
        options |= {"optimizer": schooling.optimizer, "batch_size": schooling.batch_size, "views": views}
        return Run(data, build, strategy, lengths=lengths, measured_on=self.about_data["measured_on"], **options)

    def names(self, student: str, strategy: Strategy) -> dict[str, Any]:
        """Columns that say what a run is, beside its strategy's settings, rate and seed."""
        return {
            "strategy": strategy.name,
            "student": student,
            "teacher": self.teachers_title if strategy.asks_teacher else "",
            "labelled": float(self.options.labelled),
            "start": self.start_title,
            "batch_size": self.schooling.batch_size,
            "mirrored": str(self.views(None).flip),
            "teacher_logits": "float16" if self.options.half_labels else "float32",
            **self.about_data,
        }


def changed(schooling: Schooling, **settings: int | None) -> Schooling:
    return replace(schooling, **{name: value for name, value in settings.items() if value is not None})


def file_title(file: Path) -> str:
    return f"{file.stem} {hashlib.sha256(file.read_bytes()).hexdigest()[:8]}"
