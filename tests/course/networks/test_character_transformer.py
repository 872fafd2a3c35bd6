"""The Transformer is torch's with the same weights; no place sees a later one; small ones train in a stack."""

import pytest
import torch
from blocks import block_of_torch

from kdcourse import character_transformer
from kdlearn import Adam, Batch, GroundTruth, SoftLabels, count_parameters, seeded
from kdlearn.training.together import can_be_stacked

CHARACTERS = torch.randint(7, (3, 5), generator=torch.Generator().manual_seed(0))


def small(seed: int = 0):
    """With weights so large that attention is far from even."""
    network = seeded(lambda: character_transformer(7, width=6, depth=2, heads=3, length=8), seed).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return network


def test_it_is_torchs_encoder_with_the_same_weights():
    network = small()
    states = network.characters(CHARACTERS) + network.places.weight[:5]
    later = torch.ones(5, 5, dtype=torch.bool).triu(1)
    for block in network.blocks:
        states = block_of_torch(block, width=6, heads=3)(states, src_mask=later)
    torch.testing.assert_close(network(CHARACTERS), network.logits(states))


def test_no_place_sees_a_later_one_and_every_place_sees_all_earlier_ones():
    network, embedded = small(1), []
    network.characters.register_forward_hook(lambda module, given, made: embedded.append(made))
    logits = network(CHARACTERS[:1])
    for place in range(5):
        [slope] = torch.autograd.grad(logits[0, place].square().sum(), embedded, retain_graph=True)
        felt = slope[0].abs().amax(dim=-1) > 0
        assert felt.tolist() == [other <= place for other in range(5)]


def test_a_shorter_text_gets_the_logits_of_its_beginning():
    network = small(2)
    torch.testing.assert_close(network(CHARACTERS[:, :3]), network(CHARACTERS)[:, :3])


@pytest.mark.parametrize("strategy", [GroundTruth(), SoftLabels(2.0)], ids=lambda one: one.name)
def test_small_ones_train_in_a_stack(strategy):
    pair = [seeded(lambda: character_transformer(7, width=8, length=5), seed) for seed in range(2)]
    logits = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(3))
    assert can_be_stacked(pair, strategy, Adam(), Batch(CHARACTERS, CHARACTERS.roll(1), logits))


def test_sizes_are_those_counted_by_hand():
    width, depth, classes, length = 32, 2, 65, 64
    block = 3 * width**2 + width**2 + width + 8 * width**2 + 5 * width + 4 * width
    expected = (classes + length) * width + depth * block + 2 * width + classes * width + classes
    assert count_parameters(character_transformer()) == expected == 31_553
    assert count_parameters(character_transformer(width=128, depth=3)) == 618_817


def test_a_width_that_the_heads_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="width must be divisible by heads; got 30 and 4"):
        character_transformer(width=30)
