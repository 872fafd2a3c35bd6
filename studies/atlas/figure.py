"""What the figure `kdcourse.figures.Atlas` shows of the record: gains, and what of them is labels and what softness.

A scene is one choice of images, teacher, student's width, length and learning rate. For each temperature and weight
that were measured there it holds, in points, the mean and the half width of its 95 % interval (Student's t over the
replicates' means of paired differences, unadjusted) of

- the labels' part: the teacher's hard labels - ground truth;
- the gain: soft labels, alone or with ground truth - ground truth;
- softness's part: the same - the teacher's hard labels.

Where two grids measured the same scene, the first of `GRIDS` is shown: D, which has all temperatures and weights.

Command: `python studies/atlas/figure.py` reads atlas.parquet beside this file and writes kdcourse/figures/atlas.json.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

import kdlearn
from kdlearn import Comparison
from kdlearn.data.files import replacing
from kdlearn.formulas.intervals import Interval

HERE = Path(__file__).parent
OUT = HERE.parents[1] / "kdcourse/figures/atlas.json"
SAME, OWN = "0.003 for all", "each its own"
GRIDS = {"D temperature and weight": SAME, "B teachers": SAME, "long": SAME, "A labels": OWN}
HARD, TRUTH = {"strategy": kdlearn.TeachersHardLabels.name}, {"strategy": kdlearn.GroundTruth.name}
SOFT = (kdlearn.SoftLabels.name, kdlearn.SoftLabelsAndGroundTruth.name)
CHOICES = ["images", "kind", "width", "length"]


def pair(found: Interval) -> list[float]:
    """Mean and half width, as the figure keeps them."""
    return [round(found.mean, 3), round(found.half_width, 3)]


def cells(record: Comparison, where: Mapping[str, Any]) -> Iterator[list[float]]:
    """Temperature, weight, gain and softness's part of every arm that reads soft labels."""
    rows = record.table
    here = (rows[list(where)] == list(where.values())).all(axis=1) & rows["strategy"].isin(SOFT)
    arms = rows.loc[here, ["strategy", "temperature", "soft_weight"]].drop_duplicates()
    for arm in arms.sort_values(["temperature", "soft_weight"]).to_dict("records"):
        told = {name: value for name, value in arm.items() if value == value}  # soft labels alone have no weight
        gain, softness = (pair(record.difference(told, other, **where)) for other in (TRUTH, HARD))
        yield [told["temperature"], told.get("soft_weight", 1.0), *gain, *softness]


def scenes(record: Comparison) -> Iterator[dict[str, Any]]:
    """Every scene with hard and soft labels of the same teacher, once."""
    seen = set()
    for grid, rate in GRIDS.items():
        part = replace(record, table=record.table[record.table["grid"] == grid])
        taught = part.table[part.table["strategy"] == HARD["strategy"]]
        for where in taught[CHOICES].drop_duplicates().to_dict("records"):
            if (rate, *where.values()) not in seen:
                seen.add((rate, *where.values()))
                labels = pair(part.difference(HARD, TRUTH, **where))
                yield {**where, "rate": rate, "labels": labels, "cells": list(cells(part, where))}


def shown(record: Comparison) -> dict[str, Any]:
    """All that the figure holds."""
    return {"replicates": int(record.table["replicate"].nunique()), "scenes": list(scenes(record))}


def main(
    record: Annotated[Path, typer.Argument(help="what plan.py recorded")] = HERE / "atlas.parquet",
    out: Annotated[Path, typer.Option(help="where the figure finds it")] = OUT,
) -> None:
    """Write what the figure shows, and its size."""
    text = json.dumps(shown(Comparison.load(record)), allow_nan=False)
    with replacing(out) as temporary:
        temporary.write_text(text.replace("{", "\n{") + "\n", encoding="utf-8")  # a line a scene
    print(f"{out.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    typer.run(main)
