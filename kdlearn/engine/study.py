"""A study: runs to a table, in this process or on any executor of processes."""

import importlib
import json
import os
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

import kdlearn
from kdlearn.data.files import PARTIAL, read_json, remove_partials, write_json
from kdlearn.engine.asking import ask_network
from kdlearn.engine.carry_out import carry_out
from kdlearn.engine.plan import Plan
from kdlearn.engine.run import Run
from kdlearn.training.machine import Machine

CONTENT = {"what": "a study of kdlearn; its files are named by what decides them", "engine": kdlearn.ENGINE}
ABOUT, FOLDERS = "kdlearn-study.json", ("rows", "answers", "networks", "checkpoints")


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
        executor: any executor of processes, such as Dask's `Client.get_executor()`.
        progress: whether to show a bar.

    Returns:
        Columns `strategy`, its settings, `teacher`, `replicate`, `seed`, `length`; then what was measured, the metric,
        `loss` (cross-entropy on the measured rows, in nats; of labels that are numbers the mean squared error),
        `agreement` with the teacher, `teacher_…` (its metric), `seconds` (since its stack began, divided by the
        networks of the stack). What diverged has NaN for metric, loss and agreement.

    >>> from kdlearn import load_digits, perceptron
    >>> digits = load_digits()
    >>> runs = [Run(digits, lambda: perceptron(64, 8, 10), lengths=(5, 10), seed=seed) for seed in range(2)]
    >>> study(runs)[["seed", "length"]].to_numpy().tolist()
    [[0, 5], [0, 10], [1, 5], [1, 10]]
    """
    plan = plan_of(runs, machine, spread=executor is not None or workers is not None)
    check_told_apart(plan)
    with carried_out(plan, folder, workers, executor, progress) as (_, tables):
        return table_of(plan, tables)


def plan_of(runs: Sequence[Run], machine: Machine, spread: bool) -> Plan:
    """On workers each computes on one thread."""
    if not runs:
        raise ValueError("runs must hold at least one run; it is empty")
    return Plan(runs, replace(machine, threads=1) if spread else machine)


@contextmanager
def carried_out(
    plan: Plan, folder: str | Path | None, workers: int | None, executor: Executor | None, progress: bool
) -> Iterator[tuple[Path, dict[str, pd.DataFrame]]]:
    """The folder in which all of a plan's files lie, as long as it is needed, and the table of each task."""
    if plan.keys.unreadable and folder is not None:
        warnings.warn(not_kept(plan.keys.unreadable), UnreadableSource, stacklevel=4)
        folder = None
    with the_folder(folder) as place, the_executor(executor, workers) as mapped:
        yield place, carry_out_plan(plan, place, mapped, progress, resumes=folder is not None)


def not_kept(names: Sequence[str]) -> str:
    odd = ", ".join(sorted(set(names)))
    return (
        f"results are not kept, since what decides them cannot be read: {odd}. Take out what pickle refuses, such as "
        "an open file or a lock, or make it where it is used"
    )


@contextmanager
def the_folder(folder: str | Path | None) -> Iterator[Path]:
    """A folder of ours, made or recognised; a temporary one if none is given."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="kdlearn-") as temporary:
            yield opened(Path(temporary))
    else:
        yield opened(Path(folder))


def opened(folder: Path) -> Path:
    """A folder in which this program may write: a new one, or one that it has written."""
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ABOUT).exists():  # first: by it the folder is recognised, wherever the study is stopped
        write_json(folder / ABOUT, CONTENT)
    for name in FOLDERS:
        (folder / name).mkdir(exist_ok=True)
    remove_partials(folder, FOLDERS)
    return folder.resolve()


def check_folder(folder: Path) -> None:
    """A ValueError for a folder that holds something else."""
    if folder.is_file():
        raise ValueError(f"folder must name a folder; {folder} is a file")
    if not folder.is_dir() or all(is_half_written(path) for path in folder.iterdir()):
        return
    if not (folder / ABOUT).is_file():
        raise ValueError(f"folder must be new, empty or a study of kdlearn; {folder} holds something else")
    about = read_json(folder / ABOUT)
    if not isinstance(about, dict) or about.get("what") != CONTENT["what"]:
        raise ValueError(f"{folder / ABOUT} is not by kdlearn, or altered: give a new folder")
    if (engine := about.get("engine", 1)) != kdlearn.ENGINE:
        raise ValueError(
            f"{folder / ABOUT} says that kdlearn's engine {engine} began this study; this is engine {kdlearn.ENGINE}, "
            "which takes no run of it: give a new folder, or finish it with the version that began it"
        )


def is_half_written(path: Path) -> bool:
    """What is left where the file by which a folder is recognised was being written."""
    return PARTIAL.fullmatch(path.name) is not None and path.name.startswith(f".{ABOUT}.")


@contextmanager
def the_executor(executor: Executor | None, workers: int | None) -> Iterator[Executor | None]:
    if executor is not None or workers is None:
        yield executor
        return
    if not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers must be a whole number of at least 1; got {workers!r}")
    from loky import ProcessPoolExecutor  # unlike the standard library's, it takes functions of a notebook

    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with ProcessPoolExecutor(workers, initializer=load_torch, env=one_thread) as pool:
        yield pool


def load_torch() -> None:
    """Before a worker's first task: loky takes memory that grows later for a leak, and begins the worker anew."""
    importlib.import_module("torch")


def carry_out_plan(
    plan: Plan, folder: Path, executor: Executor | None, progress: bool, resumes: bool
) -> dict[str, pd.DataFrame]:
    """The table of each task, by its key."""
    if executor is not None:
        check_shared(folder, executor)
    plan.keep_told(folder)
    tables = {}
    bar = tqdm(total=sum(map(len, plan.levels)), desc="stacks of networks", disable=not progress)
    with bar:
        for level in plan.levels:
            tasks = [replace(task, runs=alone(task.runs), folder=folder, resumes=resumes) for task in level]
            asked = [(*asking, replace(tasks[0], runs=())) for asking in plan.askings(level)]
            run_all(ask_network, asked, executor)
            found = run_all(carry_out, [(task,) for task in tasks], executor, bar.update)
            tables |= {task.key: table for task, table in zip(tasks, found, strict=True)}
    return tables


def alone(runs: Sequence[Run]) -> list[Run]:
    """Runs without teachers whose stored answers are read: those need not travel, and some cannot, such as sessions."""
    return [replace(run, teacher=None) if run.stores_answers or not run.asks_teacher else run for run in runs]


def run_all(
    function: Callable[..., Any],
    arguments: Sequence[tuple],
    executor: Executor | None,
    done: Callable[[], Any] = lambda: None,
) -> list[Any]:
    if executor is None:
        results = []
        for given in arguments:
            results.append(function(*given))
            done()
        return results
    futures = [executor.submit(function, *given) for given in arguments]
    try:
        results = []
        for future in futures:
            results.append(future.result())
            done()
        return results
    finally:
        for future in futures:
            future.cancel()


def check_shared(folder: Path, executor: Executor) -> None:
    """Workers on other machines must see the folder, or they would train what nobody can read."""
    probe = folder / f"probe-{uuid.uuid4().hex}.json"
    write_json(probe, {"host": os.uname().nodename if hasattr(os, "uname") else ""})
    try:
        if not executor.submit(os.path.exists, str(probe)).result():
            raise ValueError(f"folder must be one that all workers see; a worker does not find {folder}")
    finally:
        probe.unlink()


def check_told_apart(plan: Plan) -> None:
    """Runs that differ must differ in a column of the table, or a difference would be of several at once."""
    seen: dict[str, str] = {}
    for run in plan.requested:
        line, key = repr((about(run), run.lengths)), plan.keys.of(run)
        other = seen.setdefault(line, key)
        if other != key:
            raise ValueError(
                f"two runs of {run.strategy.name!r} differ but the table would show them alike: give each names={{...}}"
                " of its own, or in compare a mapping of names to strategies"
            )


def table_of(plan: Plan, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows of the runs that were asked for, in that order, with what tells them apart in front."""
    measured = []
    for task in (task for level in plan.levels for task in level):
        keys = [plan.keys.of(run) for run in task.runs]
        found = tables[task.key]
        measured.append(found.drop(columns="place").assign(key=[keys[place] for place in found["place"]]))
    asked = pd.DataFrame([{**about(run), "key": plan.keys.of(run)} for run in plan.requested]).drop_duplicates()
    front = [name for name in asked.columns if name not in ("replicate", "seed", "key")]
    table = asked.merge(pd.concat(measured, ignore_index=True), on="key")
    front += ["replicate", "seed", "length"]
    return table[[*front, *(name for name in table.columns if name not in (*front, "key"))]]


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
