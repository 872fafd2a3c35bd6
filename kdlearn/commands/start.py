"""`kdlearn start`: a learner's own copy of the course."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from typer import Argument

from kdlearn.commands.folders import check_can_be_made, path
from kdlearn.commands.words import say
from kdlearn.data.files import read_json, replacing, write_json

COPIED = (".ipynb", ".npz", ".md")


def start(
    folder: Annotated[
        Path, Argument(parser=path, metavar="FOLDER", help="made if it is not there; your own files in it are kept")
    ],
) -> None:
    """Your own copy of the notebooks, outputs cleared, solutions folded."""
    check_can_be_made(folder)
    folder.mkdir(parents=True, exist_ok=True)
    say("\n".join(copied(folder)))


def copied(folder: Path) -> Iterator[str]:
    """Copy the course as a learner wants it; what is in `folder` already is the learner's work and stays."""
    for source in sorted(one for one in notebooks_folder().iterdir() if one.suffix in COPIED):
        target = folder / source.name
        if target.exists():
            yield f"kept   {target}, which is yours"
            continue
        if source.suffix == ".ipynb":
            write_json(target, as_learner_wants_it(read_json(source)))
        else:
            with replacing(target) as temporary:
                shutil.copyfile(source, temporary)
        yield f"wrote  {target}"


def notebooks_folder() -> Path:
    """The notebooks of an installed package lie inside it, those of a source tree beside it."""
    inside = Path(__file__).parents[1] / "notebooks"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "notebooks"


def as_learner_wants_it(notebook: dict) -> dict:
    """Without the outputs, which would answer *predict before you run*, and with the solutions folded."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
        if "hide-input" in cell["metadata"].get("tags", []):
            cell["metadata"].setdefault("jupyter", {})["source_hidden"] = True
    return notebook
