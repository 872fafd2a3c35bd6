"""Folders and files on the command line: named in full, and refused before anything is made."""

import os
from pathlib import Path

from typer import BadParameter


def path(text: str) -> Path:
    """A path; an empty one, which would be the folder that one stands in, is refused."""
    if not text.strip() or "\0" in text:
        raise BadParameter(f"a path is expected; got {text!r}")
    return Path(text)


def check_can_be_made(folder: Path) -> None:
    """A ValueError or OSError where a folder can be neither used nor made."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists() or one.is_symlink())
    if not there.is_dir():
        raise ValueError(f"{folder} cannot be a folder: {there} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder} cannot be written: {there} belongs to somebody else")
