"""The Transformer against attention written out by loops; no place sees a later one; small ones train in a stack."""

import math

import pytest
import torch

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


def normalised(row: list[float], weight: list[float], bias: list[float]) -> list[float]:
    mean = sum(row) / len(row)
    deviation = math.sqrt(sum((one - mean) ** 2 for one in row) / len(row) + 1e-5)
    return [scale * (one - mean) / deviation + shift for one, scale, shift in zip(row, weight, bias, strict=True)]


def linear(row: list[float], weight: list[list[float]], bias: list[float] | None = None) -> list[float]:
    products = [sum(a * b for a, b in zip(row, line, strict=True)) for line in weight]
    return products if bias is None else [a + b for a, b in zip(products, bias, strict=True)]


def attended(rows: list[list[float]], weight: list[list[float]], heads: int) -> list[list[float]]:
    """For each place the heads' means of values, one after the other."""
    width, size, mixed = len(rows[0]), len(rows[0]) // heads, []
    projected = [linear(row, weight) for row in rows]
    for place in range(len(rows)):
        found = []
        for head in range(heads):
            places = range(head * size, (head + 1) * size)
            scores = [
                sum(projected[place][one] * projected[other][width + one] for one in places) / math.sqrt(size)
                for other in range(place + 1)
            ]
            powers = [math.exp(score) for score in scores]
            for one in places:
                values = [projected[other][2 * width + one] for other in range(place + 1)]
                found.append(sum(a * b for a, b in zip(powers, values, strict=True)) / sum(powers))
        mixed.append(found)
    return mixed


def by_hand(network, characters: list[int], heads: int = 3) -> list[list[float]]:
    w = {name: weight.tolist() for name, weight in network.state_dict().items()}

    def norm(row: list[float], name: str) -> list[float]:
        return normalised(row, w[f"{name}.weight"], w[f"{name}.bias"])

    def layer(row: list[float], name: str) -> list[float]:
        return linear(row, w[f"{name}.weight"], w[f"{name}.bias"])

    def added(one: list[float], other: list[float]) -> list[float]:
        return [a + b for a, b in zip(one, other, strict=True)]

    rows = [added(w["characters.weight"][c], w["places.weight"][at]) for at, c in enumerate(characters)]
    for block in ("blocks.0", "blocks.1"):
        read = [norm(row, f"{block}.before_attention") for row in rows]
        mixed = attended(read, w[f"{block}.attention.projections.weight"], heads)
        rows = [added(row, layer(one, f"{block}.attention.output")) for row, one in zip(rows, mixed, strict=True)]
        for at, row in enumerate(rows):
            hidden = layer(norm(row, f"{block}.before_layers"), f"{block}.layers.0")
            bent = [one * (1 + math.erf(one / math.sqrt(2))) / 2 for one in hidden]
            rows[at] = added(row, layer(bent, f"{block}.layers.2"))
    return [layer(norm(row, "logits.0"), "logits.1") for row in rows]


def test_the_logits_are_those_of_sums_written_out():
    network = small()
    expected = torch.tensor([by_hand(network, row) for row in CHARACTERS.tolist()], dtype=torch.float64)
    torch.testing.assert_close(network(CHARACTERS), expected)


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
