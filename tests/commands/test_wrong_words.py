"""Command lines that cannot be meant, or cannot be carried out: one line, no training, nothing written."""

import shlex
from pathlib import Path

import pytest
import torch
from conftest import Command

from kdlearn.networks.airbench import airbench
from kdlearn.networks.weights import save_weights

TINY = "distill PICTURES --out out --preset tiny --seeds 1"

WORDS = [  # what is wrong with the words themselves
    "",
    "dmo",
    "--fast",
    "demo --fast",
    "demo extra",
    "demo --seeds 0",
    "demo --seeds -1",
    "demo --seeds two",
    "demo --seeds 1.5",
    "demo --seeds nan",
    "demo --seeds 1000000000000000000000000",
    "demo --replicates 1",
    "demo --replicates ''",
    "demo --out ''",
    "demo --out ' '",
    "start",
    "start ''",
    "start a b",
    "explore --out ''",
    "explore file",
    "results",
    "results ''",
    "doctor --all",
    "distill",
    "distill PICTURES",
    "distill --out out",
    "distill '' --out out",
    "distill PICTURES --out ''",
    "distill PICTURES EXTRA --out out",
    "distill PICTURES --out",
    "distill PICTURES --out PICTURES/train/new",
    "distill PICTURES --out PICTURES/study",
    f"{TINY} --download",
    f"{TINY} --root data",
    f"{TINY} --resize 0",
    f"{TINY} --resize 8.5",
    "distill cifar10 --out out --resize 16",
    f"{TINY} --preset huge",
    f"{TINY} --preset ''",
    f"{TINY} --teacher vgg",
    f"{TINY} --teacher ''",
    f"{TINY} --teacher airbench",
    f"{TINY} --teacher airbench:1,2",
    f"{TINY} --teacher airbench:0,8,8",
    f"{TINY} --teacher airbench:-4,8,8",
    f"{TINY} --teacher airbench:4,8,8.5",
    f"{TINY} --teacher airbench:4,8,٨",
    f"{TINY} --teacher airbench:nan,8,8",
    f"{TINY} --teacher resnet18:",
    f"{TINY} --teacher resnet18:8,8",
    f"{TINY} --teacher nowhere:small",
    f"{TINY} --teacher mine:nothing",
    f"{TINY} --teacher mine:",
    f"{TINY} --teacher :small",
    f"{TINY} --teacher mine:number",
    f"{TINY} --teacher mine:no_network",
    f"{TINY} --students airbench:4,8",
    f"{TINY} --students airbench:4,8,8 wrong",
    f"{TINY} --students airbench:4,8,8 airbench:4,8,8",
    f"{TINY} --students",
    f"{TINY} --strategies",
    f"{TINY} --strategies softer",
    f"{TINY} --strategies soft soft",
    f"{TINY} --strategies ground-truth mine:TwiceTheName",
    f"{TINY} --strategies mine:small",
    f"{TINY} --strategies mine:number",
    f"{TINY} --strategies mine:Nameless",
    f"{TINY} --strategies mine:Needs",
    f"{TINY} --strategies mine:Missing",
    f"{TINY} --strategies nowhere:Distance",
    f"{TINY} --strategies kdlearn:Strategy",
    f"{TINY} --strategies kdlearn:TruthWhereKnown",
    f"{TINY} --strategies ../mine:Distance",
    f"{TINY} --temperature 0",
    f"{TINY} --temperature -1",
    f"{TINY} --temperature nan",
    f"{TINY} --temperature inf",
    f"{TINY} --temperature 1e300",
    f"{TINY} --temperature 1e-300",
    f"{TINY} --temperature warm",
    f"{TINY} --temperature",
    f"{TINY} --temperature 2 4",
    f"{TINY} --temperature 2 2 --validation 30",
    f"{TINY} --temperature 2 nan --validation 30",
    f"{TINY} --temperature 4 --strategies hard",
    f"{TINY} --soft-weight 1.1",
    f"{TINY} --soft-weight -0.1",
    f"{TINY} --soft-weight nan",
    f"{TINY} --soft-weight 0.5 0.9",
    f"{TINY} --soft-weight 0.5 --strategies soft",
    f"{TINY} --learning-rate nan",
    f"{TINY} --learning-rate -1",
    f"{TINY} --learning-rate 0",
    f"{TINY} --learning-rate inf",
    f"{TINY} --learning-rate 1e300",
    f"{TINY} --learning-rate 0.1 0.2",
    f"{TINY} --teacher-smoothing nan",
    f"{TINY} --teacher-smoothing -0.1",
    f"{TINY} --teacher-smoothing 2",
    f"{TINY} --teacher-weights w --teacher-epochs 3",
    f"{TINY} --teacher-weights w --teacher-smoothing 0.1",
    f"{TINY} --teacher-epochs 0",
    f"{TINY} --epochs 0",
    f"{TINY} --epochs -3",
    f"{TINY} --epochs 1.5",
    f"{TINY} --epochs 10000000000000",
    f"{TINY} --batch-size 0",
    f"{TINY} --seeds 0",
    f"{TINY} --seeds 999999999",
    f"{TINY} --workers 0",
    f"{TINY} --workers 100000",
    f"{TINY} --workers 2 --scheduler tcp://127.0.0.1:1",
    f"{TINY} --validation -1",
    f"{TINY} --validation some",
    f"{TINY} --labelled 0",
    f"{TINY} --labelled -0.5",
    f"{TINY} --labelled 1.5",
    f"{TINY} --labelled nan",
    f"{TINY} --labelled 0.5 --strategies decoupled",
    f"{TINY} --no-flip --flip",
]

CIRCUMSTANCES = [  # what cannot be carried out here
    "demo --out file",
    "demo --out file/below",
    "start file",
    "start file/below",
    "explore --no-open --out file",
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
    "distill cifar10 --out out",
    "distill mnist --out out",
    "distill cifar10 --out out --root folder",
    f"{TINY} --out .",
    f"{TINY} --out file",
    f"{TINY} --out file/below",
    f"{TINY} --out folder",
    f"{TINY} --device toaster",
    f"{TINY} --device ''",
    f"{TINY} --device cuda:99",
    f"{TINY} --scheduler ''",
    f"{TINY} --scheduler nonsense",
    f"{TINY} --scheduler tcp://127.0.0.1:1",
    f"{TINY} --scheduler 127.0.0.1:99999999",
    f"{TINY} --batch-size 181",
    f"{TINY} --batch-size 100000000000000000000000000",
    f"{TINY} --validation 179",
    f"{TINY} --validation 1",
    f"{TINY} --validation 1000000",
    f"{TINY} --labelled 0.001",
    f"{TINY} --labelled 0.999",
    f"{TINY} --teacher airbench:9999999,9999999,9999999",
    f"{TINY} --students airbench:4,8,8 airbench:99999999999999999999999,8,8",
    f"{TINY} --teacher resnet18:9999999",
    f"{TINY} --teacher mine:failing",
    f"{TINY} --teacher mine:of_seven",
    f"{TINY} --teacher mine:for_others",
    f"{TINY} --students mine:of_seven",
    f"{TINY} --students mine:of_one",
    f"{TINY} --students mine:for_others",
    f"{TINY} --strategies mine:Mean",
    f"{TINY} --strategies mine:Broken",
    f"{TINY} --teacher-weights nowhere",
    f"{TINY} --teacher-weights file",
    f"{TINY} --teacher-weights folder",
    f"{TINY} --teacher-weights other.safetensors",
    f"{TINY} --start nowhere",
    f"{TINY} --start file",
    f"{TINY} --start folder",
    f"{TINY} --start ''",
    f"{TINY} --start teacher --teacher resnet18:4",
    f"{TINY} --start teacher --students mine:small",
    f"{TINY} --start other.safetensors --students mine:small",
]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in files}


@pytest.fixture
def things(here: Path) -> Path:
    (here / "file").write_text("not a folder")
    (here / "folder").mkdir()
    (here / "folder" / "theirs").write_text("somebody's")
    save_weights(here / "other.safetensors", airbench((2, 3, 4), 3))
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


def test_there_are_enough():
    assert len({*WORDS, *CIRCUMSTANCES}) == len(WORDS) + len(CIRCUMSTANCES) > 100


def test_a_corrected_command_trains_in_the_same_folder(things, pictures, trained, kdlearn_here: Command):
    start = ["distill", pictures, "--out", "out", "--preset", "tiny", "--seeds", 1]
    assert kdlearn_here(*start, "--labelled", 0.001).code == 1 and not trained
    assert kdlearn_here(*start, "--labelled", 0.5).code == 130 and trained  # the noted training is an interruption


def test_two_gpus_less(monkeypatch, things, pictures, trained, kdlearn_here: Command):
    """torchrun's processes are no workers' processes."""
    monkeypatch.setenv("LOCAL_RANK", "0")
    result = kdlearn_here("distill", pictures, "--out", "out", "--workers", 2)
    assert result.code == 2 and "torchrun" in result.err


def test_too_little_memory_is_said(monkeypatch, things, pictures, trained, kdlearn_here: Command):
    monkeypatch.setattr("kdlearn.commands.presets.available_memory", lambda: 1000)
    result = kdlearn_here("distill", pictures, "--out", "out", "--preset", "tiny")
    assert result.code == 1 and "memory" in result.err and not trained


@pytest.mark.parametrize("problem", [MemoryError(), RuntimeError("CUDA out of memory"), OSError(28, "No space left")])
def test_what_the_machine_lacks_is_said_in_one_line(problem, monkeypatch, pictures, kdlearn_here: Command):
    def fit(*arguments, **options):
        raise problem

    monkeypatch.setattr("kdlearn.engine.carry_out.fit", fit)
    result = kdlearn_here("distill", pictures, "--out", "out", "--preset", "tiny", "--seeds", 1)
    assert result.code == 1 and len(result.err.splitlines()) == 1 and "Traceback" not in result.err


def test_nothing_that_a_terminal_obeys_is_printed(here, pictures, trained, kdlearn_here: Command):
    torch.save({}, here / "w\x1b[2J.safetensors")
    for extra in (("--teacher-weights", "w\x1b[2J.safetensors"), ("--teacher", "\x1b]0;a\x07:b"), ("--\x1b[2J",)):
        result = kdlearn_here("distill", pictures, "--out", "out", "--preset", "tiny", *extra)
        assert result.code in (1, 2) and "\x1b" not in result.err and "\\x1b" in result.err
