"""The guide's model: fitted to the atlas's random cells, its intervals from whole groups that were held out.

A cell is one student on `images` images with ground truth, and its twins on hard and soft labels of one teacher (whose
kind is any but "untrained"), after 300 or 1,000 updates. Cells of 100 updates are left out: ground truth still gains
there. (A first fit had them, with a term of their own; its intervals were twice as wide.) Two sums of few terms
(`kdcourse.guide.TERMS`) are fitted by least squares:

- labels: the teacher's hard labels on all the images - ground truth on a part of them, `LABELLED`;
- softness: soft labels - hard labels of the same images.

A single run of ground truth would stand on both sides of the gap and of the gain, and chance would look like an effect.
So the student's accuracy on ground truth is the mean that is expected of its width, length and number of images: a
parabola in the logarithm of that number for each width and length. Terms are few because they must be readable; the
number of labels is none of them, since the gap tells the same.

Intervals: kinds of teacher, sizes and tenths of the replicates are left out in turn, as wholes. In each group of cells
of one kind, size, width and length the mean of what was mispredicted is taken; its variance over groups is that of a
new group (and a little more, since a dozen cells have a mean that chance has moved). The widest of the three ways is
told, by steps of the gap, with Student's t of as many wholes as were left out in all steps. It is the interval of a
*mean* gain, not of a single student's.

Length. The cells have 300 and 1,000 updates, which a term tells apart. Beyond 1,000 the sums do not change: grids A and
long, to which nothing was fitted, say how far that holds. The guide answers up to the length up to which the gains of
all their arms lie in the predicted intervals.

Wrong labels. Two shares in grid E, and one in the record of `studies/article` at two lengths, all with 1,200 digits,
one kind of teacher and one student: too few for a model, whose interval from held-out shares would have a degree of
freedom or two. They are kept as they were measured, softness at T = 1, which all of them have.

All of it is exploratory. What it is tested on, it has not seen: MNIST, the spoken digits, the record of CIFAR-10.

Command: `python studies/atlas/guide.py` reads atlas.parquet beside this file and writes kdcourse/guide.json.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from predicted import longest, unseen, wrong_labels
from scipy import stats

import kdlearn
from kdcourse.guide import FITTED, GAIN, LABELS, SOFTNESS, TERMS, WRONG, Guide
from kdlearn import Comparison
from kdlearn.data.files import write_json

HERE = Path(__file__).parent
ARTICLE = HERE.parent / "article/comparison.parquet"
TRUTH, HARD = kdlearn.GroundTruth.name, kdlearn.TeachersHardLabels.name
LABELLED = (20, 60, 240)  # of the images of a cell, those whose ground truth is known
STEPS = (2.0, 5.0, 10.0, 20.0, 100.0)  # upper ends of gaps, in points
SIZES = (0, 40, 120, 400, 1200)  # upper ends of numbers of images, which make the groups of sizes
SHORTEST = 300  # updates; after 100 ground truth still gains, and so does the gap
GROUP = ["kind", "size", "width", "length"]


def cells_of(record: Comparison) -> pd.DataFrame:
    """A row a cell: what was drawn, accuracies of the three students and their teacher, in percent."""
    rows = record.table[(record.table["grid"] == "cells") & (record.table["length"] >= SHORTEST)]
    key = ["replicate", "seed", "images", "width", "length"]
    scores = rows.assign(arm=rows["strategy"].where(rows["strategy"].isin([TRUTH, HARD]), "soft"))
    found = scores.pivot(index=key, columns="arm", values="accuracy").rename(columns={TRUTH: "truth", HARD: "hard"})
    names = ["kind", "temperature", "soft_weight", "teacher_accuracy"]
    drawn = rows[rows["temperature"].notna()].set_index(key)[names].rename(columns={"teacher_accuracy": "teacher"})
    cells = drawn.join(found).reset_index()
    cells[["truth", "hard", "soft", "teacher"]] *= 100
    size = pd.cut(cells["images"], SIZES, labels=SIZES[1:]).astype(int)
    return cells.assign(size=size, others=cells["kind"].str.startswith("shifted").astype(float))


def expected(cells: pd.DataFrame, images: Any) -> pd.Series:
    """Accuracy on ground truth that a student of the cell's width and length has on so many images."""
    found = pd.Series(0.0, index=cells.index)
    for _, part in cells.groupby(["width", "length"]):
        curve = np.polyfit(np.log10(part["images"]), part["truth"], 2)
        found[part.index] = np.polyval(curve, np.log10(part["images"] if images is None else images))
    return found


def cases_of(cells: pd.DataFrame) -> pd.DataFrame:
    """Each cell with all of its images labelled, and with as few as `LABELLED`: what the terms read, and the gains."""
    student, whole = expected(cells, None), {"labelled": 0, "share": 0.0}
    found = [gains(cells.assign(student=student, left=cells["teacher"] - student, **whole), cells["truth"])]
    for number in LABELLED:
        student = expected(cells, number)
        few = cells.assign(student=student, labelled=number, share=1 - number / cells["images"])
        found.append(gains(few, student)[few["share"] >= 1 / 3])
    return pd.concat(found, ignore_index=True)


def gains(cells: pd.DataFrame, truth: pd.Series) -> pd.DataFrame:
    """With the gap, and the three gains in points."""
    parts = {LABELS: cells["hard"] - truth, SOFTNESS: cells["soft"] - cells["hard"], GAIN: cells["soft"] - truth}
    return cells.assign(gap=cells["teacher"] - cells["student"], **parts)


def fitted(cases: pd.DataFrame) -> Guide:
    """The coefficients of both parts: labels where some images have none, softness where all have."""
    whole = cases["share"] == 0
    return Guide({LABELS: least_squares(LABELS, cases[~whole]), SOFTNESS: least_squares(SOFTNESS, cases[whole])})


def least_squares(part: str, cases: pd.DataFrame) -> dict[str, float]:
    design = np.stack([np.broadcast_to(term(cases), len(cases)) for term in TERMS[part].values()], axis=1)
    found, *_ = np.linalg.lstsq(design, cases[part].to_numpy(), rcond=None)
    return dict(zip(TERMS[part], map(float, found), strict=True))


def mispredicted(cases: pd.DataFrame, held_out: pd.Series) -> pd.DataFrame:
    """Measured less predicted, in points, each whole value of `held_out` by a model that has not seen it."""
    parts = []
    for value in held_out.unique():
        rest, held = cases[held_out != value], cases[held_out == value]
        predicted = fitted(rest).means(held)
        parts.append(held.assign(held_out=value, **{part: held[part] - predicted[part] for part in predicted}))
    return pd.concat(parts)


def half_widths(cases: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By part and step of the gap: the widest of what kinds, sizes and replicates give when they are left out."""
    ways = [mispredicted(cases, column) for column in (cases["kind"], cases["size"], cases["replicate"] % 10)]
    return {part: at_steps(part, ways) for part in (LABELS, SOFTNESS, GAIN)}


def at_steps(part: str, ways: Sequence[pd.DataFrame]) -> dict[str, float]:
    def widest(end: float) -> float:
        return max(half_width(part, way[step_of(way) == end], way["held_out"].nunique()) for way in ways)

    return told({end: widest(end) for end in STEPS})


def told(steps: Mapping[float, float]) -> dict[str, float]:
    """Those that the cells reach, under names that JSON has."""
    return {f"{end:g}": float(value) for end, value in steps.items() if np.isfinite(value)}


def step_of(cases: pd.DataFrame) -> pd.Series:
    return pd.cut(cases["gap"], (-100.0, *STEPS), labels=STEPS).astype(float)


def half_width(part: str, missed: pd.DataFrame, wholes: int) -> float:
    """t times the root of the variance of a new group's mean; NaN where there is no group."""
    missed = missed[missed["share"] > 0] if part == LABELS else missed
    if missed.empty:
        return np.nan
    groups = missed.groupby([*GROUP, "labelled"])[part].agg(["mean", "size"])
    variance = (groups["mean"] ** 2 * groups["size"]).sum() / groups["size"].sum()
    return float(stats.t.ppf(0.975, wholes - 1) * np.sqrt(variance))


def spreads(cases: pd.DataFrame) -> dict[str, float]:
    """By step of the gap the standard deviation of a single student's gain within its group."""
    whole = cases[cases["share"] == 0]
    missed = whole[GAIN] - fitted(cases).means(whole)[GAIN]
    variances = missed.groupby([step_of(whole), *(whole[name] for name in GROUP)]).var().groupby(level=0).mean()
    return told(np.sqrt(variances).to_dict())


def seen(cases: pd.DataFrame) -> dict[str, list[float]]:
    """Between which values 98 % of the cases lie, the largest share without labels, and all temperatures."""
    inner = {name: cases[name].quantile([0.01, 0.99]).tolist() for name in ("gap", "student")}
    temperatures = cases["temperature"].agg(["min", "max"]).tolist()
    return {**inner, "share": [0.0, float(cases["share"].max())], "temperature": temperatures}


def guide_of(record: Comparison, wrong: Sequence[Mapping[str, Any]] = ()) -> Guide:
    """All that the guide holds, to a thousandth of a point; `wrong` are the comparisons of wrong labels."""
    cells = cells_of(record)
    cells = cells[cells["kind"] != "untrained"]
    cases = cases_of(cells)
    model = {**fitted(cases).fitted, "half_widths": half_widths(cases)}
    lengths = [SHORTEST, longest(Guide(model), record, int(cells["length"].max()))]
    about = {"spread": spreads(cases), "seen": {**seen(cases), "length": lengths}, "cells": len(cells)}
    return Guide(rounded({**model, **about, WRONG: list(wrong)}))


def rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else round(value, 3)


def main(
    record: Annotated[Path, typer.Argument(help="what plan.py recorded")] = HERE / "atlas.parquet",
    out: Annotated[Path, typer.Option(help="where `kdlearn advise` finds it")] = FITTED,
) -> None:
    """Fit, write and print the model, and how it does on what it has not seen."""
    atlas = Comparison.load(record)
    guide = guide_of(atlas, wrong_labels(atlas, Comparison.load(ARTICLE)))
    write_json(out, dict(guide.fitted))
    print(guide, json.dumps(guide.fitted, indent=1), sep="\n")
    for row in unseen(guide, atlas):
        both = (f"{part} {row['predicted'][part]:+.1f} | {row['measured'][part]:+.1f}" for part in row["measured"])
        print(row["data"], row["case"], *both, sep="; ")


if __name__ == "__main__":
    typer.run(main)
