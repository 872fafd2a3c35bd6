"""What the plans on features, many labels, sound and senses train on: controls, pairs, and arms of equal tuning."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdcourse import NgramNetwork
from kdcourse.data.stand_in import stand_in
from kdlearn import Batch, count_parameters, hard_labels, load_digits
from kdlearn.commands.presets import PRESETS, network_named
from kdlearn.formulas.many_labels import yes_or_no


def test_shuffled_answers_keep_hard_labels_and_the_doubt_of_each_picture(script_of):
    plan = script_of("many_labels/plan")

    @settings(max_examples=30, deadline=None)
    @given(seed=st.integers(0, 10_000))
    def holds(seed: int) -> None:
        scores = 3 * torch.randn(40, 10, generator=torch.Generator().manual_seed(seed))
        found = plan.shuffled(yes_or_no(scores), seed)[..., 1]
        assert torch.equal(found > 0, scores > 0)
        assert torch.equal(found.sort(1).values, scores.sort(1).values) and not torch.equal(found, scores)

    holds()


def test_shuffled_answers_go_everywhere_alike(script_of):
    scores = torch.tensor([-1.0, -2.0, -3.0, 1.0, 2.0]).expand(6000, 5)
    found = script_of("many_labels/plan").shuffled(yes_or_no(scores), 3)[..., 1]
    torch.testing.assert_close(found.mean(0), torch.tensor([-2.0, -2.0, -2.0, 1.5, 1.5]), atol=0.06, rtol=0)
    assert torch.equal(hard_labels(yes_or_no(found)), hard_labels(yes_or_no(scores)))


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_a_pair_shows_its_digit_but_for_the_noise(script_of, noise):
    labels = torch.arange(4000) % 10
    shown = torch.arange(300) % 10
    rows = script_of("senses/plan").paired_pictures(labels, shown, noise, seed=2)
    wrong = (shown[rows] != labels).double().mean().item()
    assert wrong == noise if noise in (0.0, 1.0) else abs(wrong - noise) < 0.03
    drawn = rows[labels == 4].bincount(minlength=300)[shown == 4]
    assert noise or (drawn > 0).all(), "each picture of the digit is drawn from"
    gaps = (shown[rows] - labels)[shown[rows] != labels] % 10
    assert noise == 0 or len(gaps.unique()) == 9, "every other digit is shown"


def test_pairs_are_of_pictures_that_the_teacher_was_not_trained_on(script_of, monkeypatch):
    plan, data = script_of("senses/plan"), load_digits(1)
    monkeypatch.setattr(plan, "spoken", lambda replicate: data)  # any data set with labels for the recordings
    logits = {name: part.labels[:, None].float().expand(-1, 10) for name, part in data.splits() if name != "train"}
    told = plan.told_of_pairs(1, logits, 0.0)["train"]
    assert torch.equal(told[:, 0].long(), data.train.labels)


def test_what_a_student_learns_of_outputs_beside_does_not_touch_those_of_the_digits(script_of):
    plan = script_of("subliminal/plan")
    logits = torch.randn(5, 13, requires_grad=True)
    plan.OutputsBeside()(logits, Batch(torch.zeros(5, 64), teacher_logits=torch.randn(5, 13))).sum().backward()
    assert (logits.grad[:, :10] == 0).all() and (logits.grad[:, 10:] != 0).all()
    alone = torch.randn(5, 13, requires_grad=True)
    plan.TruthOfDigits()(alone, Batch(torch.zeros(5, 64), labels=torch.arange(5))).sum().backward()
    assert (alone.grad[:, 10:] == 0).all() and (alone.grad[:, :10] != 0).all()


def networks_of(study: str, plan) -> list:
    if study == "cifar10":
        return [network_named(name, stand_in()) for name in (PRESETS["cpu"].teacher, PRESETS["cpu"].student)]
    return [partial(NgramNetwork, 24)] if study == "languages" else [plan.TEACHER, plan.STUDENT]


@pytest.mark.parametrize("study", ["cifar10", "encoders", "language_models", "languages"])
def test_networks_have_the_sizes_that_the_plan_tells(study, script_of):
    plan = script_of(f"{study}/plan")
    for network in networks_of(study, plan):
        assert f"{count_parameters(network()):,}" in plan.__doc__
