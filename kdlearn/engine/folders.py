"""The folder of a study: recognised as this program's own before anything is written to it."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kdlearn
from kdlearn.data.files import PARTIAL, read_json, remove_partials, write_json

CONTENT = {"what": "a study of kdlearn; its files are named by what decides them", "engine": kdlearn.ENGINE}
ABOUT, FOLDERS = "kdlearn-study.json", ("rows", "answers", "networks", "checkpoints")
RESTORED = f"If this is a study of kdlearn, its {ABOUT} held {json.dumps(CONTENT)}"


@contextmanager
def the_folder(folder: str | Path | None) -> Iterator[Path]:
    """A folder of ours, made or recognised; a temporary one if none is given."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="kdlearn-") as temporary:
            yield opened(Path(temporary))
    else:
        yield opened(Path(folder))


def opened(folder: Path) -> Path:
    """A folder in which this program may write: a new one, or one that it has written."""
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ABOUT).exists():  # first: by it the folder is recognised, wherever the study is stopped
        write_json(folder / ABOUT, CONTENT)
    for name in FOLDERS:
        (folder / name).mkdir(exist_ok=True)
    remove_partials(folder, FOLDERS)
    return folder.resolve()


def check_folder(folder: Path) -> None:
    """A ValueError for a folder that holds something else."""
    if folder.is_file():
        raise ValueError(f"folder must name a folder; {folder} is a file")
    if not folder.is_dir() or all(is_half_written(path) for path in folder.iterdir()):
        return
    if not (folder / ABOUT).is_file():
        raise ValueError(f"folder must be new, empty or a study of kdlearn; {folder} holds something else. {RESTORED}")
    try:
        about = read_json(folder / ABOUT)
    except ValueError as problem:
        raise ValueError(f"{problem}. {RESTORED}") from problem
    if not isinstance(about, dict) or about.get("what") != CONTENT["what"]:
        raise ValueError(f"{folder / ABOUT} is not by kdlearn, or altered: give a new folder")
    if (engine := about.get("engine", 1)) != kdlearn.ENGINE:
        raise ValueError(
            f"{folder / ABOUT} says that kdlearn's engine {engine} began this study; this is engine {kdlearn.ENGINE}, "
            "which takes no run of it: give a new folder, or finish it with the version that began it"
        )


def is_half_written(path: Path) -> bool:
    """What is left where the file by which a folder is recognised was being written."""
    return PARTIAL.fullmatch(path.name) is not None and path.name.startswith(f".{ABOUT}.")
