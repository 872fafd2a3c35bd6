"""A study on a real Dask cluster of processes: the same table bit for bit, also where a worker is killed."""

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from conftest import Command, require
from small import SAME, small_study

from kdlearn import study
from kdlearn.comparing.comparison import Comparison
from kdlearn.engine import task_runner

pytestmark = pytest.mark.release


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Of two processes on this machine, which find the tests' own modules."""
    require(
        find_spec("distributed") is not None, 'many machines need Dask: python -m pip install "kdlearn-course[dask]"'
    )
    from distributed import Client, LocalCluster

    options = {"processes": True, "threads_per_worker": 1, "dashboard_address": None}
    folder = str(tmp_path_factory.mktemp("dask"))
    with LocalCluster(n_workers=2, local_directory=folder, **options) as cluster, Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def expected() -> pd.DataFrame:
    return study(small_study(), workers=1).drop(columns=SAME)


class KillOnce:
    """An executor whose first worker to begin a training dies there."""

    def __init__(self, executor: Executor, mark: Path) -> None:
        self.executor, self.mark = executor, mark

    def submit(self, function: Any, *arguments: Any) -> Any:
        if function is task_runner.execute:
            return self.executor.submit(killed_once, self.mark, function, *arguments)
        return self.executor.submit(function, *arguments)


def killed_once(mark: Path, function: Any, *arguments: Any) -> Any:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return function(*arguments)
    sys.addaudithook(die_when_rows_are_kept)
    return function(*arguments)


def die_when_rows_are_kept(name: str, arguments: tuple) -> None:
    """Everything is trained then, and nothing of it is in its place yet."""
    if name == "os.rename" and f"{os.sep}rows{os.sep}" in str(arguments[1]):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_cluster_finds_the_same_bit_for_bit(client, expected, tmp_path):
    assert study(small_study(), tmp_path / "s", executor=client.get_executor()).drop(columns=SAME).equals(expected)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_worker_that_is_killed_half_way_loses_nothing(client, expected, tmp_path):
    before = set(client.run(os.getpid).values())
    executor: Any = KillOnce(client.get_executor(), tmp_path / "killed")
    assert study(small_study(), tmp_path / "s", executor=executor).drop(columns=SAME).equals(expected)
    assert (tmp_path / "killed").exists()
    client.wait_for_workers(2)
    assert len(before - set(client.run(os.getpid).values())) == 1, "a worker must have been killed"


def test_the_command_line_sends_its_study_there(monkeypatch, client, here, pictures, kdlearn_here: Command):
    words = ["distill", pictures, "--preset", "tiny", "--student", "airbench:4,4,4", "--strategies", "soft"]
    address = client.scheduler.address
    monkeypatch.setattr("kdlearn.engine.task_runner.fit", None)  # nothing can be trained in this process
    one = kdlearn_here(*words, "--seeds", 2, "--out", "one", "--workers", 1)
    other = kdlearn_here(*words, "--seeds", 2, "--out", "other", "--scheduler", address)
    assert one.code == other.code == 0, other.err
    tables = [Comparison.load(here / name / "comparison.parquet").table.drop(columns=SAME) for name in ("one", "other")]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


@pytest.mark.parametrize("lost", ["scheduler", "workers"])
def test_a_cluster_that_is_lost_is_said_in_one_line(monkeypatch, client, here, pictures, kdlearn_here: Command, lost):
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    worker: Any = SimpleNamespace(address="tcp://a")
    problem = FutureCancelledError("a", "lost") if lost == "scheduler" else KilledWorker("a", worker, 3)

    def study(*arguments: Any, **options: Any) -> None:
        raise problem

    monkeypatch.setattr("kdlearn.commands.experiment.study", study)
    words = ["distill", pictures, "--out", "out", "--preset", "tiny", "--scheduler", client.scheduler.address]
    result = kdlearn_here(*words)
    assert result.code == 1 and "goes on" in result.err and len(result.err.splitlines()) == 1


def test_workers_of_several_threads_are_refused(monkeypatch, client, here, pictures, trained, kdlearn_here: Command):
    monkeypatch.setattr("distributed.Client.nthreads", lambda self: {"tcp://a": 1, "tcp://b": 4})
    words = ["distill", pictures, "--out", "out", "--preset", "tiny", "--scheduler", client.scheduler.address]
    result = kdlearn_here(*words)
    assert result.code == 1 and "one thread each" in result.err and len(result.err.splitlines()) == 1
    assert not trained and not (here / "out").exists()


def test_without_dask_the_line_that_brings_it_is_said(monkeypatch, here, pictures, trained, kdlearn_here: Command):
    for name in [one for one in sys.modules if one.partition(".")[0] == "distributed"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = kdlearn_here("distill", pictures, "--out", "out", "--preset", "tiny", "--scheduler", "tcp://127.0.0.1:1")
    assert result.code == 1 and "-m pip install" in result.err and "[dask]" in result.err
    assert len(result.err.splitlines()) == 1 and not trained and not (here / "out").exists()
