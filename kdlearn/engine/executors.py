"""Work spread over processes, which share a folder."""

import importlib
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kdlearn.data.files import write_json


@contextmanager
def the_executor(executor: Executor | None, workers: int | None) -> Iterator[Executor | None]:
    if executor is not None or workers is None:
        yield executor
        return
    if not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers must be a whole number of at least 1; got {workers!r}")
    from loky import ProcessPoolExecutor  # unlike the standard library's, it takes functions of a notebook

    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with ProcessPoolExecutor(workers, initializer=load_engine, env=one_thread) as pool:
        yield pool


def load_engine() -> None:
    """Before a worker's first task: loky takes memory that grows later for a leak, and begins the worker anew."""
    importlib.import_module("kdlearn.engine.task_runner")


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
