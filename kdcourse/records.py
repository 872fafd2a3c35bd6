"""Where a result comes from, and where the course's own records lie."""

import os
import platform
import subprocess
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kdlearn


def provenance() -> dict[str, Any]:
    """Where a result comes from: date, commit, versions, machine."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        "versions": {
            "python": platform.python_version(),
            "kdlearn": kdlearn.__version__,
            **{name: version(name) for name in ("torch", "numpy", "scikit-learn")},
        },
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def commit() -> str | None:
    """The commit of the source tree, "+" behind it if there are changes; None for an installed package."""
    source = Path(__file__).parents[1]
    if not (source / ".git").exists():
        return None
    command = ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
    try:
        described = subprocess.run(command, cwd=source, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()


def recorded(study: str) -> Path:
    """The folder of a study that the course shows; an installed package holds it, a source tree has it beside."""
    package = Path(__file__).parent
    inside = package / "recorded" / study
    return inside if inside.is_dir() else package.parent / "studies" / study
