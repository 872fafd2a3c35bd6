"""The figures' Python side: what they take and refuse, say and weigh; the rest is seen in a browser."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
import traitlets
from conftest import ROOT, require

import kdlearn
from kdcourse.commands import explore
from kdcourse.figures import KINDS, TemperatureExplorer
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


def test_all_modules_stand_on_one_page(tmp_path):
    """No two of them give one name to two things."""
    node = shutil.which("node")
    require(node is not None, "the figures' JavaScript is read by Node: install Node.js 18 or newer")
    text = joined(*dict.fromkeys(name for kind in KINDS for name in kind.modules))
    (tmp_path / "all.mjs").write_text(text, encoding="utf-8")
    checked = subprocess.run([node, "--check", tmp_path / "all.mjs"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_the_gallery_of_the_book_shows_each():
    gallery = (ROOT / "book/figures.md").read_text(encoding="utf-8")
    assert re.findall(r"```\{interactive\} (\w+)", gallery) == [kind.__name__ for kind in KINDS]


@pytest.mark.parametrize("make", [list, np.array, torch.tensor, lambda rows: torch.tensor(rows, requires_grad=True)])
def test_it_takes_lists_arrays_and_tensors(make):
    explorer = TemperatureExplorer(make(LOGITS), temperature=2.0)
    assert explorer.logits == LOGITS and explorer.class_names == ["0", "1", "2"]
    expected = kdlearn.soft_labels(torch.tensor(LOGITS[:1], dtype=torch.float64), temperature=2.0)[0]
    np.testing.assert_allclose(explorer.probabilities, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"logits": [[1.0, float("nan")]]}, ValueError, "logits must be finite; row 0"),
        ({"logits": [[[1.0, 2.0]]]}, ValueError, "logits must have shape"),
        ({"logits": [1.0]}, ValueError, "at least 2 classes"),
        ({"logits": "cat"}, TypeError, "logits must be numbers"),
        ({"class_names": ["cat"]}, ValueError, "class_names must hold one name a class, 3 in all; got 1"),
        ({"labels": [0, 3]}, ValueError, "labels must be whole numbers in 0 … 2; got 3 at position 1"),
        ({"image": np.zeros((3, 8, 8))}, ValueError, "images must be 2 of shape"),
        ({"image": np.full((2, 8, 8), 4096.0)}, ValueError, "normalised pixels; they reach from 4096 to 4096"),
        ({"temperature": 0.0}, ValueError, "temperature must lie in 0.1 … 100; got 0.0"),
        ({"temperature": float("nan")}, ValueError, "temperature must lie in"),
        ({"index": 2}, ValueError, "index must lie in 0 … 1; got 2"),
        ({"scale": "cubic"}, traitlets.TraitError, "scale"),
        ({"tau": 2.0}, TypeError, "TemperatureExplorer has no tau; it has ask, class_names, guess"),
    ],
)
def test_what_it_cannot_show_is_refused_at_once_and_later(arguments, error, message):
    with pytest.raises(error, match=message):
        TemperatureExplorer(**{"logits": LOGITS} | arguments)
    explorer = TemperatureExplorer(LOGITS)
    (name, value), before = next(iter(arguments.items())), explorer.state
    if explorer.has_trait(name):
        with pytest.raises((error, traitlets.TraitError)):
            setattr(explorer, name, value)
    assert explorer.state == before


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
