"""The `kdlearn` command: `demo`, `start`, `doctor`.

What loads torch is imported inside the command that trains, so that the others answer at once.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from itertools import count
from pathlib import Path
from typing import NoReturn

from kdlearn import doctor
from kdlearn.files import read_json, replacing, write_json


class UserError(Exception):
    """What the user can mend, in one line."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; {self.prog} --help lists what there is\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command: 0 if it succeeded, else another number and one line on standard error."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("kdlearn: interrupted; no result was written", file=sys.stderr)
        return 130
    except (UserError, OSError) as problem:
        print(f"kdlearn: {problem}", file=sys.stderr)
        return 1
    return 0


def parser() -> Parser:
    root = Parser(prog="kdlearn", description="Knowledge distillation, derived, tested and measured.")
    root.add_argument("--version", action="version", version=f"kdlearn {metadata.version('kdlearn')}")
    commands = root.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    demo = commands.add_parser("demo", help="the first distillation, measured, in half a minute")
    demo.add_argument(
        "--out", type=Path, metavar="FOLDER", help="for results.json and results.png; a new one by default"
    )
    demo.add_argument("--overwrite", action="store_true", help="replace results that are in FOLDER already")
    demo.add_argument("--seeds", type=at_least_two, default=20, help="how many students a row (default: 20)")
    demo.add_argument("--quiet", action="store_true", help="no progress bar")
    demo.set_defaults(run=run_demo)

    copy = commands.add_parser("start", help="your own copy of the notebooks, outputs cleared, solutions folded")
    copy.add_argument(
        "folder", type=Path, metavar="FOLDER", help="made if it is not there; your own files in it are kept"
    )
    copy.set_defaults(run=lambda options: print(start(options.folder)))

    check = commands.add_parser("doctor", help="what this machine can run and what it lacks")
    check.set_defaults(run=lambda options: print(doctor.report()))
    return root


def at_least_two(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"an interval needs a whole number of at least 2 seeds; got {text}")
    return int(text)


def run_demo(options: argparse.Namespace) -> None:
    """Train, print the table and the finding, write `results.json` and `results.png`."""
    with result_folder(options.out, options.overwrite) as folder:
        from kdlearn.experiments import demo, format_table
        from kdlearn.plots import new_axes, strategies_with_intervals

        report = demo(options.seeds, progress=not options.quiet and sys.stderr.isatty())
        picture = strategies_with_intervals(report["rows"], new_axes(width=9.2, height=4.8)).figure
        with replacing(folder / "results.png") as temporary:
            picture.savefig(temporary, dpi=150)
        write_json(folder / "results.json", report)
    print(
        format_table(report["rows"], report["teacher"]),
        report["finding"],
        f"{folder}/results.json, results.png",
        sep="\n\n",
    )


@contextmanager
def result_folder(chosen: Path | None, overwrite: bool) -> Iterator[Path]:
    """A folder that can be written, refused before any training if it cannot; taken away again if it stays empty."""
    folder = chosen or next(Path(name) for number in count(1) if not Path(name := f"kdlearn-demo-{number}").exists())
    if (folder / "results.json").exists() and not overwrite:
        raise UserError(f"{folder} holds results.json already; choose another --out, or add --overwrite")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise


def start(folder: Path) -> str:
    """Copy the course as a learner wants it; what is in `folder` already is the learner's work and stays."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for source in sorted(path for path in notebooks_folder().iterdir() if path.suffix in (".ipynb", ".npz", ".md")):
        target = folder / source.name
        if target.exists():
            lines.append(f"kept   {target}, which is yours")
            continue
        if source.suffix == ".ipynb":
            write_json(target, as_learner_wants_it(read_json(source)))
        else:
            with replacing(target) as temporary:
                shutil.copyfile(source, temporary)
        lines.append(f"wrote  {target}")
    return "\n".join(lines)


def notebooks_folder() -> Path:
    """The notebooks of an installed package lie inside it, those of a source tree beside it."""
    inside = Path(__file__).parent / "notebooks"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "notebooks"


def as_learner_wants_it(notebook: dict) -> dict:
    """Without the outputs, which would answer *predict before you run*, and with the solutions folded."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
        if "hide-input" in cell["metadata"].get("tags", []):
            cell["metadata"].setdefault("jupyter", {})["source_hidden"] = True
    return notebook
