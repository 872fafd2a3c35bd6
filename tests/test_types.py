"""The package, its examples and the README's calls pass pyright in its basic mode."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import ROOT, require


def complaints(*paths: Path) -> str:
    require(shutil.which("node") is not None, "pyright runs on Node: https://nodejs.org, or apt-get install nodejs")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, *map(str, paths)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return "" if found.returncode == 0 else found.stdout + found.stderr


def test_the_package_and_its_examples():
    assert not complaints()


def test_the_calls_of_the_readme(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    for number, block in enumerate(blocks):
        (tmp_path / f"block_{number}.py").write_text(block, encoding="utf-8")
    assert blocks and not complaints(*sorted(tmp_path.glob("*.py")))


def test_a_wrong_call_is_found(tmp_path):
    (tmp_path / "wrong.py").write_text("import kdlearn\nkdlearn.SoftLabels(temperature='hot')\n")
    assert "reportArgumentType" in complaints(tmp_path / "wrong.py")
