"""The `kdlearn` command: `demo`, `start`, `explore`, `distill`, `results`, `doctor`.

What loads torch is imported inside the command that trains, so that the others answer at once.
"""

import argparse
import shutil
import sys
import tempfile
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from itertools import count
from pathlib import Path
from typing import NoReturn

from kdlearn.commands import doctor
from kdlearn.data.files import read_json, replacing, write_json

PRESET_NAMES = ("cpu", "cpu-quick", "cpu-long", "gpu", "tiny")


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
        print("kdlearn: interrupted; what is complete was kept, the rest was not written", file=sys.stderr)
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

    explore = commands.add_parser("explore", help="the interactive figures in a browser, without Jupyter or a network")
    explore.add_argument("--out", type=Path, metavar="FILE", help="keep the page here; a temporary file by default")
    explore.add_argument("--overwrite", action="store_true", help="replace FILE if it is there already")
    explore.add_argument("--no-open", action="store_true", help="write the page, open no browser")
    explore.set_defaults(run=run_explore)

    study = commands.add_parser("distill", help="a teacher, then students by strategies and seeds, on images")
    add = study.add_argument
    add("source", metavar="DATA", help="cifar10, mnist, or a folder that holds train/<class>/* and test/<class>/*")
    add("--out", type=Path, metavar="FOLDER", required=True, help="for all that is made; run again, it goes on")
    add("--preset", choices=PRESET_NAMES, default="cpu", help="sizes and lengths (default: cpu)")
    add("--teacher", metavar="NETWORK", help="such as airbench:64,256,256 or resnet18:64")
    add("--teacher-weights", type=Path, metavar="FILE", help="of a teacher that is trained already")
    add("--teacher-smoothing", type=float, default=0.0, metavar="S", help="of its labels (default: 0)")
    add("--half-labels", action="store_true", help="keep the teacher's logits in float16")
    add("--students", nargs="+", metavar="NETWORK", help="such as airbench:24,88,88")
    add("--strategies", nargs="+", metavar="LABELS", help="of ground-truth smoothed hard soft both (default: all)")
    add("--temperature", type=float, nargs="+", default=[2.0], help="of soft labels (default: 2)")
    add("--soft-weight", type=float, nargs="+", default=[0.9], help="beside ground truth (default: 0.9)")
    add("--seeds", type=at_least_one, default=5, help="how many students of each kind (default: 5)")
    add("--epochs", type=at_least_one, metavar="N", help="of the students (default: the preset's)")
    add("--learning-rate", type=float, metavar="R", help="of the students (default: the preset's)")
    add("--labelled", type=float, default=1.0, metavar="SHARE", help="of images with ground truth (default: 1)")
    add("--start", default="random", metavar="random|teacher|FILE", help="the students' first weights")
    add("--validation", type=int, default=0, metavar="N", help="hold out N images, and measure on them alone")
    add("--no-flip", action="store_true", help="do not mirror images, such as digits (mnist: never)")
    add("--root", type=Path, metavar="FOLDER", help="of cifar10 and mnist (default: KDLEARN_DATA, or data)")
    add("--download", action="store_true", help="fetch cifar10 or mnist if it is not there")
    add("--device", help="cuda, mps or cpu (default: the first that is there)")
    add("--quiet", action="store_true", help="no progress bars")
    study.set_defaults(run=run_distill)

    table = commands.add_parser("results", help="the table of one or more folders that distill has written")
    table.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    table.set_defaults(run=run_results)

    check = commands.add_parser("doctor", help="what this machine can run and what it lacks")
    check.set_defaults(run=lambda options: print(doctor.report()))
    return root


def at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1 is expected; got {text}")
    return int(text)


def at_least_two(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"an interval needs a whole number of at least 2 seeds; got {text}")
    return int(text)


def run_demo(options: argparse.Namespace) -> None:
    """Train, print the table and the finding, write `results.json` and `results.png`."""
    with result_folder(options.out, options.overwrite) as folder:
        from kdlearn.plots import new_axes, strategies_with_intervals
        from kdlearn.studies import demo, format_table

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


def run_distill(options: argparse.Namespace) -> None:
    """Train what is missing in the folder, then print its table."""
    from kdlearn.studies.command import runs_of, study_of
    from kdlearn.training.machine import best_machine
    from kdlearn.training.processes import joined, rank

    with errors_in_words(), joined(best_machine(options.device)) as machine:
        from kdlearn.studies import distill

        study = study_of(options, machine)
        distill(study, runs_of(options, study.preset))
        if rank() == 0:
            run_results(argparse.Namespace(folders=[options.out]))


def run_results(options: argparse.Namespace) -> None:
    from kdlearn.studies import collect, format_results

    with errors_in_words():
        print(format_results(collect(options.folders)))


@contextmanager
def errors_in_words() -> Iterator[None]:
    """What the library refuses, it says in words that are enough for the user."""
    try:
        yield
    except (ValueError, TypeError, ImportError, FloatingPointError) as problem:
        raise UserError(problem) from problem


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


def run_explore(options: argparse.Namespace) -> None:
    """Write the figures as one page that needs nothing else, and open it."""
    path = options.out or Path(tempfile.mkdtemp(prefix="kdlearn-")) / "figures.html"
    if path.exists() and not options.overwrite:
        raise UserError(f"{path} is there already; choose another --out, or add --overwrite")
    try:
        from kdlearn.figures import save
    except ModuleNotFoundError as missing:
        raise UserError(f"the figures need {missing.name}: python -m pip install 'kdlearn[course]'") from None
    save(figures_of_the_course(), path, title="kdlearn: the figures")
    print(path)
    if not options.no_open and not webbrowser.open(path.resolve().as_uri()):
        print("no browser was found here; open this file in one", file=sys.stderr)


def figures_of_the_course() -> list:
    """Each figure with the numbers that the notebooks use: a teacher's on digits, those first that it finds hardest."""
    import numpy as np

    from kdlearn.figures import DarkKnowledge, LossExplorer, Playground, TemperatureExplorer

    with np.load(notebooks_folder() / "digits_logits.npz") as file:
        logits, labels, images = (file[name] for name in ("teacher_logits", "labels", "images"))
    hardest = np.argsort(np.sort(logits, axis=1)[:, -2:] @ [-1, 1])[:12]
    explorer = TemperatureExplorer(logits[hardest], image=images[hardest], labels=labels[hardest])
    knowledge = DarkKnowledge(logits[:60], labels[:60], images[:60], order="entropy")
    return [explorer, LossExplorer(), knowledge, Playground()]
