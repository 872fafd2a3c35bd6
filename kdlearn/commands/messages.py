"""What the commands say: one line for what is wrong, and nothing that a terminal would obey."""

import os
import pickle
import re
import sys
import traceback
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import TextIO

from kdlearn.data.files import is_first

TOLD = (
    ValueError, TypeError, OSError, RuntimeError, LookupError, MemoryError, ImportError, ArithmeticError, UserWarning,
    pickle.PicklingError,
)  # fmt: skip
STANDARD = Path(traceback.__file__).parent  # Python's own library
DISTRIBUTION = "kdlearn-course"  # since kdlearn on the public index is somebody else's
EXTRA = re.compile(r"extra == '(\w+)'")
DISTRIBUTIONS = {"distributed": "dask", "PIL": "pillow", "sklearn": "scikit-learn", "lazy_loader": "lazy-loader"}


class UsageError(Exception):
    """The command line itself is wrong: told in one line, and 2 is returned."""


def say(text: object) -> None:
    """Print on standard output, once for all processes of `torchrun`."""
    write(str(text), sys.stdout)


def complain(text: object, program: str = "kdlearn") -> None:
    """One line on standard error."""
    write(f"{program}: {' '.join(str(text).split())}", sys.stderr)


def write(text: str, stream: TextIO) -> None:
    if is_first():
        encoding = getattr(stream, "encoding", None) or "utf-8"
        print(printable(text).encode(encoding, "backslashreplace").decode(encoding), file=stream)


def reader_is_gone(end: str = "") -> bool:
    """Whether whoever read standard output, such as `head`, has read enough: nothing more is written to it then."""
    try:
        print(end=end, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def printable(text: str) -> str:
    """The text with what steers a terminal written as `\\\\x1b`."""
    return "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text)


def message_of(problem: Exception) -> str | None:
    """One line about what the user can mend; None for what looks like a mistake of this program."""
    place = place_of(problem)
    if not isinstance(problem, TOLD) and not place:
        return None
    if isinstance(problem, ModuleNotFoundError) and problem.name and not place:
        return missing(problem.name)
    bare = isinstance(problem, LookupError) or not isinstance(problem, TOLD) or not str(problem)
    return f"{type(problem).__name__}: {problem}{place}" if bare else f"{problem}{place}"


def place_of(problem: BaseException) -> str:
    """` (mine.py, line 12)` where the user's own code raised it."""
    frames = traceback.extract_tb(problem.__traceback__)
    last = Path(frames[-1].filename) if frames else Path(__file__)
    here = Path(__file__).parents[2]
    libraries = (here / "kdlearn", here / "kdcourse", Path(sys.prefix), Path(sys.base_prefix), STANDARD)
    theirs = any(last.is_relative_to(folder) for folder in libraries) or "site-packages" in last.parts
    return "" if theirs or not last.is_absolute() else f" ({last.name}, line {frames[-1].lineno})"


def missing(module: str) -> str:
    """What is not installed, and the line that brings it."""
    name = DISTRIBUTIONS.get(module.partition(".")[0], module.partition(".")[0])
    rows = [one for one in requirements() if re.split(r"[^\w.-]", one)[0] == name]
    extras, sizes = EXTRA.findall(" ".join(rows)), Counter(EXTRA.findall(" ".join(requirements())))
    wanted = f"{DISTRIBUTION}[{min(extras, key=sizes.__getitem__)}]" if extras else (rows or [name])[0]
    return f'{module} is missing: python -m pip install "{wanted}"'


def requirements() -> list[str]:
    try:
        return metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []
