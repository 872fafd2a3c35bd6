"""The atlas: when does distillation help, and what in a teacher's labels is it that helps?

Students are perceptrons of 64, `width` and 10 units on handwritten digits of 8 × 8 pixels, 60 images a batch. Each of
80 replicates (1000 to 1079, which no pilot has used) has a split into 1,200, 197 and 400 images and teachers of its
own; within a replicate students of one seed share images, first weights and order. Teachers are small convolutional
networks on the replicate's 1,200 training images; where no kind is said they saw the images as they are, 15 epochs.
What is told is measured on the 400 test images, read once, by runs that nothing was chosen on.

A labels: nine arms on 20, 60, 240 and 1,200 images, read at 100, 300, 1,000 and 3,000 updates, each arm with a rate of
    its own at each length: 9 × 80 × (6 + 2 + 2 + 2) seeds × 4 lengths.
B teachers: eleven kinds of teacher, 60 images, 1,000 updates; hard labels, T = 1, T = 4: 33 × 80 × 4.
C controls: one thing of the soft labels at T = 2 is taken away at a time, 60 and 240 images: 14 × 80 × 8.
D temperature and weight: six temperatures × five weights × three widths, read at 100, 300, 1,000 updates:
    32 × 80 × (2 + 2 + 1) seeds.
E wrong labels: 20 and 40 % of all 1,200 labels are wrong, for the teacher too: 8 × 80 × 8.
cells: 5,000 cells drawn from all axes, three arms each: what the guide learns from.
MNIST: the same at 14 × 14, a perceptron of 512 units on 5,000 images as teacher: 8 × 80 × 6.
long: 60 images, up to 10,000 updates: 4 × 80 × 2.

The order of computing is that of `PARTS`: what the planned claims need comes first.

Grid C came first, with 8 seeds. Its half widths were 0.2 points, so that before any other grid ran A and B were planned
with fewer seeds than at first. Grids B, C, D and E were then carried out and read once before the others ran; that
machine was lost before they were recorded, so all was carried out again from the start. To fit the time of the new one,
D got one seed instead of two at width 128, A two instead of 4 and 3 on 60 and 240 images; nothing else was changed.

Further seeds. When all of this was recorded and read, some gains were known to 0.37 to 0.46 points only, where a test
of the record asked for 0.35: on 20 and 60 images in A and `long`, over ground truth with 40 % wrong labels in E, and
with 32 and 128 units in D. So A got 8 further seeds on 20 images and 4 on 60, at the rates that its tuning had chosen,
`long` 2, E 4, and D one at each width. Those of A, `long` and E were reckoned from the spread between seeds and
replicates, that of D from what the machine had time for; none from the size of any gain. Gains of soft labels over
ground truth on 20 images are known to 0.25 to 0.32 points now (after 1,000 and 3,000 updates), on 60 to 0.26, in `long`
to 0.31, in D to 0.37 with 32 and 128 units. What misses it: in E hard labels with 40 % wrong ones (0.38), where
replicates differ, not seeds; in D 8 units (up to 0.6 after 1,000 updates); and B, which got no further seeds (the small
teacher at T = 4 over ground truth 0.45, claim 2 0.50).

The planned claims are told with all seeds that are recorded. With the first ones alone each has the same answer by
Holm: claim 1 was +9.23 ± 0.45, claim 5 -1.28 ± 0.20, and claim 4, which was and stays open, -0.15 ± 0.44 (p 0.51; now
-0.10 ± 0.38, p 0.62). No replicate was added, and no further seeds are planned.

Tuning. In A all arms share the rates 0.001, 0.003, 0.01, 0.03 of Adam, extended once for every arm if a choice lies at
an end; chosen for each arm, size and length by the mean on the validation images of 8 other replicates × 2 other seeds.
Temperatures are arms of their own there and not chosen. All other grids share the rate 0.003, which is chosen for no
arm: how much tuning changes is read from A.

Planned, one Holm family of five, two-sided, Student's t over the 80 replicates' means:
1. A, 3,000 updates: (soft labels at T = 4 - the teacher's hard labels) on 20 images - the same on 240 images: softness
   gives more where labels are fewer;
2. B: soft labels at T = 4 of the small teacher of images as they are - those of the teacher that saw shifted images for
   45 epochs: the less accurate one teaches better;
3. C, 60 images: soft labels - the mean soft label of all images of that class: it matters which classes this image
   looks like, not only which classes look alike;
4. D, 1,000 updates, weight 1: (T = 16 - T = 4) at width 128 - the same at width 8: the larger student profits from the
   higher temperature (Hinton et al. 2015, section 3, tell so of 300 or more units against 30);
5. E, 40 % wrong: soft labels at T = 4 - hard labels of the same teacher.
All else that is read from the record is exploratory.

Pilots told: 16 to 24 replicates of digits with two kinds of teacher at T = 2 (studies/digits) have shown the sign of 1
(60 against 240 images) and of what 2 rests on; two replicates, 500 and 501, that tried the code of grid C have shown
that of 3. 4 and 5 had none.

Recorded on 2026-11-25 and 26, the last grids with commit da07578: with the losses as they were before c03eb3f of
2026-12-03 wrote each as its formula. It takes hours and was not made again since.

Command: `make atlas`, or `python studies/atlas/plan.py FOLDER --workers 2`; it goes on where it was stopped, and
carries out no grid that atlas.parquet beside this file holds. With `--claims --first 80 --replicates 3` it asks the
planned claims of three other replicates, and leaves the record as it is. This was done once: all five have the sign of
the record there, the fourth too, which the record leaves open.
MNIST lies in the folder of the variable KDLEARN_DATA.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from grids import KEPT, PARTS

from kdcourse.atlas import planned_differences
from kdlearn import Comparison
from kdlearn.commands.scheduler import executor_at
from kdlearn.formulas.intervals import Interval, interval

HERE = Path(__file__).parent
FIRST, REPLICATES = 1000, 80
REPEATED = "80 replicates, each with teachers of its own, and 2 to 14 seeds"
CLAIMED = ("controls", "teachers", "wrong", "temperature", "labels-20", "labels-240")  # what the planned claims need


def planned(record: Comparison) -> Mapping[str, Interval]:
    """The five planned differences, in points."""
    return {name: interval(values) for name, values in planned_differences(record).items()}


def compared(record: Comparison, again: Comparison) -> Iterator[str]:
    """For each planned claim its sign in another run of the grids beside that of the record, with every replicate."""
    told = record.planned(planned(record)).set_index("claim")
    for name, values in planned_differences(again).items():
        known = told.loc[name, "mean"]
        sign = "the same sign" if known * values.mean() > 0 else "another sign"
        sign += "" if told.loc[name, "holm"] < 0.05 else ", which the record leaves open"
        each = ", ".join(f"{one:+.1f}" for one in values)
        yield f"{name}: {known:+.1f} points in the record, here {values.mean():+.1f} (replicates: {each}): {sign}"


SCORED = ["images", "strategy", "learning_rate", "replicate", "seed", "length", "score"]


def part_of(table: pd.DataFrame, name: str) -> pd.Series:
    """Which rows are those of one of `PARTS`."""
    part = PARTS[name]
    rows = table["grid"] == part.grid
    rows &= True if part.images is None else table["images"] == part.images
    return rows & (True if part.seeds is None else table["seed"].isin(part.seeds))


def with_grid(record: pd.DataFrame, found: Comparison) -> pd.DataFrame:
    """The record and a further part: the loss to four decimals, the rest as it was measured."""
    table = found.table.reindex(columns=KEPT)  # a grid without mixtures has no weight
    return pd.concat([record, table.assign(loss=table["loss"].round(4))], ignore_index=True)


def keep(where: Path, record: pd.DataFrame, name: str, found: Comparison) -> None:
    """Write the record, and of a size of grid A every candidate's scores on validation."""
    Comparison(record).save(where / "atlas.parquet")
    if found.scores is not None:
        scores, path = found.scores.assign(images=PARTS[name].images), where / "tuning.parquet"
        known = [pd.read_parquet(path)] if path.exists() else []
        pd.concat([*known, scores[SCORED]], ignore_index=True).to_parquet(path, index=False)


def parts(own: bool) -> list[str]:
    """All of them; further seeds take the rates that the record's tuning chose, so other replicates have none."""
    return [name for name in PARTS if own or not name.startswith("further-labels")]


def recorded(where: Path = HERE) -> pd.DataFrame:
    path = where / "atlas.parquet"
    return Comparison.load(path).table if path.exists() else pd.DataFrame(columns=KEPT)


def main(
    folder: Path,
    first: Annotated[
        int, typer.Option(help="the first replicate; another one repeats all with other teachers")
    ] = FIRST,
    replicates: Annotated[int, typer.Option(min=2)] = REPLICATES,
    workers: int = 2,
    scheduler: Annotated[str | None, typer.Option(help="address of a Dask scheduler")] = None,
    only: Annotated[list[str] | None, typer.Option(help="parts to carry out")] = None,
    claims: Annotated[bool, typer.Option("--claims", help="only the grids that the planned claims need")] = False,
) -> None:
    """Carry out the parts that are not recorded yet, and tell the planned claims once their parts are.

    With another first replicate or number of replicates the tables are written into FOLDER, and each planned claim is
    told beside the record: `--claims --first 80 --replicates 3` asks three replicates that the record does not have. By
    its number of updates this costs a twentieth of all grids, most of it for the choice of rates.
    """
    own = (first, replicates) == (FIRST, REPLICATES)
    home = HERE if own else folder
    record = recorded(home)
    with executor_at(scheduler) as executor:
        where = {"folder": folder / "work", "progress": True}
        where |= {"executor": executor} if executor else {"workers": workers}
        for name in only or (CLAIMED if claims else parts(own)):
            if not part_of(record, name).any():
                found = PARTS[name].carry_out(range(first, first + replicates), where)
                record = with_grid(record, found)
                keep(home, record, name, found)
                print(f"{name} is done", flush=True)
    if all(part_of(record, name).any() for name in CLAIMED):
        whole = Comparison(record)
        print(whole.planned(planned(whole)).to_string(index=False))
        if not own:
            print(*compared(Comparison(recorded()), whole), sep="\n")


if __name__ == "__main__":
    typer.run(main)
