"""A study: runs to a table, in this process or on any executor of processes."""

import json
import os
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from threading import RLock
from typing import Any

import pandas as pd
from tqdm import tqdm

from kdlearn.data.files import write_json
from kdlearn.engine.folders import the_folder
from kdlearn.engine.plan import Plan
from kdlearn.engine.progress import progress_of
from kdlearn.engine.queries import ask_network
from kdlearn.engine.run import Run
from kdlearn.engine.task_runner import execute
from kdlearn.engine.tasks import ONE_AT_A_TIME, Task, weights_file
from kdlearn.formulas.intervals import of_rows
from kdlearn.training.machine import Machine

OURS = "is_ours"  # a pool of processes that a study began itself


class UnreadableSource(UserWarning):
    """What decides a run cannot be read, so results are not kept."""


def study(
    runs: Sequence[Run],
    folder: str | Path | None = None,
    *,
    machine: Machine = Machine(),
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Carry out runs and the runs that teach them; a row for each run that was asked for, and each of its lengths.

    Everything is built and checked before anything is trained or written.

    Args:
        folder: keeps what is done, so that a study that was stopped goes on; None keeps nothing. On an executor of
            other machines all must see it.
        machine: where to compute. On workers each computes on one thread.
        workers: so many local processes; the table is the same for any number of them.
        executor: any executor, such as Dask's `Client.get_executor()`; threads of one process take turns.
        progress: whether to show a bar.

    Returns:
        Columns `strategy`, its settings, `teacher`, `replicate`, `seed`, `length`; then what was measured, the metric,
        `loss` (cross-entropy on the measured rows, in nats; of labels that are numbers the mean squared error),
        `agreement` with the teacher, `teacher_…` (its metric), `seconds` (since its stack began, divided by the
        networks of the stack); where accuracy is measured on the same rows throughout, `accuracy_of_rows`, a digit a
        row, 1 if it is right. What diverged has NaN for metric, loss and agreement.

    >>> from kdlearn import load_digits, perceptron
    >>> digits = load_digits()
    >>> runs = [Run(digits, lambda: perceptron(64, 8, 10), lengths=(5, 10), seed=seed) for seed in range(2)]
    >>> study(runs)[["seed", "length"]].to_numpy().tolist()
    [[0, 5], [0, 10], [1, 5], [1, 10]]
    """
    plan = plan_of(runs, machine_of_study(machine, workers, executor))
    check_told_apart(plan)
    with executed(plan, folder, workers, executor, progress) as (_, tables):
        return table_of(plan, tables)


def machine_of_study(machine: Machine, workers: int | None, executor: Executor | None) -> Machine:
    """On workers each computes on one thread."""
    if not isinstance(machine, Machine):
        raise TypeError(f"machine must be a kdlearn.Machine, such as kdlearn.best_machine(); got {machine!r}")
    return machine if workers is None and executor is None else replace(machine, threads=1)


def plan_of(runs: Sequence[Run], machine: Machine) -> Plan:
    if not runs:
        raise ValueError("runs must hold at least one run; it is empty")
    with ONE_AT_A_TIME:
        return Plan(runs, machine)


@contextmanager
def executed(
    plan: Plan, folder: str | Path | None, workers: int | None, executor: Executor | None, progress: bool
) -> Iterator[tuple[Path, dict[str, pd.DataFrame]]]:
    """The folder in which all of a plan's files lie, as long as it is needed, and the table of each task."""
    if plan.keys.unreadable and folder is not None:
        warnings.warn(not_kept(plan.keys.unreadable), UnreadableSource, stacklevel=4)
        folder = None
    with the_folder(folder) as place, the_executor(executor, workers) as mapped:
        yield place, tables_of(plan, place, mapped, progress, resumes=folder is not None)


def not_kept(names: Sequence[str]) -> str:
    return (
        f"results are not kept, since what decides them cannot be read: {', '.join(sorted(set(names)))}. Take out what "
        "pickle refuses, such as an open file or a lock, or make it where it is used"
    )


def tables_of(
    plan: Plan, folder: Path, executor: Executor | None, progress: bool, resumes: bool
) -> dict[str, pd.DataFrame]:
    """The table of each task, by its key."""
    if executor is not None:
        check_shared(folder, executor)
    plan.keep_answers(folder)
    tables = {}
    with progress_of(sum(map(len, plan.levels)), progress) as bar:
        for level in plan.levels:
            tasks = [replace(one, runs=travelling(one.runs), folder=folder, resumes=resumes) for one in level]
            asked = [(*query, replace(tasks[0], runs=())) for query in plan.queries(level)]
            run_all(ask_network, asked, executor)
            found = run_all(execute, [(task,) for task in tasks], executor, bar.update)
            tables |= {task.key: table for task, table in zip(tasks, found, strict=True)}
    return tables


def travelling(runs: Sequence[Run]) -> list[Run]:
    """Runs without teachers whose stored answers are read: those need not travel, and some cannot, such as sessions."""
    return [replace(run, teacher=None) if run.stores_answers or not run.asks_teacher else run for run in runs]


@contextmanager
def the_executor(executor: Executor | None, workers: int | None) -> Iterator[Executor | None]:
    if executor is not None or workers is None:
        yield executor
        return
    if not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers must be a whole number of at least 1; got {workers!r}")
    from loky import ProcessPoolExecutor  # unlike the standard library's, it takes functions of a notebook

    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with ProcessPoolExecutor(workers, env=threads, initializer=begin_worker) as pool:
        setattr(pool, OURS, True)
        yield pool


def begin_worker() -> None:
    """Loads all before a worker's first task: loky takes memory that grows later for a leak, and begins it anew."""
    tqdm.set_lock(RLock())  # tqdm's own is a semaphore between processes, which a killed worker would leave behind


def run_all(
    function: Callable[..., Any],
    arguments: Sequence[tuple],
    executor: Executor | None,
    done: Callable[[], Any] = lambda: None,
) -> list[Any]:
    """What a function gives for each of several arguments; where one fails, those that are not begun are given up."""
    futures = [executor.submit(function, *given) for given in arguments] if executor else []
    calls = [future.result for future in futures] or [partial(function, *given) for given in arguments]
    results = []
    try:
        for call in calls:
            results.append(call())
            done()
    except BaseException as problem:
        if isinstance(problem, KeyboardInterrupt) and hasattr(executor, OURS):  # at once; checkpoints keep the rest
            executor.shutdown(kill_workers=True)  # type: ignore[union-attr, call-arg]
        for future in futures:
            future.cancel()
        raise
    return results


def check_shared(folder: Path, executor: Executor) -> None:
    """Workers on other machines must see the folder, or they would train what nobody can read."""
    probe = folder / f"probe-{uuid.uuid4().hex}.json"
    write_json(probe, {})
    try:
        if not executor.submit(os.path.exists, str(probe)).result():
            raise ValueError(f"folder must be one that all workers see; a worker does not find {folder}")
    finally:
        probe.unlink()


def check_told_apart(plan: Plan) -> None:
    """Runs that differ must differ in a column of the table, or a difference would be of several at once."""
    seen: dict[str, str] = {}
    for run in plan.requested:
        key = plan.keys.of(run)
        if seen.setdefault(repr((about(run), run.lengths)), key) != key:
            raise ValueError(
                f"two runs of {run.strategy.name!r} differ but the table would show them alike: give each names={{...}}"
                " of its own, or in compare a mapping of names to strategies"
            )


def table_of(plan: Plan, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows of the runs that were asked for, in that order, with what tells them apart in front."""
    measured = []
    for task in chain(*plan.levels):
        found = tables[task.key].assign(key=[plan.keys.of(task.runs[place]) for place in tables[task.key]["place"]])
        measured.append(found.drop(columns="place").assign(**kept_weights(task, found)))
    asked = pd.DataFrame([{**about(run), "key": plan.keys.of(run)} for run in plan.requested]).drop_duplicates()
    front = [name for name in asked.columns if name not in ("replicate", "seed", "key")]
    table = asked.merge(pd.concat(measured, ignore_index=True).fillna({"weights": ""}), on="key")
    front += ["replicate", "seed", "length"]
    of_other_rows = [of_rows("accuracy")] if len({id(run.measured) for run in plan.requested}) > 1 else []
    left = [name for name in table.columns if name not in (*front, "key", *of_other_rows)]
    return table[[*front, *left]]


def kept_weights(task: Task, table: pd.DataFrame) -> dict[str, list[str]]:
    """A column with the weights' file of each run that keeps them, beside what it reached at the end."""
    files = {place: weights_file(Path(), name).as_posix() for place, name in task.kept.items() if task.runs[place].keep}
    last = table["length"] == task.runs[0].lengths[-1]
    return {"weights": [files.get(place, "") for place in table["place"].where(last, -1)]} if files else {}


def about(run: Run) -> dict[str, Any]:
    """What tells a run from others, as plain columns: names for people, settings, replicate and seed."""
    settings = {name: plain(value) for name, value in run.strategy.settings.items()}
    optimizer = run.recipe.settings()
    told = {"learning_rate": float(optimizer.get("learning_rate", float("nan"))), "rows": len(run.rows)}
    shared = {"replicate": run.replicate, "seed": run.seed}
    return {"strategy": run.strategy.name, **settings, "teacher": "", **told, **run.names, **shared}


def plain(value: Any) -> Any:
    """Floats for numbers, words for the rest."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float):
        return float(value)
    return value if isinstance(value, str) else json.dumps(value, default=repr)
