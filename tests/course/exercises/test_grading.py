"""The course folder for nbgrader: what `kdlearn start --assignment` writes gives a right hand-in its points."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient

from kdcourse.exercises.checking import chapters, exercises_of
from kdcourse.exercises.versions import number_of, parts, source, tags, without_solutions
from kdlearn.data.files import read_json

RIGHT = {
    "04.1": "def weight_without_mistake(w, C):\n    return w / (w + C * (1 - w))",
    "04.3": "predicted_gain = 0.4",
    "04.5": "def narrowing(factor):\n    return factor ** -0.5",
}
WRONG = {
    "04.1": "def weight_without_mistake(w, C):\n    return w / C",
    "04.3": "predicted_gain = 6.4",
    "04.5": "def narrowing(factor):\n    return 1 / factor",
}


@pytest.fixture
def course(here: Path, kdlearn_here) -> Path:
    result = kdlearn_here("start", "class", "--assignment")
    assert result.code == 0, result.err
    return here / "class"


def handed_in(course: Path, answers: dict[str, str]) -> nbformat.NotebookNode:
    """The exercises of notebook 04, as nbgrader hands them out, with a student's answers."""
    notebook = read_json(course / "source/04_first_distillation/04_first_distillation.ipynb")
    kept = [cell for cell in notebook["cells"] if {"answer", "check"} & tags(cell)]
    for cell in kept:
        cell.update(outputs=[], execution_count=None, source=[without_solutions(source(cell))])
    for number, answer in answers.items():
        next(cell for cell in parts(notebook, "answer") if number_of(cell) == number)["source"] = [answer]
    imports = {"cell_type": "code", "id": "imports", "metadata": {}, "outputs": [], "execution_count": None}
    notebook["cells"] = [{**imports, "source": ["from kdcourse import exercises"]}, *kept]
    return nbformat.reads(json.dumps(notebook), as_version=4)


def points(notebook: nbformat.NotebookNode) -> dict[str, float]:
    """As nbgrader's autograder gives them: all points of a cell that raises nothing, else none."""
    NotebookClient(notebook, allow_errors=True, timeout=600).execute()
    graded = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    return {
        number_of(cell): cell.metadata.nbgrader.points * all(one.output_type != "error" for one in cell.outputs)
        for cell in graded
    }


def test_a_right_and_a_wrong_hand_in_are_graded(course, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    right, wrong = handed_in(course, RIGHT), handed_in(course, WRONG)
    assert points(right) == {name: float(name in RIGHT) for name in exercises_of("04")}
    assert set(points(wrong).values()) == {0}
    told = ["".join(one.traceback) for cell in wrong.cells for one in cell.get("outputs", []) if "traceback" in one]
    assert len(told) == 6 and sum("is not right yet" in one for one in told) == 3
    assert sum("is not answered yet" in one for one in told) == 3


def test_every_notebook_with_checks_is_in_the_folder_with_what_it_reads(course):
    found = sorted((course / "source").iterdir())
    assert [folder.name.partition("_")[0] for folder in found] == chapters()
    for folder in found:
        assert (folder / "digits_logits.npz").exists()
        notebook = nbformat.read(folder / f"{folder.name}.ipynb", as_version=4)
        nbformat.validate(notebook)
        told = [cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata]
        assert all(("reveal" in tags(cell)) == ("jupyter" in cell.metadata) for cell in notebook.cells)
        names = [one.grade_id for one in told]
        assert len(set(names)) == len(names) and all(re.fullmatch(r"[\w-]+", name) for name in names)
        assert all(one.schema_version == 3 and one.grade != one.solution and "checksum" not in one for one in told)
        assert sum(one.get("points", 0) for one in told) == len(exercises_of(folder.name.partition("_")[0]))


def test_what_the_lecturer_changed_is_kept(course, kdlearn_here):
    settings = course / "nbgrader_config.py"
    settings.write_text("mine")
    again = kdlearn_here("start", "class", "--assignment")
    *files, next_step = filter(None, again.out.splitlines())
    assert settings.read_text() == "mine" and all(line.startswith("kept") for line in files)
    assert "name another folder" in next_step


def test_two_versions_at_once_are_refused(here, kdlearn_here):
    result = kdlearn_here("start", "class", "--assignment", "--instructor")
    assert result.code == 2 and "a folder of its own" in result.err and not (here / "class").exists()
