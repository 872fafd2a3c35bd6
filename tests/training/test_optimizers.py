"""Optimisers: the schedule's triangle, steps by hand, what decides them, and torch's own."""

from dataclasses import replace
from functools import partial
from itertools import product

import pytest
import torch
from torch import nn

from kdlearn import Adam, GroundTruth, NesterovSGD, Scheduled, perceptron, seeded, train
from kdlearn.training.optimizers import Recipe, recipe_of


def test_the_triangle_climbs_and_falls():
    factors = [NesterovSGD().schedule(step / 100) for step in range(100)]
    top = factors.index(max(factors))
    assert factors[0] == 0.2 and top == 23 and max(factors) == 1.0
    assert sorted(factors[:top]) == factors[:top] and sorted(factors[top:], reverse=True) == factors[top:]


def test_steps_follow_nesterov_by_hand():
    """Sutskever et al. 2013 as PyTorch writes it, with decay, on one weight; a shift steps further, without decay."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    stepper = NesterovSGD(0.1, momentum=0.5, weight_decay=0.2, shift_factor=3.0).optimizer(model)
    nn.init.constant_(model[0].weight, 2.0)
    weight, velocity = 2.0, 0.0
    for slope in (1.0, -3.0):
        model[0].weight.grad, model[1].bias.grad = torch.tensor([[slope]]), torch.tensor([slope])
        stepper.step()
        gradient = slope + 0.2 * weight
        velocity = 0.5 * velocity + gradient
        weight -= 0.1 * (gradient + 0.5 * velocity)
    assert model[0].weight.item() == pytest.approx(weight)
    assert model[1].bias.item() == pytest.approx(-0.3 * (1.0 + 0.5) - 0.3 * (-3.0 + 0.5 * (0.5 - 3.0)))


def two_groups(weights) -> torch.optim.Optimizer:
    first, *others = weights
    return torch.optim.SGD([{"params": [first], "lr": 0.1}, {"params": others, "lr": 0.02}])


RECIPES = {
    "ours": Adam(),
    "with a schedule": NesterovSGD(),
    "a class": torch.optim.SGD,
    "options": partial(torch.optim.AdamW, lr=0.1),
    "groups": two_groups,
    "a schedule of torch's": Scheduled(Adam(), torch.optim.lr_scheduler.CosineAnnealingLR),
}


@pytest.mark.parametrize("optimizer", RECIPES.values(), ids=RECIPES)
def test_each_is_a_recipe_that_leaves_frozen_weights_alone(optimizer):
    recipe, network = recipe_of(optimizer), perceptron(4, 5, 3)
    network[1].requires_grad_(False)
    assert isinstance(recipe, Recipe) and recipe.elementwise == (optimizer is not two_groups)
    stepped = {id(weight) for group in recipe.optimizer(network).param_groups for weight in group["params"]}
    assert stepped == {id(weight) for weight in network[3].parameters()}
    assert recipe.constant == (recipe.schedule(0.0, 8) == recipe.schedule(0.5, 8))


SETTINGS = [
    Adam(0.4),
    Adam(0.4000001),
    Adam(0.4, weight_decay=1e-9),
    NesterovSGD(0.4),
    NesterovSGD(0.4, shift_factor=31.999999),
    torch.optim.SGD,
    partial(torch.optim.SGD, lr=0.4),
    partial(torch.optim.SGD, lr=0.4, momentum=0.1),
    partial(torch.optim.Adam, lr=0.4),
    partial(torch.optim.Adam, lr=0.4, eps=1e-7),
    partial(torch.optim.AdamW, lr=0.4),
    two_groups,
]


def test_settings_tell_all_apart_and_are_plain():
    found = [repr(recipe_of(optimizer).settings()) for optimizer in SETTINGS]
    assert len(set(found)) == len(SETTINGS)
    assert found == [repr(recipe_of(optimizer).settings()) for optimizer in SETTINGS]
    assert recipe_of(partial(torch.optim.SGD, lr=0.4)).settings()["learning_rate"] == 0.4
    made = recipe_of(torch.optim.SGD(perceptron(4, 3).parameters(), lr=0.4))
    assert made.settings() == recipe_of(partial(torch.optim.SGD, lr=0.4)).settings()


SCHEDULES = {
    "cosine": torch.optim.lr_scheduler.CosineAnnealingLR,
    "one cycle": lambda optimizer, updates: torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.2, updates, cycle_momentum=False
    ),
    "own": lambda optimizer, updates: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: 1 / (1 + done)),
}


@pytest.mark.parametrize("schedule_of", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("base", [Adam(0.1), partial(torch.optim.SGD, lr=0.1, momentum=0.5)])
def test_a_schedule_steps_as_torchs_own_loop_does(base, schedule_of):
    torch.manual_seed(0)
    batches = [(torch.randn(6, 4), torch.arange(6) % 3) for _ in range(5)]
    ours, theirs = (seeded(lambda: perceptron(4, 5, 3), 0) for _ in range(2))
    train(ours, batches, GroundTruth(), num_epochs=4, optimizer=Scheduled(base, schedule_of), progress=False)
    stepper = recipe_of(base).optimizer(theirs)
    scheduler = schedule_of(stepper, 20)
    for _, (inputs, labels) in product(range(4), batches):
        stepper.zero_grad()
        nn.functional.cross_entropy(theirs(inputs), labels).backward()
        stepper.step()
        scheduler.step()
    for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-4, atol=1e-6)


def test_of_a_schedule_that_cannot_be_followed_it_is_said_why():
    cycle = Scheduled(partial(torch.optim.SGD, lr=0.1, momentum=0.5), torch.optim.lr_scheduler.OneCycleLR)
    with pytest.raises(ValueError, match="changes momentum too, which cycle_momentum=False"):
        replace(cycle, schedule_of=lambda one, n: cycle.schedule_of(one, 0.2, n)).schedule(0.0, 10)
    with pytest.raises(ValueError, match="batches of a known length"):
        Scheduled(Adam(), SCHEDULES["cosine"]).schedule(0.0)
    with pytest.raises(ValueError, match="an optimizer of a constant rate"):
        Scheduled(NesterovSGD(), SCHEDULES["cosine"])


@pytest.mark.parametrize("odd", [0.1, None, "adam"])
def test_what_is_no_optimiser_is_refused_with_what_is(odd):
    with pytest.raises(TypeError, match=r"functools.partial\(torch.optim.SGD, lr=0.1\)"):
        recipe_of(odd)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("kind", [Adam, NesterovSGD])
def test_a_rate_that_cannot_be_stepped_at_is_refused(kind, rate):
    with pytest.raises(ValueError, match="learning_rate must be above 0 and finite"):
        kind(rate)
