"""No row comes back that other code computed: an edit of whatever a strategy uses trains anew."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from small import STUDENT, digits, taught

from kdlearn import NesterovSGD, Run, Strategy, study

DATA, TEACHER = digits(), taught()
STRATEGY = """
from kdlearn import Strategy
{imports}
class Mine(Strategy):
    name, reads = "mine", ("teacher_logits",)
    def __call__(self, student_logits, batch):
        gaps = (student_logits - batch.teacher_logits).square().mean(dim=-1)
        {imports_late}
        return {use} * gaps
"""


def strategy(imports: str, use: str, late: str = "pass") -> str:
    return STRATEGY.format(imports=imports, use=use, imports_late=late)


FACTOR, THIRD = "FACTOR = {0}", "from mylib.constants import FACTOR\ndef factor(): return FACTOR"
EDITS = {  # name: the files of `mylib` in which {0} is edited; `strategies.py` names the strategy
    "a function": {
        "losses": "def factor(): return {0}",
        "strategies": strategy("from .losses import factor", "factor()"),
    },
    "a function of a module": {
        "losses": "def factor(): return {0}",
        "strategies": strategy("from mylib import losses", "losses.factor()"),
    },
    "a constant of a third file": {
        "constants": FACTOR,
        "losses": THIRD,
        "strategies": strategy("from mylib import losses", "losses.factor()"),
    },
    "a third file by two modules": {
        "constants": FACTOR,
        "losses": "import mylib.constants\ndef factor(): return mylib.constants.FACTOR",
        "strategies": strategy("import mylib.losses", "mylib.losses.factor()"),
    },
    "by its name": {
        "losses": FACTOR,
        "strategies": strategy("import importlib", "importlib.import_module('mylib.losses').FACTOR"),
    },
    "imported when it is called": {
        "constants": FACTOR,
        "losses": THIRD,
        "strategies": strategy("", "factor()", "from mylib.losses import factor"),
    },
    "from a registry": {
        "losses": "FACTORS = dict(mine=[{0}])",
        "strategies": strategy("from mylib import losses", "getattr(losses, 'FACT' + 'ORS')['mine'][0]"),
    },
}


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes the files of `mylib` with a factor, and gives its strategy as a new process would import it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # an edit within a second would not be seen
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mylib").mkdir()

    def imported(files: dict[str, str], factor: float) -> Strategy:
        for name, text in {"__init__": "", **files}.items():
            (tmp_path / f"mylib/{name}.py").write_text(text.replace("{0}", str(factor)))
        forget()
        return importlib.import_module("mylib.strategies").Mine()

    yield imported
    forget()


def forget() -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] == "mylib"]:
        del sys.modules[name]
    importlib.invalidate_caches()


def loss(strategy: Strategy, folder: Path) -> float:
    return study([Run(DATA, STUDENT, strategy, TEACHER, (20,), optimizer=NesterovSGD(0.1), batch_size=30)], folder)[
        "loss"
    ][0]


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_file_trains_anew_and_the_same_files_do_not(tmp_path, library, monkeypatch, name):
    before = loss(library(EDITS[name], 1.0), tmp_path / "study")
    edited = loss(library(EDITS[name], 0.01), tmp_path / "study")
    assert edited == loss(library(EDITS[name], 0.01), tmp_path / "another study") != before
    monkeypatch.setattr("kdlearn.engine.task_runner.fit", None)
    assert loss(library(EDITS[name], 1.0), tmp_path / "study") == before


AT_ONCE = [name for name in EDITS if name not in ("by its name", "from a registry", "imported when it is called")]


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_is_computed_with_an_old_import_is_not_taken_for_the_edit(tmp_path, library, name):
    old = library(EDITS[name], 1.0)
    edit(tmp_path / "mylib")
    before = loss(old, tmp_path / "study")
    assert loss(library(EDITS[name], 0.01), tmp_path / "study") != before


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_that_is_not_loaded_yet_changes_nothing(tmp_path, library, monkeypatch, name):
    old = library(EDITS[name], 1.0)
    before = loss(old, tmp_path / "study")
    edit(tmp_path / "mylib")
    assert loss(old, tmp_path / "another study") == before
    assert loss(library(EDITS[name], 0.01), tmp_path / "another study") != before


def edit(folder: Path) -> None:
    for file in folder.glob("*.py"):
        file.write_text(file.read_text().replace("1.0", "0.01"))


def test_a_constant_that_is_set_from_outside_trains_anew(tmp_path, library):
    mine = library(EDITS["a third file by two modules"], 1.0)
    before = loss(mine, tmp_path / "study")
    sys.modules["mylib.constants"].FACTOR = 0.01
    assert loss(mine, tmp_path / "study") != before


# In a notebook

CELLS = {
    "a closure": "def weighted(w): return lambda gaps: w * gaps\nweigh = weighted({0})",
    "a default": "weigh = lambda gaps, w={0}: w * gaps",
    "a keyword's default": "def weigh(gaps, *, w={0}): return w * gaps",
    "a global": "W = {0}\ndef weigh(gaps): return W * gaps",
    "a global behind a global": "W = [{0}]\ndef factor(): return W[0]\ndef weigh(gaps): return factor() * gaps",
    "a partial": "from functools import partial\nimport operator\nweigh = partial(operator.mul, {0})",
    "a method": "class Weight:\n  def __init__(self): self.w = {0}\n  def by(self, gaps): return self.w * gaps\n"
    "weigh = Weight().by",
    "a decorated function": "import functools\ndef times(w):\n  def wrap(inner):\n    @functools.wraps(inner)\n"
    "    def outer(gaps): return w * inner(gaps)\n    return outer\n  return wrap\n"
    "import torch\nweigh = times({0})(torch.clone)",
    "a library's function, decorated": "import functools\nfrom torch.nn import functional\ndef times(inner):\n"
    "  @functools.wraps(inner)\n  def outer(gaps): return {0} * inner(gaps)\n  return outer\n"
    "weigh = times(functional.relu)",
    "an attribute of a function": "def weigh(gaps): return weigh.factor * gaps\nweigh.factor = {0}",
}
NOTEBOOK = """
from kdlearn import Strategy
{cell}
class Mine(Strategy):
    name, reads = "mine", ("teacher_logits",)
    def __call__(self, student_logits, batch):
        return weigh((student_logits - batch.teacher_logits).square().mean(dim=-1))
"""


@pytest.mark.parametrize("name", CELLS)
def test_what_a_cell_looks_up_trains_anew(tmp_path, monkeypatch, name):
    def of(factor: float) -> float:
        cells: dict[str, Any] = {"__name__": "__main__"}
        exec(NOTEBOOK.format(cell=CELLS[name].replace("{0}", str(factor))), cells)
        return loss(cells["Mine"](), tmp_path / "study")

    before = of(1.0)
    assert of(0.01) != before
    monkeypatch.setattr("kdlearn.engine.task_runner.fit", None)
    assert of(1.0) == before
