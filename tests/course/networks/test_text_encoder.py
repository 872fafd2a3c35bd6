"""The encoder of texts: filling, order, both directions, and torch's own encoder with the same weights."""

from functools import partial

import pytest
import torch
from blocks import block_of_torch
from torch import nn

from kdcourse import TextEncoder, codes_of
from kdlearn import Machine, Run, count_parameters, seeded
from kdlearn.data.dataset import Dataset, Split
from kdlearn.engine.checks import Checks

CODES = codes_of(["to be", "or not to be", "né", ""], 12)


@pytest.fixture
def network() -> TextEncoder:
    return seeded(partial(TextEncoder, 3, width=8, depth=2, heads=2, length=20), 0).double()


def of_torch(network: TextEncoder, codes: torch.Tensor) -> torch.Tensor:
    """The same, with the blocks that torch has."""
    states = network.characters(codes.clamp_max(639)) + network.places.weight[: codes.shape[1]]
    filling = codes == 0
    filling[:, 0] = False
    for block in network.blocks:
        states = block_of_torch(block, width=8, heads=2)(states, src_key_padding_mask=filling)
    means = torch.stack([row[~where].mean(dim=0) for row, where in zip(states, filling, strict=True)])
    return network.logits(means)


def test_it_is_torchs_encoder_with_the_same_weights(network):
    torch.testing.assert_close(network(CODES), of_torch(network, CODES))


def test_a_text_may_be_filled_up_to_any_length(network):
    torch.testing.assert_close(network(CODES), network(nn.functional.pad(CODES, (0, 8))))
    assert network(CODES).isfinite().all()


def test_order_counts_and_every_place_sees_all_others(network):
    assert (network(codes_of(["abc"], 3)) - network(codes_of(["acb"], 3))).abs().max() > 1e-6
    states = nn.Parameter(torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(0)).double())
    seen = network.blocks[0](states, torch.zeros(1, 4, dtype=torch.bool))
    for place in range(4):
        [gradient] = torch.autograd.grad(seen[0, place].square().sum(), states, retain_graph=True)
        assert (gradient[0].abs().amax(dim=1) > 0).all()


def test_further_code_points_are_one_character(network):
    assert torch.equal(network(codes_of(["a’b"], 3)), network(codes_of(["aжb"], 3)))


def test_many_are_trained_as_one():
    texts = Split(CODES, torch.tensor([0, 1, 2, 0]))
    small = partial(TextEncoder, 3, width=8, heads=2, length=12)
    assert Checks(Machine()).can_be_stacked(Run(Dataset(texts, texts), small))


def test_its_size():
    tables, attention, norms = (640 + 25) * 16, 4 * 16**2 + 16, 3 * 2 * 16
    layers, logits = 8 * 16**2 + 5 * 16, 16 * 24 + 24
    assert count_parameters(TextEncoder(24)) == tables + attention + norms + layers + logits == 14_312


def test_a_width_that_the_heads_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="width must be divisible by heads; got 18 and 4"):
        TextEncoder(3, width=18)
