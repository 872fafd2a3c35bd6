"""Hinton's cases on MNIST: which images a student sees, how a bias is chosen, what is an error; and the record."""

import pytest
import torch
from small import digits

import kdlearn
from kdlearn.formulas.labels import soft_labels


@pytest.fixture
def plan(script_of, monkeypatch):
    """The study on a few digits of 8 × 8 pixels, all splits there."""
    plan, data = script_of("mnist/plan"), digits(train=200)
    monkeypatch.setattr(plan, "mnist", lambda: data)
    return plan


def test_a_student_of_some_classes_sees_their_images_alone_and_is_measured_on_all(plan):
    data, rows = plan.only({7, 8})
    train = plan.mnist().train
    expected = [place for place, label in enumerate(train.labels.tolist()) if label in (7, 8)]
    assert rows.tolist() == expected and set(data.train.labels.tolist()) == {7, 8}
    assert torch.equal(data.train.inputs, train.inputs[rows])
    assert data.test is plan.mnist().test and len(data.validation.inputs) == len(train.inputs)


def test_it_is_taught_the_answers_to_its_own_images(plan):
    logits = torch.arange(2000.0).view(200, 10)
    runs = dict(plan.students_of(3, plan.FallingAdam(0.01), {"train": logits, "test": torch.zeros(50, 10)}))
    assert list(runs) == [*plan.ARMS, "no threes", "7s and 8s"]
    for name, classes in {"no threes": {0, 1, 2, 4, 5, 6, 7, 8, 9}, "7s and 8s": {7, 8}}.items():
        kept = [label in classes for label in plan.mnist().train.labels.tolist()]
        assert torch.equal(runs[name].teacher["train"], logits[torch.tensor(kept)])


def test_the_rate_falls_in_a_straight_line_to_the_end(plan):
    falling = plan.FallingAdam(0.004)
    rates = [falling.learning_rate * falling.schedule(progress) for progress in (0, 0.25, 0.5, 1)]
    assert rates == pytest.approx([0.004, 0.003, 0.002, 0]) and not falling.constant
    assert falling.settings() != kdlearn.Adam(0.004).settings()


@pytest.mark.parametrize("classes", [(3,), (7, 8)])
def test_a_bias_is_raised_until_its_classes_have_their_share(plan, classes):
    logits = 4 * torch.randn(500, 10, generator=torch.Generator().manual_seed(1))
    moved = logits.clone()
    moved[:, list(classes)] += plan.shift_to_share(logits, classes)
    share = soft_labels(moved)[:, list(classes)].sum(1).mean()
    assert share.item() == pytest.approx(0.1 * len(classes), abs=1e-4)


def test_errors_are_counted_with_the_bias_as_it_is_and_as_it_was_chosen(plan):
    labels = plan.mnist().test.labels
    right = 10 * torch.eye(10)[labels]
    forgotten = right.clone()
    forgotten[labels == 3, 3], forgotten[labels == 3, 5] = 0.0, 1.0  # a three is taken for a five, narrowly
    of_training = 10 * torch.eye(10)[torch.arange(200) % 10]
    of_training[:, 3] -= 9.5  # on training images the three lacks as much
    plain, chosen = plan.rows_of(2, "no threes", {"test": forgotten, "validation": of_training})
    threes = int((labels == 3).sum())
    assert (plain["errors"], plain["errors on threes"], plain["shift"]) == (threes, threes, 0.0)
    assert chosen["shift"] > 1 and (chosen["errors"], chosen["errors on threes"]) == (0, 0)
    [only] = plan.rows_of(2, "soft labels", {"test": right})
    assert only["errors"] == 0


def test_the_record_is_whole_and_its_planned_claims_are_as_told(plan):
    record = plan.recorded()
    arms = ["teacher", *plan.ARMS]
    arms += [f"{name}{how}" for name in ("no threes", "7s and 8s") for how in ("", ", bias chosen")]
    there = record.groupby(["recipe", "arm"])["pair"].agg(list).to_dict()
    assert there == {(name, arm): list(recipe.pairs) for name, recipe in plan.RECIPES.items() for arm in arms}
    assert record["errors"].between(1, 10_000).all() and record["errors on threes"].between(0, 1010).all()
    assert (record["errors on threes"] <= record["errors"]).all()
    paired = record.set_index(["recipe", "pair", "arm"])["errors"].unstack()
    by_hand = (paired["soft labels"] - paired["hard labels"]).groupby("recipe").mean()
    for name in plan.RECIPES:
        assert plan.planned(record)[f"{name}: soft labels, not hard ones"].mean == pytest.approx(by_hand[name])
