"""Losses against independent oracles: closed forms, autograd, finite differences, torch's own, and their limits."""

import math
import shutil

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck
from torch.func import grad, vmap

from kdlearn import (
    decoupled_loss,
    distillation_loss,
    hard_label_loss,
    kl_divergence,
    logit_matching_loss,
    soft_label_loss,
)

LOSSES = {
    "hard_label_loss": lambda s, t, y: hard_label_loss(s, y),
    "soft_label_loss": lambda s, t, y: soft_label_loss(s, t, 3.0),
    "distillation_loss": lambda s, t, y: distillation_loss(s, t, y, temperature=3.0, soft_weight=0.7),
    "decoupled_loss": lambda s, t, y: decoupled_loss(s, t, y, temperature=3.0),
    "logit_matching_loss": lambda s, t, y: logit_matching_loss(s, t),
}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
TEMPERATURES = (0.5, 1.0, 4.0, 20.0)


def drawn(rows: int = 7, classes: int = 5, dtype=torch.float64, device="cpu", seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    student = torch.randn(rows, classes, dtype=torch.float64, generator=generator)
    teacher = 3 * torch.randn(rows, classes, dtype=torch.float64, generator=generator)
    labels = torch.randint(classes, (rows,), generator=generator)
    return student.to(device, dtype), teacher.to(device, dtype), labels.to(device)


def brute_force_kl(student: Tensor, teacher: Tensor, temperature: float) -> list[float]:
    rows = []
    for z, v in zip(student.tolist(), teacher.tolist(), strict=True):
        q, p = ([math.exp(x / temperature) for x in row] for row in (z, v))
        rows.append(sum(a / sum(p) * math.log((a / sum(p)) / (b / sum(q))) for a, b in zip(p, q, strict=True)))
    return rows


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_kl_is_the_sum_over_classes(temperature):
    student, teacher, _ = drawn()
    assert kl_divergence(student, teacher, temperature).tolist() == pytest.approx(
        brute_force_kl(student, teacher, temperature), rel=1e-10
    )


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_soft_label_loss_equals_torchs_batchmean_times_temperature_squared(temperature):
    student, teacher, _ = drawn()
    log_q, p = F.log_softmax(student / temperature, dim=1), F.softmax(teacher / temperature, dim=1)
    expected = temperature**2 * F.kl_div(log_q, p, reduction="batchmean")
    torch.testing.assert_close(soft_label_loss(student, teacher, temperature), expected)


def test_hard_label_loss_equals_torchs_cross_entropy():
    student, _, labels = drawn()
    torch.testing.assert_close(hard_label_loss(student, labels), F.cross_entropy(student, labels))


@pytest.mark.parametrize("soft_weight", [0.0, 0.3, 1.0])
def test_distillation_loss_weighs_both(soft_weight):
    student, teacher, labels = drawn()
    soft = 16 * sum(brute_force_kl(student, teacher, 4.0)) / len(student)
    hard = -sum(F.log_softmax(student, dim=1)[range(len(labels)), labels].tolist()) / len(labels)
    loss = distillation_loss(student, teacher, labels, soft_weight=soft_weight)
    assert loss.item() == pytest.approx(soft_weight * soft + (1 - soft_weight) * hard, rel=1e-10)


def test_defaults_are_the_documented_ones():
    student, teacher, labels = drawn()
    torch.testing.assert_close(soft_label_loss(student, teacher), soft_label_loss(student, teacher, 4.0))
    torch.testing.assert_close(kl_divergence(student, teacher), kl_divergence(student, teacher, 1.0))
    torch.testing.assert_close(
        distillation_loss(student, teacher, labels),
        0.9 * soft_label_loss(student, teacher, 4.0) + 0.1 * hard_label_loss(student, labels),
    )
    torch.testing.assert_close(
        decoupled_loss(student, teacher, labels),
        decoupled_loss(student, teacher, labels, target_weight=1.0, nontarget_weight=8.0, temperature=4.0),
    )


def decoupled_by_definition(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float):
    """TCKD, NCKD and the teacher's target probability, row by row from probabilities as in Zhao et al."""
    parts = []
    for z, v, y in zip(student, teacher, labels, strict=True):
        q, p = (torch.softmax(row / temperature, dim=0) for row in (z, v))
        others = [c for c in range(len(z)) if c != y]
        target = p[y] * (p[y] / q[y]).log() + (1 - p[y]) * ((1 - p[y]) / (1 - q[y])).log()
        p_hat, q_hat = p[others] / p[others].sum(), q[others] / q[others].sum()
        parts.append((target, (p_hat * (p_hat / q_hat).log()).sum(), p[y]))
    return (torch.stack(column) for column in zip(*parts, strict=True))


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("weights", [(1.0, 8.0), (2.0, 0.0), (0.0, 3.0)])
def test_decoupled_loss_is_its_definition(temperature, weights):
    student, teacher, labels = drawn()
    target_kl, nontarget_kl, _ = decoupled_by_definition(student, teacher, labels, temperature)
    expected = temperature**2 * (weights[0] * target_kl + weights[1] * nontarget_kl).mean()
    loss = decoupled_loss(
        student, teacher, labels, target_weight=weights[0], nontarget_weight=weights[1], temperature=temperature
    )
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_the_two_parts_add_up_to_kl(temperature):
    """KL = TCKD + (1 - p_target) NCKD, so a loss with that weight, row by row, is the soft label loss."""
    student, teacher, labels = drawn()
    _, _, p_target = decoupled_by_definition(student, teacher, labels, temperature)
    rows = [
        decoupled_loss(
            student[[i]],
            teacher[[i]],
            labels[[i]],
            nontarget_weight=1 - p_target[i].item(),
            temperature=temperature,
        )
        for i in range(len(labels))
    ]
    torch.testing.assert_close(torch.stack(rows).mean(), soft_label_loss(student, teacher, temperature))


def test_logit_matching_loss_is_half_the_mean_variance_of_the_difference():
    student, teacher, _ = drawn()
    expected = (student - teacher).var(dim=1, correction=0).mean() / 2
    torch.testing.assert_close(logit_matching_loss(student, teacher), expected)


@each_loss
def test_gradients_against_finite_differences(loss):
    student, teacher, labels = drawn(rows=3)
    assert gradcheck(lambda s: loss(s, teacher, labels), (student.requires_grad_(),))


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_gradient_of_the_soft_loss_in_closed_form(temperature):
    student, teacher, _ = drawn()
    gradient = grad(lambda s: soft_label_loss(s, teacher, temperature))(student)
    q, p = torch.softmax(student / temperature, 1), torch.softmax(teacher / temperature, 1)
    torch.testing.assert_close(gradient, temperature * (q - p) / len(student))


@each_loss
def test_the_teacher_gets_no_gradient(loss):
    student, teacher, labels = drawn()
    student.requires_grad_(), teacher.requires_grad_()
    loss(student, teacher, labels).backward()
    assert teacher.grad is None and student.grad.abs().sum() > 0
    assert grad(lambda t: loss(student.detach(), t, labels))(teacher.detach()).eq(0).all()


@each_loss
def test_the_value_does_not_depend_on_the_batch_size(loss):
    student, teacher, labels = drawn()
    twice = (torch.cat([values, values]) for values in (student, teacher, labels))
    torch.testing.assert_close(loss(*twice), loss(student, teacher, labels))


rows = st.lists(st.floats(-30, 30), min_size=4, max_size=4)


@given(rows, rows, st.floats(0.05, 50), st.floats(-20, 20), st.permutations(range(4)))
def test_what_holds_for_all_logits(z, v, temperature, constant, order):
    student, teacher = torch.tensor([z, v], dtype=torch.float64), torch.tensor([v, z], dtype=torch.float64)
    kl = kl_divergence(student, teacher, temperature)
    assert (kl >= -1e-12).all()
    close = {"rtol": 1e-7, "atol": 1e-9}
    torch.testing.assert_close(kl_divergence(student + constant, teacher - constant, temperature), kl, **close)
    torch.testing.assert_close(kl_divergence(student[:, order], teacher[:, order], temperature), kl, **close)
    torch.testing.assert_close(kl_divergence(student.flip(0), teacher.flip(0), temperature), kl.flip(0))
    torch.testing.assert_close(kl_divergence(student * 2, teacher * 2, temperature * 2), kl, **close)


@given(rows, st.floats(0.5, 50), st.floats(-20, 20), st.integers(0, 3), st.floats(0.01, 5))
def test_zero_exactly_when_logits_differ_by_a_constant(z, temperature, constant, index, change):
    teacher = torch.tensor([z], dtype=torch.float64)
    losses = (lambda s: soft_label_loss(s, teacher, temperature), lambda s: logit_matching_loss(s, teacher))
    changed = (teacher + constant).index_fill(1, torch.tensor([index]), z[index] + constant + change)
    share = torch.softmax(teacher / temperature, dim=1)[0, index].item()
    for loss in losses:
        assert loss(teacher + constant).item() == pytest.approx(0, abs=1e-9)
    assert losses[1](changed) > 1e-6
    if 1e-6 < share < 1 - 1e-6:  # a class without any probability could change unnoticed in float64
        assert losses[0](changed) > 1e-12


@pytest.mark.parametrize("temperature", [1e2, 1e3, 1e4])
def test_the_soft_loss_tends_to_logit_matching_with_an_error_of_order_one_over_temperature(temperature):
    student, teacher, _ = drawn()
    limit, limit_gradient = (
        f(lambda s: logit_matching_loss(s, teacher)) for f in (lambda g: g(student), lambda g: grad(g)(student))
    )
    value, gradient = (
        f(lambda s: soft_label_loss(s, teacher, temperature))
        for f in (lambda g: g(student), lambda g: grad(g)(student))
    )
    scale = 10 * teacher.abs().max() ** 3 / temperature
    assert 0 < (value - limit).abs() < scale
    assert 0 < (gradient - limit_gradient).abs().max() < scale


def test_that_error_falls_tenfold_with_a_temperature_ten_times_higher():
    student, teacher, _ = drawn()
    errors = [(soft_label_loss(student, teacher, t) - logit_matching_loss(student, teacher)).abs() for t in (1e2, 1e3)]
    assert (errors[0] / errors[1]).item() == pytest.approx(10, rel=0.2)


@each_loss
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_dtypes(loss, dtype, device):
    if device == "mps" and dtype == torch.float64:
        pytest.skip("Apple's GPUs have no float64")
    student, teacher, labels = drawn(dtype=dtype, device=device)
    value = loss(student.requires_grad_(), teacher, labels)
    value.backward()
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert student.grad.dtype == dtype
    exact = loss(student.detach().cpu().double(), teacher.cpu().double(), labels.cpu())
    torch.testing.assert_close(value.detach().cpu().double(), exact, rtol=1e-5, atol=1e-5)


@each_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("temperature", [0.01, 1.0, 100.0])
def test_large_logits_and_extreme_temperatures(loss, dtype, temperature, device):
    pattern = torch.tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    student, teacher = (1e4 * pattern).to(device, dtype).requires_grad_(), (1e4 * pattern.flip(0)).to(device, dtype)
    labels = torch.tensor([0, 1, 2], device=device)
    for value in (
        hard_label_loss(student, labels),
        soft_label_loss(student, teacher, temperature),
        distillation_loss(student, teacher, labels, temperature=temperature),
        decoupled_loss(student, teacher, labels, temperature=temperature),
        logit_matching_loss(student, teacher),
    ):
        student.grad = None
        value.backward()
        assert value.isfinite() and student.grad.isfinite().all()


@each_loss
def test_mixed_dtypes_of_student_and_stored_teacher(loss):
    student, teacher, labels = drawn(dtype=torch.float32)
    torch.testing.assert_close(loss(student, teacher.half(), labels), loss(student, teacher.half().float(), labels))


@each_loss
def test_compiled_forward_and_backward(loss, device):
    student, teacher, labels = drawn(dtype=torch.float32, device=device)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    gradients = []
    for function in (loss, compiled):
        leaf = student.clone().requires_grad_()
        function(leaf, teacher, labels).backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(gradients[1], gradients[0])
    torch.testing.assert_close(compiled(student, teacher, labels), loss(student, teacher, labels))


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler: install g++")
def test_compiled_to_machine_code_for_several_temperatures():
    student, teacher, labels = drawn(dtype=torch.float32)
    compiled = torch.compile(distillation_loss, fullgraph=True)
    for temperature in (1.0, 4.0, 7.5):
        torch.testing.assert_close(
            compiled(student, teacher, labels, temperature=temperature),
            distillation_loss(student, teacher, labels, temperature=temperature),
        )


@each_loss
def test_vmap_and_grad(loss, device):
    trios = [drawn(dtype=torch.float32, device=device, seed=seed) for seed in range(3)]
    stacked = [torch.stack(values) for values in zip(*trios, strict=True)]
    torch.testing.assert_close(vmap(loss)(*stacked), torch.stack([loss(*trio) for trio in trios]))
    gradients = torch.stack([grad(loss)(*trio) for trio in trios])
    torch.testing.assert_close(vmap(grad(loss))(*stacked), gradients)


# What goes wrong in published distillation code, each with the sign by which it is known.


def test_trap_mean_over_classes_is_too_small_by_the_number_of_classes():
    student, teacher, _ = drawn(classes=10)
    log_q, p = F.log_softmax(student, dim=1), F.softmax(teacher, dim=1)
    wrong = (p * (p.log() - log_q)).mean()  # what reduction="mean" computes
    torch.testing.assert_close(soft_label_loss(student, teacher, 1.0), 10 * wrong)


@pytest.mark.parametrize("soft_weight", [0.5, 1.0])
def test_trap_temperature_squared_forgotten_or_lost_without_a_hard_loss(soft_weight):
    """Without T² the soft gradient at T = 40 would be hundreds of times smaller than at T = 1; with it they compare."""
    student, teacher, labels = drawn()

    def soft_gradient(temperature: float) -> Tensor:
        def loss(s: Tensor) -> Tensor:
            both = distillation_loss(s, teacher, labels, temperature=temperature, soft_weight=soft_weight)
            return both - (1 - soft_weight) * hard_label_loss(s, labels)

        return grad(loss)(student).norm()

    assert 0.5 < soft_gradient(40.0) / soft_gradient(1.0) < 5


def test_trap_squared_error_of_softmaxes_is_another_loss():
    """At ten classes its gradient is tens of times weaker than that of logit matching, which it is confused with."""
    student, teacher, _ = drawn(rows=200, classes=10)
    of_softmaxes = grad(lambda s: F.mse_loss(torch.softmax(s, 1), torch.softmax(teacher, 1)))(student)
    of_logits = grad(lambda s: logit_matching_loss(s, teacher))(student)
    assert of_logits.norm() > 10 * of_softmaxes.norm()


def test_trap_probabilities_passed_where_logits_belong():
    """softmax of a softmax is nearly uniform: the loss would teach doubt. Log-probabilities are logits."""
    student, teacher, _ = drawn()
    p = torch.softmax(teacher, dim=1)
    torch.testing.assert_close(kl_divergence(student, p.log()), kl_divergence(student, teacher))
    assert (kl_divergence(student, p) - kl_divergence(student, teacher)).abs().max() > 0.1
