"""What this machine can run, told without importing torch: one block to paste into a question."""

import os
import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

import kdlearn
from kdlearn.commands.messages import requirements

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PARTS = {
    "": "losses, train, compare",
    "plots": "plots",
    "images": "folders of images",
    "course": "kdlearn demo, the notebooks in JupyterLab",
    "dask": "kdlearn distill --scheduler",
}
PARTS_OF_THE_SOURCE = {"dev": "make test"}
GIB = 2**30


def doctor() -> None:
    """What this machine can run and what it lacks."""
    print(report())


def report() -> str:
    """System, Python, torch, cores, GPU and disk; what is missing and how to get it; what will work here."""
    parts = PARTS | (PARTS_OF_THE_SOURCE if is_source_tree() else {})
    missing = {extra: missing_packages(extra) for extra in parts}
    lines = [
        f"kdlearn    {kdlearn.__version__}",
        f"system     {platform.system()} {platform.release()}, {platform.machine()}",
        f"python     {platform.python_version()}, {environment()}",
        f"torch      {torch_build()}",
        f"cores      {os.cpu_count()}, memory {memory()}",
        f"GPU        {gpu()}",
        f"free disk  {shutil.disk_usage('.').free / GIB:.0f} GiB",
        "",
        *(part_line(parts[extra], missing[""] * (extra != "") + packages) for extra, packages in missing.items()),
    ]
    return "\n".join(lines)


def is_source_tree() -> bool:
    """Whether what is developed lies here, rather than a package that was installed."""
    return (Path(kdlearn.__file__).parents[1] / "Makefile").is_file()


def part_line(part: str, lacking: list[str]) -> str:
    """One part of the course: works, or what it lacks and the command that brings it."""
    if not lacking:
        return f"works      {part}"
    names = " ".join(f'"{name}"' for name in lacking)
    return f"lacks      {part}: python -m pip install {names}"


def missing_packages(extra: str) -> list[str]:
    """The requirements of kdlearn, or of one of its extras, that are absent or too old here."""
    try:
        from packaging.requirements import Requirement
    except ModuleNotFoundError:  # which reads what the others are
        return ["packaging"] if extra == "" else []
    missing = []
    for requirement in map(Requirement, requirements()):
        if is_of(requirement, extra) and not is_installed(requirement):
            missing.append(f"{requirement.name}{requirement.specifier}")
    return missing


def is_of(requirement: "Requirement", extra: str) -> bool:
    """Whether an extra, or with "" the installation without any, asks for a package."""
    return requirement.marker.evaluate({"extra": extra}) if requirement.marker else extra == ""


def is_installed(requirement: "Requirement") -> bool:
    try:
        return requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


def environment() -> str:
    """Its name and no path: what is pasted into a question need not tell who asks."""
    return f"environment {Path(sys.prefix).name}" if sys.prefix != sys.base_prefix else "no virtual environment"


def torch_build() -> str:
    """Version and accelerator that torch was built for, read from its files: importing it would take seconds."""
    specification = util.find_spec("torch")
    if specification is None or specification.origin is None:
        return "not installed"
    text = Path(specification.origin).with_name("version.py").read_text(encoding="utf-8")
    built_for = re.search(r"^(cuda|hip|xpu)\b[^=]*= '([^']+)'", text, flags=re.MULTILINE)
    return f"{metadata.version('torch')}, built for {' '.join(built_for.groups()) if built_for else 'the CPU'}"


def memory() -> str:
    if not hasattr(os, "sysconf"):
        return "unknown"
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / GIB:.0f} GiB"


def gpu() -> str:
    """The graphics processors that torch could use."""
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return "Apple (mps)"
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        found = ""
    return found.replace("\n", "; ") or "none found; nothing in the course so far needs one"
