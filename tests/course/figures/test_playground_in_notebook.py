"""What notebook 04 says of the playground, in three pairs of numbers, is what the playground finds."""

import re
from pathlib import Path

import pytest
from test_figures_learning import node
from test_playground import RUN

from kdcourse.figures import Playground
from kdlearn.data.files import read_json

NOTEBOOK = Path(__file__).parents[3] / "notebooks/04_first_distillation.ipynb"
TRIED = {"soft labels": {}, "hard labels": {"right": "teacher's hard labels"}, "400 points": {"labelled_points": 400}}


@pytest.mark.release
def test_the_three_differences_are_what_it_finds():
    cells = ["".join(cell["source"]) for cell in read_json(NOTEBOOK)["cells"]]
    shown = next(place for place, source in enumerate(cells) if source.startswith("Playground("))
    assert cells[shown] == 'Playground(data_set="moons")'
    recorded = next(source for source in cells[shown:] if "were recorded.*" in source)
    said = [tuple(map(float, pair)) for pair in re.findall(r"(\d\.\d) ± (\d\.\d)", recorded)]
    state = {**Playground(data_set="moons").state}
    found = node(RUN, [{**state, **change} for change in TRIED.values()])
    assert len(said) == len(found)
    for pair, (name, result) in zip(said, zip(TRIED, found, strict=True), strict=True):
        assert (result["mean"], result["halfWidth"]) == pytest.approx(pair, abs=0.1), name
