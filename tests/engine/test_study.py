"""A study: the same table on any executor, after any interruption, and no folder of anybody else is touched."""

import os
import random
import signal
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from threading import Lock
from time import sleep
from typing import Any

import pandas as pd
import pytest
import torch
from small import SAME, STUDENT, TEACHER, Scaled, digits, same_weights, small_study, taught, with_dropout

import kdlearn
from kdlearn import GroundTruth, SoftLabels, study
from kdlearn.data.files import write_json
from kdlearn.engine import task_runner
from kdlearn.engine.folders import CONTENT, check_folder
from kdlearn.engine.progress import progress_of, tell
from kdlearn.engine.run import Run
from kdlearn.engine.study import run_all, the_executor
from kdlearn.networks.basic import seeded
from kdlearn.networks.weights import load_weights, set_weights

NUM_KILLS, NUM_FLIPS = 20, 120
OFTEN = 5  # updates between two checkpoints


def decided(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=SAME)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """A folder that nothing ever disturbed, and its table."""
    folder = tmp_path_factory.mktemp("studies") / "finished"
    return folder, decided(study(small_study(), folder))


def copied(folder: Path, to: Path) -> Path:
    for path in folder.rglob("*"):
        if path.is_file():
            (to / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            (to / path.relative_to(folder)).write_bytes(path.read_bytes())
    return to


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Executors


def test_a_table_has_a_row_for_each_run_and_length_in_the_order_of_the_runs(finished):
    _, table = finished
    assert table["length"].tolist() == [10, 20] * 7
    assert table["temperature"].isna().tolist() == [True] * 4 + [False] * 10
    assert list(table.columns[:4]) == ["strategy", "teacher", "learning_rate", "rows"]
    assert all(str(kind) in ("int64", "float64") or pd.api.types.is_string_dtype(kind) for kind in table.dtypes)
    assert table.loc[table["strategy"] == "ground truth", "agreement"].isna().all()


BITS = pytest.mark.skipif(torch.get_num_threads() > 1, reason="the bits are those of one thread: OMP_NUM_THREADS=1")


def test_an_interrupt_ends_the_workers_that_a_study_began():
    """After its first task; the second, which would take long, is not waited for."""

    def interrupted():
        raise KeyboardInterrupt

    with the_executor(None, 2) as pool:
        under_way = pool.submit(sleep, 100)
        with pytest.raises(KeyboardInterrupt):
            run_all(abs, [(1,), (2,)], pool, interrupted)
        assert under_way.exception() is not None


def test_where_nobody_watches_a_line_says_how_far_a_study_is(capsys):
    class TwoMinutes:
        waits = iter([False, False, True])
        wait = lambda self, seconds: next(self.waits)  # noqa: E731
        set = lambda self: None  # noqa: E731

    with progress_of(4, shown=True) as bar:
        bar.update()
        tell(bar, TwoMinutes())
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all("stacks of networks:  25%" in line and "1/4" in line for line in lines)


@BITS
@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_gives_the_same_table(finished, tmp_path, workers):
    assert decided(study(small_study(), tmp_path / "s", workers=workers)).equals(finished[1])


@pytest.mark.release
@BITS
def test_a_foreign_executor_gives_the_same_table(finished):
    with ProcessPoolExecutor(2, mp_context=server()) as executor:
        table = decided(study(small_study(), executor=executor))
    assert table.equals(finished[1])


@BITS
def test_threads_of_one_process_give_the_same_table(finished):
    """As an executor, and as several studies at once; networks with dropout draw from torch's random numbers."""
    with ThreadPoolExecutor(4) as executor:
        assert decided(study(small_study(), executor=executor)).equals(finished[1])
        several = [executor.submit(study, small_study()) for _ in range(3)]
        assert all(decided(one.result()).equals(finished[1]) for one in several)


@pytest.mark.release
@BITS
@pytest.mark.parametrize("seeds", [1, 2])
def test_a_teacher_that_cannot_travel_need_not_where_its_answers_are_stored(seeds):
    """As sessions, locks and open files cannot; one network alone, and a stack."""
    held = Lock()

    def teacher(inputs: torch.Tensor) -> torch.Tensor:
        with held:
            return inputs.flatten(1)[:, :10]

    runs = [Run(digits(), STUDENT, SoftLabels(2.0), teacher, (10,), seed=seed) for seed in range(seeds)]
    assert decided(study(runs, workers=1)).equals(decided(study(runs)))


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2"])
def test_workers_are_counted(workers):
    with pytest.raises(ValueError, match="workers must be a whole number of at least 1"):
        study(small_study(), workers=workers)


def test_a_study_without_runs_is_refused():
    with pytest.raises(ValueError, match="runs must hold at least one run"):
        study([])


# What is kept


def test_what_is_done_is_not_done_again(finished, monkeypatch):
    folder, table = finished
    before = files(folder)
    monkeypatch.setattr("kdlearn.engine.task_runner.fit", None)
    assert decided(study(small_study(), folder)).equals(table)
    assert files(folder) == before
    kinds = {name.partition(os.sep)[0] for name in before}
    assert kinds == {"kdlearn-study.json", "rows", "answers", "networks"}, "no checkpoint is left behind"


def test_a_run_that_is_there_already_becomes_a_teacher(tmp_path):
    """Its weights were not kept then."""
    data = digits()
    teacher = Run(data, TEACHER, lengths=(30,))
    student = Run(data, STUDENT, SoftLabels(2.0), teacher, (30,))
    expected = decided(study([student]))
    study([teacher], tmp_path / "study")
    assert not list((tmp_path / "study" / "networks").iterdir())
    assert decided(study([student], tmp_path / "study")).equals(expected)


@pytest.mark.parametrize("seeds", [1, 2])
def test_weights_that_are_asked_for_are_kept(tmp_path, seeds):
    data = digits()
    study([Run(data, STUDENT, lengths=(30,), keep=True, seed=seed) for seed in range(seeds)], tmp_path / "s")
    paths = list((tmp_path / "s" / "networks").iterdir())
    networks = [seeded(STUDENT, 9) for _ in paths]
    for network, path in zip(networks, paths, strict=True):
        set_weights(network, load_weights(path, path.stem))
    assert len(networks) == seeds and (seeds == 1 or not same_weights(*networks))


def test_two_studies_in_subfolders_do_not_disturb_each_other(tmp_path, finished):
    data = digits()
    one, other = ([Run(data, STUDENT, lengths=(20,), seed=seed)] for seed in (1, 2))
    study(one, tmp_path / "a")
    before = files(tmp_path / "a")
    study(other, tmp_path / "b")
    assert files(tmp_path / "a") == before
    assert decided(study(one, tmp_path / "a")).equals(decided(study(one)))


# Folders


STRANGERS = {
    "hidden": {".1password.bak": "secret", "docs/.2026-notes.txt": "mine"},
    "a name like ours": {"rows/mine.parquet": "mine"},
    "our name": {"kdlearn-study.json": '{"what": "mine"}', "other.txt": "mine"},
    "our name, no JSON": {"kdlearn-study.json": "what", "rows/x": "mine"},
    "our name, a list": {"kdlearn-study.json": '["what"]'},
    "half written, not by us": {".notes.kdlearn-partial-here-1-1": "mine"},
}


@pytest.mark.parametrize("content", STRANGERS.values(), ids=STRANGERS)
def test_a_folder_of_somebody_else_is_refused_and_left_as_it_is(tmp_path, content):
    for name, text in content.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    before = files(tmp_path)
    with pytest.raises(ValueError, match=str(tmp_path)):
        study([Run(digits(), STUDENT, lengths=(5,))], tmp_path)
    assert files(tmp_path) == before


@pytest.mark.parametrize("of", [{}, {"engine": kdlearn.ENGINE + 1}])
def test_a_folder_of_another_engine_is_refused_by_name_with_a_way_out(tmp_path, of):
    """Before engine 2 the file named none."""
    content = {"what": CONTENT["what"], **of}
    write_json(tmp_path / "kdlearn-study.json", content)
    before = files(tmp_path)
    with pytest.raises(ValueError, match=rf"{tmp_path}.*engine {of.get('engine', 1)} began.*new folder"):
        study([Run(digits(), STUDENT, lengths=(5,))], tmp_path)
    assert files(tmp_path) == before


def test_every_flipped_bit_of_the_file_that_names_the_engine_is_refused_by_its_name_or_means_the_same(tmp_path):
    study(runs := [Run(digits(), STUDENT, lengths=(5,))], tmp_path)
    path = tmp_path / "kdlearn-study.json"
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        place = bit // 8
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit % 8]) + whole[place + 1 :])
        try:
            check_folder(tmp_path)
        except ValueError as problem:
            assert str(path) in str(problem)
    path.write_bytes(whole)
    assert len(study(runs, tmp_path)) == 1


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(ValueError, match="is a file"):
        study([Run(digits(), STUDENT, lengths=(5,))], tmp_path / "a")


def test_what_a_user_puts_beside_a_study_stays(tmp_path):
    runs = [Run(digits(), STUDENT, lengths=(5,))]
    study(runs, tmp_path)
    mine = {
        ".1password.bak": b"secret",
        "rows/.2026-notes.txt": b"mine",
        "networks/.a.kdlearn-partial-elsewhere-1-1": b"",
    }
    for name, content in mine.items():
        (tmp_path / name).write_bytes(content)
    study(runs, tmp_path)
    assert mine.items() <= files(tmp_path).items()


def test_nothing_is_written_before_all_is_checked(tmp_path):
    with pytest.raises(ValueError, match="sample must lie in"):
        study([Run(digits(), STUDENT), Run(digits(), STUDENT, sample=5)], tmp_path / "study")
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("function", ["write_table", "save_weights"])
def test_a_full_disk_leaves_what_is_there_and_the_study_goes_on_afterwards(tmp_path, monkeypatch, finished, function):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(f"kdlearn.engine.task_runner.{function}", full)
        with pytest.raises(OSError, match="No space left"):
            study(small_study(), tmp_path / "s")
    before = files(tmp_path / "s")
    assert not [name for name in before if "partial" in name]
    assert decided(study(small_study(), tmp_path / "s")).equals(finished[1])


# Killed at any moment


def killed_at(event: int, folder: Path) -> None:
    """A study in a process that kills itself before the n-th thing that it does to its folder; never at 0."""
    left = [event]

    def count(name: str, arguments: tuple) -> None:
        writes = name == "open" and set("w+") & set(str(arguments[1]))
        if (writes or name in ("os.rename", "os.mkdir", "os.remove")) and str(folder) in str(arguments[0]):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    torch.set_num_threads(1)
    task_runner.MIN_STRETCH = OFTEN
    sys.addaudithook(count)
    decided(study(small_study(), folder)).to_parquet(f"{folder}.parquet")


def server() -> Any:
    """Processes that begin with torch and this package loaded."""
    context = get_context("spawn" if os.name == "nt" else "forkserver")
    if os.name != "nt":
        context.set_forkserver_preload(["small", "kdlearn.engine.study", "test_study"])
    return context


def finishes(folder: Path, table: pd.DataFrame) -> bool:
    """Whether another process, in which the same modules are loaded, goes on and ends with the same."""
    return process_of(0, folder).exitcode == 0 and pd.read_parquet(f"{folder}.parquet").equals(table)


def process_of(event: int, folder: Path) -> Any:
    process = server().Process(target=killed_at, args=(event, folder))
    process.start()
    process.join(120)
    assert process.exitcode in (0, -signal.SIGKILL), "it must end well or by its own hand, and within two minutes"
    return process


@pytest.mark.release
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@BITS
def test_killed_at_any_moment_it_goes_on_and_ends_bit_for_bit_the_same(tmp_path, finished):
    """Half of the kills fall on folders of their own; half on one folder, each a step later than the one before."""
    moments = random.Random(0).sample(range(1, 70), NUM_KILLS // 2)
    codes = []
    for moment in [*moments]:
        codes.append(process_of(moment, tmp_path / str(moment)).exitcode)
        assert finishes(tmp_path / str(moment), finished[1]), moment
    again = 3
    while codes[-1] != 0 or codes.count(-signal.SIGKILL) < NUM_KILLS:
        folder = tmp_path / f"again {codes[len(moments) :].count(0)}"
        codes.append(process_of(again, folder).exitcode)
        again = 3 if codes[-1] == 0 else again + 1
    assert set(codes) <= {0, -signal.SIGKILL}
    for number in range(codes[len(moments) :].count(0)):
        assert finishes(tmp_path / f"again {number}", finished[1])


# Damaged files


def flipped(path: Path, moments: random.Random) -> bytes:
    content = path.read_bytes()
    place = moments.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << moments.randrange(8)]) + content[place + 1 :]


def check_flips(folder: Path, table: pd.DataFrame, count: int, seed: int) -> int:
    """Refused by the name of the file, or the same table; the number of refusals."""
    moments, refused, whole = random.Random(seed), 0, files(folder)
    for number in range(count):
        path = folder / sorted(whole)[number % len(whole)]
        path.write_bytes(flipped(path, moments))
        try:
            assert decided(study(small_study(), folder)).equals(table), path
        except ValueError as problem:
            assert str(path) in str(problem)
            refused += 1
        for name in files(folder).keys() - whole.keys():
            (folder / name).unlink()
        for name, content in whole.items():
            (folder / name).write_bytes(content)
    return refused


@pytest.mark.release
def test_a_flipped_bit_in_a_finished_study_is_noticed(tmp_path, finished):
    folder, table = finished
    assert check_flips(copied(folder, tmp_path / "s"), table, NUM_FLIPS // 2, seed=0) > NUM_FLIPS // 8


@pytest.mark.release
def test_a_flipped_bit_in_a_half_finished_study_is_noticed(tmp_path, finished, monkeypatch):
    """The students' rows are missing, and a checkpoint is there: all that a student learns from is read."""
    folder = copied(finished[0], tmp_path / "s")
    for path in (folder / "rows").iterdir():
        if len(pd.read_parquet(path)) > 1:
            path.unlink()
    monkeypatch.setattr(task_runner, "MIN_STRETCH", OFTEN)
    with monkeypatch.context() as patched, pytest.raises(InterruptedError):
        patched.setattr(task_runner, "write_table", stop_at_the_end)
        study(small_study(), folder)
    assert any((folder / "checkpoints").iterdir())
    assert check_flips(folder, finished[1], NUM_FLIPS // 2, seed=1) > NUM_FLIPS // 8


def stop_at_the_end(*_) -> None:
    raise InterruptedError


def test_files_under_each_others_names_are_refused(tmp_path, finished):
    folder, table = copied(finished[0], tmp_path / "s"), finished[1]
    rows = sorted((folder / "rows").iterdir())
    one, other = rows[0].read_bytes(), rows[1].read_bytes()
    rows[0].write_bytes(other), rows[1].write_bytes(one)
    with pytest.raises(ValueError, match="was decided by something else"):
        study(small_study(), folder)
    rows[0].write_bytes(one), rows[1].write_bytes(other)
    assert decided(study(small_study(), folder)).equals(table)


def test_a_stack_of_ground_truth_needs_no_folder():
    table = study([Run(digits(), STUDENT, GroundTruth(), lengths=(5,), seed=seed) for seed in range(3)])
    assert table["loss"].nunique() == 3


def test_what_diverges_after_an_interruption_has_the_rows_of_one_piece(tmp_path, monkeypatch):
    """What was measured before it was stopped is not lost, though the training ends without numbers."""
    monkeypatch.setattr(task_runner, "MIN_STRETCH", OFTEN)
    options = {"lengths": (5, 40), "batch_size": 30, "optimizer": partial(torch.optim.SGD, lr=40.0)}
    runs = [Run(digits(), with_dropout, Scaled(1.0), taught(), **options)]
    expected = decided(study(runs))
    assert expected["loss"].isna().tolist() == [False, True]
    measure = task_runner.TaskRunner.measure

    def stopped(self, whole, update):
        return stop_at_the_end() if update == 2 * OFTEN else measure(self, whole, update)

    with monkeypatch.context() as patched, pytest.raises(InterruptedError):
        patched.setattr(task_runner.TaskRunner, "measure", stopped)
        study(runs, tmp_path / "s")
    assert any((tmp_path / "s/checkpoints").iterdir())
    assert decided(study(runs, tmp_path / "s")).equals(expected)
