"""CIFAR-10 again, fairly: labels or softness, and for how long does it last?

The older record (README.md, notebook 07) has one teacher at each length, arms with more tuning runs than others, and
lengths that differ in student, batch and rate too. Here the networks are the same, a pair of a teacher and students is
repeated, and all else is shared.

Images. 45,000 to train, 5,000 held out, on which rates are chosen and temperature scaling is fitted; the 10,000 test
images are read once a pair. About 2 % of the test images have a near-duplicate among the training images
(near_duplicates.py). They stay in: every arm meets them, and so did the teacher. KDLEARN_DATA names the folder; where
it holds a JPEG copy by class, accuracies are not comparable with published ones. The column `data` of the record says
which images they were.

Networks, of the preset `cpu`: a teacher of 1,972,792 parameters, 12 epochs on ground truth as it is (the older one had
smoothed labels), and students of 228,984. NesterovSGD, batches of 500, bfloat16. Each length is a run of its own whose
schedule ends there. The teacher's rate is 0.8, that of the older study.

Views. All students of a pair see the same: nine epochs of views, other ones than the teacher was trained on, of the
same images. At 18 epochs, and on 5,000 images, the nine are repeated. The teacher answers once for each of them, stored
in float16.

Arms, 4, 9 and 18 epochs of all images: ground truth; the teacher's hard labels; its soft labels at T = 2.
At 9 epochs also: smoothed ground truth (0.1), which needs no teacher.
Controls at 9: the same entropy spread evenly, which takes away which classes look alike; soft labels whose classes
    beside the arg max have changed places, for each arg max in one way, another in each pair. They name wrong classes
    as steadily as the teacher names right ones. (Places drawn anew for each view would on average be the labels that
    are spread evenly.)
5,000 labels alone: ground truth, hard and soft labels of 5,000 training images, drawn for each pair, and of no other
    image, where the older study gave the taught students all; the teacher is the same, of 45,000. Each arm at its own
    rate and length, 30, 60 or 120 epochs.

Equal tuning. Each arm at each length has the same candidates: rates of 0.6 and 1.2 (with AMX three: 0.4, 0.8, 1.6),
and 0.3 at 9 and 18 epochs; on 5,000 images three lengths times two rates. Chosen by accuracy on the images held out,
with a teacher and a student's seed that are not reported, the smaller rate where two are equal; the test images are no
part of that data set. At first there were two rates and, on 5,000 images, two lengths. Then every arm took 0.6 at 9
and 18 epochs, and the longer length on 5,000 images, so the grid was extended there, once, for all arms, before a pair
was carried out (the first had begun with what was chosen before, and was stopped unread). Four epochs are exploratory
and were left at two rates, of which arms took either. One seed and 5,000 images tell rates apart that differ by a
point, not by less. T = 2 is nowhere chosen: of 1, 2 and 4 it was the best for a teacher like this one in the older
record, on held-out images after three epochs.

A collapse. In the first pair the student of soft labels on 5,000 images collapsed, at the rate 1.2 that was chosen: its
last biases ran off, and it gave all images one answer (10.0 % right). Before another pair was carried out this rate was
taken out for this arm in all pairs, the first too. The next on held-out images took its place: 0.6, whose score was
79.0 where 1.2 had 79.8 %. Ground truth and hard labels keep 1.2. What collapses later is treated in the same way.

Pairs. Each has a teacher, first weights, order, views and 5,000 images of its own, which all of its arms share. Six on
a machine without AMX, eight with (`--number 8`), as is decided before the first. If pairs differ as the five seeds of
the older record's one teacher did, half widths with six are 0.6 points for 1 and 2, and 0.5 for 3. They were read as
they came; after the collapse nothing was changed.

Planned, one Holm family of five, two-sided, Student's t over pairs, in points of accuracy:
1. soft labels - ground truth, 9 epochs;
2. soft labels - ground truth, 18 epochs;
3. soft labels - the teacher's hard labels, 9 epochs (softness);
4. soft labels - the same entropy spread evenly, 9 epochs (which classes look alike);
5. soft labels - ground truth, 5,000 labels.
All else is exploratory: 4 epochs, changes between lengths, smoothed and permuted labels, hard labels, calibration
before and after temperature scaling, agreement, and mistakes that are repeated. `repeats_teacher` is the share of the
teacher's wrong answers that a student gives too, `repeats_student` that of a student on ground truth with another seed:
what is hard for everybody is in both. What the older record found is known; pilots of this plan there were none.

Cost. Seconds of one of two busy cores of an AMD EPYC without AMX, as the tuning measured them: 1,270 for a teacher, 22
for an epoch of a student on all images, 2.4 on 5,000. A pair is reckoned at 1.4 hours of a core: the teacher 0.35, its
answers 0.05, sixteen students 1.0; the tuning with its extension took 3.5. On two cores a pair takes three quarters of
an hour, since a part of its students does not wait for the teacher: six pairs in 4.5 hours, two sittings. With AMX the
older study's updates took about half as long.

Recorded on 2026-11-26, the last pair with commit 32bb840: with the losses as they were before c03eb3f of 2026-12-03
wrote each as its formula. It takes hours and was not made again since.

Command: `python studies/cifar10/plan.py FOLDER` carries out all that is not recorded yet; `--tuning` the tuning alone,
`--pairs 0 --pairs 1` these pairs. Each unit, the tuning or a pair, is written whole into tuning.parquet or
pairs.parquet beside this file, which can be committed; then FOLDER is not needed any more. A unit that was stopped goes
on from FOLDER.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from measures import measured
from students import (
    EVENLY,
    FIRST,
    HARD,
    SOFT,
    TRUTH,
    Candidate,
    Cell,
    Choices,
    Setting,
    cells,
    photographs,
    runs_of,
    tuning_runs,
)

import kdlearn
from kdlearn import Comparison, Machine
from kdlearn.data.files import read_table, write_table
from kdlearn.formulas.intervals import Interval, interval

HERE = Path(__file__).parent
RECORD = HERE / "pairs.parquet"
MACHINE, RATES, NUMBER = Machine(autocast=True), (0.6, 1.2), 6
COLLAPSED = {(SOFT, 5000): 1.2}  # rates at which an arm, on so many images, gave one answer to all in some pair
TOLD = ["role", "images", "strategy", "temperature", "smoothing", "learning_rate", "epochs", "teacher"]
TOLD += ["replicate", "seed", "length"]
REPEATED = f"{NUMBER} pairs of a teacher and a student"
SCORES = "scores on held-out images of CIFAR-10"
Where = Mapping[str, Any]


def scored(setting: Setting, rates: Sequence[float], where: Where) -> pd.DataFrame:
    """The unit of tuning: a row for every candidate, and the teacher's own."""
    table = kdlearn.study(list(tuning_runs(setting, rates)), **where)
    return table[[*TOLD, "accuracy", "seconds"]].rename(columns={"accuracy": "score"})


def choices(setting: Setting, scores: pd.DataFrame) -> Choices:
    """The best candidate of each cell that did not collapse; of equal ones the smaller rate, then the shorter."""
    students = scores[scores["role"] == "student"].sort_values(["learning_rate", "epochs"])

    def best(cell: Cell) -> Candidate:
        same = (students["strategy"] == cell.strategy) & (students["images"] == cell.images)
        stays = students["learning_rate"] != COLLAPSED.get((cell.strategy, cell.images))
        rows = students[same & stays & students["epochs"].isin(cell.lengths)]
        found = rows.loc[rows["score"].idxmax()]  # the first of equal ones
        return Candidate(float(found["learning_rate"]), int(found["epochs"]))

    return {cell: best(cell) for cell in cells(setting)}


def pair_of(setting: Setting, pair: int, chosen: Choices, where: Where) -> pd.DataFrame:
    """The unit of a pair: a row for its teacher, its independent student, and a student of each cell."""
    runs = list(runs_of(setting, pair, chosen))
    answers = kdlearn.trained_logits(runs, splits=("validation", "test"), **where)
    taught, independent, *_ = answers
    table = kdlearn.study(runs, **where)  # of what is kept by now
    found = pd.DataFrame([measured(logits, taught, independent, setting.data) for logits in answers])
    return pd.concat([table[TOLD], found, table[["seconds"]]], axis=1).assign(data=setting.data.key)


def recorded(where: Path) -> pd.DataFrame | None:
    path = where / RECORD.name
    return Comparison.load(path).table if path.exists() else None


def tuned(home: Path, setting: Setting, rates: Sequence[float], where: Where) -> Choices:
    """What was chosen: read where it is recorded, else found and recorded."""
    path = home / "tuning.parquet"
    if not path.exists():
        write_table(path, scored(setting, rates, where), SCORES)
    return choices(setting, read_table(path, SCORES))


def is_recorded(record: pd.DataFrame | None, pair: int) -> bool:
    return record is not None and bool((record["replicate"] == FIRST + pair).any())


def carry_out(home: Path, setting: Setting, chosen: Choices, pairs: Sequence[int], where: Where) -> None:
    """The pairs that are not recorded yet, each of which is written into the record when it is done."""
    for pair in pairs:
        record = recorded(home)
        if record is not None and set(record["data"]) != {setting.data.key}:
            raise ValueError("the record is of other images, such as the copy that is not JPEG: take those")
        if not is_recorded(record, pair):
            known = [] if record is None else [record]
            whole = pd.concat([*known, pair_of(setting, pair, chosen, where)], ignore_index=True)
            Comparison(whole).save(home / RECORD.name)
            print(f"pair {pair} is done", flush=True)


def planned(record: Comparison) -> dict[str, Interval]:
    """The five planned differences, in points."""
    students = record.table[record.table["role"] == "student"]
    whole, few = students["images"].max(), students["images"].min()
    _, middle, long = sorted(students.loc[students["images"] == whole, "epochs"].unique())

    def arm(strategy: str, images: int, epochs: int | None) -> pd.Series:
        rows = students[(students["strategy"] == strategy) & (students["images"] == images)]
        rows = rows if epochs is None else rows[rows["epochs"] == epochs]
        return 100 * rows.pivot(index="replicate", columns="strategy", values="accuracy")[strategy]

    def difference(one: str, other: str, images: int, epochs: int | None) -> Interval:
        return interval(arm(one, images, epochs) - arm(other, images, epochs))

    return {
        "soft labels, 9 epochs": difference(SOFT, TRUTH, whole, middle),
        "soft labels, 18 epochs": difference(SOFT, TRUTH, whole, long),
        "softness, 9 epochs": difference(SOFT, HARD, whole, middle),
        "which classes look alike, 9 epochs": difference(SOFT, EVENLY, whole, middle),
        "soft labels, 5,000 labels": difference(SOFT, TRUTH, few, None),
    }


def told_of(record: Comparison) -> Iterator[str]:
    """The means of all pairs, and the planned claims."""
    arms = record.table.groupby(["images", "epochs", "role", "strategy"], sort=False)
    yield (100 * arms["accuracy"].agg(["mean", "std"])).round(1).to_string()
    yield record.planned(planned(record)).to_string(index=False)


def main(
    folder: Path,
    pairs: Annotated[list[int] | None, typer.Option(help="those to carry out; all unless told")] = None,
    number: Annotated[int, typer.Option(help="how many pairs the study has: eight on a machine with AMX")] = NUMBER,
    tuning: Annotated[bool, typer.Option(help="choose the rates alone")] = False,
    rates: Annotated[list[float] | None, typer.Option(help="those that every arm tries: three with AMX")] = None,
    workers: int = 2,
) -> None:
    """Carry out what is not recorded yet, and tell the planned claims once all pairs are recorded."""
    where = {"folder": folder, "workers": workers, "machine": MACHINE, "progress": True}
    setting = photographs()
    chosen = tuned(HERE, setting, rates or RATES, where)
    if not tuning:
        carry_out(HERE, setting, chosen, pairs or range(number), where)
    record = recorded(HERE)
    if record is not None and all(is_recorded(record, pair) for pair in range(number)):
        print("\n".join(told_of(Comparison(record))))


if __name__ == "__main__":
    typer.run(main)
