"""Command lines that cannot be meant, or cannot be carried out: one line, no training, nothing written."""

import shlex
from pathlib import Path

import pytest
from conftest import Command

TINY = "distill PICTURES --out out --preset tiny --seeds 1"

WORDS = [  # what is wrong with the words themselves
    "",
    "dmo",
    "demo --fast",
    "start ''",
    "distill PICTURES",
    "distill '' --out out",
    "distill PICTURES --out ''",
    "distill PICTURES --out PICTURES/train/new",
    "distill PICTURES --out PICTURES/study",
    f"{TINY} --resize 0",
    f"{TINY} --preset huge",
    f"{TINY} --teacher nowhere:small",
    f"{TINY} --teacher mine:nothing",
    f"{TINY} --teacher mine:number",
    f"{TINY} --strategies ''",
    f"{TINY} --strategies softer",
    f"{TINY} --strategies soft,,hard",
    f"{TINY} --strategies mine:Needs",
    f"{TINY} --strategies mine:Missing",
    f"{TINY} --strategies nowhere:Distance",
    f"{TINY} --strategies kdlearn:TruthWhereKnown",
    f"{TINY} --seeds 0",
    f"{TINY} --workers 2 --scheduler tcp://127.0.0.1:1",
]

CIRCUMSTANCES = [  # what cannot be carried out here
    "demo --out file/below",
    "start file",
    "explore --no-open --out folder",
    "explore --no-open --out file/below.html",
    "results nowhere",
    "results folder",
    "results file",
    "results folder nowhere",
    "distill nowhere --out out",
    "distill file --out out",
    "distill folder --out out",
    "distill 'a\x1b[31mb' --out out",
    "distill 'a\0b' --out out",
    "distill cifar10 --out out",
    f"{TINY} --out .",
    f"{TINY} --out file/below",
    f"{TINY} --out folder",
    f"{TINY} --scheduler tcp://127.0.0.1:1",
    f"{TINY} --scheduler 127.0.0.1:99999999",
    f"{TINY} --teacher vgg",
    f"{TINY} --teacher airbench:0,8,8",
    f"{TINY} --teacher airbench:9999999,9999999,9999999",
    f"{TINY} --student airbench:99999999999999999999999,8,8",
    f"{TINY} --teacher mine:failing",
    f"{TINY} --teacher mine:no_network",
    f"{TINY} --teacher mine:takes_nothing",
    f"{TINY} --teacher mine:of_seven",
    f"{TINY} --teacher mine:for_others",
    f"{TINY} --student mine:trained",
    f"{TINY} --student mine:of_one",
    f"{TINY} --temperature 0",
    f"{TINY} --temperature 60 --strategies evenly",
    f"{TINY} --strategies ground-truth,mine:TwiceTheName",
    f"{TINY} --strategies mine:number",
    f"{TINY} --strategies mine:Nameless",
    f"{TINY} --strategies kdlearn:Strategy",
    f"{TINY} --strategies mine:Mean",
    f"{TINY} --strategies mine:Broken",
]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in files}


@pytest.fixture
def things(here: Path) -> Path:
    (here / "file").write_text("not a folder")
    (here / "folder").mkdir()
    (here / "folder" / "theirs").write_text("somebody's")
    return here


@pytest.mark.parametrize(("line", "code"), [*((one, 2) for one in WORDS), *((one, 1) for one in CIRCUMSTANCES)])
def test_refused_in_one_line_before_anything_is_done(line, code, things, pictures, trained, kdlearn_here: Command):
    before = contents(things), contents(pictures)
    result = kdlearn_here(*(word.replace("PICTURES", str(pictures)) for word in shlex.split(line)))
    assert result.code == code, result.err
    assert len(result.err.splitlines()) == 1 and result.err.startswith("kdlearn") and not result.out
    assert "Traceback" not in result.err and result.err.removesuffix("\n").isprintable()
    assert not trained and contents(things) == before[0]
    assert contents(pictures).keys() - {str(pictures / ".kdlearn-cache.safetensors")} <= before[1].keys()


def test_a_corrected_command_trains_in_the_same_folder(things, pictures, trained, kdlearn_here: Command):
    start = ["distill", pictures, "--out", "out", "--preset", "tiny", "--seeds", 1]
    assert kdlearn_here(*start, "--student", "mine:of_seven").code == 1 and not trained
    assert kdlearn_here(*start, "--student", "mine:small").code == 130 and trained  # noted, and broken off


def test_torchruns_processes_are_no_workers_processes(monkeypatch, things, pictures, trained, kdlearn_here: Command):
    monkeypatch.setenv("LOCAL_RANK", "0")
    result = kdlearn_here("distill", pictures, "--out", "out", "--workers", 2)
    assert result.code == 2 and "torchrun" in result.err


@pytest.mark.parametrize("problem", [MemoryError(), RuntimeError("CUDA out of memory"), OSError(28, "No space left")])
def test_what_the_machine_lacks_is_said_in_one_line(problem, monkeypatch, pictures, kdlearn_here: Command):
    def fit(*arguments, **options):
        raise problem

    monkeypatch.setattr("kdlearn.engine.task_runner.fit", fit)
    result = kdlearn_here("distill", pictures, "--out", "out", "--preset", "tiny", "--seeds", 1)
    assert result.code == 1 and len(result.err.splitlines()) == 1 and "Traceback" not in result.err


def test_nothing_that_a_terminal_obeys_is_printed(here, pictures, trained, kdlearn_here: Command):
    for extra in (("--teacher", "\x1b]0;a\x07:b"), ("--\x1b[2J",)):
        result = kdlearn_here("distill", pictures, "--out", "out", "--preset", "tiny", *extra)
        assert result.code == 2 and "\x1b" not in result.err and "\\x1b" in result.err
