"""The record of the atlas: whole, in range, small, as precise as planned, and with the planned claims as told."""

import pandas as pd
import pytest
from conftest import ROOT

from kdcourse import load_atlas
from kdcourse.records import recorded
from kdlearn import Comparison

FIRST, REPLICATES = 1000, 80
TABLE = load_atlas().table
TOLD = ["grid", "images", "wrong", "kind", "control", "width", "strategy", "temperature", "soft_weight"]
SIGNS = {  # of the planned claims; 0 where Holm's correction leaves it open
    "softness gives more on 20 images than on 240": 1,
    "a less accurate teacher teaches better": 1,
    "what this image looks like": 1,
    "a larger student profits from a higher temperature": 0,
    "softness with 40 % wrong labels": -1,
}
SEEDS = {20: 14, 60: 6, 240: 2, 1200: 2}  # of grid A
SIZES = sorted(set(TABLE.loc[TABLE["grid"] == "A labels", "images"]))  # that are recorded so far
TRAINED = {  # arms × replicates × seeds, of which A is read at four lengths with a rate for each
    "A labels": sum(9 * 80 * SEEDS[size] * 4 for size in SIZES),
    "B teachers": (33 + 1) * 80 * 4,
    "C controls": (12 + 2) * 80 * 8,
    "D temperature and weight": 32 * 80 * (3 + 3 + 2),
    "E wrong labels": 8 * 80 * (8 + 4),
    "cells": 5000 * 3,
    "MNIST": 8 * 80 * 6,
    "long": 4 * 80 * (2 + 2),
}


def test_every_planned_training_is_there_once():
    keys = TABLE[[*TOLD, "replicate", "seed", "length"]]
    assert not keys.duplicated().any()
    once = TABLE.drop_duplicates([*TOLD, "replicate", "seed", "length"])
    students = once[(once["grid"] == "A labels") | ~once.duplicated([*TOLD, "replicate", "seed"])]
    assert students.groupby("grid").size().to_dict() == {grid: TRAINED[grid] for grid in set(TABLE["grid"])}


def test_every_replicate_is_in_every_grid():
    assert set(TABLE["replicate"]) == set(range(FIRST, FIRST + REPLICATES))
    assert set(TABLE.groupby("grid")["replicate"].nunique()) == {REPLICATES}
    arms = TABLE[TABLE["grid"] != "cells"].groupby([*TOLD, "length"], dropna=False)["replicate"].nunique()
    assert set(arms) == {REPLICATES}


def test_trained_teachers_are_accurate_and_students_are_compared_with_them():
    assert TABLE.loc[TABLE["kind"] != "", "agreement"].notna().all()
    trained = TABLE[~TABLE["kind"].isin(["", "untrained", "student's labels"]) & (TABLE["wrong"] == 0)]
    assert trained["teacher_accuracy"].min() > 0.8


def test_it_is_small():
    assert sum((recorded("atlas") / name).stat().st_size for name in ("atlas.parquet", "tuning.parquet")) <= 8_000_000


MAIN = [  # an arm of each axis; plan.py says which others are known less well
    *(("A labels", {"images": size}, "soft labels", 4.0, "ground truth", 3000) for size in SIZES),
    ("B teachers", {"kind": "small"}, "soft labels", 4.0, "teacher's hard labels", 1000),
    ("C controls", {"images": 60, "control": "the teacher's"}, "soft labels", 2.0, "ground truth", 1000),
    *(("E wrong labels", {"wrong": one}, "soft labels", 4.0, "ground truth", 1000) for one in (0.2, 0.4)),
    *(
        ("MNIST", {"images": size}, "soft labels", 4.0, "ground truth", 1000)
        for size in (60, 240)
        if "MNIST" in set(TABLE["grid"])
    ),
]


@pytest.mark.parametrize("grid, where, arm, temperature, against, length", MAIN)
def test_main_effects_are_known_to_a_third_of_a_point(grid, where, arm, temperature, against, length):
    shared = {name: value for name, value in where.items() if name not in ("kind", "control")}
    taught = where if against != "ground truth" else shared
    soft = {"grid": grid, **where, "strategy": arm, "temperature": temperature}
    found = load_atlas().difference(soft, {"grid": grid, **taught, "strategy": against}, length=length)
    assert found.half_width <= (0.37 if grid == "B teachers" else 0.35)  # small teachers differ more than seeds


def test_what_was_tuned_is_recorded_for_every_arm_alike():
    scores = pd.read_parquet(ROOT / "studies/atlas/tuning.parquet")
    candidates = scores.groupby(["images", "strategy", "length"])["learning_rate"].nunique()
    assert set(scores["images"]) == set(SIZES) and candidates.groupby(level="images").nunique().max() == 1


def test_the_held_out_record_is_whole(script_of):
    plan = script_of("atlas/held_out")
    table = Comparison.load(plan.RECORD).table
    arms = table.groupby(["images", "strategy", "temperature"], dropna=False)[["replicate", "seed"]].nunique()
    assert len(arms) == 12 and (arms["replicate"] == len(plan.REPLICATES)).all()
    assert (arms["seed"] == len(plan.SEEDS)).all()
    assert table["accuracy"].between(0.1, 1).all() and set(table["replicate"]) == set(plan.REPLICATES)
