"""One source, three versions: what a learner, an instructor and nbgrader get is made from the solved notebook."""

import re
from collections.abc import Iterator
from typing import Any

from kdcourse.exercises.checking import exercise_named

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
SOLUTION = re.compile(rf"^([ \t]*){BEGIN}\n.*?{END}$", re.MULTILINE | re.DOTALL)
MARK = re.compile(rf"^[ \t]*(?:{BEGIN}|{END})\n?", re.MULTILINE)
PARENTHESES = re.compile(r"= \(\n\s*\.\.\.\n\s*\)")  # what is left of a value
CHECK = re.compile(r"^exercises\.check\(.*\)$")
Notebook = dict[str, Any]
Cell = dict[str, Any]


def for_learner(notebook: Notebook) -> Notebook:
    """Without outputs and solutions; what answers a prediction, and a solution without marks, is folded."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
        if "answer" in tags(cell):
            cell["source"] = lines(without_solutions(source(cell)))
        fold(cell, bool({"reveal", "hide-input"} & tags(cell)) and "answer" not in tags(cell))
    return notebook


def for_instructor(notebook: Notebook) -> Notebook:
    """With solutions and outputs, all open; after each check, what those who get it wrong usually think."""
    with_mistakes = []
    for cell in notebook["cells"]:
        fold(cell, False)
        with_mistakes += [cell, *([expected_mistakes(number_of(cell))] if "check" in tags(cell) else [])]
    notebook["cells"] = with_mistakes
    return notebook


def for_readers(notebook: Notebook) -> Notebook:
    """What the book shows: with solutions, without the lines that mark them."""
    for cell in parts(notebook, "answer"):
        cell["source"] = lines(MARK.sub("", source(cell)).rstrip("\n"))
    return notebook


def for_grading(notebook: Notebook) -> Notebook:
    """What nbgrader calls the source: with solutions, and told which cells are answers and which give a point."""
    for cell in notebook["cells"]:
        solution, graded = "answer" in tags(cell), "check" in tags(cell)
        fold(cell, "reveal" in tags(cell))
        if graded:
            cell["source"] = lines(CHECK.sub(r"verdict = \g<0>\nassert verdict, verdict", source(cell)))
        if solution or graded:
            told = {"grade": graded, "solution": solution, "locked": graded, "task": False, "schema_version": 3}
            points = {"points": 1} if graded else {}
            cell["metadata"]["nbgrader"] = {**told, **points, "grade_id": cell["id"], "cell_type": "code"}
    return notebook


def without_solutions(code: str) -> str:
    """Each solution replaced by `...`, and by nothing else: a signature around it stays.

    >>> print(without_solutions(f"def double(x):\\n    {BEGIN}\\n    return 2 * x\\n    {END}"))
    def double(x):
        ...
    """
    return PARENTHESES.sub("= ...", SOLUTION.sub(r"\1...", code))


def expected_mistakes(number: str) -> Cell:
    """A cell with the hints of an exercise's usual wrong answers."""
    told = "\n".join(f"- {hint}" for hint in exercise_named(number).hints)
    text = f"**Expected mistakes in {number}**, as the check answers them:\n\n{told}"
    return {
        "cell_type": "markdown",
        "id": f"mistakes-{number.replace('.', '-')}",
        "metadata": {},
        "source": lines(text),
    }


def number_of(cell: Cell) -> str:
    """`04.2` of a cell that carries the tag `exercise-04-2`."""
    (name,) = (tag for tag in tags(cell) if tag.startswith("exercise-"))
    return ".".join(name.split("-")[1:])


def parts(notebook: Notebook, kind: str) -> Iterator[Cell]:
    """The cells that carry a tag: `task`, `answer`, `check`, `reveal` or `quiz`."""
    return (cell for cell in notebook["cells"] if kind in tags(cell))


def fold(cell: Cell, folded: bool) -> None:
    settings = cell["metadata"].pop("jupyter", {}) | {"source_hidden": True}
    if folded:
        cell["metadata"]["jupyter"] = settings


def tags(cell: Cell) -> set[str]:
    return set(cell["metadata"].get("tags", []))


def source(cell: Cell) -> str:
    return "".join(cell["source"])


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
