"""Where a result comes from, and results as a table."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

from kdlearn.data.files import read_json
from kdlearn.formulas.intervals import (  # noqa: F401
    MEASURES,
    Interval,
    interval,
    label_of,
    paired_difference,
    seeds_of,
    summarise,
)
from kdlearn.studies.plan import STRATEGY_NAMES
from kdlearn.training.checkpoints import differences

TOLD_APART_BY = ("student", "start", "strategy", "learning_rate", "labelled", "seed")


def provenance() -> dict[str, Any]:
    """Where a result comes from: date, commit, versions, machine."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("kdlearn", "torch", "numpy", "scikit-learn")},
        },
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def commit() -> str | None:
    """The commit of the source tree, "+" behind it if there are changes; None for an installed package."""
    source = Path(__file__).parents[2]
    if not (source / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"],
            cwd=source,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()


def recorded(study: str) -> Path:
    """The folder of a study that the course shows; an installed package holds it, a source tree has it beside."""
    package = Path(__file__).parents[1]
    inside = package / "results" / study
    return inside if inside.is_dir() else package.parent / "results" / study


def collect(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """The students' results below the folders, from however many machines; two studies, or a run twice, are refused."""
    paths = sorted(path for folder in folders for path in folder.rglob("runs/*/result.json"))
    if not paths:
        raise FileNotFoundError(f"no results (runs/*/result.json) below {', '.join(map(str, folders))}")
    runs, seen = [read_result(path) for path in paths], {}
    for path, run in zip(paths, runs, strict=True):
        if identity(run) != identity(runs[0]):
            odd = differences(identity(runs[0]), identity(run))
            raise ValueError(f"{path} and {paths[0]} are of two studies, which one table cannot hold: {odd}")
        who = json.dumps([run[name] for name in TOLD_APART_BY])
        if who in seen:
            raise ValueError(f"{path} and {seen[who]} are the same run; leave one of them out")
        seen[who] = path
    return sorted(map(as_row, runs), key=lambda run: run["order"])


def identity(run: Mapping[str, Any]) -> dict[str, Any]:
    """What runs of one table share: their settings, and a teacher of the same weights, trained or given."""
    settings = {name: value for name, value in run["settings"].items() if name != "teacher_file"}
    return settings | {"teacher's weights": run["teacher"].get("weights_sha256")}


def read_result(path: Path) -> dict[str, Any]:
    run = read_json(path)
    if not (isinstance(run, dict) and {*TOLD_APART_BY, "teacher", "settings", *MEASURES} <= run.keys()):
        raise ValueError(f"{path} is no result of a student; leave it out")
    return run


def as_row(run: dict[str, Any]) -> dict[str, Any]:
    """A result with the names under which a table shows it: ground truth first, then as the strategies stand."""
    start = "" if run["start"] == "random" else f", from {run['start']}"
    rate = run["learning_rate"]
    usual = rate == run["settings"]["student_schooling"]["optimizer"]["learning_rate"]
    known = "" if run["labelled"] == 1 else f", {run['labelled']:.3g} of the images labelled"
    weight = run["strategy"].get("soft_weight")
    name = run["strategy"]["name"]
    arm = name if weight is None else f"{name}, weight {weight:g}"
    part = run["student"] + start + ("" if usual else f", learning rate {rate:g}") + known
    temperature = run["strategy"].get("temperature", 0)
    order = (part, STRATEGY_NAMES.index(name), arm, temperature, run["seed"])
    return {**run, "part": part, "arm": arm, "order": order}


def format_table(rows: Sequence[dict[str, Any]], teacher: dict[str, Any]) -> str:
    """The rows of `summarise` as text: percent, with 95 % intervals over the seeds."""
    columns = ("accuracy", "macro F1", "calibration error", "agreement", "parameters", "difference")
    width = max(45, *(len(label_of(row)) + 1 for row in rows))
    lines = [
        f"in %, {seeds_of(rows)}, ± 95 % interval; difference: points of accuracy above ground truth, paired",
        "",
        f"{'':{width + 1}}{columns[0]:>10}  " + "  ".join(columns[1:]),
        f"  {'the teacher':{width}}{100 * teacher['accuracy']:4.1f}{teacher['parameters']:57,}",
    ]
    for part, members in groupby(rows, key=lambda row: row["part"]):
        lines += ["", part, *(format_row(row, width) for row in members)]
    return "\n".join(lines)


def format_results(runs: Sequence[dict[str, Any]]) -> str:
    """The students' results, as `collect` gives them: a table for each student, compared with its own ground truth."""
    settings, teacher = runs[0]["settings"], runs[0]["teacher"]
    rows = [row for _, members in groupby(runs, key=lambda run: run["part"]) for row in summarise(list(members))]
    source = f"{settings['data_set']}, {settings['images']:,} training images, measured on {settings['evaluated_on']}"
    return f"{source}; the teacher is {teacher['network']}\n{format_table(rows, teacher)}"


def format_row(row: dict[str, Any], width: int) -> str:
    accuracy = f"{Interval(*row['accuracy']):.1f}"
    difference = f"{Interval(*row['difference']):+.1f}" if row["difference"] else ""
    return (
        f"  {label_of(row):{width}}{accuracy:10}"
        f"{row['macro_f1'][0]:10.1f}{row['calibration_error'][0]:19.1f}{row['agreement'][0]:11.1f}"
        f"{row['parameters']:12,}{difference:>14}"
    )
