"""`kdlearn demo`: the first distillation, measured."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from kdlearn.commands.folders import check_can_be_made, path
from kdlearn.commands.messages import say
from kdlearn.data.files import replacing

TABLE, PICTURE = "comparison.parquet", "results.png"


def demo(
    out: Annotated[
        Path | None,
        Option(
            parser=path, metavar="FOLDER", help=f"for {TABLE} and {PICTURE}; a new one by default", show_default=False
        ),
    ] = None,
    overwrite: Annotated[bool, Option("--overwrite", help="replace results that are in FOLDER already")] = False,
    replicates: Annotated[int, Option(min=2, max=1000, help="each with a teacher and a split of its own")] = 10,
    seeds: Annotated[int, Option(min=1, max=1000, help="students of each kind in a replicate")] = 10,
    quiet: Annotated[bool, Option("--quiet", help="no progress bar")] = False,
) -> None:
    """The first distillation, measured, in half a minute."""
    with result_folder(out, overwrite) as folder:
        from kdcourse import demo as study
        from kdlearn.comparing.plot import gains, new_axes

        comparison = study.demo(replicates, seeds, progress=not quiet and sys.stderr.isatty())
        found = study.finding(comparison)
        picture: Any = gains(comparison, new_axes(width=9.2, height=4.8)).figure
        with replacing(folder / PICTURE) as temporary:
            picture.savefig(temporary, dpi=150, format="png")
        comparison.save(folder / TABLE)
    say(f"{comparison}\n\n{found}\n\n{folder}: {TABLE}, {PICTURE}")


@contextmanager
def result_folder(chosen: Path | None, overwrite: bool) -> Iterator[Path]:
    """A folder that can be written, refused before any training if it cannot; taken away again if it stays empty."""
    folder = chosen or next(one for one in map(numbered, count(1)) if not one.exists())
    there = [name for name in (TABLE, PICTURE) if (folder / name).exists()]
    if there and not overwrite:
        raise FileExistsError(f"{folder} holds {there[0]} already; choose another --out, or add --overwrite")
    check_can_be_made(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise


def numbered(number: int) -> Path:
    return Path(f"kdlearn-demo-{number}")
