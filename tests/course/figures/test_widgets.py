"""The figures' Python side: what they take and refuse, say and weigh; the rest is seen in a browser."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
import traitlets
from conftest import ROOT

import kdlearn
from kdcourse.commands import explore
from kdcourse.figures import (
    KINDS,
    Atlas,
    DarkKnowledge,
    DrawADigit,
    LossExplorer,
    Playground,
    Simplex,
    SpeakADigit,
    TemperatureExplorer,
    TypeASentence,
)
from kdcourse.figures.figure import FOLDER, SHARED, joined, script
from kdlearn.commands.main import main
from kdlearn.data.files import read_json

LOGITS = [[6.0, 2.0, -1.0], [1.0, 0.0, 2.0]]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak memory in /proc")
def test_importing_them_is_small():
    code = """import sys, pathlib
import kdcourse.figures
assert not {"torch", "matplotlib", "sklearn", "scipy"} & set(sys.modules)
print(pathlib.Path("/proc/self/status").read_text())"""
    status = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) < 150_000


def test_the_modules_are_small_and_each_is_used():
    sizes = {path.stem: path.stat().st_size for path in FOLDER.glob("*.js")}
    assert {*SHARED, "host"} | {name for kind in KINDS for name in kind.modules} == set(sizes)
    assert max(sizes.values()) <= 12_000 and sum(sizes.values()) <= 35_000 + 12_500 * len(KINDS)
    assert max(len(path.read_text(encoding="utf-8").splitlines()) for path in FOLDER.glob("*.js")) <= 300
    for kind in KINDS:
        text = joined(*kind.modules)
        assert "</script" not in text and not re.search(r"^(import|export)\b", text, re.MULTILINE)


def test_the_gallery_of_the_book_shows_each():
    gallery = (ROOT / "book/figures.md").read_text(encoding="utf-8")
    assert re.findall(r"```\{interactive\} (\w+)", gallery) == [kind.__name__ for kind in KINDS]


@pytest.mark.parametrize("make", [list, np.array, torch.tensor, lambda rows: torch.tensor(rows, requires_grad=True)])
def test_it_takes_lists_arrays_and_tensors(make):
    explorer = TemperatureExplorer(make(LOGITS), temperature=2.0)
    assert explorer.logits == LOGITS and explorer.class_names == ["0", "1", "2"]
    expected = kdlearn.soft_labels(torch.tensor(LOGITS[:1], dtype=torch.float64), temperature=2.0)[0]
    np.testing.assert_allclose(explorer.probabilities, expected, rtol=1e-12)


GIVEN = {
    TemperatureExplorer: {"logits": LOGITS},
    LossExplorer: {"student_logits": [2.0, 2.5, 0.5], "teacher_logits": [6.0, 3.0, 4.0]},
    DarkKnowledge: {"teacher_logits": LOGITS, "labels": [0, 1], "images": np.zeros((2, 8, 8))},
}


@pytest.mark.parametrize(
    ("kind", "name", "value", "message"),
    [
        (TemperatureExplorer, "logits", [[1.0, float("nan")]], "logits must be finite; row 0"),
        (TemperatureExplorer, "logits", [[[1.0, 2.0]]], "logits must have shape"),
        (TemperatureExplorer, "logits", [1.0], "at least 2 classes"),
        (TemperatureExplorer, "logits", "cat", "logits must be numbers"),
        (TemperatureExplorer, "class_names", ["cat"], "class_names must hold one name a class, 3 in all; got 1"),
        (TemperatureExplorer, "labels", [0, 3], "labels must be whole numbers in 0 … 2; got 3 at position 1"),
        (TemperatureExplorer, "image", np.zeros((3, 8, 8)), "images must be 2 of shape"),
        (TemperatureExplorer, "image", np.full((2, 8, 8), 4096.0), "normalised pixels; they reach from 4096 to 4096"),
        (TemperatureExplorer, "temperature", 0.0, "temperature must lie in 0.1 … 100; got 0.0"),
        (TemperatureExplorer, "temperature", float("nan"), "temperature must lie in"),
        (TemperatureExplorer, "index", 2, "index must lie in 0 … 1; got 2"),
        (TemperatureExplorer, "scale", "cubic", "scale"),
        (TemperatureExplorer, "tau", 2.0, "TemperatureExplorer has no tau; it has ask, class_names, guess"),
        (LossExplorer, "student_logits", [1.0, 2.0], "student_logits must hold a logit a class, 3 in all; got 2"),
        (LossExplorer, "student_logits", LOGITS, r"student_logits must be one example's, of shape \(C,\)"),
        (LossExplorer, "label", 3, "labels must be whole numbers in 0 … 2; got 3"),
        (LossExplorer, "soft_weight", 1.1, "soft_weight must lie in 0 … 1; got 1.1"),
        (DarkKnowledge, "teacher_logits", [[1.0, np.inf]] * 2, "teacher_logits must be finite; row 0"),
        (DarkKnowledge, "labels", [0], r"labels must hold one class index an example, 2 in all; got shape \(1,\)"),
        (DarkKnowledge, "labels", [5, 6], "labels must be whole numbers in 0 … 2"),
        (DarkKnowledge, "images", np.zeros((2, 2, 8, 8)), "images must be 2 of shape"),
        (DarkKnowledge, "images", np.full((2, 8, 8), np.nan), "images must be finite"),
        (DarkKnowledge, "images", np.random.default_rng(0).random((2, 3, 128, 128)), "more than 38; show about"),
        (DarkKnowledge, "class_names", ["zero"], "class_names must hold one name a class, 3 in all; got 1"),
        (DarkKnowledge, "selected", 2, "selected must be an image's index in 0 … 1; got 2"),
        (Simplex, "student_logits", [1.0, 2.0], "student_logits must hold 3 logits; got 2"),
        (Simplex, "label", 3, "labels must be whole numbers in 0 … 2"),
        (Simplex, "presets", {"a": {"tau": 1}}, "Simplex has no tau"),
        *(
            (DrawADigit, "cells", text, "256 hexadecimal digits")
            for text in ("", "0" * 255, "0" * 255 + "g", "A" * 256)
        ),
        *((TypeASentence, "text", text, "at most 200 whole characters") for text in ("a" * 201, "\ud800")),
        (SpeakADigit, "sound", 6, "sound must lie in 0 … 5; got 6"),
        (Playground, "labelled_points", 4, "labelled_points"),
        (Playground, "left", "hard", "left"),
        (Playground, "seed", 21, "seed"),
        (Playground, "label_noise", 0.6, "label_noise"),
        (Atlas, "temperature", 3.0, "temperature"),
    ],
)
def test_what_it_cannot_show_is_refused_at_once_and_later(kind, name, value, message):
    errors, given = (ValueError, TypeError, traitlets.TraitError), GIVEN.get(kind, {})
    with pytest.raises(errors, match=message):
        kind(**given | {name: value})
    figure = kind(**given)
    before = figure.state
    if figure.has_trait(name):
        with pytest.raises(errors):
            setattr(figure, name, value)
    assert figure.state == before


def test_its_words_say_what_is_seen():
    explorer = TemperatureExplorer(LOGITS, ["cat", "dog", "ship"])
    explorer.temperature = 1e-1
    assert all(one in explorer.alt for one in ("3 logits", "temperature 0.1", "1.00 for cat", "0.00 nats"))
    assert "TemperatureExplorer" in repr(explorer) and explorer.alt in repr(explorer)
    explorer.index = 1
    probability = torch.tensor(LOGITS[1], dtype=torch.float64).div(0.1).softmax(dim=0).max()
    assert f"{probability:.2f} for ship" in explorer.alt and "cat" not in explorer.alt


def test_the_output_is_the_same_in_every_run_and_small():
    code = "from kdcourse.figures import TemperatureExplorer as T; print(T([1, 2])._repr_mimebundle_()['text/html'])"
    first, second = (subprocess.run([sys.executable, "-c", code], capture_output=True, check=True) for _ in range(2))
    assert first.stdout == second.stdout and len(first.stdout) < 100_000


def test_equal_figures_do_not_share_a_state():
    one, other = TemperatureExplorer([1.0, 2.0]), TemperatureExplorer([1.0, 2.0])
    assert one._figure["key"] != other._figure["key"]


def test_explore_writes_one_page_and_does_not_load_torch(tmp_path):
    out = tmp_path / "figures.html"
    code = f"""import sys, webbrowser
webbrowser.open = lambda url: print("opened", url) or True
from kdlearn.commands.main import main
assert main(["explore", "--out", {str(out)!r}]) == 0 and "torch" not in sys.modules"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == f"{out}\nopened {out.as_uri()}\n", result.stderr
    page = out.read_text(encoding="utf-8")
    assert page.count(script(*explore.figures_of_the_course())) == page.count('type="module"') == 1


def test_explore_says_in_one_line_what_is_in_the_way(tmp_path, capsys, monkeypatch):
    out = tmp_path / "figures.html"
    out.write_text("mine")
    assert main(["explore", "--no-open", "--out", str(out)]) == 1 and out.read_text() == "mine"
    assert "is there already" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "kdcourse.figures", None)
    assert main(["explore", "--no-open"]) == 1
    error = capsys.readouterr().err
    assert 'pip install "kdlearn-course[course]"' in error and len(error.splitlines()) == 1


def test_the_notebooks_carry_the_modules_of_today():
    tags = {kind.tag: joined(*kind.modules) for kind in KINDS}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = read_json(path)
        assert "widgets" not in notebook["metadata"]
        for output in (output for cell in notebook["cells"] for output in cell.get("outputs", [])):
            text = "".join(output.get("data", {}).get("text/html", []))
            for tag in re.findall("<(kdlearn-[0-9a-f]{8}) ", text):
                assert tags.get(tag, "outdated") in text, f"{path.name}: make notebooks brings it up to date"
