"""The record on languages: whole, in range, and with the planned claims and leanings as notebook 11 tells them."""

import re

import pytest
from conftest import ROOT

from kdcourse.data.languages import LANGUAGES
from kdlearn import Comparison
from kdlearn.data.files import read_json, read_table

CONFIRMED = {"soft labels, few snippets", "a raised temperature", "which languages are alike", "more than smoothing"}
CELLS = read_json(ROOT / "notebooks" / "11_a_ready_made_teacher.ipynb")["cells"]
INTERVAL = r"\d+(?:\.\d+)? ± \d+(?:\.\d+)?"


@pytest.fixture
def plan(script_of):
    return script_of("languages/plan")


@pytest.fixture
def record(plan) -> Comparison:
    return Comparison.load(plan.RECORD)


def test_every_planned_run_is_there_once_for_each_text_and_language(plan, record):
    told = ["part", "strategy", "temperature", "replicate", "seed", "text", "language"]
    assert not record.table[told].duplicated().any()
    taught = record.table[record.table["part"] != "teacher"]
    repeated = taught.groupby(["part", "strategy", "text", "language"])[["replicate", "seed"]].nunique()
    assert (repeated["replicate"] == len(plan.REPLICATES)).all() and (repeated["seed"] == len(plan.SEEDS)).all()
    arms = taught.groupby("part")["strategy"].nunique().to_dict()
    sizes = {f"{size} snippets": len(plan.arms()) for size in plan.UPDATES}
    assert arms == sizes | dict.fromkeys(plan.OTHERS, 3) | {"unlabelled": 2}
    languages = taught.groupby("text")["language"].nunique()
    assert languages.to_dict() == {plan.DECLARATION: len(LANGUAGES), plan.OWN: 18}


def test_values_lie_in_range(record):
    for share in ("accuracy", "confidence", "calibration_error"):
        assert record.table[share].between(0, 1).all()
    assert (record.table["loss"] >= 0).all()


def test_every_arm_was_tuned_alike(plan, record):
    scores = record.scores
    tried = scores.groupby(["size", "strategy"])[["learning_rate", "weight_decay"]].nunique()
    assert (tried["weight_decay"] == len(plan.DECAYS)).all()
    assert tried["learning_rate"].groupby(level="size").nunique().max() == 1
    assert not set(scores["replicate"]) & set(plan.REPLICATES)


def test_arms_with_a_temperature_or_a_smoothing_had_five_times_the_candidates(plan, record):
    candidates = record.scores.groupby(["size", "strategy"])["candidate"].nunique().unstack()
    assert (candidates[[plan.SOFT, plan.EVENLY, plan.SMOOTHED]].T == [50, 50, 50, 40]).all(axis=None)
    assert (candidates[[plan.TRUTH, plan.HARD, plan.AS_THEY_COME]].T == [10, 10, 10, 8]).all(axis=None)


def test_each_size_has_one_length_and_a_number_of_epochs_of_its_own(plan, record):
    lengths = record.table[record.table["strategy"] == plan.SOFT].groupby("part")["length"].unique()
    found = {size: lengths[f"{size} snippets"].tolist() for size in plan.UPDATES}
    assert found == {size: [updates] for size, updates in plan.UPDATES.items()}
    epochs = [updates * plan.BATCH_SIZE / (size * len(LANGUAGES)) for size, updates in plan.UPDATES.items()]
    assert epochs == pytest.approx([53.3, 26.7, 8, 2.67], rel=0.01)


def test_the_rate_of_ground_truth_is_the_smallest_tried_for_all_but_the_largest_size(plan, record):
    chosen = record.table[record.table["strategy"] == plan.TRUTH].groupby("part")["learning_rate"].first()
    smallest = record.scores["learning_rate"].min()
    at_the_end = [chosen[f"{size} snippets"] == pytest.approx(smallest) for size in plan.UPDATES]
    assert at_the_end == [True, True, True, False]


def test_it_confirms_those_of_its_planned_claims_that_the_course_tells(plan, record):
    found = record.planned(plan.planned(record))
    assert set(found.loc[found["holm"] < 0.05, "claim"]) == CONFIRMED
    assert (found.set_index("claim").loc[list(CONFIRMED), "mean"] > 0).all()


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0, 8.0, 16.0])
def test_what_a_language_leans_to_are_distributions_and_mostly_of_its_own_family(plan, temperature):
    table = read_table(plan.LEANINGS)
    leans = table[table["temperature"] == temperature].pivot(index="language", columns="leans to", values="probability")
    assert leans.sum(axis=1).to_numpy() == pytest.approx([1.0] * len(LANGUAGES), abs=1e-4)
    others = table[(table["temperature"] == temperature) & (table["language"] != table["leans to"])]
    strongest = others.loc[others.groupby("language")["probability"].idxmax()]
    inside = [LANGUAGES[one].family == LANGUAGES[other].family for one, other in strongest.iloc[:, :2].to_numpy()]
    assert sum(inside) >= 19


def test_every_interval_in_the_prose_is_printed_by_a_cell():
    printed = "".join(
        "".join(output.get("text", "")) for cell in CELLS if cell["cell_type"] == "code" for output in cell["outputs"]
    )
    prose = "".join("".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "markdown")
    told, shown = (set(re.findall(INTERVAL, text)) for text in (prose, printed))
    assert len(told) >= 8 and told <= shown
