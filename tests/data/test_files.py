"""Files are whole or not there."""

import math

import pytest

from kdlearn.data.files import read_json, replacing, write_json


def test_json_comes_back(tmp_path):
    write_json(tmp_path / "results.json", {"accuracy ±": [1.5, None]})
    assert read_json(tmp_path / "results.json") == {"accuracy ±": [1.5, None]}
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("problem", [KeyboardInterrupt, OSError, ValueError])
def test_a_failure_leaves_the_old_file_and_no_debris(tmp_path, problem):
    path = tmp_path / "results.json"
    write_json(path, "old")
    with pytest.raises(problem), replacing(path) as temporary:
        temporary.write_text("ne")
        raise problem
    assert read_json(path) == "old" and len(list(tmp_path.iterdir())) == 1


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "results.json", math.nan)
    assert not list(tmp_path.iterdir())
