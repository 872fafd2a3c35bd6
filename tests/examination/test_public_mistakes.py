"""What goes wrong in public code, one example each: the wrong version is computed beside the right one."""

import math

import pytest
import torch
from torch.autograd import grad
from torch.nn import functional as F

from kdlearn import distillation_loss, hard_label_loss, kl_divergence, soft_label_loss, soft_labels

CLASSES = 10


def drawn(rows=12):
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(rows, CLASSES, dtype=torch.float64, generator=generator)
    v = 3 * torch.randn(rows, CLASSES, dtype=torch.float64, generator=generator)
    return z, v, torch.randint(CLASSES, (rows,), generator=generator)


@pytest.mark.parametrize("T", [2.0, 10.0])
def test_a_forgotten_factor_is_another_soft_weight(T):
    """A mean over the classes (DeiT 116, LD 74, labml.ai); no T² (Keras' example before its correction)."""
    z, v, y = drawn()
    z.requires_grad_()
    each = F.kl_div((z / T).log_softmax(1), (v / T).softmax(1), reduction="none")
    for soft_loss, lost in ((T**2 * each.mean(), CLASSES), (each.sum(1).mean(), T**2)):
        wrong, soft = 0.9 * soft_loss + 0.1 * hard_label_loss(z, y), 0.9 / lost
        right = (soft + 0.1) * distillation_loss(z, v, y, temperature=T, soft_weight=soft / (soft + 0.1))
        torch.testing.assert_close(wrong, right)
        torch.testing.assert_close(grad(wrong, z, retain_graph=True)[0], grad(right, z, retain_graph=True)[0])


def test_probabilities_where_log_probabilities_belong_teach_nothing_of_the_kind():
    """nlp-with-transformers/notebooks 94 proposes log p as the target; the code that it reports was right."""
    z, v, _ = drawn()
    log_q, p = z.log_softmax(1), v.softmax(1)
    right = F.kl_div(log_q, p, reduction="batchmean")
    assert right.item() == pytest.approx(kl_divergence(z, v).mean().item())
    assert F.kl_div(log_q, p.log(), reduction="batchmean", log_target=True).item() == pytest.approx(right.item())
    assert math.isnan(F.kl_div(log_q, p.log(), reduction="batchmean"))
    assert F.kl_div(z.softmax(1), p, reduction="batchmean") < 0  # the student's side without its logarithm


def test_a_student_trained_on_probabilities_as_log_probabilities_walks_away_from_its_teacher():
    """kl_div(q, p) = Σ p log p - Σ p q: its minimum puts all of q on the teacher's arg max."""
    v = torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.float64)
    z = torch.zeros_like(v).requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.1)
    for _ in range(500):
        optimizer.zero_grad()
        F.kl_div(z.softmax(1), v.softmax(1), reduction="sum").backward()
        optimizer.step()
    assert z.softmax(1)[0, 0] > 0.97 > v.softmax(1)[0, 0]


def test_a_squared_error_of_softmaxes_is_not_hintons_loss():
    z, v, _ = drawn()
    z.requires_grad_()
    wrong, right = F.mse_loss(z.softmax(1), v.softmax(1)), soft_label_loss(z, v, 1.0)
    assert 20 * grad(wrong, z)[0].norm() < grad(right, z)[0].norm()


def test_logits_go_in_and_not_probabilities():
    """Softmax twice: the target is almost uniform, whatever the teacher knows."""
    v = torch.tensor([[9.0, 0.0, 0.0]], dtype=torch.float64)
    assert soft_labels(v)[0, 0] > 0.99
    assert soft_labels(soft_labels(v))[0, 0] < 0.6


def test_a_hard_label_carries_log_c_bits_at_most_and_one_only_for_two_classes():
    labels = torch.arange(CLASSES).repeat(7)
    share = labels.bincount().double() / len(labels)
    bits = -(share * share.log2()).sum().item()
    assert bits == pytest.approx(math.log2(10)) == pytest.approx(3.3219, abs=1e-4)
