"""What notebooks 05, 10, 10b, 11 and 11b say of their records in numbers is what their cells print of them."""

import re

import pytest
from cells import NOTEBOOKS, printed, prose

FEWEST = {
    "05_label_strategies": 20,
    "10_features_and_relations": 5,
    "10b_other_classes_labels_senses": 20,
    "11_a_ready_made_teacher": 8,
    "11b_small_language_models": 10,
}
INTERVAL = r"[-+−]?\d+(?:\.\d+)? ± \d+(?:\.\d+)?"


def plain(text: str) -> str:
    """An interval without its sign, which prose says by a verb."""
    return re.sub("^[-+−]", "", text)


@pytest.mark.parametrize("notebook", FEWEST)
def test_every_interval_in_the_prose_is_printed_by_a_cell(notebook):
    cells = NOTEBOOKS[notebook]
    told, shown = ([plain(found) for found in re.findall(INTERVAL, text)] for text in (prose(cells), printed(cells)))
    assert len(told) >= FEWEST[notebook] and [one for one in told if one not in shown] == []
