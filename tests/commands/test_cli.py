"""The command line: what it writes, what it refuses in one line, and that it never harms what is there."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import kdlearn.studies
from kdlearn.commands import main as cli
from kdlearn.data.files import read_json

STUDY = {
    "rows": [
        {
            "part": "own",
            "arm": "ground truth",
            "temperature": None,
            "seeds": 3,
            "parameters": 7,
            "difference": None,
            **{name: [80.0, 2.0] for name in ("accuracy", "macro_f1", "calibration_error", "agreement")},
        }
    ],
    "teacher": {"accuracy": 0.9, "parameters": 100},
    "finding": "Found.",
}


@pytest.fixture
def quick_demo(monkeypatch, tmp_path):
    monkeypatch.setattr(kdlearn.studies, "demo", lambda seeds, progress: STUDY | {"seeds": seeds})
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "kdlearn", *arguments], capture_output=True, text=True, **options)


def test_demo_writes_and_says_what_it_found(quick_demo, tmp_path, capsys):
    assert cli.main(["demo", "--seeds", "5"]) == cli.main(["demo"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kdlearn-demo-1", "kdlearn-demo-2"]
    assert read_json(tmp_path / "kdlearn-demo-1/results.json")["seeds"] == 5
    assert (tmp_path / "kdlearn-demo-2/results.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "ground truth" in printed and "Found." in printed and "kdlearn-demo-1" in printed


def test_results_are_not_overwritten_silently(quick_demo, tmp_path, capsys):
    out = str(tmp_path / "a/b")
    assert cli.main(["demo", "--out", out, "--seeds", "2"]) == 0
    assert cli.main(["demo", "--out", out, "--seeds", "3"]) == 1
    assert "holds results.json already; choose another --out, or add --overwrite" in capsys.readouterr().err
    assert read_json(tmp_path / "a/b/results.json")["seeds"] == 2
    assert cli.main(["demo", "--out", out, "--seeds", "3", "--overwrite"]) == 0
    assert read_json(tmp_path / "a/b/results.json")["seeds"] == 3


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), OSError("disk full")])
def test_a_broken_demo_leaves_nothing(monkeypatch, tmp_path, capsys, problem):
    def broken(seeds, progress):
        raise problem

    monkeypatch.setattr(kdlearn.studies, "demo", broken)
    assert cli.main(["demo", "--out", str(tmp_path / "out")]) != 0
    assert not (tmp_path / "out").exists() and len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["demo", "--fast"], 2, "unrecognized arguments: --fast"),
        (["demo", "--seeds", "1"], 2, "an interval needs a whole number of at least 2 seeds; got 1"),
        (["demo", "--seeds", "two"], 2, "got two"),
        (["dmo"], 2, "invalid choice: 'dmo'"),
        ([], 2, "arguments are required: COMMAND"),
        (["start"], 2, "arguments are required: FOLDER"),
        (["demo", "--out", "file/below"], 1, "file"),
        (["start", "file"], 1, "file"),
    ],
)
def test_one_line_and_no_traceback(tmp_path, arguments, code, message):
    (tmp_path / "file").write_text("not a folder")
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == code and message in result.stderr
    assert len(result.stderr.splitlines()) == 1 and result.stderr.startswith("kdlearn")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "kdlearn", "demo", "--out", "out"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    while not (tmp_path / "out").exists():
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert (
        process.communicate(timeout=60)[1]
        == "kdlearn: interrupted; what is complete was kept, the rest was not written\n"
    )
    # at times, on a busy machine, Python ends by the signal itself after this line; a shell sees 130 either way
    assert process.returncode in (130, -signal.SIGINT) and not list(tmp_path.iterdir())


def test_start_makes_a_learners_copy_and_keeps_their_work(tmp_path, capsys):
    folder = tmp_path / "my-course"
    assert cli.main(["start", str(folder)]) == 0
    copies = sorted(folder.glob("*.ipynb"))
    assert [path.name for path in copies] == [path.name for path in sorted(cli.notebooks_folder().glob("*.ipynb"))]
    for path in copies:
        for cell in read_json(path)["cells"]:
            if cell["cell_type"] == "code":
                assert cell["outputs"] == [] and cell["execution_count"] is None
            if "hide-input" in cell["metadata"].get("tags", []):
                assert cell["metadata"]["jupyter"]["source_hidden"]
    copies[0].write_text("mine")
    copies[1].unlink()
    assert cli.main(["start", str(folder)]) == 0
    assert copies[0].read_text() == "mine" and copies[1].exists()
    assert f"kept   {copies[0]}, which is yours" in capsys.readouterr().out


def test_doctor_and_version_do_not_load_torch():
    script = "import sys; from kdlearn.commands.main import main; main(['doctor']); assert 'torch' not in sys.modules"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert all(word in result.stdout for word in ("python", "torch", "cores", "GPU", "free disk", "kdlearn demo"))
    assert run("--version").stdout.startswith("kdlearn ")


def test_results_are_json(quick_demo, tmp_path):
    cli.main(["demo"])
    json.loads((tmp_path / "kdlearn-demo-1/results.json").read_text(encoding="utf-8"))
