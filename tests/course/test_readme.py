"""What the README says is what is recorded, and what it shows in code runs."""

import re
from itertools import product
from pathlib import Path

from PIL import Image

from kdlearn.data.files import read_json
from kdlearn.studies import format_table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RECORDED = read_json(ROOT / "results/demo/results.json")


def test_the_table_and_the_finding_are_the_recorded_ones():
    assert format_table(RECORDED["rows"], RECORDED["teacher"]) in README
    assert RECORDED["finding"] in " ".join(README.split())


def test_the_recording_says_where_it_comes_from():
    provenance = RECORDED["provenance"]
    assert provenance["commit"] and not provenance["commit"].endswith("+"), "record from a clean commit"
    assert len(RECORDED["runs"]) == 200


def test_the_examples_run(tmp_path, monkeypatch):
    """The second one on images of the reader's own: here two classes of noise, and networks a sixteenth as wide."""
    for number, part in product(range(8), ("train", "test")):
        folder = tmp_path / "my-images" / part / ["cats", "dogs"][number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((32, 32), 60).convert("RGB").save(folder / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    for example in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(compile(example.replace("width=", "width=4 or "), "README.md", "exec"), {})


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
