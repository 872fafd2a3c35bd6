"""The package, its examples and the README's calls pass pyright in its basic mode."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, require

pytestmark = pytest.mark.release
Complaints = dict[Path, set[str]]


@pytest.fixture(scope="module")
def calls(tmp_path_factory) -> Path:
    """A folder with the README's blocks of code, and a wrong call."""
    folder = tmp_path_factory.mktemp("calls")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for number, block in enumerate(blocks):
        (folder / f"block_{number}.py").write_text(block, encoding="utf-8")
    (folder / "wrong.py").write_text("import kdlearn\nkdlearn.SoftLabels(temperature='hot')\n")
    return folder


@pytest.fixture(scope="module")
def complaints(calls) -> Complaints:
    """The rules that each file breaks; pyright reads torch's types once for all of them."""
    require(shutil.which("node") is not None, "pyright runs on Node: https://nodejs.org, or apt-get install nodejs")
    asked = [ROOT / "kdlearn", ROOT / "kdcourse", ROOT / "book/own_everything.py", *sorted(calls.glob("*.py"))]
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, *map(str, asked)]
    found = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout)
    assert found["summary"]["filesAnalyzed"] > 100
    broken: Complaints = {}
    for one in found["generalDiagnostics"]:
        if one["severity"] == "error":
            broken.setdefault(Path(one["file"]), set()).add(f"{one.get('rule')}: {one['message']}")
    return broken


def test_the_package_and_its_examples(complaints):
    assert not {path: rules for path, rules in complaints.items() if path.is_relative_to(ROOT)}


def test_the_calls_of_the_readme(complaints):
    assert not {path: rules for path, rules in complaints.items() if path.name.startswith("block_")}


def test_a_wrong_call_is_found(complaints, calls):
    assert any(rule.startswith("reportArgumentType") for rule in complaints[calls / "wrong.py"])
