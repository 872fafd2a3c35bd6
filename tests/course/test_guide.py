"""The guide's model finds what made-up cells were made of, its intervals cover, and pages say what the records give."""

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT

from kdlearn import Comparison
from kdlearn.data.files import read_json
from kdlearn.studies.guide import FITTED, TERMS, Case, Guide

KINDS = ["as they are", "shifted, long", "small", "large", "ensemble"]
ARMS = ("ground truth", "teacher's hard labels", "soft labels + ground truth")


def made_up(number: int, seed: int = 0, noise: float = 0.5) -> Comparison:
    """Softness gives -1 + 0.5 of the gap, 0.1 at T = 1, 0.4 less from a teacher of other views, nothing if brief."""
    draw, rows = np.random.default_rng(seed), []
    for cell in range(number):
        images, width, length = (
            int(draw.choice(some)) for some in ([20, 60, 200, 600, 1200], [8, 32], [100, 300, 1000])
        )
        kind, temperature = str(draw.choice(KINDS)), float(draw.choice([1.0, 2.0, 4.0, 16.0]))
        truth = 60 + 18 * np.log10(images / 20) + 3 * (width == 32)
        share = 0.1 if temperature < 2 else 0.3 if temperature < 4 else 0.5
        share -= 0.4 * kind.startswith("shifted")
        soft = (-1 + share * (97 - truth)) * (length > 100)
        for arm, gain in zip(ARMS, (0, 0, soft), strict=True):
            told = {"grid": "cells", "images": images, "kind": kind * (arm != ARMS[0]), "width": width, "strategy": arm}
            told |= {"temperature": temperature if arm == ARMS[2] else np.nan, "soft_weight": 1.0}
            told |= {"replicate": int(draw.integers(80)), "seed": cell, "length": length, "teacher_accuracy": 0.97}
            rows.append({**told, "accuracy": (truth + gain + noise * draw.normal()) / 100, "cell": cell})
    table = pd.DataFrame(rows)
    return Comparison(table.assign(replicate=table.groupby("cell")["replicate"].transform("first")))


def test_the_model_finds_what_the_cells_were_made_of(script_of):
    found = script_of("atlas/guide").guide_of(made_up(1500)).fitted
    expected = {"constant": -1.0, "gap left": 0.5, "gap left, T < 2": -0.4, "gap left, 2 ≤ T < 4": -0.2}
    expected |= {"gap left, other views": -0.4}
    assert {name: found["softness"][name] for name in expected} == pytest.approx(expected, abs=0.15)
    assert set(found["softness"]) == set(TERMS["softness"])


def test_intervals_of_groups_cover_other_cells(script_of):
    """Group means of cells that were drawn anew lie inside, but for few."""
    script = script_of("atlas/guide")
    guide, others = script.guide_of(made_up(1500)), script.cells_of(made_up(1500, seed=1, noise=0.0))
    inside = []
    for (kind, *_), group in others.groupby(["kind", "images", "width", "length", "temperature"]):
        images, truth, soft = (group[name].mean() for name in ("images", "truth", "soft"))
        views = "others" if kind.startswith("shifted") else "same"
        gain = guide.parts(Case(int(images), 0, 97.0, truth, views, group["temperature"].mean()))["gain"]
        inside.append(gain.low - 0.5 <= soft - truth <= gain.high + 0.5)
    assert np.mean(inside) > 0.9


def test_a_single_run_of_ground_truth_does_not_stand_on_both_sides(script_of):
    """Where nothing helps, chance in ground truth must not look like an effect of the gap."""
    table = made_up(3000, noise=4.0).table
    nothing = table.assign(accuracy=table["accuracy"].where(table["strategy"] != ARMS[2]))
    level = table[table["strategy"] == ARMS[1]].set_index("cell")["accuracy"]
    other = np.random.default_rng(5).normal(0, 0.04, len(level))
    nothing["accuracy"] = nothing["accuracy"].fillna(nothing["cell"].map(level + other))
    assert abs(script_of("atlas/guide").guide_of(Comparison(nothing)).fitted["softness"]["gap left"]) < 0.1


def test_the_committed_guide_is_what_the_record_gives(script_of):
    record = Comparison.load(ROOT / "studies/atlas/atlas.parquet")
    assert dict(script_of("atlas/guide").guide_of(record).fitted) == read_json(FITTED)


def test_three_data_sets_are_tested(script_of):
    script = script_of("atlas/guide")
    names = ("atlas/atlas", "atlas/held_out", "cifar10/recorded")
    rows = script.unseen(Guide.load(), *(Comparison.load(ROOT / f"studies/{name}.parquet") for name in names))
    seen = {"MNIST"} & set(Comparison.load(ROOT / "studies/atlas/atlas.parquet").table["grid"])
    assert {row["data"] for row in rows} == {*seen, "spoken digits", "CIFAR-10"}
    (row,) = (row for row in rows if row["data"] == "CIFAR-10" and row["case"].labelled == 500)
    assert f"{row['measured']['labels']:+.1f}" == "+37.4 ± 2.6" and row["case"].teacher == pytest.approx(89.17)


NAMES = ("guide", "atlas", "what_we_found", "pruning_and_quantisation", "several_teachers")
PAGES = (*(f"book/{name}.md" for name in NAMES), "README.md")


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_what_the_records_give(page, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book")
    import fill

    text = (ROOT / page).read_text(encoding="utf-8")
    assert fill.PART.search(text) and fill.filled(text) == text, "python book/fill.py fills the pages anew"
    assert [path.relative_to(ROOT).as_posix() for path in fill.PAGES] == list(PAGES)


def test_answers_follow_from_the_interval(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book")
    from findings import Finding

    from kdlearn.formulas.intervals import Interval

    def answer(mean: float, p: float, expected: int, planned: bool = False) -> list[str]:
        one = Finding("Is it?", "this", "that", Interval(mean, 1.0, p, 9.0), "x", expected, planned)
        return [one.answer, one.row[3], one.agreement]

    assert answer(2, 0.01, 1) == ["Yes: this gave more than that.", "10 replicates", "yes"]
    assert answer(-2, 0.01, 1, planned=True) == ["No: this gave less than that.", "10 replicates, planned", "no"]
    assert answer(0.5, 0.3, 1)[0] == "Not seen: between this and that, -0.5 to +1.5 points are possible."
    assert answer(0.5, 0.3, -1)[2] == "not seen here" and answer(2, 0.01, 0)[2] == "others disagree"
    assert answer(2, 0.2, 1, planned=True)[0].startswith("Not confirmed: between this and that, +1.0 to +3.0")


def test_every_question_is_asked_once_and_has_its_literature():
    topics = yaml.safe_load((ROOT / "book/findings.yaml").read_text(encoding="utf-8"))
    questions = [one for topic in topics for one in topic["findings"]]
    words = [(one["more"], one["less"]) for one in questions]
    assert len(set(words)) == len(words) > 25 and sum("front" in one for one in questions) <= 8
    assert all(one["literature"] and one["expected"] in (-1, 0, 1) for one in questions)
