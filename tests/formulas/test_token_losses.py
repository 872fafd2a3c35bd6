"""Losses of language models against their definitions on probabilities, and the mean over many draws."""

import math

import pytest
import torch
from torch import Tensor

from kdlearn import Batch, kl_divergence, one_hot
from kdlearn.formulas.divergences import log_softmax, scaled
from kdlearn.formulas.token_losses import skewed_kl_loss, skewed_reverse_kl_loss, top_k_loss
from kdlearn.training.token_strategies import TopK

LOSSES = {
    "skewed": lambda s, t, T=3.0, **how: skewed_kl_loss(s, t, T, 0.3, **how),
    "skewed reverse": lambda s, t, T=3.0, **how: skewed_reverse_kl_loss(s, t, T, 0.3, **how),
    "bucket": lambda s, t, T=3.0, **how: T**2 * top_k_loss(scaled(s, T), *log_softmax(t, T).topk(2), **how),
    "nothing": lambda s, t, T=3.0, **how: top_k_loss(s, *t.topk(2), T, tail="nothing", **how),
}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
each_temperature = pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
DRAWS = 40_000


def drawn(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(2, *(shape or (7, 5)), generator=generator, dtype=torch.float64)
    return student.to(dtype), (3 * teacher).to(dtype)


def distributions(student: Tensor, teacher: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    return (teacher / temperature).softmax(-1), (student / temperature).softmax(-1)


def divergence(p: Tensor, q: Tensor) -> Tensor:
    return (p * (p / q).log()).sum(-1)


@each_temperature
@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_skewed_divergences_are_those_to_the_mixture(temperature, share):
    student, teacher = drawn()
    p, q = distributions(student, teacher, temperature)
    forward, reverse = divergence(p, share * p + (1 - share) * q), divergence(q, share * q + (1 - share) * p)
    for loss, expected in ((skewed_kl_loss, forward), (skewed_reverse_kl_loss, reverse)):
        found = loss(student, teacher, temperature, share, reduction="none")
        torch.testing.assert_close(found, temperature**2 * expected)


def test_skewed_divergences_are_bounded_where_the_others_are_not():
    student, teacher = torch.tensor([[1e4, 0.0]]), torch.tensor([[0.0, 1e4]])
    for loss in (skewed_kl_loss, skewed_reverse_kl_loss):
        assert loss(student, teacher, 1.0, 0.1).item() == pytest.approx(math.log(10))


@each_temperature
@pytest.mark.parametrize("k", [1, 2, 4])
def test_top_k_by_its_definition(temperature, k):
    student, teacher = drawn()
    for z, v in zip(student, teacher, strict=True):
        p, q = distributions(z, v, temperature)
        likeliest = sorted(range(5), key=lambda place: -p[place])[:k]
        p_k, q_k = p[likeliest], q[likeliest]
        rest = (1 - p_k.sum()) * ((1 - p_k.sum()) / (1 - q_k.sum())).log()
        expected = {"bucket": (p_k * (p_k / q_k).log()).sum() + rest, "nothing": divergence(p_k / p_k.sum(), q_k)}
        for tail, value in expected.items():
            known = (v / temperature).log_softmax(-1)[None].topk(k)
            found = top_k_loss(z[None] / temperature, *known, tail=tail)
            torch.testing.assert_close(found, value)
        found = top_k_loss(z[None], *v[None].topk(k), temperature, tail="nothing")  # of raw logits
        torch.testing.assert_close(found, temperature**2 * expected["nothing"])


def test_what_a_bucket_leaves_out_is_the_divergence_within_the_tail():
    student, teacher = drawn(200, 6)
    order = teacher.argsort(-1, descending=True)
    p, q = (one.gather(-1, order) for one in distributions(student, teacher, 1.0))
    left = p[:, 3:].sum(-1)
    within = divergence(p[:, 3:] / left[:, None], q[:, 3:] / q[:, 3:].sum(-1, True))
    found = top_k_loss(student, *teacher.log_softmax(-1).topk(3), reduction="none")
    torch.testing.assert_close(kl_divergence(student, teacher) - found, left * within)


def test_the_teacher_itself_is_pushed_away_where_the_tail_is_nothing():
    _, teacher = drawn()
    for tail, pushed in (("bucket", False), ("nothing", True)):
        student = teacher.clone().requires_grad_()
        top_k_loss(student, *teacher.log_softmax(-1).topk(2), tail=tail).backward()
        assert (student.grad.abs().amax() > (0.01 if pushed else 1e-12)) == pushed
    p = teacher.softmax(-1)
    kept = p >= p.topk(2).values[:, -1:]
    best = torch.where(kept, teacher, -60.0).requires_grad_()  # the two likeliest in the same ratio, and nothing else
    loss = top_k_loss(best, *teacher.topk(2), tail="nothing")
    loss.backward()
    assert loss < 1e-9 and best.grad.abs().amax() < 1e-9


@pytest.mark.parametrize("k", [0, 1, 3])
def test_a_drawn_tail_has_no_bias_and_a_variance_in_closed_form(k):
    student, teacher = drawn(1, 5, seed=1)
    p, q = (one[0].sort(descending=True) for one in distributions(student, teacher, 2.0))
    p, q = p.values, distributions(student, teacher, 2.0)[1][0][p.indices]
    rest, ratio = p[k:].sum(), (p / q).log()[k:]
    shares = p[k:] / rest
    variance = rest**2 * ((shares * ratio.square()).sum() - (shares * ratio).sum() ** 2)
    many = student.expand(DRAWS, 5).clone().requires_grad_()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        values = TopK(2.0, k, "sampled")(many, Batch(None, teacher_logits=teacher.expand(DRAWS, 5))) / 4
    assert values.var().item() == pytest.approx(variance.item(), rel=0.05)
    error = (variance / DRAWS).sqrt().item()
    assert values.mean().item() == pytest.approx(kl_divergence(student, teacher, 2.0).item(), abs=4 * error)
    values.sum().backward()
    errors = many.grad.std(0) / math.sqrt(DRAWS)
    expected = (distributions(student, teacher, 2.0)[1] - distributions(student, teacher, 2.0)[0])[0] / 2
    assert ((many.grad.mean(0) - expected).abs() <= 4 * errors + 1e-12).all()


def test_with_every_class_in_the_tail_the_gradient_is_that_of_a_drawn_label():
    student, teacher = drawn(300, 5)
    student.requires_grad_()
    drawn_places = torch.arange(300).unsqueeze(1) % 5
    drawn_values = teacher.log_softmax(-1).gather(-1, drawn_places)
    top_k_loss(student, drawn_values, drawn_places, tail="sampled", reduction="none").sum().backward()
    labels = one_hot(drawn_places.squeeze(1), 5)
    torch.testing.assert_close(student.grad, student.detach().softmax(-1) - labels.double())


@each_loss
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("temperature", [0.05, 1.0, 100.0])
def test_float32_is_right_for_extreme_logits_and_temperatures(loss, scale, temperature):
    student, teacher = (scale * one for one in drawn(50, 6, dtype=torch.float32))
    teacher = student + 0.5 * (teacher - student)
    found, expected = student.clone().requires_grad_(), student.double().requires_grad_()
    values = [loss(one, teacher.to(one.dtype), temperature, reduction="none") for one in (found, expected)]
    for value in values:
        value.sum().backward()
    torch.testing.assert_close(values[0].double(), values[1], rtol=1e-4, atol=1e-5 * temperature**2)
    size = expected.grad.abs().amax(dim=-1, keepdim=True)
    assert ((found.grad - expected.grad).abs() <= 1e-5 * temperature + 1e-4 * size).all()


def test_what_cannot_be_taken_is_refused():
    student, teacher = drawn()
    for loss in (skewed_kl_loss, skewed_reverse_kl_loss):
        with pytest.raises(ValueError, match="share must be below 1"):
            loss(student, teacher, 1.0, 1.0)


def test_what_is_sold_by_an_interface_is_the_divergence_by_brute_force():
    """Log-probabilities at T = 1 and their tokens, in any order, `(batch, time, k)`; float16 as they may be stored."""
    student, teacher = drawn(2, 3, 6)
    indices = torch.stack([torch.randperm(6, generator=torch.Generator().manual_seed(row))[:3] for row in range(6)])
    indices = indices.view(2, 3, 3)
    values = teacher.log_softmax(-1).gather(-1, indices)
    expected = torch.zeros(2, 3, dtype=torch.float64)
    for place in [(row, time) for row in range(2) for time in range(3)]:
        p, q = teacher[place].softmax(-1), student[place].softmax(-1)
        known = indices[place].tolist()
        rest = [sum(one[c] for c in range(6) if c not in known) for one in (p, q)]
        expected[place] = sum(p[c] * (p[c] / q[c]).log() for c in known) + rest[0] * (rest[0] / rest[1]).log()
    torch.testing.assert_close(top_k_loss(student, values, indices, reduction="none"), expected)
    torch.testing.assert_close(top_k_loss(student, values, indices), expected.mean())
    found = top_k_loss(student.half(), values.half(), indices, reduction="none")
    torch.testing.assert_close(found.double(), expected, rtol=0.02, atol=0.01)


def test_with_all_but_one_class_known_it_is_the_whole_divergence():
    student, teacher = drawn()
    found = top_k_loss(student, *teacher.log_softmax(-1).topk(4), reduction="none")
    torch.testing.assert_close(found, kl_divergence(student, teacher))


def test_what_is_masked_may_be_anything():
    student, teacher = drawn()
    values, indices = teacher.log_softmax(-1).topk(2)
    mask = torch.arange(7) % 2 == 0
    dirty = [torch.where(mask[:, None], one, odd) for one, odd in ((student, math.nan), (values, 7.0), (indices, -1))]
    for tail in ("bucket", "nothing", "sampled"):
        found = top_k_loss(*dirty, tail=tail, mask=mask)
        torch.testing.assert_close(found, top_k_loss(student[mask], values[mask], indices[mask], tail=tail))


def test_a_teacher_that_is_sure_leaves_nothing():
    """What is rounded to a sum above 1 is no error, and no NaN."""
    student = torch.zeros(2, 3, requires_grad=True)
    values, indices = torch.tensor([[0.0, -1e4], [1e-4, -9.0]]), torch.tensor([[2, 0], [0, 1]])
    loss = top_k_loss(student, values, indices)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(3), abs=2e-3) and bool(student.grad.isfinite().all())


def refused(match, error=ValueError, **other):
    student, teacher = drawn()
    values, indices = teacher.log_softmax(-1).topk(2)
    with pytest.raises(error, match=match):
        top_k_loss(**{"student_logits": student, "values": values, "indices": indices} | other)


def test_what_is_no_part_of_a_distribution_is_refused():
    student, teacher = drawn()
    values, indices = teacher.log_softmax(-1).topk(2)
    refused("tail must be one of bucket, nothing, sampled; got 'none'", tail="none")
    for tail in ("bucket", "sampled"):
        for T in (2.0, torch.tensor(1.0)):
            refused(
                r"temperature must be 1, .* tail='nothing' takes any; .*\(teacher_logits / T\)",
                temperature=T,
                tail=tail,
            )
        for wrong in (teacher.topk(2).values + 9, values.exp()):
            refused("values must be log-probabilities, .* at most 1 in a row; got a sum of", values=wrong, tail=tail)
        assert top_k_loss(student, teacher.topk(2).values + 9, indices, 2.0, tail="nothing") > 0
    refused(r"values must be \(..., k\) of logits \(..., C > k\)", student_logits=student[:, :2])
    refused(r"got \[7, 2\] of \[6, 5\]", student_logits=student[:6])
    refused(r"indices must hold class indices of shape \(7, 2\); got \(7, 3\)", indices=teacher.topk(3).indices)
    refused("indices must be int64 class indices; got torch.int32", TypeError, indices=indices.int())
    refused("indices must lie in 0 … 4; they reach from", indices=indices + 1)
    refused("indices must hold a class once in a row", indices=torch.zeros_like(indices))
    refused("values must be finite; row 3 holds NaN", values=values.index_fill(0, torch.tensor([3]), -math.inf))
    refused("values must be floating point", TypeError, values=indices)
