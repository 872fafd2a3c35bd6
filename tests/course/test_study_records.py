"""One contract for the records of all studies: whole, in range, tuned alike, with planned claims as they are told."""

import sys
from itertools import product

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

import kdlearn
from kdcourse.data.languages import LANGUAGES
from kdlearn import Comparison
from kdlearn.data.files import read_json, read_table

sys.path.insert(0, str(ROOT / "book"))
from evidence import recorded_studies
from records import claims, plan_of, record_of

SIGNS = {  # of the planned claims in their order; 0 where Holm's correction leaves it open
    "article": [1, 1, -1, 1, 1],
    "atlas": [1, 1, 1, 0, -1],
    "cifar10": [1, 1, 1, 1, 1],
    "digits": [1, 1, 1, 1, 1],
    "encoders": [1, 1, 1],
    "features": [-1, -1, 1, -1, -1],
    "language_models": [-1, -1, 1, 0, 1],
    "languages": [1, 1, 1, 1, 0],
    "many_labels": [1, 1, 1, 1],
    "mnist": [0, 0, 0, 0, -1, -1],
    "senses": [1, 0, -1, 0],
    "several_teachers": [1, 0, 1, 1, 0],
    "smaller": [0, 0, 0, 1, 1],
    "spoken": [0, 0, 0, 0],
    "subliminal": [1, 1, 0],
    "which_teacher": [1, 1, 0, 1, 0],
}
ARMS = {  # times lengths; other records have tests of their own
    "article": 48,
    "cifar10": 17,
    "digits": 68,
    "encoders": 4 * 2,
    "features": 10 * 2,
    "language_models": 39,
    "languages": 1845,
    "many_labels": 2 * 6 * 3,
    "senses": 11 * 2,
    "several_teachers": 21,
    "smaller": 34,
    "spoken": 2 * 5 * 2,
    "subliminal": 8 * 2,
    "which_teacher": 40,
}
FEWER = {"which_teacher": 24}  # replicates that some of its arms have
STUDIES = list(recorded_studies())
TUNED = [study for study in STUDIES if getattr(record_of(study), "scores", None) is not None]
each_study = pytest.mark.parametrize("study", STUDIES)


def replicates_of(study: str) -> set[int]:
    plan = plan_of(study)
    if hasattr(plan, "SPEAKERS"):
        return set(range(len(plan.SPEAKERS)))
    planned = getattr(plan, "REPLICATES", {"cifar10": 6, "which_teacher": 40}.get(study))
    return set(range(plan.FIRST, plan.FIRST + planned)) if isinstance(planned, int) else set(planned)


@each_study
def test_the_planned_claims_have_the_signs_that_the_course_tells(study):
    assert [np.sign(one.mean) * (one.p_value < 0.05) for one in claims(study).values()] == SIGNS[study]


def test_intervals_with_rows_hold_the_truth_in_every_cell_and_those_over_seeds_alone_do_not():
    record = pd.read_parquet(ROOT / "studies/intervals/coverage.parquet")
    few = record[(record["seeds"] == 10) & (record["rows"] <= 400) & (record["students"] != "simulated, luck alone")]
    assert record["held with rows"].min() > 0.93 and (few["held over seeds"] < 0.92).all()
    cell = {"students": "simulated", "seeds": 10, "rows": 40}
    (row,) = record[(record[list(cell)] == pd.Series(cell)).all(axis=1)].to_dict("records")
    plan, generator = plan_of("intervals"), np.random.default_rng(1)
    again = plan.cell((plan.simulated(generator, 10, 40, 0.7) for _ in range(400)), 0.0)
    for name in ("held over seeds", "held with rows"):
        assert again[name] == pytest.approx(row[name], abs=0.08)


@pytest.mark.parametrize("study", ARMS)
def test_every_arm_is_there_once_for_every_replicate_and_seed(study):
    record, plan, replicates = record_of(study), plan_of(study), replicates_of(study)
    arms = record.table.groupby([*record.settings, "length"], dropna=False)[["replicate", "seed"]]
    assert arms.ngroups == ARMS[study] and set(record.table["replicate"]) == replicates
    assert set(record.table["seed"]) == set(getattr(plan, "SEEDS", record.table["seed"]))
    for name, rows in arms:
        there = replicates if rows["replicate"].nunique() != FEWER.get(study) else sorted(replicates)[: FEWER[study]]
        assert sorted(rows.itertuples(index=False, name=None)) == sorted(product(there, set(rows["seed"]))), name


@each_study
def test_values_lie_in_range_in_plain_columns(study):
    record = record_of(study)
    table = record.table if isinstance(record, Comparison) else record
    assert {str(kind) for kind in table.dtypes} <= {"int64", "float64", "str", "object"}
    names = ["accuracy", "agreement", "teacher_accuracy", "confidence", "calibration_error"]
    if isinstance(record, Comparison):
        assert table[record.metric].notna().all()
        names += [record.metric] * record.share
    shares = table[table.columns.intersection(names)]
    assert (shares.isna() | shares.ge(0) & shares.le(1)).all(axis=None)
    assert table.get("loss", pd.Series([0.0])).ge(0).all()


@pytest.mark.parametrize("study", TUNED)
def test_every_arm_was_tuned_alike_on_other_replicates(study):
    """At equal rates; temperatures and weights make more candidates, as many for each arm that has them."""
    scores = record_of(study).scores
    assert replicates_of(study).isdisjoint(scores["replicate"])
    for _, rows in scores.groupby("size") if "size" in scores else [("", scores)]:
        arms = rows.groupby("strategy")
        assert arms["learning_rate"].nunique().nunique() == 1
        assert arms["candidate"].nunique().nunique() <= 2


@pytest.mark.parametrize("study", ["article", "digits"])
def test_the_runs_are_those_of_the_plan(study):
    record, plan = record_of(study), plan_of(study)
    if study == "digits":
        runs, names = plan.runs_of(plan.REPLICATES[0]), ["images", "teacher saw"]
    else:
        runs = plan.arms_of(plan.World(0), {plan.CLEAN: None, plan.WRONG: None})
        names = ["images", "data", "taught by"]
    told = ["strategy", "temperature", *names, "seed", "length"]
    expected = {
        (
            run.strategy.name,
            run.strategy.settings.get("temperature"),
            *(run.names.get(name, run.sample) for name in names),
            run.seed,
            length,
        )
        for run in runs
        for length in run.lengths
    }
    for _, rows in record.table.groupby("replicate"):
        found = rows[told].astype(object).where(rows[told].notna(), None)
        assert set(found.itertuples(index=False, name=None)) == expected


def test_a_run_on_the_digits_can_be_had_again():
    plan, table = plan_of("digits"), record_of("digits").table
    again = [run for run in plan.runs_of(100, seeds=range(2), lengths=(100,)) if run.strategy.name == "ground truth"]
    told = ["strategy", "replicate", "seed", "images", "length"]
    found = kdlearn.study(again, machine=kdlearn.Machine(threads=1)).merge(table, on=told, suffixes=("", " recorded"))
    assert len(found) == len(again)
    assert found["accuracy"].to_numpy() == pytest.approx(found["accuracy recorded"].to_numpy(), abs=0.01)


def test_shuffling_leaves_the_teacher_of_many_labels_as_it_is():
    table = record_of("many_labels").table
    kept = table[table["teacher"] != ""].groupby("replicate")["teacher_mean_average_precision"]
    assert kept.nunique().max() == 1


def test_a_teacher_that_hears_nothing_agrees_with_nobody():
    assert record_of("senses").table["agreement"].isna().all()


def test_costs_of_features_are_those_of_every_arm_by_that_of_soft_labels():
    plan = plan_of("features")
    costs = read_json(plan.COSTS)
    assert costs.keys() == {"soft labels", *plan.FEATURES} and costs["soft labels"] == 1


def test_raising_small_probabilities_harms_as_the_page_on_several_teachers_tells():
    plan, record = plan_of("several_teachers"), record_of("several_teachers")
    one, mean = ([f"{name}, {how}" for how in (plan.AS_IT_IS, plan.CUT)] for name in (plan.ONE, "alike: probabilities"))
    for as_it_is, cut in (one, mean):
        assert record.difference(cut, as_it_is).high < 0
    assert record.difference(mean[0], one[0]).low > 0 > record.difference(mean[1], one[0]).high


def test_language_models_were_tuned_alike_on_a_piece_that_no_replicate_has():
    plan, record = plan_of("language_models"), record_of("language_models").table
    tuning = read_table(plan.TUNING, "tuning")
    scores, chosen = tuning[tuning["strategy"].isin(plan.ARMS)], plan.choices(tuning)
    tried = scores.groupby("strategy")[["learning_rate", "length"]].agg(lambda one: tuple(sorted(set(one))))
    assert set(tried["learning_rate"]) == {plan.RATES} and set(tried["length"]) == {plan.LENGTHS}
    assert not set(scores["replicate"]) & set(plan.REPLICATES)
    for name, rows in record[record["part"] == plan.ARMS_PART].groupby("strategy"):
        assert set(zip(rows["learning_rate"], rows["length"], strict=True)) == {tuple(chosen[name])}


def test_each_size_of_languages_has_one_length_and_a_number_of_epochs_of_its_own():
    plan, record = plan_of("languages"), record_of("languages")
    lengths = record.table[record.table["strategy"] == plan.SOFT].groupby("part")["length"].unique()
    found = {size: lengths[f"{size} snippets"].tolist() for size in plan.UPDATES}
    assert found == {size: [updates] for size, updates in plan.UPDATES.items()}
    epochs = [updates * plan.BATCH_SIZE / (size * len(LANGUAGES)) for size, updates in plan.UPDATES.items()]
    assert epochs == pytest.approx([53.3, 26.7, 8, 2.67], rel=0.01)


def test_the_rate_of_ground_truth_on_languages_is_the_smallest_tried_for_all_but_the_largest_size():
    plan, record = plan_of("languages"), record_of("languages")
    chosen = record.table[record.table["strategy"] == plan.TRUTH].groupby("part")["learning_rate"].first()
    smallest = record.scores["learning_rate"].min()
    at_the_end = [chosen[f"{size} snippets"] == pytest.approx(smallest) for size in plan.UPDATES]
    assert at_the_end == [True, True, True, False]


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0, 8.0, 16.0])
def test_what_a_language_leans_to_are_distributions_and_mostly_of_its_own_family(temperature):
    table = read_table(plan_of("languages").LEANINGS)
    leans = table[table["temperature"] == temperature].pivot(index="language", columns="leans to", values="probability")
    assert leans.sum(axis=1).to_numpy() == pytest.approx([1.0] * len(LANGUAGES), abs=1e-4)
    others = table[(table["temperature"] == temperature) & (table["language"] != table["leans to"])]
    strongest = others.loc[others.groupby("language")["probability"].idxmax()]
    inside = [LANGUAGES[one].family == LANGUAGES[other].family for one, other in strongest.iloc[:, :2].to_numpy()]
    assert sum(inside) >= 19
