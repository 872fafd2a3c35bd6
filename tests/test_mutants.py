"""The list of planted mistakes fits the code and the tests as they are; `python tests/mutants.py` plants them."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
MUTANTS = yaml.safe_load((ROOT / "tests/mutants.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant["what"])
def test_a_planted_mistake_applies_and_its_test_is_there(mutant):
    assert (ROOT / mutant["file"]).read_text(encoding="utf-8").count(mutant["find"]) == 1
    if mutant["killed_by"] != "none":
        path, *names = re.sub(r"\[.*", "", mutant["killed_by"]).split("::")
        tests = (ROOT / path).read_text(encoding="utf-8")
        assert all(re.search(rf"^ *(def|class) {name}\b", tests, re.MULTILINE) for name in names)
