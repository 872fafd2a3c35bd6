"""Mistakes that people make, each planted in a copy of the package: the test that `mutants.yaml` names must fail.

`python tests/mutants.py` tries all of them, `python tests/mutants.py PART` those with PART in file or description.
"""

import os
import sys
from collections import Counter
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from subprocess import PIPE, STDOUT, CompletedProcess, run
from tempfile import TemporaryDirectory

import yaml

ROOT = Path(__file__).parents[1]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
PYTEST = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
VERDICTS = {0: "LIVES", 1: "killed"}  # by pytest's exit code


def tried(tests: list[str], file: str = "pyproject.toml", find: str = "", replace: str = "") -> CompletedProcess[str]:
    """pytest of these tests in a copy in whose file one text is replaced by another."""
    with TemporaryDirectory() as folder:
        for name in ("kdlearn", "kdcourse", "tests"):
            copytree(ROOT / name, Path(folder, name), ignore=ignore_patterns("__pycache__"))
        copy(ROOT / "pyproject.toml", folder)
        changed = Path(folder, file)
        changed.write_text(changed.read_text(encoding="utf-8").replace(find, replace, 1), encoding="utf-8")
        environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": folder}
        return run([*PYTEST, *tests], cwd=folder, env=environment, stdout=PIPE, stderr=STDOUT, text=True)


def verdict(file: str, find: str, replace: str, killed_by: str, **_: str) -> str:
    if not (ROOT / file).exists() or (ROOT / file).read_text(encoding="utf-8").count(find) != 1:
        return "does not apply"
    if killed_by == "none":
        return "LIVES"
    ran = tried([killed_by], file, find, replace)
    if ran.returncode not in VERDICTS:
        print(ran.stdout)
    return VERDICTS.get(ran.returncode, "not tried")


def main(part: str = "") -> int:
    """1 unless all are killed by tests that pass without them."""
    mutants = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    mutants = [one for one in mutants if part in f"{one['file']} {one['what']}"]
    tests = sorted({one["killed_by"] for one in mutants} - {"none"})
    if tests and (unharmed := tried(tests)).returncode:
        print(unharmed.stdout, "These tests must pass without a mistake.", sep="\n")
        return 1
    counts: Counter[str] = Counter()
    for mutant in mutants:
        counts[found := verdict(**mutant)] += 1
        print(f"{found:15}{mutant['what']}", flush=True)
    print(", ".join(f"{number} {found}" for found, number in counts.items()))
    return int(set(counts) != {"killed"})


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
