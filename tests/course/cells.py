"""The cells of every notebook, for the tests that read them."""

from pathlib import Path
from typing import Any

import pytest

from kdcourse.exercises.versions import source
from kdlearn.data.files import read_json

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = {path.stem: read_json(path)["cells"] for path in sorted(FOLDER.glob("*.ipynb"))}
each_notebook = pytest.mark.parametrize("cells", NOTEBOOKS.values(), ids=NOTEBOOKS)
each_named = pytest.mark.parametrize("name, cells", NOTEBOOKS.items(), ids=NOTEBOOKS)


def code(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [cell for cell in cells if cell["cell_type"] == "code"]


def prose(cells: list[dict[str, Any]]) -> str:
    return "\n\n".join(source(cell) for cell in cells if cell["cell_type"] == "markdown")


def printed(cells: list[dict[str, Any]]) -> str:
    return "".join("".join(output.get("text", "")) for cell in code(cells) for output in cell["outputs"])
