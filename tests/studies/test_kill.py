"""A study that is killed again and again ends with the bits of one that never was."""

import os
import random
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import kdlearn_command

from kdlearn.data import load_images
from kdlearn.networks import load_weights

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither SIGKILL nor a SIGINT for one process")
KILLS = 20


def command(pictures: Path, out: Path):
    """A teacher, its labels, and six students."""
    words = "--preset", "tiny", "--seeds", 2, "--strategies", "ground-truth", "soft", "both", "--quiet"
    return kdlearn_command("distill", pictures, "--out", out, *words)


def weights(folder: Path) -> dict[str, bytes]:
    """Every tensor of the teacher and of all students, of their predictions, and of the teacher's labels."""
    return {
        f"{path.relative_to(folder)} {name}": tensor.numpy().tobytes()
        for path in folder.rglob("*.safetensors")
        for name, tensor in load_weights(path).items()
    }


def finish(process) -> str:
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0 and errors == ""
    return printed


class Unbroken(NamedTuple):
    files: dict[str, bytes]
    table: str
    start: float  # seconds until it began to train
    seconds: float  # until it ended


@pytest.fixture(scope="module")
def unbroken(pictures, tmp_path_factory) -> Unbroken:
    """A run that nobody stopped."""
    load_images(pictures)  # decoded before the clock runs
    out, begin = tmp_path_factory.mktemp("unbroken"), time.monotonic()
    process = command(pictures, out)
    while not (out / "settings.json").exists():
        time.sleep(0.01)
    start = time.monotonic() - begin
    table = finish(process)
    return Unbroken(weights(out), table, start, time.monotonic() - begin)


def kill_and_go_on(pictures: Path, folder: Path, unbroken: Unbroken, seed: int) -> None:
    """A run that ends before its moment comes is compared, and another one begun."""
    moments, kills, rounds = random.Random(seed), 0, 0
    while kills < KILLS // 2 or (folder / str(rounds)).exists():
        out = folder / str(rounds)
        process = command(pictures, out)
        with suppress(subprocess.TimeoutExpired):
            process.wait(moments.uniform(unbroken.start, unbroken.seconds) if kills < KILLS // 2 else 300)
        process.kill()
        killed = process.wait() == -signal.SIGKILL
        kills += killed
        if not killed:
            assert finish(process) == unbroken.table
            assert weights(out) == unbroken.files
            rounds += 1


def test_killed_at_any_moment_it_goes_on_and_ends_bit_for_bit_the_same(pictures, tmp_path, unbroken):
    """Two at a time, each on one core."""
    folders = [tmp_path / name for name in ("one", "other")]
    with ThreadPoolExecutor(len(folders)) as pool:
        list(pool.map(lambda folder, seed: kill_and_go_on(pictures, folder, unbroken, seed), folders, range(2)))


def test_ctrl_c_stops_with_one_line_and_goes_on(pictures, tmp_path, unbroken):
    process = command(pictures, tmp_path)
    while not any(tmp_path.glob("runs/*")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)  # as in test_cli.py
    assert errors.startswith("kdlearn: interrupted; ") and errors.count("\n") == 1
    assert weights(tmp_path).items() < unbroken.files.items()
    assert finish(command(pictures, tmp_path)) == unbroken.table
    assert weights(tmp_path) == unbroken.files
