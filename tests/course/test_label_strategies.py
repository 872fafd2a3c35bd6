"""What notebook 05 says of the atlas in numbers is what its cells print of it."""

import re

from conftest import ROOT

from kdlearn.data.files import read_json

CELLS = read_json(ROOT / "notebooks" / "05_label_strategies.ipynb")["cells"]
INTERVAL = r"[-+−]?\d+(?:\.\d+)? ± \d+(?:\.\d+)?"


def plain(text: str) -> str:
    """An interval without its sign, which prose says by a verb."""
    return re.sub("^[-+−]", "", text)


def test_every_interval_in_the_prose_is_printed_by_a_cell():
    printed = "".join(
        "".join(output.get("text", "")) for cell in CELLS if cell["cell_type"] == "code" for output in cell["outputs"]
    )
    shown = {plain(found) for found in re.findall(INTERVAL, printed)}
    told = [plain(found) for cell in CELLS if cell["cell_type"] == "markdown" for found in quoted(cell)]
    assert len(told) >= 20 and [one for one in told if one not in shown] == []


def quoted(cell: dict) -> list[str]:
    return re.findall(INTERVAL, "".join(cell["source"]))
