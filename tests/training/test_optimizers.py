"""Optimisers: the schedule's triangle, and steps by hand."""

import pytest
import torch
from torch import nn

from kdlearn.training.optimizers import NesterovSGD


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
