"""The guide's model finds what made-up cells were made of, its intervals cover, and pages say what the records give."""

import importlib

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from scipy import stats

from kdcourse import load_atlas
from kdcourse.guide import FITTED, TERMS, Case, Guide
from kdlearn import Comparison
from kdlearn.data.files import read_json
from kdlearn.formulas.intervals import Interval, interval

KINDS = ["as they are", "shifted, long", "small", "large", "ensemble"]
ARMS = ("ground truth", "teacher's hard labels", "soft labels + ground truth")


def made_up(number: int, seed: int = 0, noise: float = 0.5) -> Comparison:
    """Softness gives -1 + 0.5 of the gap, 0.1 at T = 1, 0.4 less from a teacher of other views, a point less if short.

    Of 300 updates; after 100 it gives nothing.
    """
    draw, rows = np.random.default_rng(seed), []
    for cell in range(number):
        images, width, length = (
            int(draw.choice(some)) for some in ([20, 60, 200, 600, 1200], [8, 32], [100, 300, 1000])
        )
        kind, temperature = str(draw.choice(KINDS)), float(draw.choice([1.0, 2.0, 4.0, 16.0]))
        truth = 60 + 18 * np.log10(images / 20) + 3 * (width == 32)
        share = 0.1 if temperature < 2 else 0.3 if temperature < 4 else 0.5
        share -= 0.4 * kind.startswith("shifted")
        soft = (-1 + share * (97 - truth) - (length == 300)) * (length > 100)
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
    expected |= {"gap left, other views": -0.4, "log10 of 1,000 / updates, if fewer": -1 / np.log10(1000 / 300)}
    assert {name: found["softness"][name] for name in expected} == pytest.approx(expected, abs=0.15)
    assert set(found["softness"]) == set(TERMS["softness"]) and found["seen"]["length"] == [300, 1000]


def test_intervals_of_groups_cover_other_cells(script_of):
    """Group means of cells that were drawn anew lie inside, but for few."""
    script = script_of("atlas/guide")
    guide, others = script.guide_of(made_up(1500)), script.cells_of(made_up(1500, seed=1, noise=0.0))
    inside = []
    for (kind, *_), group in others.groupby(["kind", "images", "width", "length", "temperature"]):
        images, truth, soft = (group[name].mean() for name in ("images", "truth", "soft"))
        views = "others" if kind.startswith("shifted") else "same"
        about = {"views": views, "temperature": group["temperature"].mean(), "updates": int(group["length"].iloc[0])}
        gain = guide.parts(Case(int(images), 0, 97.0, truth, **about))["gain"]
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


@pytest.mark.parametrize("last, expected", [(0.85, 10_000), (0.60, 3000)])
def test_it_answers_up_to_the_length_before_the_first_that_is_mispredicted(last, expected, script_of):
    """Grid A is made up: after 3,000 updates the gain is nine of twenty points, after 10,000 eight, or a loss."""
    script, cells, rows = script_of("atlas/guide"), made_up(1500).table, []
    for arm, accuracies in {ARMS[0]: (0.77, 0.77), "soft labels": (0.86, last)}.items():
        about = {"grid": "A labels", "images": 60, "strategy": arm, "temperature": np.nan if arm == ARMS[0] else 4.0}
        for length, accuracy in zip((3000, 10_000), accuracies, strict=True):
            for replicate in (0, 1):
                told = {"teacher": "", "replicate": replicate, "seed": 0, "length": length}
                rows.append({**about, **told, "accuracy": accuracy, "teacher_accuracy": 0.97})
    record = Comparison(pd.DataFrame(rows))
    assert script.longest(script.guide_of(Comparison(cells)), record, 1000) == expected


@pytest.mark.release
def test_gains_of_every_length_that_it_answers_for_lie_in_its_intervals(script_of):
    rows = list(script_of("atlas/predicted").by_length(Guide.load(), load_atlas()))
    shortest, longest = Guide.load().fitted["seen"]["length"]
    told = [one for one in rows if shortest <= one["case"].updates <= longest]
    assert len({one["case"].updates for one in told}) >= 3 and shortest == 300 and longest >= 3000
    assert all(one["predicted"].low <= one["measured"].mean <= one["predicted"].high for one in told)


def test_a_low_temperature_needs_longer_as_the_guides_page_tells():
    atlas = load_atlas()

    def change(images: int, temperature: float, late: int, early: int) -> Interval:
        sides = [{"grid": "A labels", "images": images, "strategy": name} for name in ("soft labels", "ground truth")]
        sides[0]["temperature"] = temperature
        return interval(atlas.each(*sides, length=late) - atlas.each(*sides, length=early))

    for images in (20, 60):
        assert change(images, 1.0, 3000, 1000).low > 0 and change(images, 1.0, 1000, 300).low > 0
        assert abs(change(images, 4.0, 3000, 300).mean) < 0.5


def test_comparisons_of_wrong_labels_are_those_of_the_records(script_of):
    """By hand, from the table: 40 % wrong, hard labels over the labels themselves, replicate by replicate."""
    rows = load_atlas().table
    rows = rows[(rows["grid"] == "E wrong labels") & (rows["wrong"] == 0.4)]
    truth, hard = (rows[rows["strategy"] == name].groupby("replicate")["accuracy"].mean() for name in ARMS[:2])
    (found,) = (one for one in Guide.load().compared if one["wrong"] == 0.4)
    each = 100 * (hard - truth)
    width = stats.t.ppf(0.975, len(each) - 1) * each.std() / np.sqrt(len(each))
    assert found["labels"][:2] == pytest.approx((each.mean(), width), abs=0.001)
    assert found["gap"] == pytest.approx(100 * (rows["teacher_accuracy"].mean() - truth.mean()), abs=0.001)


def test_what_the_command_says_of_every_comparison_of_wrong_labels_holds():
    rows = Guide.load().compared
    assert len(rows) == 4 and all(one["labels"].low > 0 and one["softness"].mean < 0 for one in rows)


def test_the_committed_guide_is_what_the_record_gives(script_of):
    script, record = script_of("atlas/guide"), Comparison.load(ROOT / "studies/atlas/atlas.parquet")
    wrong = script.wrong_labels(record, Comparison.load(ROOT / "studies/article/comparison.parquet"))
    assert dict(script.guide_of(record, wrong).fitted) == read_json(FITTED)


def test_three_data_sets_are_tested(script_of):
    script = script_of("atlas/predicted")
    rows = script.unseen(Guide.load(), Comparison.load(ROOT / "studies/atlas/atlas.parquet"))
    assert {row["data"] for row in rows} == {"MNIST", "spoken digits", "CIFAR-10"}
    (row,) = (row for row in rows if row["data"] == "CIFAR-10" and row["case"].labelled == 500)
    assert f"{row['measured']['labels']:+.1f}" == "+37.4 ± 2.6" and row["case"].teacher == pytest.approx(89.17)


def test_photographs_with_all_labels_are_those_of_the_pairs(script_of):
    runs = Comparison.load(ROOT / "studies/cifar10/pairs.parquet").table
    row = script_of("atlas/predicted").of_pairs(Guide.load(), runs, 45_000)
    nine = runs[(runs["epochs"] == 9) & (runs["images"] == 45_000) & (runs["role"] == "student")]
    soft, truth = (100 * nine.query("strategy == @one")["accuracy"] for one in ("soft labels", "ground truth"))
    assert row["measured"]["gain"].mean == pytest.approx(soft.mean() - truth.mean())
    assert row["case"].student == pytest.approx(truth.mean()) and row["case"].updates == 810


@pytest.fixture
def fill(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book")
    return importlib.import_module("fill")


def test_pages_are_what_the_records_give(fill):
    assert len(fill.pages()) >= 7
    for page in fill.pages():
        text = page.read_text(encoding="utf-8")
        assert fill.filled(text) == text, f"python book/fill.py fills {page.name} anew"


def test_answers_follow_from_the_interval(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book")
    from findings import Finding

    def answer(mean: float, p: float, expected: int | str, planned: bool = False) -> list[str]:
        one = Finding("Is it?", "this", "that", Interval(mean, 1.0, p, 9.0), "x", expected, planned)
        return [one.answer, one.row[3], one.agreement]

    assert answer(2, 0.01, 1) == ["Yes: this gave more than that.", "10 replicates", "yes"]
    assert answer(-2, 0.01, 1, planned=True) == ["No: this gave less than that.", "10 replicates, planned", "no"]
    assert answer(0.5, 0.3, 1)[0] == "Not seen: between this and that, -0.5 to +1.5 points are possible."
    assert answer(0.5, 0.3, -1)[2] == "not seen here" and answer(2, 0.01, 0)[2] == "others disagree"
    assert [answer(2, p, "nothing")[2] for p in (0.3, 0.01)] == ["yes", "no"]
    assert answer(2, 0.01, "not asked")[2] == "not asked elsewhere"
    assert answer(2, 0.2, 1, planned=True)[0].startswith("Not confirmed: between this and that, +1.0 to +3.0")
    losses = [Finding("?", "this", "that", Interval(m, 1.0, 0.01, 9.0), "x", 1, lower="the loss") for m in (-2, 2)]
    told = [one.answer for one in losses]
    assert told == [
        "Yes: with this the loss was lower than with that.",
        "No: with this the loss was higher than with that.",
    ]


def test_every_question_is_asked_once_and_has_its_literature():
    topics = yaml.safe_load((ROOT / "book/findings.yaml").read_text(encoding="utf-8"))
    questions = [one for topic in topics for one in topic["findings"]]
    words = [(one["more"], one["less"]) for one in questions]
    assert len(set(words)) == len(words) > 25 and sum("front" in one for one in questions) <= 8
    assert all(one["literature"] and one["expected"] in (-1, 0, 1, "nothing", "not asked") for one in questions)


def test_no_planned_claim_of_a_record_is_left_out(monkeypatch):
    """But those on the article: they have a table of their own."""
    monkeypatch.syspath_prepend(ROOT / "book")
    from evidence import recorded_studies
    from records import claims

    topics = yaml.safe_load((ROOT / "book/findings.yaml").read_text(encoding="utf-8"))
    asked = {(one["record"], one["claim"]) for topic in topics for one in topic["findings"] if "claim" in one}
    studies = {*recorded_studies()} - {"article"}
    assert {"atlas", "smaller", "senses", "languages"} <= studies
    assert {(study, claim) for study in studies for claim in claims(study)} <= asked
