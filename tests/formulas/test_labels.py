"""Labels against closed forms and brute force, and what must hold for all inputs."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import vmap

from kdlearn import entropy, hard_labels, logits_from, one_hot, smooth_labels, soft_labels, standardised_logits


@st.composite
def logits(draw):
    num_classes = draw(st.integers(2, 6))
    row = st.lists(st.floats(-50, 50), min_size=num_classes, max_size=num_classes)
    return torch.tensor(draw(st.lists(row, min_size=1, max_size=4)), dtype=torch.float64)


temperatures = st.floats(0.01, 100)


@given(logits(), temperatures)
def test_soft_labels_are_what_the_formula_says(z, temperature):
    for row, labels in zip(z.tolist(), soft_labels(z, temperature).tolist(), strict=True):
        powers = [math.exp((value - max(row)) / temperature) for value in row]
        assert labels == pytest.approx([power / sum(powers) for power in powers], abs=1e-12)


def test_one_hot_equals_torchs_and_runs_under_vmap():
    labels = torch.tensor([[3, 0], [2, 2]])
    expected = torch.nn.functional.one_hot(labels, 5).float()
    torch.testing.assert_close(one_hot(labels, 5), expected)
    torch.testing.assert_close(vmap(lambda rows: one_hot(rows, 5))(labels), expected)


def test_hard_labels_take_the_largest_and_of_equals_the_first():
    assert hard_labels(torch.tensor([[0.0, 2.0, 2.0], [3.0, -1.0, 0.0]])).tolist() == [1, 0]


@given(st.floats(0, 1), st.integers(1, 5))
def test_smoothed_labels_are_a_mixture_with_uniform(smoothing, num_classes):
    labels = torch.arange(num_classes)
    for index, row in enumerate(smooth_labels(labels, num_classes, smoothing).tolist()):
        expected = [smoothing / num_classes + (1 - smoothing) * (index == place) for place in range(num_classes)]
        assert row == pytest.approx(expected, abs=1e-6)


def test_smoothing_defaults_to_a_tenth():
    assert smooth_labels(torch.tensor([0]), 2).tolist()[0] == pytest.approx([0.95, 0.05])


@given(logits(), temperatures)
def test_entropy_is_the_sum_over_classes(z, temperature):
    rows = soft_labels(z, temperature)
    expected = [-sum(p * math.log(p) for p in row if p > 0) for row in rows.tolist()]
    assert entropy(rows).tolist() == pytest.approx(expected, abs=1e-12)


def test_entropys_gradient_inside_the_simplex():
    rows = soft_labels(torch.randn(3, 4, dtype=torch.float64)).requires_grad_()
    entropy(rows).sum().backward()
    torch.testing.assert_close(rows.grad, -1 - rows.detach().log())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_comes_back_in_float32(dtype, device):
    z = torch.tensor([[1e4, -1e4, 0.0]], dtype=dtype, device=device)
    assert soft_labels(z).dtype == entropy(soft_labels(z).to(dtype)).dtype == torch.float32
    assert soft_labels(z).isfinite().all()


@pytest.mark.parametrize("temperature", [0.01, 1.0, 100.0])
def test_large_logits_stay_finite(temperature, device):
    z = (1e4 * torch.tensor([[1.0, -1.0, 0.0], [0.0, 0.0, 0.0]], device=device)).requires_grad_()
    labels = soft_labels(z, temperature)
    labels.square().sum().backward()
    assert labels.isfinite().all() and z.grad.isfinite().all()


def test_any_leading_dimensions():
    z, labels = torch.randn(2, 3, 5, 4), torch.randint(4, (2, 3, 5))
    for function in (hard_labels, soft_labels, standardised_logits, lambda z: entropy(soft_labels(z))):
        torch.testing.assert_close(function(z).flatten(0, 2), function(z.flatten(0, 2)))
    for function in (lambda labels: one_hot(labels, 4), lambda labels: smooth_labels(labels, 4)):
        torch.testing.assert_close(function(labels).flatten(0, 2), function(labels.flatten()))


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0, 1e4])
def test_large_logits_in_float32_are_right(temperature):
    z = 1e4 + torch.tensor([[0.0, -0.002, -0.02, -300.0, -2e4]])
    exact = soft_labels(z.double(), temperature)
    torch.testing.assert_close(soft_labels(z, temperature).double(), exact, rtol=1e-4, atol=1e-37)


@given(logits(), st.sampled_from([1e-12, 1e-6, 1e-3]))
def test_softmax_undoes_logits_from(z, eps):
    p = torch.softmax(z, dim=1)
    clamped = p.clamp_min(eps)
    torch.testing.assert_close(soft_labels(logits_from(p, eps)), clamped / clamped.sum(dim=1, keepdim=True))


def test_logits_from_forgives_rounded_sums_and_the_gradient_is_that_of_the_logarithm():
    p = torch.tensor([[0.503, 0.3, 0.2]], dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(logits_from(p), (p / 1.003).log())
    logits_from(p)[0, 0].backward()
    torch.testing.assert_close(p.grad, torch.tensor([[1 / 0.503 - 1 / 1.003, -1 / 1.003, -1 / 1.003]]).double())


def test_eps_at_a_high_temperature_is_the_share_that_the_docstring_says():
    certain = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    for eps, share in ((1e-6, 10**-1.5), (1e-12, 1e-3)):
        row = soft_labels(logits_from(certain, eps), 4.0)[0]
        assert (row[1] / row[0]).item() == pytest.approx(share)


@given(logits(), st.floats(0.01, 100), st.floats(-100, 100))
def test_standardised_logits_know_neither_scale_nor_shift(z, scale, shift):
    z = z + torch.arange(z.shape[1]) / 10  # no row of equal logits
    found = standardised_logits(z)
    torch.testing.assert_close(found.mean(dim=1), torch.zeros(len(z)).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.std(dim=1, correction=0), torch.ones(len(z)).double())
    torch.testing.assert_close(standardised_logits(scale * z + shift), found, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("classes", [3, 7, 10, 100])
@pytest.mark.parametrize("value", [0.1, 7.7, -3.3e4])
def test_equal_logits_have_no_deviation_and_become_0(classes, value):
    logits = torch.full((2, classes), value, requires_grad=True)
    found = standardised_logits(logits)
    assert torch.equal(found, torch.zeros(2, classes))
    found.sum().backward()
    assert logits.grad.abs().max() < 10
