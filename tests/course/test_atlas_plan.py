"""What the atlas trains on: controls that take away what they say, wrong labels, ensembles."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import digits

from kdlearn.formulas.labels import entropy, soft_labels


@pytest.fixture
def controls(script_of):
    return script_of("atlas/controls")


def drawn(seed: int, rows: int = 60, classes: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return soft_labels(2 * torch.randn(rows, classes, generator=generator))


def test_permuted_keeps_each_row_but_for_the_places_of_the_others(controls):
    @settings(max_examples=30, deadline=None)
    @given(seed=st.integers(0, 10_000))
    def holds(seed: int) -> None:
        given_labels = drawn(seed)
        found = controls.permuted(given_labels, given_labels.argmax(1), seed)
        assert torch.equal(found.argmax(1), given_labels.argmax(1))
        torch.testing.assert_close(found.sort(1).values, given_labels.sort(1).values, rtol=0, atol=0)
        assert not torch.equal(found, given_labels)

    holds()


def test_permuted_puts_every_other_class_everywhere_alike(controls):
    row = torch.tensor([[0.6, 0.2, 0.1, 0.06, 0.04]]).expand(6000, 5)
    found = controls.permuted(row, row.argmax(1), 1)
    torch.testing.assert_close(found.mean(0)[1:], torch.full((4,), 0.1), rtol=0.05, atol=0)


def test_another_images_label_is_that_of_another_row_with_the_same_arg_max(controls):
    given_labels = drawn(3)
    found = controls.of_another_image(given_labels, given_labels.argmax(1), 3)
    for row, label in enumerate(found):
        (source,) = [place for place, one in enumerate(given_labels) if torch.equal(one, label)]
        alone = (given_labels.argmax(1) == given_labels[row].argmax()).sum() == 1
        assert given_labels[source].argmax() == given_labels[row].argmax() and (source != row or alone)


def test_the_class_mean_is_the_mean_of_the_rows_with_that_arg_max(controls):
    given_labels = drawn(4)
    found = controls.class_mean(given_labels, given_labels.argmax(1), 4)
    for row, label in enumerate(found):
        same = [one for one in given_labels if one.argmax() == given_labels[row].argmax()]
        torch.testing.assert_close(label, sum(same) / len(same))


def test_without_a_teacher_the_doubt_is_one_number_of_the_teachers_mean_entropy(controls):
    given_labels, truth = drawn(5), torch.arange(60) % 6
    found = controls.no_teacher(given_labels, truth, 5)
    torch.testing.assert_close(entropy(found), entropy(given_labels).mean().expand(60), rtol=1e-4, atol=1e-4)
    assert torch.equal(found.argmax(1), truth) and all(len(row.unique()) == 2 for row in found)


def test_what_a_student_is_told_at_this_temperature_is_the_control(controls):
    data = digits()
    logits = {
        "train": 3 * torch.randn(120, 10, generator=torch.Generator().manual_seed(0)),
        "test": torch.zeros(50, 10),
    }
    for name, control in controls.CONTROLS.items():
        told = controls.controlled(name, logits, data, 2.0, seed=1)
        expected = control(soft_labels(logits["train"], 2.0), data.train.labels, 1)
        torch.testing.assert_close(soft_labels(told["train"], 2.0), expected, rtol=1e-4, atol=1e-5)
        assert told["test"] is logits["test"]


def test_a_share_of_the_labels_is_wrong_and_the_others_are_as_they_were(script_of):
    data = digits(train=100)
    noisy = script_of("atlas/grids").with_wrong_labels(data, 0.4, 7)
    assert (noisy.train.labels != data.train.labels).sum() == 40
    assert noisy.train.labels.min() >= 0 and noisy.train.labels.max() <= 9 and noisy.test is data.test


@pytest.mark.parametrize("images", [20, 60])
def test_further_seeds_have_the_rates_that_were_chosen_for_the_first(script_of, monkeypatch, images):
    grids = script_of("atlas/grids")
    logits = {"train": torch.zeros(1200, 10), "test": torch.zeros(400, 10)}
    monkeypatch.setattr(grids, "teachers", lambda *_, **__: {1000: logits})
    monkeypatch.setattr(grids, "carried_out", lambda runs, where: runs)
    found = [
        (run.strategy.name, getattr(run.strategy, "temperature", None), length, run.seed, run.optimizer.learning_rate)
        for run in grids.further_labels([1000], {}, images)
        for length in run.lengths
    ]
    table = grids.kdcourse.load_atlas().table
    first = table.query("grid == 'A labels' and images == @images and replicate == 1000 and seed == 0")
    told = ["strategy", "temperature", "length", "learning_rate"]
    expected = [
        (strategy, None if temperature != temperature else temperature, length, seed, rate)
        for strategy, temperature, length, rate in first[told].itertuples(index=False)
        for seed in grids.FURTHER[images]
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_an_ensemble_answers_with_the_mean_of_probabilities(script_of):
    members = [{"train": 2 * torch.randn(20, 5, generator=torch.Generator().manual_seed(k))} for k in range(3)]
    found = script_of("atlas/teachers").mean_of(members)["train"].softmax(1)
    torch.testing.assert_close(found, sum(one["train"].softmax(1) for one in members) / 3)


def test_every_row_of_the_record_is_of_one_grid(script_of):
    plan = script_of("atlas/plan")
    table = plan.recorded()
    assert (sum(plan.part_of(table, name).astype(int) for name in plan.PARTS) == 1).all()


def carry_out(plan, monkeypatch, name: str, instead) -> None:
    monkeypatch.setitem(plan.PARTS, name, plan.PARTS[name]._replace(carry_out=instead))


def test_a_grid_that_is_recorded_is_not_carried_out_again(script_of, monkeypatch, tmp_path):
    plan = script_of("atlas/plan")
    there = plan.recorded()
    carried_out = []
    monkeypatch.setattr(plan, "keep", lambda where, record, name, found: carried_out.append((name, len(record))))
    again = plan.Comparison(there[plan.part_of(there, "controls")])
    monkeypatch.setattr(plan, "recorded", lambda where: there[~plan.part_of(there, "controls")])
    carry_out(plan, monkeypatch, "controls", lambda replicates, where: again)
    plan.main(tmp_path, only=["controls", "teachers"], scheduler=None)
    assert carried_out == [("controls", len(there))]


def repeated(plan, name: str, replicates: range):
    """Rows of the record under other numbers; with 40 % wrong labels hard and soft labels change places."""
    there = plan.recorded()
    rows = there[plan.part_of(there, name) & there["replicate"].isin([1000, 1001])]
    if name == "wrong":
        soft, hard = rows["strategy"] == "soft labels", rows["strategy"] == "teacher's hard labels"
        rows = rows.assign(accuracy=rows["accuracy"].mask(soft, 0.5).mask(hard, 0.4))
    return plan.Comparison(rows.assign(replicate=rows["replicate"] - 1000 + replicates[0]))


def test_planned_claims_are_asked_of_other_replicates_without_touching_the_record(
    script_of, monkeypatch, tmp_path, capsys
):
    plan = script_of("atlas/plan")
    before = (plan.HERE / "atlas.parquet").read_bytes()
    for name in plan.PARTS:
        carry_out(plan, monkeypatch, name, lambda replicates, where, name=name: repeated(plan, name, replicates))
    plan.main(tmp_path, first=80, replicates=2, only=None, scheduler=None, claims=True)
    assert (plan.HERE / "atlas.parquet").read_bytes() == before
    table = plan.recorded(tmp_path)
    assert set(table["replicate"]) == {80, 81} and not plan.part_of(table, "cells").any()
    lines = [line for line in capsys.readouterr().out.splitlines() if "in the record" in line]
    signs = [line.rpartition(": ")[2] for line in lines]
    assert signs[:3] == ["the same sign"] * 3 and signs[3].endswith(", which the record leaves open")
    assert signs[4] == "another sign" and "here +10.0 (replicates: +10.0, +10.0)" in lines[4]
