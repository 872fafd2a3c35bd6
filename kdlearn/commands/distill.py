"""`kdlearn distill`: a teacher, then students by strategies and seeds, on images."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

from typer import Argument, Context, Option
from typer.core import TyperCommand

from kdlearn.commands import results
from kdlearn.commands.folders import check_can_be_made, path
from kdlearn.commands.words import say

NETWORKS = "such as airbench:24,88,88 or resnet18:64, or module:function that builds your own"


class ManyValues(TyperCommand):
    """A command whose options of several values take them one after the other: `--students A B`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        many = {name for one in self.params if getattr(one, "multiple", False) for name in one.opts}
        return super().parse_args(ctx, repeated(args, many))


def repeated(words: list[str], many: set[str]) -> list[str]:
    """`--students A B` as `--students A --students B`, which is what click takes."""
    found: list[str] = []
    option, values = "", 0
    for word in words:
        if word.startswith("-") and not is_number(word):
            option, values = word if word in many else "", 0
        elif option:
            found += [option] * (values > 0)
            values += 1
        found.append(word)
    return found


def is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def distill(
    context: Context,
    source: Annotated[
        str, Argument(metavar="DATA", help="cifar10, mnist, or a folder that holds train/<class>/* and test/<class>/*")
    ],
    out: Annotated[Path, Option(parser=path, metavar="FOLDER", help="for all that is made; run again, it goes on")],
    preset: Annotated[
        str, Option(metavar="NAME", help="sizes and lengths, such as tiny, cpu or gpu; an unknown name lists all")
    ] = "cpu",
    teacher: Annotated[str | None, Option(metavar="NETWORK", help=f"{NETWORKS} (default: the preset's)")] = None,
    teacher_weights: Annotated[
        Path | None, Option(parser=path, metavar="FILE", help="safetensors, of a teacher that is trained already")
    ] = None,
    teacher_smoothing: Annotated[float | None, Option(metavar="S", help="of the teacher's labels (default: 0)")] = None,
    teacher_epochs: Annotated[
        int | None, Option(min=1, max=100_000, metavar="N", help="of the teacher (default: the preset's)")
    ] = None,
    half_labels: Annotated[bool, Option("--half-labels", help="keep the teacher's logits in float16")] = False,
    students: Annotated[
        list[str] | None, Option(metavar="NETWORK...", help=f"{NETWORKS} (default: the preset's)")
    ] = None,
    strategies: Annotated[
        list[str] | None,
        Option(
            metavar="LABELS...",
            help="of ground-truth smoothed hard soft both (default: these); an unknown word lists all; "
            "or module:Class of your own",
        ),
    ] = None,
    temperature: Annotated[list[float] | None, Option(metavar="T...", help="of soft labels (default: 2)")] = None,
    soft_weight: Annotated[
        list[float] | None, Option(metavar="W...", help="the rest is ground truth (default: 0.9)")
    ] = None,
    seeds: Annotated[int, Option(min=1, max=1000, metavar="N", help="how many students of each kind")] = 5,
    epochs: Annotated[
        int | None, Option(min=1, max=100_000, metavar="N", help="of the students (default: the preset's)")
    ] = None,
    batch_size: Annotated[
        int | None, Option(min=1, metavar="N", help="of the students (default: the preset's)")
    ] = None,
    learning_rate: Annotated[
        list[float] | None, Option(metavar="R...", help="of the students (default: the preset's)")
    ] = None,
    labelled: Annotated[
        float,
        Option(
            metavar="SHARE",
            help="of training images whose ground truth the students know, drawn once by seed 0; the teacher knows all",
        ),
    ] = 1.0,
    start: Annotated[
        str, Option(metavar="random|teacher|FILE", help="the students' first weights, where they fit")
    ] = "random",
    validation: Annotated[
        int, Option(min=0, metavar="N", help="hold out N training images, and measure on them alone")
    ] = 0,
    resize: Annotated[
        int | None, Option(min=1, max=10_000, metavar="N", help="stretch a folder's images to N × N pixels")
    ] = None,
    no_flip: Annotated[bool, Option("--no-flip", help="do not mirror images, such as digits (mnist: never)")] = False,
    root: Annotated[
        Path | None, Option(parser=path, metavar="FOLDER", help="of cifar10 and mnist (default: KDLEARN_DATA, or data)")
    ] = None,
    download: Annotated[bool, Option("--download", help="fetch cifar10 or mnist if it is not there")] = False,
    device: Annotated[str | None, Option(help="cuda, mps or cpu (default: the first that is there)")] = None,
    workers: Annotated[
        int | None, Option(min=1, max=256, metavar="N", help="processes, each on one thread (default: one on all)")
    ] = None,
    scheduler: Annotated[
        str | None, Option(metavar="ADDRESS", help="of a Dask cluster, such as tcp://10.0.0.1:8786, that sees --out")
    ] = None,
    quiet: Annotated[bool, Option("--quiet", help="no progress bars")] = False,
) -> None:
    """A teacher, then students by strategies and seeds, on images."""
    from kdlearn.commands.contradictions import check_options

    options = SimpleNamespace(**context.params)
    check_options(options)
    check_can_be_made(out)
    carry_out(options)


def carry_out(options: SimpleNamespace) -> None:
    """Train what is missing in the folder, then print its table."""
    import warnings

    from kdlearn.commands.asked import Asked
    from kdlearn.commands.scheduler import executor_at
    from kdlearn.engine.study import UnreadableSource, check_folder
    from kdlearn.training.machine import best_machine
    from kdlearn.training.processes import joined

    check_folder(options.out)
    scheduled, joint = executor_at(options.scheduler), joined(best_machine(options.device))
    with scheduled as executor, joint as machine, warnings.catch_warnings():
        warnings.simplefilter("error", UnreadableSource)  # what could not be kept is not begun
        asked = Asked(options, machine, executor, progress=not options.quiet and sys.stderr.isatty())
        comparison = asked.comparison()
        comparison.save(options.out / results.FILE)
    say(results.in_parts(comparison))
