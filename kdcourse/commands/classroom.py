"""An experiment that a class carries out together, each laptop one seat; its files go by e-mail or on a stick."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option, Typer

from kdlearn.commands.folders import check_can_be_made, path
from kdlearn.commands.messages import say
from kdlearn.data.files import replacing

app = Typer(help=__doc__, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.command()
def plan(
    images: Annotated[int, Option(help="labelled images of a student, 20 to 1,200")] = 60,
    temperature: Annotated[float, Option(help="of the soft labels, 0.1 to 50")] = 2.0,
    updates: Annotated[int, Option(help="of each student, 1 to 10,000")] = 300,
) -> None:
    """Print the code of a plan, which every laptop is told."""
    from kdcourse.classroom import Plan

    say(Plan(images, temperature, updates).code)


@app.command()
def join(
    code: Annotated[str, Argument(metavar="CODE", help="of the plan, as the lecturer says it")],
    seat: Annotated[int, Option(help="a number of your own, 1 to 999; no two laptops share one")],
    out: Annotated[
        Path | None, Option(parser=path, metavar="FOLDER", help="for the one small file; here by default")
    ] = None,
) -> None:
    """Carry out your seat's part of the experiment; writes one small file to hand in."""
    from kdcourse.classroom import check_seat, file_name, joined, plan_of, write_seat

    found = plan_of(code)
    check_seat(seat)
    folder = out or Path()
    check_can_be_made(folder)
    if (folder / file_name(found, seat)).exists():
        raise FileExistsError(
            f"{folder / file_name(found, seat)} is there already: hand it in, or choose another --out"
        )
    folder.mkdir(parents=True, exist_ok=True)
    content = joined(found, seat)
    numbers = ", ".join(f"{name} {100 * share:.1f} %" for name, share in content["accuracy"].items())
    say(f"{numbers}\nhand in {write_seat(folder, content)}")


@app.command()
def pool(
    folder: Annotated[Path, Argument(parser=path, metavar="FOLDER", help="with the files that were handed in")],
    plan: Annotated[str | None, Option(metavar="CODE", help="where files of several plans lie there")] = None,
) -> None:
    """The class's interval, a picture of how it shrinks, and which files do not belong."""
    from kdcourse.classroom import pooled

    found = pooled(folder, plan)
    picture = folder / f"class-{found.plan.code}.png"
    with replacing(picture) as temporary:
        drawn(found).savefig(temporary, dpi=150, format="png")
    say(f"{found}\n\n{picture}")


def drawn(found: Any) -> Any:
    """The interval of soft labels against ground truth, and against hard labels, over the number of laptops."""
    from kdcourse.classroom import HARD, SOFT, TRUTH
    from kdcourse.plots import lines_with_bands
    from kdlearn.comparing.plot import new_axes

    counts = range(2, len(found.table) + 1)
    curves = {f"{SOFT} - {other}": found.shrinking(SOFT, other) for other in (TRUTH, HARD)}
    ax = lines_with_bands(curves, counts, new_axes(), "laptops", "points of accuracy, 95 % interval")
    ax.axhline(0, color="grey", linestyle="--", linewidth=1)
    widest = found.shrinking()[min(2, len(counts) - 1)]
    ax.set_ylim(-1.2 * (abs(widest.mean) + widest.half_width), 1.2 * (abs(widest.mean) + widest.half_width))
    return ax.figure
