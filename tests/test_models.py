"""Networks: shapes, counts by hand, and initialisations that depend on the seed alone."""

import pytest
import torch
from torch import nn

from kdlearn import count_macs, count_parameters, perceptron, small_convnet
from kdlearn.models import seeded


@pytest.mark.parametrize("widths", [(64, 10), (64, 32, 10), (64, 5, 6, 7, 10)])
def test_perceptrons_of_any_depth(widths, device):
    model = perceptron(*widths).to(device)
    assert model(torch.zeros(3, 1, 8, 8, device=device)).shape == (3, 10)
    linear = [layer for layer in model if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in linear] == list(widths[1:])
    assert sum(isinstance(layer, nn.ReLU) for layer in model) == len(widths) - 2
    assert not isinstance(model[-1], nn.ReLU)


def test_small_convnet(device):
    model = small_convnet(width=4, num_classes=7).to(device)
    assert model(torch.zeros(2, 1, 8, 8, device=device)).shape == (2, 7)
    convolutions, linear = 9 * 1 * 4 + 4 + 9 * 4 * 8 + 8, 128 * 8 + 8 + 8 * 7 + 7
    assert count_parameters(model) == convolutions + linear
    macs = 64 * 9 * 1 * 4 + 16 * 9 * 4 * 8 + 128 * 8 + 8 * 7
    assert count_macs(model.cpu(), torch.zeros(1, 8, 8)) == macs


def test_the_seed_fixes_the_initialisation_and_nothing_else():
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    one, same, other = (seeded(lambda: perceptron(4, 3), seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(one[1].weight, same[1].weight) and not torch.equal(one[1].weight, other[1].weight)
