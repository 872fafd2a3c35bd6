"""From runs to tasks: teachers first, then what they answer, then their students; small networks in stacks.

The plan alone decides the stacks, so that the same plan gives the same bits however many workers carry it out.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from torch import Tensor

from kdlearn.data.digests import digest
from kdlearn.engine.checks import Checks
from kdlearn.engine.keys import Keys, query_key
from kdlearn.engine.queries import Query, check_answers, check_steady, keep_answers, query_of
from kdlearn.engine.run import Run
from kdlearn.engine.tasks import Task
from kdlearn.training.answers import teacher_of
from kdlearn.training.machine import Machine
from kdlearn.training.together import kind_of

LARGEST_STACK = 500  # networks: a tenth faster than half as many, and still tasks enough to keep workers busy


class Plan:
    """What a study does, in which order. Building it trains nothing and writes nothing."""

    def __init__(self, runs: Sequence[Run], machine: Machine) -> None:
        self.machine, self.requested = machine, list(runs)
        self.checks = Checks(machine)
        self.all = list(with_teachers(self.requested))
        with machine.threading():  # the updates that are tried are small: several threads would wait for each other
            for run in self.all:
                self.checks.of(run)
            self.answers = self.ask_those_that_only_answer()
        self.keys = Keys(machine, {name: digest(found) for name, found in self.answers.items()})
        # Of equal runs one whose weights are to be kept.
        self.unique = {self.keys.of(run): run for run in sorted(self.all, key=lambda run: run.keep)}
        self.teachers = {self.keys.of(run.teacher) for run in self.all if asks_run(run)}
        self.weights: dict[str, str] = {}  # key of a teacher's run -> name of its weights

    @cached_property
    def levels(self) -> list[list[Task]]:
        """Tasks by the depth of their teachers; those of one level do not need each other."""
        depths = defaultdict(list)
        for key, run in self.unique.items():
            depths[run.depth].append((key, run))
        with self.machine.threading():
            return [list(self.tasks(depths[depth])) for depth in sorted(depths)]

    def tasks(self, level: Sequence[tuple[str, Run]]) -> Iterator[Task]:
        """The tasks of a level; the folder is put in when they are carried out."""
        stacks = defaultdict(list)
        for key, run in level:
            stacks[self.signature(key, run)].append((key, run))
        for members in map(by_kind, stacks.values()):
            for start in range(0, len(members), LARGEST_STACK):
                yield self.task(members[start : start + LARGEST_STACK])

    def signature(self, key: str, run: Run) -> str:
        """What runs of one stack share; a run that is trained alone has a signature of its own."""
        if not self.checks.can_be_stacked(run):
            return key
        train, measured = run.data.train, run.measured
        shapes = [(tuple(one.shape[1:]), str(one.dtype)) if one is not None else None for one in (*train, *measured)]
        views = replace(run.views, seed=0) if run.views else None
        _, network = self.keys.first_network(run)
        numbers = [len(measured.inputs), run.lengths, run.batch_size, run.measured_on, run.answers]
        return self.keys.digest([network, shapes, views, numbers, run.recipe.settings(), self.keys.part(run.metric)])

    def task(self, members: Sequence[tuple[str, Run]]) -> Task:
        runs = [run for _, run in members]
        answers, teachers = [self.answers_name(run) for run in runs], [self.weights_of_teacher(run) for run in runs]
        key = digest([[key for key, _ in members], answers, teachers])
        kept = {}
        for place, (run_key, run) in enumerate(members):
            if run.keep or run_key in self.teachers:
                kept[place] = self.weights[run_key] = digest([run_key, key])
        return Task(key, runs, Path(), self.machine, kept, answers, teachers)

    def weights_of_teacher(self, run: Run) -> str | None:
        """The name of the file of a teacher that is a run."""
        return self.weights[self.keys.of(run.teacher)] if asks_run(run) else None

    def answers_name(self, run: Run) -> str | None:
        if not run.asks_teacher:
            return None
        teacher = self.weights_of_teacher(run) or self.keys.teacher(run)
        return digest([teacher, self.keys.data(run), self.keys.part(run.views), run.answers, self.machine.settings()])

    def queries(self, tasks: Sequence[Task]) -> Iterator[tuple[Query, Run, str]]:
        """What must be asked of trained networks before these tasks, each once: of which run, by which weights."""
        wanted = defaultdict(list)
        for task in tasks:
            for run, name, weights in zip(task.runs, task.answers, task.teachers, strict=True):
                if weights is not None:
                    wanted[name, weights].append(run)
        for (name, weights), runs in wanted.items():
            yield query_of(name, runs), runs[0].teacher, weights

    def ask_those_that_only_answer(self) -> dict[tuple, dict[str, Tensor]]:
        """The answers of teachers that are no runs, which are known by them."""
        wanted: dict[tuple, list[Run]] = defaultdict(list)
        for run in self.all:
            if run.asks_teacher and not asks_run(run):
                wanted[query_key(run)].append(run)
        return {name: self.answers_of(runs) for name, runs in wanted.items()}

    def answers_of(self, runs: Sequence[Run]) -> dict[str, Tensor]:
        """What a teacher that these runs share answers, of the shape that their labels have."""
        data, classes = runs[0].data, self.checks.num_classes(runs[0])
        teacher = teacher_of(runs[0].teacher, data, classes)
        check_steady(teacher, data, self.machine)
        answers = dict(query_of("", runs).answers(teacher, self.machine))
        for what, logits in answers.items():
            check_answers(what, logits, data, classes)
        return answers

    def keep_answers(self, folder: Path) -> None:
        """Write what `ask_those_that_only_answer` found, and hold it in memory no longer."""
        for run in self.all:
            if run.asks_teacher and not asks_run(run):
                keep_answers(folder, self.answers_name(run), self.answers[query_key(run)].items())
        self.answers = {}


def asks_run(run: Run) -> bool:
    return run.asks_teacher and isinstance(run.teacher, Run)


def by_kind(members: Sequence[tuple[str, Run]]) -> list[tuple[str, Run]]:
    """Strategies of one kind beside each other, kinds as they first came: the same in every process."""
    kinds = defaultdict(list)
    for member in members:
        kinds[kind_of(member[1].strategy)].append(member)
    return [member for same in kinds.values() for member in same]


def with_teachers(runs: Sequence[Run]) -> Iterator[Run]:
    """Runs and the runs that teach them, each once, teachers first."""
    seen: set[int] = set()
    for run in runs:
        behind = [run]
        while asks_run(behind[-1]):
            behind.append(behind[-1].teacher)
        for one in reversed(behind):
            if id(one) not in seen:
                seen.add(id(one))
                yield one
