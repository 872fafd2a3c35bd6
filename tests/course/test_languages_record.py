"""The record on languages: lengths, rates and leanings as notebook 11 tells them."""

import pytest

from kdcourse.data.languages import LANGUAGES
from kdlearn import Comparison
from kdlearn.data.files import read_table


@pytest.fixture
def plan(script_of):
    return script_of("languages/plan")


@pytest.fixture
def record(plan) -> Comparison:
    return Comparison.load(plan.RECORD)


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


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0, 8.0, 16.0])
def test_what_a_language_leans_to_are_distributions_and_mostly_of_its_own_family(plan, temperature):
    table = read_table(plan.LEANINGS)
    leans = table[table["temperature"] == temperature].pivot(index="language", columns="leans to", values="probability")
    assert leans.sum(axis=1).to_numpy() == pytest.approx([1.0] * len(LANGUAGES), abs=1e-4)
    others = table[(table["temperature"] == temperature) & (table["language"] != table["leans to"])]
    strongest = others.loc[others.groupby("language")["probability"].idxmax()]
    inside = [LANGUAGES[one].family == LANGUAGES[other].family for one, other in strongest.iloc[:, :2].to_numpy()]
    assert sum(inside) >= 19
