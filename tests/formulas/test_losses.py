"""Losses against independent oracles: closed forms, autograd, finite differences, torch's own, and their limits."""

import functools
import inspect
import math
import shutil
from collections.abc import Callable

import mpmath
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from public import PUBLIC
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, grad_and_value, jacfwd, vmap

from kdlearn import (
    decoupled_loss,
    distillation_loss,
    entropy,
    hard_label_loss,
    jensen_shannon_loss,
    kl_divergence,
    logit_matching_loss,
    reverse_kl_loss,
    soft_label_loss,
)
from kdlearn.formulas import divergences
from kdlearn.formulas.many_labels import binary_distillation_loss
from kdlearn.formulas.token_losses import top_k_loss

SETTINGS = {"soft_weight": 0.7, "teacher_share": 0.3, "share": 0.3}  # others than the defaults


def called_alike(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """With student, teacher, labels and temperature, of which it is given what it takes."""
    takes = list(inspect.signature(loss).parameters)
    settings = {name: value for name, value in SETTINGS.items() if name in takes}

    def called(s, t, y, T=3.0, **how):
        given = {"student_logits": s, "teacher_logits": t, "labels": y, "temperature": T}
        return loss(**{name: value for name, value in given.items() if name in takes}, **settings, **how)

    return called


EVERY = [loss for name, loss in PUBLIC.items() if name.endswith("_loss")]
ON_LOGITS = [loss for loss in EVERY if {"student_logits", "mask"} <= set(inspect.signature(loss).parameters)]
LOSSES = {loss.__name__: called_alike(loss) for loss in ON_LOGITS if loss not in (binary_distillation_loss, top_k_loss)}


def of_the_likeliest(s, t, y, T=3.0, *, tail="bucket", **how):
    """A bucket has a temperature where all of the teacher's logits are there."""
    if tail == "nothing":
        return top_k_loss(s, *t.topk(1), T, tail=tail, **how)
    s, t = (t0.float() if t0.dtype.itemsize < 4 else t0 for t0 in (s, t))
    return T**2 * top_k_loss(divergences.scaled(s, T), *divergences.log_softmax(t, T).topk(1), **how)


LOSSES["top_k_loss"] = of_the_likeliest
LOSSES["top_k_loss without a tail"] = functools.partial(of_the_likeliest, tail="nothing")
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
    """TCKD and NCKD, row by row from probabilities as in Zhao et al."""
    parts = []
    for z, v, y in zip(student, teacher, labels, strict=True):
        q, p = (torch.softmax(row / temperature, dim=0) for row in (z, v))
        others = [c for c in range(len(z)) if c != y]
        target = p[y] * (p[y] / q[y]).log() + (1 - p[y]) * ((1 - p[y]) / (1 - q[y])).log()
        p_hat, q_hat = p[others] / p[others].sum(), q[others] / q[others].sum()
        parts.append((target, (p_hat * (p_hat / q_hat).log()).sum()))
    return (torch.stack(column) for column in zip(*parts, strict=True))


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("weights", [(1.0, 8.0), (2.0, 0.0), (0.0, 3.0)])
def test_decoupled_loss_is_its_definition(temperature, weights):
    student, teacher, labels = drawn()
    target_kl, nontarget_kl = decoupled_by_definition(student, teacher, labels, temperature)
    expected = temperature**2 * (weights[0] * target_kl + weights[1] * nontarget_kl).mean()
    loss = decoupled_loss(
        student, teacher, labels, target_weight=weights[0], nontarget_weight=weights[1], temperature=temperature
    )
    torch.testing.assert_close(loss, expected)


def test_logit_matching_loss_is_half_the_mean_variance_of_the_difference():
    student, teacher, _ = drawn()
    expected = (student - teacher).var(dim=1, correction=0).mean() / 2
    torch.testing.assert_close(logit_matching_loss(student, teacher), expected)


@each_loss
def test_derivatives_against_finite_differences(loss):
    student, teacher, labels = drawn(rows=3)
    near = teacher + 1e-3 * student
    assert gradcheck(lambda s: loss(s, teacher, labels), (student.requires_grad_(),))
    assert gradgradcheck(lambda s: loss(s, teacher, labels), (student,))
    assert gradcheck(lambda s: 1e3 * loss(s, teacher, labels), (near.requires_grad_(),), eps=1e-5, atol=1e-6)


@each_loss
def test_the_teacher_gets_no_gradient(loss):
    student, teacher, labels = drawn()
    student.requires_grad_(), teacher.requires_grad_()
    loss(student, teacher, labels).backward()
    assert teacher.grad is None and student.grad.abs().sum() > 0
    assert grad(lambda t: loss(student.detach(), t, labels))(teacher.detach()).eq(0).all()


# Any shape, with and without a mask


@st.composite
def batches(draw):
    """Logits of student and teacher, labels, a mask that keeps at least one label, and a temperature."""
    shape = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    student, teacher = (
        torch.randn(*shape, draw_classes, dtype=torch.float64, generator=generator)
        for draw_classes in [draw(st.integers(2, 5))] * 2
    )
    labels = torch.randint(student.shape[-1], shape, generator=generator)
    mask = torch.rand(shape, generator=generator) < 0.6
    mask.flatten()[0] = True
    return student, teacher, labels, mask, draw(st.sampled_from([0.1, 1.0, 7.0]))


@pytest.mark.filterwarnings("ignore::kdlearn.formulas.arguments.LooksLikeProbabilities")
@each_loss
@given(batches())
def test_a_value_for_each_label_and_their_mean(loss, batch):
    student, teacher, labels, mask, T = batch
    values = loss(student, teacher, labels, T, reduction="none")
    singly = [
        loss(z[None], v[None], y[None], T)
        for z, v, y in zip(student.flatten(0, -2), teacher.flatten(0, -2), labels.flatten(), strict=True)
    ]
    torch.testing.assert_close(values, torch.stack(singly).reshape(labels.shape))
    torch.testing.assert_close(loss(student, teacher, labels, T), values.mean())
    torch.testing.assert_close(loss(student, teacher, labels, T, mask=mask), values[mask].mean())
    masked = loss(student, teacher, labels, T, mask=mask, reduction="none")
    torch.testing.assert_close(masked, values * mask)


@each_loss
@given(batches(), st.sampled_from([math.nan, math.inf, -math.inf, 1e30]))
def test_what_is_masked_is_neither_checked_nor_felt(loss, batch, value):
    student, teacher, labels, mask, T = batch
    dirty = [torch.where(mask.unsqueeze(-1), logits, value).requires_grad_() for logits in (student, teacher)]
    dirty_labels = torch.where(mask, labels, -100)
    for reduction in ("mean", "none"):
        clean = student.clone().requires_grad_()
        expected = loss(clean, teacher, labels, T, mask=mask, reduction=reduction)
        found = loss(*dirty, dirty_labels, T, mask=mask, reduction=reduction)
        torch.testing.assert_close(found, expected)
        dirty[0].grad = None
        found.sum().backward(), expected.sum().backward()
        torch.testing.assert_close(dirty[0].grad, clean.grad)
        assert dirty[0].grad[~mask].eq(0).all()


# Labels of -100, as torch and the libraries built on it write what does not count


@given(batches())
def test_cross_entropy_ignores_minus_100_as_torch_does(batch):
    student, _, labels, mask, _ = batch
    ignoring = torch.where(mask, labels, -100)
    rows = [student.flatten(0, -2).clone().requires_grad_() for _ in range(2)]
    for reduction in ("mean", "none"):
        found = hard_label_loss(rows[0].view(student.shape), ignoring, reduction=reduction)
        expected = F.cross_entropy(rows[1], ignoring.flatten(), ignore_index=-100, reduction=reduction)
        torch.testing.assert_close(found, expected.view(found.shape))
        gradients = [
            torch.autograd.grad(values.sum(), row)[0] for values, row in zip((found, expected), rows, strict=True)
        ]
        torch.testing.assert_close(*gradients)


with_labels = pytest.mark.parametrize("name", ["hard_label_loss", "distillation_loss", "decoupled_loss"])


@with_labels
@given(batches())
def test_minus_100_is_a_mask(name, batch):
    student, teacher, labels, mask, T = batch
    ignoring, other = torch.where(mask, labels, -100), labels > 0
    other.flatten()[0] = True
    for given_mask, both in ((None, mask), (other, mask & other)):
        for reduction in ("mean", "none"):
            values, gradients = [], []
            for y, m in ((ignoring, given_mask), (labels, both)):
                z = student.clone().requires_grad_()
                values.append(LOSSES[name](z, teacher, y, T, mask=m, reduction=reduction))
                gradients.append(torch.autograd.grad(values[-1].sum(), z)[0])
            torch.testing.assert_close(*values)
            torch.testing.assert_close(*gradients)


@with_labels
def test_a_batch_in_parts_has_the_gradient_of_the_whole_with_the_count_of_all_parts(name):
    """With 1, 4 and 7 labels that count in the three parts, where the mean of their means is another."""
    loss, (student, teacher, labels) = LOSSES[name], drawn(21)
    labels = torch.where(torch.tensor([0] + [-100] * 6 + [0] * 4 + [-100] * 3 + [0] * 7) == 0, labels, -100)
    student.requires_grad_()
    parts = list(zip(student.split(7), teacher.split(7), labels.split(7), strict=True))
    assert [int((y != -100).sum()) for _, _, y in parts] == [1, 4, 7]
    (whole,) = torch.autograd.grad(loss(student, teacher, labels), student)
    for z, v, y in parts:
        (loss(z, v, y, reduction="none").sum() / (labels != -100).sum()).backward()
    torch.testing.assert_close(student.grad, whole, rtol=0, atol=1e-6)
    (of_means,) = torch.autograd.grad(sum(loss(*part) for part in parts) / 3, student)
    assert (of_means - whole).abs().amax() > 1e-3


@with_labels
def test_minus_100_where_values_are_not_read(name, device):
    """In a stack, compiled, and on a device: as on the CPU."""
    torch.compiler.reset()
    student, teacher, labels = drawn()
    ignoring = torch.where(torch.arange(7) % 3 > 0, labels, -100)
    loss = LOSSES[name]
    for reduction in ("mean", "none"):
        call = functools.partial(loss, reduction=reduction)
        expected = call(student, teacher, ignoring)
        stacked = vmap(call)(*(one[None] for one in (student, teacher, ignoring)))
        torch.testing.assert_close(stacked[0], expected)
        compiled = torch.compile(call, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(student, teacher, ignoring), expected)
        placed = call(*(one.to(device) for one in (student.float(), teacher.float(), ignoring)))
        torch.testing.assert_close(placed.cpu().double(), expected, rtol=1e-4, atol=1e-4)


@with_labels
def test_labels_that_are_all_minus_100_have_no_mean(name):
    student, teacher, labels = drawn()
    for y, mask in ((torch.full_like(labels, -100), None), (torch.where(labels > 1, -100, labels), labels > 1)):
        with pytest.raises(ValueError, match="at least one label that is not -100: there is no mean of none"):
            LOSSES[name](student, teacher, y, mask=mask)
        assert LOSSES[name](student, teacher, y, mask=mask, reduction="none").eq(0).all()


@each_loss
def test_under_vmap_with_a_mask_and_a_temperature_for_each_student(loss, device):
    trios = [drawn(dtype=torch.float32, device=device, seed=seed) for seed in range(3)]
    students, teachers, labels = (torch.stack(values) for values in zip(*trios, strict=True))
    temperatures, mask = torch.tensor([0.5, 2.0, 40.0], device=device), torch.arange(7, device=device) < 5
    stacked = grad_and_value(lambda s, t, y, T: loss(s, t, y, T, mask=mask))
    gradients, values = vmap(stacked)(students, teachers, labels, temperatures)
    for index, trio in enumerate(trios):
        gradient, value = stacked(*trio, temperatures[index].item())
        torch.testing.assert_close(values[index], value, rtol=3e-4, atol=1e-6)
        torch.testing.assert_close(gradients[index], gradient, rtol=3e-4, atol=1e-6)
    shared = vmap(stacked, in_dims=(0, None, None, 0))(students, teachers[0], labels[0], temperatures)
    torch.testing.assert_close((shared[0][0], shared[1][0]), (gradients[0], values[0]))


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (distillation_loss, "soft_weight"),
        (decoupled_loss, "target_weight"),
        (decoupled_loss, "nontarget_weight"),
    ],
)
def test_under_vmap_with_a_weight_for_each_student(loss, name):
    student, teacher, labels = drawn(dtype=torch.float32)
    weights = torch.tensor([0.0, 0.25, 1.0])
    found = vmap(lambda weight: loss(student, teacher, labels, **{name: weight}))(weights)
    expected = [loss(student, teacher, labels, **{name: weight}) for weight in weights.tolist()]
    torch.testing.assert_close(found, torch.stack(expected))


@each_loss
def test_compiled_stack_of_students(loss):
    torch.compiler.reset()
    trios = [drawn(dtype=torch.float32, seed=seed) for seed in range(3)]
    stacked = [torch.stack(values) for values in zip(*trios, strict=True)]
    temperatures = torch.tensor([0.5, 2.0, 40.0])
    function = vmap(grad(lambda s, t, y, T: loss(s, t, y, T)))
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*stacked, temperatures), function(*stacked, temperatures))


# The extremes, against 60 digits


def exact(student: list[float], teacher: list[float], label: int, T: float) -> dict[str, tuple]:
    """Value and gradient of each loss of one row by its definition, in 60 digits."""
    with mpmath.workdps(60):
        z, v = ([mpmath.mpf(x) for x in row] for row in (student, teacher))
        (log_q, q), (log_p, p), (log_q1, q1) = (log_softmax(row, t) for row, t in ((z, T), (v, T), (z, 1)))
        beta, classes = mpmath.mpf(0.3), range(len(z))
        m = [beta * a + (1 - beta) * b for a, b in zip(p, q, strict=True)]
        kl = mpmath.fsum(p[c] * (log_p[c] - log_q[c]) for c in classes)
        reverse = mpmath.fsum(q[c] * (log_q[c] - log_p[c]) for c in classes)
        p_to_m = mpmath.fsum(p[c] * (log_p[c] - mpmath.log(m[c])) for c in classes)
        q_to_m = mpmath.fsum(q[c] * (log_q[c] - mpmath.log(m[c])) for c in classes)
        difference = [a - b for a, b in zip(z, v, strict=True)]
        centred = [d - mpmath.fsum(difference) / len(z) for d in difference]
        return {
            "hard_label_loss": (-log_q1[label], [q1[c] - (c == label) for c in classes]),
            "soft_label_loss": (T**2 * kl, [T * (q[c] - p[c]) for c in classes]),
            "reverse_kl_loss": (T**2 * reverse, [T * q[c] * (log_q[c] - log_p[c] - reverse) for c in classes]),
            "jensen_shannon_loss": (
                T**2 * (beta * p_to_m + (1 - beta) * q_to_m),
                [T * (1 - beta) * q[c] * (log_q[c] - mpmath.log(m[c]) - q_to_m) for c in classes],
            ),
            "logit_matching_loss": (
                mpmath.fsum(d**2 for d in centred) / (2 * len(z)),
                [d / len(z) for d in centred],
            ),
        }


def log_softmax(logits: list, T: float) -> tuple[list, list]:
    powers = [mpmath.exp((value - max(logits)) / T) for value in logits]
    log_total = mpmath.log(mpmath.fsum(powers)) + max(logits) / T
    return [value / T - log_total for value in logits], [power / mpmath.fsum(powers) for power in powers]


finite = st.floats(-1e4, 1e4, width=32)
ordinary = st.floats(-8, 8, width=32)


@st.composite
def extreme_rows(draw):
    """A row each, in float32: large, ordinary, nearly equal, or equal but for a large constant."""
    num_classes = draw(st.integers(2, 6))
    numbers = draw(st.sampled_from([finite, ordinary]))
    teacher = torch.tensor([draw(st.lists(numbers, min_size=num_classes, max_size=num_classes))])
    other = torch.tensor([draw(st.lists(numbers, min_size=num_classes, max_size=num_classes))])
    how = draw(st.sampled_from(["unrelated", "near", "shifted"]))
    student = {"unrelated": other, "near": teacher + 1e-4 * other, "shifted": teacher + 5e3 + 1e-3 * other}[how]
    temperature = draw(st.sampled_from([0.05, 0.1, 1.0, 4.0, 20.0, 100.0]))
    return student.clamp(-2e4, 2e4), teacher, draw(st.integers(0, num_classes - 1)), temperature


@pytest.mark.filterwarnings("ignore::kdlearn.formulas.arguments.LooksLikeProbabilities")
@pytest.mark.parametrize("name", exact([0.0, 1.0], [1.0, 0.0], 0, 1.0))
@given(extreme_rows())
def test_extremes_are_right_in_float32(name, case):
    student, teacher, label, T = case
    student.requires_grad_()
    found = LOSSES[name](student, teacher, torch.tensor([label]), T)
    student.grad = None
    found.backward()
    value, gradient = exact(student.tolist()[0], teacher.tolist()[0], label, T)[name]
    T = 1 if name in ("hard_label_loss", "logit_matching_loss") else T
    rounded = 1e-7 * max(student.abs().max(), teacher.abs().max()).item() if name == "logit_matching_loss" else 0
    size = max(abs(part) for part in gradient)
    assert abs(found.item() - value) <= 1e-5 * T**2 + 1e-4 * abs(value) + rounded * (len(gradient) * size + rounded)
    for part, true in zip(student.grad.tolist()[0], gradient, strict=True):
        assert abs(part - true) <= 1e-5 * T + 1e-4 * size + rounded


@pytest.mark.filterwarnings("ignore::kdlearn.formulas.arguments.LooksLikeProbabilities")
@given(extreme_rows())
def test_the_decoupled_parts_of_extremes(case):
    """Each part is right to 1e-4 of itself and 1e-5 T²."""
    student, teacher, label, T = case
    labels = torch.tensor([label])
    for weights in ({"nontarget_weight": 0.0}, {"target_weight": 0.0, "nontarget_weight": 1.0}):
        found, true = (
            decoupled_loss(s.to(dtype).requires_grad_(), teacher.to(dtype), labels, temperature=T, **weights)
            for s, dtype in ((student, torch.float32), (student, torch.float64))
        )
        assert abs(found.item() - true.item()) <= 1e-5 * T**2 + 1e-4 * abs(true.item())


@each_loss
def test_under_autocast_value_and_gradient_are_those_without_it(loss):
    student, teacher, labels = drawn(dtype=torch.float32)
    student = torch.where(torch.arange(7).unsqueeze(1) < 3, teacher + 1e-3 * student, student)
    found = []
    for enabled in (False, True):
        leaf = student.clone().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            value = loss(leaf, teacher, labels)
        value.backward()
        found.append((value, leaf.grad))
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])


@each_loss
def test_forward_mode_gives_the_gradient_of_backward_mode(loss):
    student, teacher, labels = drawn()
    expected = grad(loss)(student, teacher, labels)
    torch.testing.assert_close(jacfwd(loss)(student, teacher, labels), expected)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_reverse_kl_is_kl_with_the_roles_exchanged(temperature):
    student, teacher, _ = drawn()
    loss = reverse_kl_loss(student, teacher, temperature, reduction="none")
    torch.testing.assert_close(loss / temperature**2, kl_divergence(teacher, student, temperature))


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_jensen_shannon_is_the_entropy_of_the_mixture_less_the_mean_entropy(temperature, share):
    student, teacher, _ = drawn()
    q, p = (torch.softmax(logits / temperature, 1) for logits in (student, teacher))
    expected = entropy(share * p + (1 - share) * q) - share * entropy(p) - (1 - share) * entropy(q)
    loss = jensen_shannon_loss(student, teacher, temperature, share, reduction="none")
    torch.testing.assert_close(loss / temperature**2, expected)


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
@pytest.mark.parametrize("temperature", [0.05, 1.0, 100.0])
def test_large_logits_and_extreme_temperatures(loss, dtype, temperature, device):
    pattern = torch.tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    student, teacher = (1e4 * pattern).to(device, dtype).requires_grad_(), (1e4 * pattern.flip(0)).to(device, dtype)
    labels = torch.tensor([0, 1, 2], device=device)
    value = loss(student, teacher, labels, temperature)
    value.backward()
    assert value.isfinite() and student.grad.isfinite().all()
    exact = loss(student.detach().cpu().double(), teacher.cpu().double(), labels.cpu(), temperature)
    torch.testing.assert_close(value.detach().cpu().double(), exact, rtol=1e-3, atol=1e-3)


@each_loss
def test_mixed_dtypes_of_student_and_stored_teacher(loss):
    student, teacher, labels = drawn(dtype=torch.float32)
    torch.testing.assert_close(loss(student, teacher.half(), labels), loss(student, teacher.half().float(), labels))


@each_loss
def test_compiled_forward_and_backward(loss, device):
    torch.compiler.reset()
    student, teacher, labels = drawn(dtype=torch.float32, device=device)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    gradients = []
    for function in (loss, compiled):
        leaf = student.clone().requires_grad_()
        function(leaf, teacher, labels).backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(gradients[1], gradients[0])
    torch.testing.assert_close(compiled(student, teacher, labels), loss(student, teacher, labels))


@pytest.mark.release
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler: install g++")
def test_compiled_to_machine_code_for_several_temperatures():
    student, teacher, labels = drawn(dtype=torch.float32)
    compiled = torch.compile(distillation_loss, fullgraph=True)
    for temperature in (1.0, 4.0, 7.5):
        torch.testing.assert_close(
            compiled(student, teacher, labels, temperature=temperature),
            distillation_loss(student, teacher, labels, temperature=temperature),
        )
