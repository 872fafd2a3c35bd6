"""Pruning and eight bits, as the study on smaller networks does them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdlearn import load_digits, perceptron, seeded


@pytest.fixture
def plan(script_of):
    return script_of("smaller/plan")


def test_eight_bits_round_each_weight_to_the_nearest_of_255_steps_of_its_row(plan):
    @settings(max_examples=30, deadline=None)
    @given(seed=st.integers(0, 10_000), size=st.floats(1e-6, 1e6))
    def holds(seed: int, size: float) -> None:
        network = seeded(lambda: perceptron(12, 5, 3), seed)
        for layer in plan.linear_layers(network):
            layer.weight.data *= size
        layers = zip(plan.linear_layers(network), plan.linear_layers(plan.in_eight_bits(network).network), strict=True)
        for layer, rounded in layers:
            for row, found in zip(layer.weight.tolist(), rounded.weight.tolist(), strict=True):
                step = max(map(abs, row)) / 127
                steps = [value / step for value in found]
                assert steps == pytest.approx([round(value) for value in steps], abs=1e-3)
                assert all(abs(a - b) <= 0.5001 * step for a, b in zip(row, found, strict=True))

    holds()


@pytest.mark.parametrize("kept", [0.5, 0.1])
def test_pruning_keeps_the_largest_weights_and_training_leaves_the_others_at_zero(plan, kept):
    network = seeded(plan.LARGE, 1)
    taught = plan.pruned(network, kept)
    plan.trained(taught, load_digits(0), plan.LABELS[1], network, seed=0, num_epochs=1, rate=0.01)
    whole, left = (
        torch.cat([layer.weight.detach().flatten() for layer in plan.linear_layers(one)])
        for one in (network, plan.without_masks(taught))
    )
    smallest = whole.abs().sort(descending=True).values[round(kept * len(whole)) - 1]
    assert torch.equal(left != 0, whole.abs() >= smallest) and not torch.equal(left, whole * (left != 0))


def test_bytes_are_counted_as_by_hand(plan):
    network = perceptron(16, 4, 2)
    assert plan.as_float32(network).bytes == 4 * (16 * 4 + 4 + 4 * 2 + 2)
    assert plan.in_eight_bits(network).bytes == 16 * 4 + 4 * 2 + 2 * 4 * (4 + 2)
    first, second = plan.linear_layers(network)
    first.weight.data[:, 1:] = 0  # four weights are left: four places of a byte each, for 8 bytes of one bit each
    second.weight.data[0, 0] = 0  # seven of eight: one byte of bits
    assert plan.as_float32(network).bytes == 4 * (4 + 4) + 4 + 4 * (7 + 2) + 1


def test_the_arms_of_one_pair_are_those_that_the_planned_claims_read(plan):
    rows = [row for replicate in (0, 1) for row in plan.rows_of(replicate, epochs=1, after=1)]
    found = plan.planned(plan.Comparison(plan.pd.DataFrame(rows)))
    assert len(found) == 5 and all(one.degrees_of_freedom == 1 for one in found.values())


def test_latency_is_the_median_and_the_batch_is_as_large_as_asked(plan, monkeypatch):
    """On a clock that only the calls move: three to warm up, then five, one of which is disturbed."""
    durations, clock, sizes = iter([512.0] * 3 + [1.0, 2.0, 256.0, 4.0, 2.0]), [0.0], []
    monkeypatch.setattr(plan, "perf_counter", lambda: clock[0])

    def forward(images):
        sizes.append(tuple(images.shape))
        clock[0] += next(durations)

    assert plan.latency(forward, torch.zeros(1, 8, 8), batch_size=16, repeats=5) == 2.0
    assert sizes == [(16, 1, 8, 8)] * 8
