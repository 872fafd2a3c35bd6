"""Losses on features against the papers' formulas, written with loops over rows, and what must not change them."""

import inspect
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from public import PUBLIC
from torch import Tensor

from kdlearn import (
    attention_maps,
    attention_transfer_loss,
    contrastive_loss,
    hint_loss,
    relational_angle_loss,
    relational_distance_loss,
    similarity_preserving_loss,
)

GENERATOR = torch.Generator().manual_seed(3)
STUDENT, TEACHER = torch.randn(2, 5, 4, 2, 3, generator=GENERATOR, dtype=torch.float64)
WIDE = torch.randn(5, 9, generator=GENERATOR, dtype=torch.float64)
EVERY = [loss for name, loss in PUBLIC.items() if name.endswith("_loss")]
LOSSES = [loss for loss in EVERY if "student_features" in inspect.signature(loss).parameters]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
pairs_of_rows = [(i, j) for i in range(5) for j in range(5) if i != j]


def huber(gap: float) -> float:
    return gap**2 / 2 if abs(gap) <= 1 else abs(gap) - 0.5


def vectors(features: Tensor) -> list[list[float]]:
    return features.flatten(1).tolist()


def distances_by_hand(features: Tensor) -> dict[tuple[int, int], float]:
    rows = vectors(features)
    found = {(i, j): math.dist(rows[i], rows[j]) for i, j in pairs_of_rows}
    mean = sum(found.values()) / len(found)
    return {pair: value / mean for pair, value in found.items()}


def cosine_by_hand(features: Tensor, i: int, j: int, k: int) -> float:
    rows = vectors(features)
    one, other = ([b - a for a, b in zip(rows[i], rows[to], strict=True)] for to in (j, k))
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)


def by_hand(loss, student: Tensor, teacher: Tensor) -> float:
    """What the paper defines for the whole batch."""
    if loss is hint_loss:
        return float(((student - teacher) ** 2).sum()) / (2 * student.numel())
    if loss is attention_transfer_loss:
        total = 0.0
        for mine, its in zip(student, teacher, strict=True):
            maps = [sum(channel**2 for channel in one).flatten() for one in (mine, its)]
            total += float((maps[0] / maps[0].norm() - maps[1] / maps[1].norm()).norm() ** 2)
        return total / len(student)
    if loss is relational_distance_loss:
        mine, its = distances_by_hand(student), distances_by_hand(teacher)
        return sum(huber(mine[pair] - its[pair]) for pair in mine) / len(mine)
    if loss is relational_angle_loss:
        triples = [(i, j, k) for i, j in pairs_of_rows for k in range(5) if k not in (i, j)]
        gaps = [cosine_by_hand(student, *one) - cosine_by_hand(teacher, *one) for one in triples]
        return sum(map(huber, gaps)) / len(triples)
    if loss is similarity_preserving_loss:
        grams = [one.flatten(1) @ one.flatten(1).T for one in (student, teacher)]
        mine, its = (gram / gram.norm(dim=1, keepdim=True) for gram in grams)
        return float((mine - its).norm() ** 2) / 25
    similar = torch.nn.functional.cosine_similarity(student.flatten(1)[:, None], teacher.flatten(1)[None], dim=-1)
    return float(torch.nn.functional.cross_entropy(similar / 0.1, torch.arange(5)))


@each_loss
def test_the_mean_over_rows_is_the_paper_s_sum_over_the_batch(loss):
    assert float(loss(STUDENT, TEACHER)) == pytest.approx(by_hand(loss, STUDENT, TEACHER), rel=1e-9)
    rows = loss(STUDENT, TEACHER, reduction="none")
    assert rows.shape == (5,) and float(rows.mean()) == pytest.approx(float(loss(STUDENT, TEACHER)))


@each_loss
def test_the_gradient_by_finite_differences_and_none_for_the_teacher(loss):
    teacher = TEACHER.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda student: loss(student, teacher), STUDENT.clone().requires_grad_())
    student = STUDENT.clone().requires_grad_()
    loss(student, teacher).backward()
    assert teacher.grad is None and bool(student.grad.abs().sum() > 0)


@each_loss
def test_a_student_that_says_the_same_has_nothing_to_learn(loss):
    """But for the contrastive loss, which never is 0, the teacher's own features are the minimum."""
    student = TEACHER.clone().requires_grad_()
    value = loss(student, TEACHER)
    value.backward()
    assert loss is contrastive_loss or (value.item() < 1e-15 and bool(student.grad.abs().max() < 1e-7))


@each_loss
def test_rows_that_coincide_or_are_zero_have_a_finite_gradient(loss):
    student = torch.zeros(4, 2, 2, 2, requires_grad=True)
    loss(student, torch.ones(4, 2, 2, 2)).backward()
    assert bool(student.grad.isfinite().all())


def rotation(size: int, seed: int) -> Tensor:
    drawn = torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.qr(drawn)[0]


@given(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-5, 5))
def test_relations_keep_under_rotation_scale_and_shift(seed, scale, shift):
    turned = scale * STUDENT.flatten(1) @ rotation(24, seed) + shift
    for loss in (relational_distance_loss, relational_angle_loss):
        torch.testing.assert_close(loss(turned, WIDE), loss(STUDENT, WIDE))
    turned = scale * STUDENT.flatten(1) @ rotation(24, seed)  # products of rows change with a shift
    torch.testing.assert_close(similarity_preserving_loss(turned, WIDE), similarity_preserving_loss(STUDENT, WIDE))


@given(st.permutations(range(4)), st.floats(0.1, 10))
def test_attention_knows_no_order_of_channels_and_no_scale(order, scale):
    torch.testing.assert_close(attention_maps(scale * STUDENT[:, order]), attention_maps(STUDENT))
    torch.testing.assert_close(attention_maps(STUDENT).norm(dim=1), torch.ones(5, dtype=torch.float64))


@given(st.permutations(range(5)))
def test_the_order_of_rows_does_not_matter(order):
    for loss in LOSSES:
        rows = loss(STUDENT, TEACHER, reduction="none")
        torch.testing.assert_close(loss(STUDENT[order], TEACHER[order], reduction="none"), rows[order])


@each_loss
def test_half_precision_is_computed_in_float32(loss):
    value = loss(STUDENT.bfloat16(), TEACHER.bfloat16())
    expected = loss(STUDENT.bfloat16().double(), TEACHER.bfloat16().double())
    assert value.dtype == torch.float32 and float(value) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize(
    ("loss", "student", "teacher", "said"),
    [
        (hint_loss, torch.zeros(3, 4), torch.zeros(3, 5), "same shape; got .3, 4. and .3, 5.. A projection"),
        (contrastive_loss, torch.zeros(3, 4), torch.zeros(3, 5), "same shape"),
        (attention_transfer_loss, torch.zeros(3, 4), torch.zeros(3, 5), r"shape \(N, channels, places …\)"),
        (attention_transfer_loss, torch.ones(3, 4, 2), torch.ones(3, 4, 3), "same places; got .2,. and .3,."),
        (relational_distance_loss, torch.zeros(3, 4), torch.zeros(2, 4), "the same rows; got 3 and 2"),
        (relational_distance_loss, torch.zeros(1, 4), torch.zeros(1, 4), "at least 2 rows"),
        (relational_angle_loss, torch.zeros(2, 4), torch.zeros(2, 4), "at least 3 rows"),
        (similarity_preserving_loss, torch.zeros(3), torch.zeros(3), r"shape \(N, …\)"),
        (hint_loss, torch.zeros(2, 3), torch.zeros(2, 3).long(), "teacher_features must be floating point"),
    ],
)
def test_what_cannot_be_compared_is_refused(loss, student, teacher, said):
    with pytest.raises((ValueError, TypeError), match=said):
        loss(student, teacher)


@each_loss
def test_under_autocast_value_and_gradient_are_those_without_it(loss):
    found = []
    for enabled in (False, True):
        student = STUDENT.float().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            value = loss(student, TEACHER.float())
        found.append((value, *torch.autograd.grad(value, student)))
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))
