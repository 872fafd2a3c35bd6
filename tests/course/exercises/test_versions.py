"""The versions that are made of a solved notebook, as a learner and an instructor get them."""

import ast
import json
import re
import symtable
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient

from kdcourse import exercises
from kdcourse.commands.start import notebooks_folder
from kdcourse.exercises import checking
from kdcourse.exercises.checking import chapters, exercise_named, exercises_of
from kdcourse.exercises.versions import (
    BEGIN,
    END,
    for_instructor,
    for_learner,
    for_readers,
    number_of,
    parts,
    source,
    tags,
    without_solutions,
)
from kdlearn.data.files import read_json

PATHS = {chapter: next(notebooks_folder().glob(f"{chapter}_*.ipynb")) for chapter in chapters()}
each_notebook = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
SECONDS_TO_RUN = ("00", "02", "04")  # the learner's version of the others is run up to its exercises' cells alone


def exercise_cells(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if {"answer", "check"} & tags(cell)]


def made_and_used(code: str) -> tuple[set[str], set[str]]:
    """The global names that a cell makes, and those that it reads, within its functions too."""
    tables = [symtable.symtable(code, "cell", "exec")]
    for table in tables:
        tables += table.get_children()
    made = {one.get_name() for one in tables[0].get_symbols() if one.is_assigned() or one.is_imported()}
    used = {
        one.get_name()
        for table in tables
        for one in table.get_symbols()
        if one.is_referenced() and (table is tables[0] or one.is_global())
    }
    return made, used


def as_read(notebook: dict) -> nbformat.NotebookNode:
    return nbformat.reads(json.dumps(notebook), as_version=4)


@each_notebook
def test_each_exercise_has_a_task_an_answer_and_one_check(path):
    notebook, chapter = read_json(path), path.name.partition("_")[0]
    tasks, checks = ([number_of(cell) for cell in parts(notebook, kind)] for kind in ("task", "check"))
    assert tasks == checks == list(exercises_of(chapter))
    assert {number_of(cell) for cell in parts(notebook, "answer")} == set(tasks)
    for cell in parts(notebook, "check"):
        assert re.fullmatch(rf'exercises\.check\("{number_of(cell)}", \w+\)', source(cell))
    for cell in parts(notebook, "answer"):
        assert source(cell).count(BEGIN) == source(cell).count(END) >= 1 and "hide-input" in tags(cell)


@each_notebook
def test_a_later_cell_never_uses_what_an_exercise_makes(path):
    maker: dict[str, str] = {}
    for cell in read_json(path)["cells"]:
        if cell["cell_type"] == "code":
            mine = number_of(cell) if {"answer", "check"} & tags(cell) else ""
            made, used = made_and_used(source(cell))
            foreign = {name for name in used - made if maker.get(name, mine) != mine}
            assert not foreign, f"{cell['id']} uses {foreign} of an exercise"
            maker |= dict.fromkeys(made, mine) if mine else {}


@each_notebook
def test_a_learner_gets_no_solution_and_no_output(path):
    notebook = for_learner(read_json(path))
    for cell in notebook["cells"]:
        assert not cell.get("outputs") and BEGIN not in source(cell) and END not in source(cell)
        folded = cell["metadata"].get("jupyter", {}).get("source_hidden", False)
        tells = "reveal" in tags(cell) or ("hide-input" in tags(cell) and "answer" not in tags(cell))
        assert folded == tells
    for cell in parts(notebook, "answer"):
        assert "..." in source(cell) and "return" not in source(cell)


@each_notebook
def test_unanswered_checks_say_so_are_counted_and_raise_nothing(path, monkeypatch):
    monkeypatch.setattr(checking, "outcomes", {})
    names: dict = {"exercises": exercises}
    notebook = for_learner(read_json(path))
    for cell in parts(notebook, "answer"):
        exec(source(cell), names)
    found = [eval(source(cell), names) for cell in parts(notebook, "check")]
    count = len(exercises_of(path.name.partition("_")[0]))
    assert [verdict.outcome for verdict in found] == ["open"] * count
    assert all(f"0 right, 0 to mend, {count} open" in repr(verdict) for verdict in found)


@pytest.mark.release
@pytest.mark.parametrize("chapter", SECONDS_TO_RUN)
def test_the_learners_version_runs_to_its_end(chapter, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = as_read(for_learner(read_json(PATHS[chapter])))
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(notebooks_folder())}}).execute()
    told = [cell["outputs"][-1]["data"]["text/plain"] for cell in parts(notebook, "check")]
    assert len(told) >= 5 and all("is not answered yet" in one for one in told)


@each_notebook
def test_an_instructor_gets_solutions_and_the_expected_mistakes(path):
    solved, notebook = read_json(path), for_instructor(read_json(path))
    assert [cell for cell in notebook["cells"] if cell["id"].startswith("mistakes-")]
    assert all(cell in notebook["cells"] for cell in parts(solved, "check"))
    for place, cell in enumerate(notebook["cells"]):
        assert not cell["metadata"].get("jupyter")
        if "check" in tags(cell):
            told = source(notebook["cells"][place + 1])
            assert all(hint in told for hint in exercise_named(number_of(cell)).hints)
    for cell in parts(notebook, "answer"):
        assert BEGIN in source(cell)
    nbformat.validate(as_read(notebook))


def test_the_solutions_are_right():
    """What the notebooks print of them; that they still print it is checked by `pytest --nbval`."""
    for path in PATHS.values():
        for cell in parts(read_json(path), "check"):
            assert f"{number_of(cell)} is right." in cell["outputs"][-1]["data"]["text/plain"][0]


def test_solutions_become_dots_in_the_place_where_they_stood():
    body, value = (f"    {BEGIN}\n    {code}\n    {END}\n" for code in ("y += 1\n    return y", "1"))
    code = f"def f(x):\n    y = x\n{body}\n\nz = (\n{value})"
    assert without_solutions(code) == "def f(x):\n    y = x\n    ...\n\n\nz = ..."
    assert without_solutions("f(\n    ...\n)") == "f(\n    ...\n)"
    ast.parse(without_solutions(code))


def test_start_keeps_an_answer_whichever_version_is_asked_for(here, kdlearn_here):
    assert kdlearn_here("start", "course").code == 0
    path = Path(here / "course" / PATHS["04"].name)
    path.write_text(path.read_text().replace("def narrowing(factor):", "def narrowing(factor):  # my answer"))
    mine = path.read_text()
    (here / "course" / PATHS["02"].name).unlink()
    for options in ([], ["--instructor"]):
        again = kdlearn_here("start", "course", *options)
        assert again.code == 0 and f"kept   course/{path.name}" in again.out and path.read_text() == mine
    assert kdlearn_here("start", "other", "--instructor").code == 0
    assert (
        BEGIN in (here / "other" / path.name).read_text()
        and "Expected mistakes in 04.2" in (here / "other" / path.name).read_text()
    )


@each_notebook
def test_the_book_shows_solutions_without_their_marks(path):
    shown, solved = for_readers(read_json(path)), read_json(path)
    for cell, same in zip(shown["cells"], solved["cells"], strict=True):
        kept = [line for line in source(same).splitlines() if line.strip() not in (BEGIN, END)]
        assert source(cell).splitlines() == (kept if "answer" in tags(cell) else source(same).splitlines())
