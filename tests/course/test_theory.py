"""The closed forms against autograd, central differences and brute force, in float64."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.autograd import grad
from torch.func import jacrev, vmap

from kdcourse import theory
from kdlearn import (
    decoupled_loss,
    distillation_loss,
    entropy,
    kl_divergence,
    logit_matching_loss,
    soft_label_loss,
)

TEMPERATURES = (0.5, 1.0, 4.0, 20.0)
each_temperature = pytest.mark.parametrize("T", TEMPERATURES)


def drawn(rows: int = 20, classes: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(rows, classes, dtype=torch.float64, generator=generator)
    v = 3 * torch.randn(rows, classes, dtype=torch.float64, generator=generator)
    return z, v, torch.randint(classes, (rows,), generator=generator)


def by_autograd(loss, z):
    z = z.clone().requires_grad_()
    return grad(loss(z).sum(), z)[0]


def by_differences(loss, z, step=1e-5):
    """Central differences; `loss` gives one value a row, so that all rows move at once."""
    moves = step * torch.eye(z.shape[1], dtype=z.dtype)
    return torch.stack([(loss(z + move) - loss(z - move)) / (2 * step) for move in moves], dim=1)


def close(left, right, tolerance=1e-10):
    torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance)


def test_softmax_at_a_temperature_a_row():
    z, _, _ = drawn(rows=4)
    T = torch.tensor([[0.5], [1.0], [4.0], [20.0]], dtype=torch.float64)
    for row, (logits, temperature) in enumerate(zip(z.tolist(), TEMPERATURES, strict=True)):
        powers = [math.exp(logit / temperature) for logit in logits]
        assert theory.softmax(z, T)[row].tolist() == pytest.approx([power / sum(powers) for power in powers])


def test_centred_rows_sum_to_zero_and_keep_their_differences():
    z, _, _ = drawn()
    close(theory.centred(z).sum(1), torch.zeros(20, dtype=torch.float64))
    close(theory.centred(z).diff(dim=1), z.diff(dim=1))


@each_temperature
def test_entropy_grows_with_the_temperature_by_the_variance_of_the_logits(T):
    _, v, _ = drawn()
    slope = (entropy((v / (T + 1e-5)).softmax(1)) - entropy((v / (T - 1e-5)).softmax(1))) / 2e-5
    close(theory.entropy_slope(v, T), slope, 1e-6)
    assert (theory.entropy_slope(v, T) > 0).all()


def test_effective_classes_run_from_one_to_all():
    assert theory.effective_classes(torch.tensor([[0.0, 0.0, 0.0, 0.0]])).item() == pytest.approx(4)
    assert theory.effective_classes(torch.tensor([[1000.0, 0.0, 0.0, 0.0]])).item() == pytest.approx(1)
    assert theory.effective_classes(torch.tensor([[5.0, 5.0, -1000.0]]), 2.0).item() == pytest.approx(2)


def test_the_jacobian_of_softmax():
    z, _, _ = drawn()
    close(theory.softmax_jacobian(z), vmap(jacrev(lambda row: row.softmax(0)))(z))


def test_the_gradient_of_cross_entropy():
    z, _, y = drawn()
    close(theory.cross_entropy_gradient(z, y), by_autograd(lambda z: -z.log_softmax(1)[range(20), y], z))


@each_temperature
def test_the_gradient_of_the_soft_loss(T):
    z, v, _ = drawn()
    close(theory.soft_label_gradient(z, v, T), 20 * by_autograd(lambda z: soft_label_loss(z, v, T), z))
    close(theory.soft_label_gradient(z, v, T), by_differences(lambda z: T**2 * kl_divergence(z, v, T), z), 1e-6)


@each_temperature
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_the_gradient_of_the_distillation_loss(T, weight):
    z, v, y = drawn()
    options = {"temperature": T, "soft_weight": weight}
    found = theory.distillation_gradient(z, v, y, **options)
    close(found, 20 * by_autograd(lambda z: distillation_loss(z, v, y, **options), z))


def test_logit_matching_is_the_limit_at_high_temperature():
    z, v, _ = drawn()
    close(theory.logit_matching_gradient(z, v), 20 * by_autograd(lambda z: logit_matching_loss(z, v), z))
    close(theory.logit_matching_gradient(z, v), theory.soft_label_gradient(z, v, 1e6), 1e-5)


def test_label_matching_is_the_limit_at_low_temperature():
    z, v, _ = drawn()
    z, v = z.argsort(dim=1).double(), v.argsort(dim=1).double()  # whole numbers: the best is ahead by 1
    close(theory.label_matching_gradient(z, v).double(), theory.soft_label_gradient(z, v, 0.01) / 0.01)
    assert theory.label_matching_gradient(z, z).abs().max() == 0


@each_temperature
def test_the_gradient_of_reverse_kl(T):
    z, v, _ = drawn()
    close(theory.reverse_kl_gradient(z, v, T), by_differences(lambda z: kl_divergence(v, z, T), z), 1e-6)


def test_reverse_kl_has_no_gradient_where_the_student_sees_nothing():
    z, v = torch.tensor([[0.0, 0.0, -60.0]]), torch.tensor([[0.0, 0.0, 5.0]])
    assert theory.reverse_kl_gradient(z, v)[0, 2].abs() < 1e-20
    assert theory.soft_label_gradient(z, v, 1.0)[0, 2] < -0.9


@each_temperature
def test_the_gradient_of_the_squared_error_of_softmaxes(T):
    z, v, _ = drawn()

    def half_squared_error(z):
        return ((z / T).softmax(1) - (v / T).softmax(1)).square().sum(1) / 2

    close(theory.softmax_error_gradient(z, v, T), by_autograd(half_squared_error, z))


@each_temperature
def test_the_hessian_of_the_soft_loss(T):
    z, v, _ = drawn(rows=5)
    found = vmap(jacrev(jacrev(lambda z, v: T**2 * kl_divergence(z[None], v[None], T)[0])))(z, v)
    close(theory.soft_label_hessian(z, T), found)
    assert (torch.linalg.eigvalsh(found) > -1e-12).all()


def test_the_weight_of_an_example():
    z, v, y = drawn()
    rows = torch.arange(20)
    ratio = theory.soft_label_gradient(z, v, 1.0)[rows, y] / theory.cross_entropy_gradient(z, y)[rows, y]
    close(theory.example_weight(z, v, y), ratio)
    one_hot = torch.eye(6, dtype=torch.float64)[y]
    close(theory.example_weight(z, 1000 * one_hot, y), torch.ones(20, dtype=torch.float64))


@each_temperature
def test_the_decoupled_parts_add_up_to_kl(T):
    z, v, y = drawn()
    target, nontarget, p_y = theory.decoupled_parts(z, v, y, T)
    close(target + (1 - p_y) * nontarget, kl_divergence(z, v, T))
    loss = decoupled_loss(z, v, y, temperature=T, target_weight=2.0, nontarget_weight=3.0)
    close(T**2 * (2 * target + 3 * nontarget).mean(), loss)


def test_a_temperature_a_row_is_that_rows_temperature():
    z, v, y = drawn(rows=4)
    T = torch.tensor([[0.5], [1.0], [4.0], [20.0]], dtype=torch.float64)
    functions = {
        "slope": lambda z, v, y, T: theory.entropy_slope(v, T),
        "classes": lambda z, v, y, T: theory.effective_classes(v, T),
        "soft": lambda z, v, y, T: theory.soft_label_gradient(z, v, T),
        "both": lambda z, v, y, T: theory.distillation_gradient(z, v, y, temperature=T),
        "reverse": lambda z, v, y, T: theory.reverse_kl_gradient(z, v, T),
        "error": lambda z, v, y, T: theory.softmax_error_gradient(z, v, T),
        "parts": lambda z, v, y, T: torch.stack(theory.decoupled_parts(z, v, y, T), dim=1),
    }
    for name, function in functions.items():
        together = function(z, v, y, T)
        for row, temperature in enumerate(TEMPERATURES):
            part = slice(row, row + 1)
            alone = function(z[part], v[part], y[part], temperature)
            torch.testing.assert_close(together[part], alone, msg=lambda text, name=name: f"{name}: {text}")


def test_every_public_function_is_tested_here():
    tests = Path(__file__).read_text(encoding="utf-8")
    public = [name for name, value in vars(theory).items() if getattr(value, "__module__", "") == theory.__name__]
    assert len(public) > 12
    assert [name for name in public if f"theory.{name}(" not in tests] == []
