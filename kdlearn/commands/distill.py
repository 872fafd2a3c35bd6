"""`kdlearn distill`: a teacher, then students by strategies and seeds, on images."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

from typer import Argument, Context, Option

from kdlearn.commands.folders import check_can_be_made, path
from kdlearn.commands.messages import UsageError

NETWORK = "such as airbench:24,88,88 or resnet18:64, or module:function of your own that takes num_classes"
USUAL = "ground-truth,smoothed,hard,soft,both"


def distill(
    context: Context,
    source: Annotated[
        str, Argument(metavar="DATA", help="a folder that holds train/<class>/* and test/<class>/*; cifar10; mnist")
    ],
    out: Annotated[Path, Option(parser=path, metavar="FOLDER", help="for all that is made; run again, it goes on")],
    preset: Annotated[
        str, Option(metavar="NAME", help="sizes and lengths, such as tiny, cpu or gpu; an unknown name lists all")
    ] = "cpu",
    teacher: Annotated[
        str | None,
        Option(metavar="NETWORK", help=f"{NETWORK}; or module:name of a trained network (default: the preset's)"),
    ] = None,
    student: Annotated[str | None, Option(metavar="NETWORK", help=f"{NETWORK} (default: the preset's)")] = None,
    strategies: Annotated[
        str, Option(metavar="NAMES", help="separated by commas; an unknown name lists all; or module:name of your own")
    ] = USUAL,
    temperature: Annotated[float, Option(metavar="T", help="of the soft labels")] = 4.0,
    seeds: Annotated[int, Option(min=1, max=1000, metavar="N", help="how many students of each strategy")] = 5,
    resize: Annotated[
        int | None, Option(min=1, max=10_000, metavar="N", help="stretch a folder's images to N × N pixels")
    ] = None,
    workers: Annotated[
        int | None, Option(min=1, max=256, metavar="N", help="processes, each on one thread (default: one on all)")
    ] = None,
    scheduler: Annotated[
        str | None, Option(metavar="ADDRESS", help="of a Dask cluster, such as tcp://10.0.0.1:8786, that sees --out")
    ] = None,
    quiet: Annotated[bool, Option("--quiet", help="no progress bars")] = False,
) -> None:
    """A teacher, then students by strategies and seeds, on images. For everything else: kdlearn.compare in Python."""
    if workers and scheduler is not None:
        raise UsageError("--scheduler has workers of its own: leave --workers away")
    if (workers or scheduler is not None) and "LOCAL_RANK" in os.environ:
        raise UsageError("torchrun starts the processes: leave --workers and --scheduler away")
    check_can_be_made(out)
    from kdlearn.commands.experiment import execute

    execute(SimpleNamespace(**context.params))
