"""`kdlearn start`: a copy of the course for a learner, for an instructor, or for a class that nbgrader grades."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, BadParameter, Option

from kdcourse.exercises.checking import chapters
from kdcourse.exercises.versions import for_grading, for_instructor, for_learner
from kdlearn.commands.folders import check_can_be_made, path
from kdlearn.commands.messages import say
from kdlearn.data.files import read_json, replacing

Version = Callable[[dict[str, Any]], dict[str, Any]]
BESIDE = (".npz", ".md")  # what the notebooks read and refer to
NBGRADER = b"""\
c = get_config()  # nbgrader hands it to this file
c.CourseDirectory.course_id = "kdlearn"
c.ClearSolutions.code_stub = {"python": "..."}  # which the checks take for "not answered yet"
c.ExecutePreprocessor.timeout = 600
"""


def start(
    folder: Annotated[
        Path, Argument(parser=path, metavar="FOLDER", help="made if it is not there; your own files in it are kept")
    ],
    instructor: Annotated[bool, Option("--instructor", help="with the solutions and the expected mistakes")] = False,
    assignment: Annotated[bool, Option("--assignment", help="a course folder for nbgrader")] = False,
) -> None:
    """Your own copy of the notebooks: outputs cleared, answers to be written, what answers a prediction folded."""
    if instructor and assignment:
        raise BadParameter("--instructor and --assignment are two versions: give each a folder of its own")
    check_can_be_made(folder)
    version = for_instructor if instructor else for_learner
    told = list(for_a_class(folder) if assignment else copied(folder, version))
    say("\n".join([*told, "", what_next(folder, told)]))


def what_next(folder: Path, told: list[str]) -> str:
    if any(line.startswith("kept") for line in told):
        return "Nothing was overwritten. For a fresh copy, or another version, name another folder."
    return f"Next: jupyter lab {folder}"


def copied(folder: Path, version: Version) -> Iterator[str]:
    """The course in a version: all notebooks, and what lies beside them."""
    for source in sorted(notebooks_folder().iterdir()):
        if source.suffix == ".ipynb":
            yield unless_there(folder / source.name, made(version, source))
        elif source.suffix in BESIDE:
            yield unless_there(folder / source.name, source.read_bytes())


def for_a_class(folder: Path) -> Iterator[str]:
    """nbgrader's course folder: its configuration, and in `source/` a folder for each notebook that has checks."""
    yield unless_there(folder / "nbgrader_config.py", NBGRADER)
    for source in sorted(notebooks_folder().glob("*.ipynb")):
        if source.stem.partition("_")[0] in chapters():
            place = folder / "source" / source.stem
            yield unless_there(place / source.name, made(for_grading, source))
            for other in sorted(one for one in notebooks_folder().iterdir() if one.suffix in BESIDE):
                yield unless_there(place / other.name, other.read_bytes())


def made(version: Version, source: Path) -> bytes:
    return (json.dumps(version(read_json(source)), indent=1, ensure_ascii=False) + "\n").encode()


def unless_there(target: Path, content: bytes) -> str:
    """Write a file whole. What is there already is somebody's work and stays."""
    if target.exists():
        return f"kept   {target}, which is yours"
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        temporary.write_bytes(content)
    return f"wrote  {target}"


def notebooks_folder() -> Path:
    """The notebooks of an installed package lie inside it, those of a source tree beside it."""
    inside = Path(__file__).parents[1] / "notebooks"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "notebooks"
