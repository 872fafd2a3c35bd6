"""Files are whole or not there; one bit that is not as it was is noticed, and nothing of the user's is touched."""

import hashlib
import json
import math
import os
import platform
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import safetensors.torch
import torch
from damage import every_flip, refused_or_the_same
from small import same_tensors
from test_package import modules_after

from kdlearn.data.files import (
    read_json,
    read_table,
    read_tensors,
    remove_partials,
    replacing,
    write_json,
    write_table,
    write_tensors,
)

TENSORS = {"logits": torch.tensor([[1.5, -2.0]]), "seen": torch.tensor([True, False]), "step": torch.tensor(3)}
TABLE = pd.DataFrame({"strategy": ["soft", "hard"], "seed": [0, 1], "accuracy": [0.5, math.nan]})


def write_tensors_at(path: Path) -> None:
    write_tensors(path, TENSORS, {"teacher": "a", "seed": "0"})


def write_table_at(path: Path) -> None:
    write_table(path, TABLE, {"teacher": "a", "seed": "0"})


KINDS = {
    "tensors": (write_tensors_at, read_tensors, same_tensors),
    "table": (write_table_at, read_table, pd.DataFrame.equals),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def test_json_comes_back(tmp_path):
    write_json(tmp_path / "results.json", {"accuracy ±": [1.5, None]})
    assert read_json(tmp_path / "results.json") == {"accuracy ±": [1.5, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "nan.json", math.nan)
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_json_is_read_without_torch_and_pandas():
    assert not {"torch", "pandas", "pyarrow", "numpy"} & modules_after("import kdlearn.data.files")


# Temporary names


@pytest.mark.parametrize("problem", [KeyboardInterrupt, OSError, ValueError])
def test_a_failure_leaves_the_old_file_and_no_debris(tmp_path, problem):
    path = tmp_path / "results.json"
    write_json(path, "old")
    with pytest.raises(problem), replacing(path) as temporary:
        temporary.write_text("ne")
        raise problem
    assert read_json(path) == "old" and len(list(tmp_path.iterdir())) == 1


def test_two_writers_of_a_file_do_not_meet(tmp_path):
    with replacing(tmp_path / "a") as one, replacing(tmp_path / "a") as other:
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a").read_text() == "one" and len(list(tmp_path.iterdir())) == 1


@pytest.fixture
def killed(tmp_path) -> int:
    """A process that was killed while it wrote results.json, runs/a.json and other/b.json."""
    for name in ("runs", "other"):
        (tmp_path / name).mkdir()
    code = """
import os
from pathlib import Path
from kdlearn.data.files import replacing
with replacing(Path("results.json")) as one, replacing(Path("runs/a.json")) as two:
    with replacing(Path("other/b.json")) as three:
        for path in (one, two, three):
            path.write_text("half")
        os._exit(1)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment)
    assert process.wait() == 1
    return process.pid


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell who is alive")
def test_what_a_killed_process_left_is_removed_where_it_is_asked_for_and_nothing_else(tmp_path, killed):
    host = platform.node()
    users = [
        ".1password.bak",
        f".{killed}.results.json",
        "docs/.2026-notes.txt",
        "results.json",
        ".results.json.kdlearn-partial",
        f".results.json.kdlearn-partial-{killed}",
        f".results.json.kdlearn-partial-another-host-{killed}-0",
        f".results.json.kdlearn-partial-{host}-{killed}-0.bak",
        f"results.json.kdlearn-partial-{host}-{killed}-0",
        f".results.json.kdlearn-partial-{host}-{os.getpid()}-0",
        f".results.json.kdlearn-partial-{host}-{'9' * 30}-0",
    ]
    for name in users:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    folder, link = (tmp_path / f".x.kdlearn-partial-{host}-{killed}-{number}" for number in (7, 8))
    folder.mkdir()
    link.symlink_to(tmp_path / "results.json")
    (tmp_path / "linked").symlink_to(tmp_path / "other")

    def halves() -> list[str]:
        hidden = (path for path in tmp_path.rglob(".*") if path.is_file())
        return [path.parent.name for path in hidden if path.read_text() == "half"]

    assert len(halves()) == 3
    remove_partials(tmp_path, ["runs", "linked", "missing"])
    assert halves() == ["other"]
    assert all((tmp_path / name).read_text() == "mine" for name in users) and folder.is_dir() and link.is_symlink()


# What comes back


def test_tensors_come_back_whatever_memory_they_share(tmp_path):
    square = torch.arange(6.0).view(2, 3)
    tensors = {
        "whole": square,
        "again": square,
        "row": square[1],
        "transposed": square.T,
        "parameter": torch.nn.Parameter(square),
        "none": torch.zeros(0, 3),
        "half": torch.tensor([1.0, math.nan], dtype=torch.bfloat16),
        "ü": torch.tensor(True),
    }
    write_tensors(tmp_path / "a", tensors, "")
    found = read_tensors(tmp_path / "a", "")
    for name, tensor in tensors.items():
        torch.testing.assert_close(found[name], tensor.detach(), rtol=0, atol=0, equal_nan=True)
    assert found.keys() == tensors.keys() and not found["parameter"].requires_grad


def test_what_is_changed_in_memory_does_not_reach_the_file(tmp_path):
    write_tensors_at(tmp_path / "a")
    read_tensors(tmp_path / "a")["logits"].zero_()
    assert same_tensors(read_tensors(tmp_path / "a"), TENSORS)


def test_a_table_comes_back_with_its_types(tmp_path):
    (tmp_path / "seed=3").mkdir()  # a name from which Parquet's readers like to make a column
    path = tmp_path / "seed=3" / "table.parquet"
    write_table(path, TABLE.iloc[::-1], {"teacher": "a"})
    found = read_table(path, {"teacher": "a"})
    pd.testing.assert_frame_equal(found, TABLE.iloc[::-1].reset_index(drop=True))
    pd.testing.assert_frame_equal(pd.read_parquet(path.rename(tmp_path / "plain.parquet")), found)


def test_the_same_input_gives_the_same_bytes(kind, tmp_path):
    write, _, _ = kind
    write(tmp_path / "one")
    write(tmp_path / "other")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


# What is refused


def test_a_flipped_bit_is_noticed_wherever_it_is(kind, tmp_path):
    write, read, same = kind
    write(path := tmp_path / "file")
    before = read(path)
    for content in every_flip(path.read_bytes()):
        path.write_bytes(content)
        refused_or_the_same(lambda: read(path), path, before, same)


def test_every_cut_is_refused(kind, tmp_path):
    write, read, _ = kind
    write(path := tmp_path / "file")
    whole = path.read_bytes()
    for content in [*(whole[:length] for length in range(0, len(whole), 7)), whole[:-1], whole + b"\0"]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"{path} .*delete it to make it anew"):
            read(path)


@pytest.mark.parametrize(
    "decided_by, words",
    [
        ({"teacher": "b", "seed": "0"}, "teacher was a, is now b; delete it"),
        ({"teacher": "a"}, "seed was 0, is now None"),
        ({"teacher": "a", "seed": "0", "length": "7"}, "length was None, is now 7"),
        ("a", "it was .*, is now a"),
    ],
)
def test_what_another_thing_decided_is_refused_by_what_differs(kind, tmp_path, decided_by, words):
    write, read, same = kind
    write(path := tmp_path / "file")
    with pytest.raises(ValueError, match=rf"{path} was decided by something else: .*{words}"):
        read(path, decided_by)
    assert same(read(path, {"seed": "0", "teacher": "a"}), read(path))


@pytest.mark.parametrize("write, read", [(write_tensors_at, read_table), (write_table_at, read_tensors)])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, write, read):
    write(path := tmp_path / "file")
    with pytest.raises(ValueError, match=rf"{path} holds no .*delete it to make it anew"):
        read(path)


def test_files_without_a_hash_are_refused_and_absent_ones_not_found(kind, tmp_path):
    _, read, _ = kind
    safetensors.torch.save_file(TENSORS, tmp_path / "tensors")
    TABLE.to_parquet(tmp_path / "table")
    for name in ("tensors", "table"):
        with pytest.raises(ValueError, match=rf"{name} does not carry the hash"):
            read(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nowhere")


def test_a_full_disk_is_an_os_error_and_leaves_the_old_file(tmp_path, monkeypatch):
    def full(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise safetensors.SafetensorError("No space left on device")

    write_tensors_at(path := tmp_path / "a")
    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(OSError, match=rf"{path} .*No space left"):
        write_tensors(path, {"other": torch.zeros(2)}, "")
    assert same_tensors(read_tensors(path), TENSORS) and list(tmp_path.iterdir()) == [path]


def test_the_hash_is_sha256_of_the_file_with_zeros_in_its_place(tmp_path):
    """By hand: the label is JSON in the header's metadata."""
    write_tensors_at(path := tmp_path / "a")
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    about = json.loads(header["__metadata__"]["kdlearn-file"])
    digest = about["hash"].removeprefix("kdlearn-sha256:")
    assert about["decided_by"] == {"teacher": "a", "seed": "0"}
    assert hashlib.sha256(content.replace(digest.encode(), b"0" * 64)).hexdigest() == digest


def test_of_processes_that_train_together_the_first_alone_writes(tmp_path, monkeypatch):
    for rank, there in (("1", False), ("0", True)):
        monkeypatch.setenv("RANK", rank)
        write_json(tmp_path / "a.json", 1)
        write_tensors(tmp_path / "a.safetensors", {"x": torch.ones(2)}, "")
        assert (tmp_path / "a.json").exists() == (tmp_path / "a.safetensors").exists() == there
        assert len(list(tmp_path.iterdir())) == 2 * there
