"""Choosing on validation: every arm equally often, by the rules of the design, and without a look at the test split."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import STUDENT, Scaled, digits, taught
from torch import Tensor

import kdlearn
from kdlearn import Adam, Choice, EvenlySpread, GroundTruth, LogitMatching, NesterovSGD, SoftLabels, accuracy
from kdlearn.comparing.tuning import Candidate, best

DATA = digits()
SOFT = (SoftLabels(2.0),)
QUICK = {"seeds": range(2), "lengths": (10,), "batch_size": 30, "teacher": taught()}
RATES = (1e-3, 1e-2, 1e-1)


def compare(choose, strategies=SOFT, data=DATA, **options) -> kdlearn.Comparison:
    return kdlearn.compare(STUDENT, strategies, data, choose=choose, **{**QUICK, **options})


# What is chosen of scores


def candidate(rate: float = 0.1, temperature: float = 1.0) -> Candidate:
    return Candidate(SoftLabels(temperature), Adam(rate))


def test_the_highest_mean_is_chosen():
    found = [(candidate(rate), np.array(values)) for rate, values in ((0.1, [0.5, 0.6]), (0.2, [0.8, 0.9]))]
    assert best(found).learning_rate == 0.2


@pytest.mark.parametrize("order", [1, -1])
def test_ties_within_a_paired_standard_error_go_to_the_smaller_rate_then_to_the_temperature_nearest_1(order):
    close = np.array([0.80, 0.90, 0.70])
    further = [(candidate(0.2), close + np.array([0.01, 0.01, -0.01])), (candidate(0.1), close)]
    assert best(further[::order]).learning_rate == 0.1
    temperatures = [(candidate(0.1, one), close) for one in (8.0, 3.0, 0.4)]
    assert best(temperatures[::order]).temperature == 0.4, "a factor of 2.5, not of 3"
    decays = [(Candidate(SoftLabels(1.0), Adam(0.1, decay)), close) for decay in (0.1, 0.0)]
    assert best(decays[::order]).weight_decay == 0
    clear = [(candidate(0.2), close + np.array([0.1, 0.1, 0.11])), (candidate(0.1), close)]
    assert best(clear[::order]).learning_rate == 0.2


@given(st.lists(st.lists(st.integers(0, 100), min_size=3, max_size=3), min_size=1, max_size=6))
def test_what_is_chosen_is_never_more_than_its_standard_error_below_the_best(scores):
    found = [(candidate(0.1 * (1 + place)), np.array(values) / 100) for place, values in enumerate(scores)]
    chosen = best(found)
    values = next(values for one, values in found if one is chosen)
    top = max((values for _, values in found), key=np.mean)
    gap = top - values
    assert gap.mean() <= gap.std(ddof=1) / 3**0.5 + 1e-12
    smaller = [one for one, other in found if one.learning_rate < chosen.learning_rate and other.mean() >= top.mean()]
    assert not smaller


# In a comparison


def test_every_arm_has_the_same_rates_seeds_and_updates_and_every_score_is_published():
    comparison = compare(Choice({"soft labels": [SoftLabels(1.0), SoftLabels(3.0)]}, RATES, seeds=(7, 8, 9)))
    scores = comparison.scores
    for name, candidates in (("ground truth", 1), ("soft labels", 2)):
        of_arm = scores[scores["strategy"] == name]
        rates = of_arm["learning_rate"].unique()
        assert set(RATES) <= set(rates) and set(rates) == set(scores["learning_rate"])
        assert len(of_arm) == candidates * len(rates) * 3 and set(of_arm["seed"]) == {7, 8, 9}
        assert (of_arm["length"] == 10).all()
    assert set(comparison.table["seed"]) == {0, 1}


def test_the_choice_is_that_of_the_published_scores():
    comparison = compare({"soft labels": [SoftLabels(1.0), SoftLabels(3.0)]}, lengths=(5, 10))
    for length in (5, 10):
        scores = comparison.scores[comparison.scores["length"] == length]
        soft = scores[scores["strategy"] == "soft labels"]
        found = [
            (candidate(3e-3, t), soft[soft["temperature"] == t].sort_values("seed")["score"].to_numpy())
            for t in (1.0, 3.0)
        ]
        used = comparison.table[
            (comparison.table["strategy"] == "soft labels") & (comparison.table["length"] == length)
        ]
        assert used["temperature"].unique() == [best(found).temperature]


def test_candidates_may_be_strategies_of_any_kind():
    """With settings of the same name, or none: each has scores of its own."""
    candidates = [SoftLabels(2.0), EvenlySpread(2.0), LogitMatching(), Scaled(1), Scaled(2)]
    scores = compare({"soft labels": candidates}).scores
    soft = scores[scores["strategy"] == "soft labels"]
    assert sorted(soft["candidate"]) == [number for number in range(5) for _ in range(2)]
    alone = compare({"soft labels": [EvenlySpread(2.0)]}).scores
    mine = alone.loc[alone["strategy"] == "soft labels", "loss"].to_numpy()
    np.testing.assert_allclose(soft.loc[soft["candidate"] == 1, "loss"], mine, rtol=1e-5)


def test_a_choice_at_the_end_of_the_rates_extends_them_once_for_every_arm_and_a_note_says_so():
    comparison = compare(Choice({}, (1e-3, 1e-2)))
    rates = comparison.scores.groupby("strategy")["learning_rate"].unique()
    for found in rates:
        assert len(found) == len(set(found)) and {1e-3, 1e-2} < set(found) and len(found) in (3, 4)
    assert set(rates["ground truth"]) == set(rates["soft labels"])
    ends = min(rates["soft labels"]), max(rates["soft labels"])
    assert ends[0] == pytest.approx(1e-4) or ends[1] == pytest.approx(1e-1)
    used = comparison.table.groupby("strategy")["learning_rate"].unique()
    for name in used.index:
        told = any(f"the choice for {name} at 10 updates lies at the end" in note for note in comparison.notes)
        assert told == (used[name][0] in ends)


def test_a_weight_decay_at_the_end_of_its_grid_is_told_and_not_extended():
    comparison = compare(Choice({}, weight_decays=(1e-5, 3.0)), lengths=(50,))
    assert set(comparison.scores["weight_decay"]) == {1e-5, 3.0}
    assert sum("lies at the end" in note for note in comparison.notes) == 2


def test_a_number_of_a_strategy_at_the_end_of_its_grid_is_told():
    candidates = [Scaled(factor) for factor in (1e-3, 1.0)]
    notes = compare({"soft labels": candidates}, optimizer=NesterovSGD(0.1)).notes
    assert [note.split(" at ")[0] for note in notes if "lies at the end" in note] == ["the choice for soft labels"]


def test_no_candidate_of_ground_truth_asks_a_teacher():
    with pytest.raises(ValueError, match="'ground truth' is the name of learning without a teacher; SoftLabels"):
        compare({"ground truth": [SoftLabels(1.0)]})


def test_where_all_candidates_score_alike_nothing_is_extended_and_that_is_told():
    comparison = compare(Choice({}, (1e-9, 1e-8)))
    assert set(comparison.scores["learning_rate"]) == {1e-9, 1e-8}
    assert sum("scored alike" in note for note in comparison.notes) == 2
    assert not any("lies at the end" in note for note in comparison.notes)


def test_a_candidate_whose_score_is_not_a_number_is_not_taken():
    found = [(candidate(0.1), np.array([np.nan, 0.9])), (candidate(0.2), np.array([0.5, 0.6]))]
    assert best(found).learning_rate == best(found[::-1]).learning_rate == 0.2


def test_every_arm_has_every_rate_with_every_weight_decay_those_of_the_extension_too():
    choice = Choice({"soft labels": [SoftLabels(1.0), SoftLabels(3.0)]}, (1e-3, 1e-2), weight_decays=(0.0, 0.1))
    scores = compare(choice).scores
    for name, candidates in (("ground truth", 1), ("soft labels", 2)):
        of_arm = scores[scores["strategy"] == name]
        assert of_arm["learning_rate"].nunique() in (3, 4)
        times = of_arm.groupby(["learning_rate", "weight_decay"]).size()
        assert set(times) == {2 * candidates} and len(times) == 2 * of_arm["learning_rate"].nunique()
    alone = compare({}, optimizer=kdlearn.Adam(1e-2, weight_decay=0.1)).scores
    mine = scores[(scores["strategy"] == "ground truth") & (scores["weight_decay"] == 0.1)]
    found = mine.loc[mine["learning_rate"] == 1e-2, "loss"]
    np.testing.assert_allclose(found, alone.loc[alone["strategy"] == "ground truth", "loss"], rtol=1e-5)


def test_while_choosing_the_test_split_is_not_read():
    seen = []

    def metric(logits: Tensor, labels: Tensor) -> float:
        seen.append(labels)
        return accuracy(logits, labels)

    metric.smaller_is_better = False
    compare(Choice({}, RATES), metric=metric)
    of_test = [torch.equal(labels, DATA.test.labels) for labels in seen]
    first = of_test.index(True)
    assert first > 6 and all(of_test[first:]) and not any(of_test[:first])


def test_a_metric_that_does_not_say_whether_more_is_better_is_refused():
    with pytest.raises(ValueError, match=r"set nats\.smaller_is_better to True or False"):
        compare(Choice({}, RATES), metric=nats)


def nats(logits: Tensor, labels: Tensor) -> float:
    return float(torch.nn.functional.cross_entropy(logits, labels))


def test_tuning_has_replicates_of_its_own():
    asked = []

    def teacher(replicate, data):
        asked.append(replicate)
        return taught(replicate)

    comparison = compare(
        Choice({"soft labels": [SoftLabels(1.0), SoftLabels(3.0)]}, replicates=2),
        data=lambda replicate: digits(replicate),
        teacher=teacher,
        replicates=2,
    )
    assert set(comparison.scores["replicate"]) == {2, 3} and set(comparison.table["replicate"]) == {0, 1}
    assert sorted(asked) == [0, 1, 2, 3]


def test_with_a_schedule_each_length_is_tuned_by_runs_that_end_there():
    scores = compare(Choice({}, (0.01, 0.1)), lengths=(5, 10), optimizer=NesterovSGD(0.1)).scores
    assert set(scores["length"]) == {5, 10}
    alone = compare(Choice({}, (0.01, 0.1)), lengths=(5,), optimizer=NesterovSGD(0.1)).scores
    short = scores[(scores["length"] == 5) & (scores["learning_rate"].isin([0.01, 0.1]))]
    expected = alone[alone["learning_rate"].isin([0.01, 0.1])]
    np.testing.assert_allclose(sorted(short["loss"]), sorted(expected["loss"]), rtol=1e-5)


WITHOUT = kdlearn.Dataset(DATA.train, DATA.test, class_names=DATA.class_names)
REFUSED = {
    "no such arm": ({"choose": {"hard": [SoftLabels()]}}, ValueError, "choose must name strategies of the comparison"),
    "no validation": ({"choose": {}, "data": WITHOUT}, ValueError, "data has none: give a validation split"),
    "reported seeds": ({"choose": Choice({}, seeds=(1, 2))}, ValueError, r"both hold \[1\]"),
    "two of one name": (
        {"choose": {}, "strategies": [SoftLabels(1.0), SoftLabels(2.0)]},
        ValueError,
        "every strategy needs a name of its own",
    ),
    "rates of torch's optimiser": (
        {"choose": Choice({}, RATES), "optimizer": torch.optim.SGD},
        TypeError,
        "learning_rates need Adam",
    ),
    "weight decays of torch's optimiser": (
        {"choose": Choice({}, weight_decays=(0.0,)), "optimizer": torch.optim.SGD},
        TypeError,
        "weight_decays need Adam",
    ),
}


@pytest.mark.parametrize("options, kind, words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_chosen_from_is_refused_before_anything_is_trained(monkeypatch, options, kind, words):
    monkeypatch.setattr("kdlearn.engine.task_runner.fit", lambda *_, **__: pytest.fail("something was trained"))
    with pytest.raises(kind, match=words):
        compare(**options)


def test_a_choice_of_one_is_that_one():
    comparison = compare({"soft labels": [SoftLabels(5.0)]})
    assert comparison.table["temperature"].dropna().unique() == [5.0]
    assert comparison.table["strategy"].unique().tolist() == [GroundTruth.name, "soft labels"]


def test_what_was_chosen_is_told():
    comparison = compare({"soft labels": [SoftLabels(1.0), SoftLabels(3.0)]}, lengths=(5, 10))
    soft = comparison.table[comparison.table["strategy"] == "soft labels"]
    for length, rows in soft.groupby("length"):
        said = f"soft labels: T = {rows['temperature'].iloc[0]:g}, rate = {rows['learning_rate'].iloc[0]:g}"
        [note] = [note for note in comparison.notes if f"chosen on validation for {length} updates" in note]
        assert said in note
