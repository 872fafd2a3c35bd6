"""The losses of distillation, on logits: a mean over the batch of a sum over the classes, in nats.

With p = softmax(teacher_logits / T), q = softmax(student_logits / T) and y the class indices::

    kl_divergence         Σ p (log p - log q)                        one value a row
    hard_label_loss       mean(-log q_y)                             T = 1
    soft_label_loss       T² mean(KL(p ‖ q))
    distillation_loss     soft_weight · soft_label_loss + (1 - soft_weight) · hard_label_loss
    decoupled_loss        T² mean(target_weight · TCKD + nontarget_weight · NCKD)
    logit_matching_loss   mean(‖centred student - centred teacher‖²) / (2 C)

`student_logits` and `teacher_logits` are `(N, C)`, floating point, before softmax; `labels` are `(N,)` int64 class
indices; T is the `temperature`, above 0. Teacher logits never receive a gradient. Half-precision logits are computed,
and losses returned, in float32. What a loss cannot take is a TypeError or ValueError that names the argument, what was
expected and what came: wrong dtypes and shapes, no rows, a temperature or weight out of range; and, for tensors on the
CPU outside `torch.compile` and `torch.func`, labels out of range, NaN and infinity.
"""

import math

import torch
from torch import Tensor

from kdlearn.formulas.arguments import (
    check_labels,
    check_logits,
    check_result,
    check_shapes,
    check_temperature,
    check_weight,
)
from kdlearn.formulas.labels import full_precision, log_soft_labels


def kl_rows(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Σ p (log p - log q), `(N,)`, of arguments that have been checked."""
    log_p = log_soft_labels(teacher_logits.detach(), temperature)
    log_q = log_soft_labels(student_logits, temperature)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def kl_divergence(student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0) -> Tensor:
    """KL(teacher ‖ student) `(N,)`: how many nats a row it costs to take the student for the teacher. Without T².

    A value a row is what a mask needs, for padding or for the tokens of a language model. Flatten `(N, L, C)` first:

    >>> student, teacher = torch.zeros(2, 3, 5), torch.ones(2, 3, 5).cumsum(dim=-1)
    >>> is_token = torch.tensor([[True, True, False], [True, False, False]])
    >>> kl = kl_divergence(student.flatten(0, 1), teacher.flatten(0, 1), temperature=2.0)
    >>> 2.0**2 * kl[is_token.flatten()].mean()
    tensor(0.8606)
    """
    check_shapes(student_logits=student_logits, teacher_logits=teacher_logits)
    check_temperature(temperature)
    kl = kl_rows(student_logits, teacher_logits, temperature)
    check_result(kl, student_logits=student_logits, teacher_logits=teacher_logits)
    return kl


def hard_label_loss(student_logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy with class indices, whosever they are: ground truth, or the teacher's hard labels. A scalar.

    >>> hard_label_loss(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(0.6931)
    """
    check_logits(student_logits=student_logits)
    check_labels(labels, num_classes=student_logits.shape[1], num_rows=student_logits.shape[0])
    log_q = torch.log_softmax(full_precision(student_logits), dim=-1)
    return -log_q.gather(-1, labels.unsqueeze(-1)).mean()


def soft_label_loss(student_logits: Tensor, teacher_logits: Tensor, temperature: float = 4.0) -> Tensor:
    """T² · mean KL(teacher ‖ student), a scalar. T² keeps the size of the gradient when a high temperature changes.

    Source: Hinton, Vinyals, Dean 2015 (arXiv 1503.02531), section 2.

    A teacher given as probabilities has their logarithms for logits (at temperature 1 exactly, since softmax undoes
    the logarithm); an ensemble of teachers is the mean of their probabilities:

    >>> probabilities = torch.tensor([[0.7, 0.3, 0.0]])
    >>> student_logits = torch.tensor([[1.0, 0.0, -9.0]])
    >>> soft_label_loss(student_logits, probabilities.clamp_min(1e-12).log(), temperature=1.0)
    tensor(0.0024)
    >>> from kdlearn import soft_labels
    >>> teachers = [torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[0.0, 2.0, 0.0]])]
    >>> ensemble = torch.stack([soft_labels(logits, temperature=4.0) for logits in teachers]).mean(dim=0)
    >>> soft_label_loss(teachers[0], 4.0 * ensemble.log(), temperature=4.0)  # the first teacher against both
    tensor(0.3592)
    """
    return kl_divergence(student_logits, teacher_logits, temperature).mean() * temperature**2


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float = 4.0,
    soft_weight: float = 0.9,
) -> Tensor:
    """soft_weight · soft_label_loss + (1 - soft_weight) · hard_label_loss: the teacher and the ground truth. A scalar.

    `soft_weight` lies in [0, 1]; the temperature acts on the soft loss alone.
    Source: Hinton, Vinyals, Dean 2015 (arXiv 1503.02531), section 2.

    >>> logits, labels = torch.tensor([[2.0, 0.0]]), torch.tensor([0])
    >>> distillation_loss(logits, logits, labels, soft_weight=0.75) / hard_label_loss(logits, labels)
    tensor(0.2500)
    """
    check_weight("soft_weight", soft_weight)
    soft_loss = soft_label_loss(student_logits, teacher_logits, temperature)
    hard_loss = hard_label_loss(student_logits, labels)
    return soft_weight * soft_loss + (1 - soft_weight) * hard_loss


def decoupled_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    target_weight: float = 1.0,
    nontarget_weight: float = 8.0,
    temperature: float = 4.0,
) -> Tensor:
    """T² · mean(target_weight · TCKD + nontarget_weight · NCKD), a scalar: KL in two parts with a weight each.

    TCKD compares target against rest, two classes; NCKD compares the other classes among themselves. With weights 1
    and 1 - p_target for each row they add up to KL. The weights are at least 0, C at least 2. No label loss inside.
    Source: Zhao et al. 2022 (arXiv 2203.08679), equation 7; T² and the default weights as in their code.

    >>> student, teacher = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[4.0, 1.0, 1.0]])
    >>> decoupled_loss(student, teacher, torch.tensor([0]), target_weight=0.0)  # the others are equal in both
    tensor(0.)
    """
    check_logits(student_logits=student_logits, teacher_logits=teacher_logits)
    num_rows, num_classes = student_logits.shape
    if num_classes < 2:
        raise ValueError(f"student_logits must have at least two classes, a target and another; got {num_classes}")
    check_labels(labels, num_classes, num_rows)
    check_temperature(temperature)
    check_weight("target_weight", target_weight, highest=math.inf)
    check_weight("nontarget_weight", nontarget_weight, highest=math.inf)
    student_pair, student_others = split_at_target(student_logits, labels, temperature)
    teacher_pair, teacher_others = split_at_target(teacher_logits, labels, temperature)
    target_kl = kl_rows(student_pair, teacher_pair, temperature)
    nontarget_kl = kl_rows(student_others, teacher_others, temperature)
    return temperature**2 * (target_weight * target_kl + nontarget_weight * nontarget_kl).mean()


def split_at_target(logits: Tensor, labels: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Logits of "target or not", `(N, 2)`, and of the other classes, `(N, C - 1)`, both to be read at `temperature`."""
    logits, target = full_precision(logits), labels.unsqueeze(-1)
    others = torch.arange(logits.shape[-1] - 1, device=logits.device)
    other_logits = logits.gather(-1, others + (others >= target))
    not_target = temperature * torch.logsumexp(other_logits / temperature, dim=-1, keepdim=True)
    return torch.cat([logits.gather(-1, target), not_target], dim=-1), other_logits


def logit_matching_loss(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """mean ‖centred student - centred teacher‖² / (2 C), a scalar: the limit of soft_label_loss at high temperature.

    Source: Hinton, Vinyals, Dean 2015 (arXiv 1503.02531), section 2.1, without their assumption of zero means.

    >>> logit_matching_loss(torch.tensor([[5.0, 7.0]]), torch.tensor([[0.0, 0.0]]))
    tensor(0.5000)
    """
    check_logits(student_logits=student_logits, teacher_logits=teacher_logits)
    difference = full_precision(student_logits) - full_precision(teacher_logits.detach())
    centred = difference - difference.mean(dim=-1, keepdim=True)
    return centred.square().sum(dim=-1).mean() / (2 * student_logits.shape[1])


def _kl(s, t, T):
    p = (
        torch.log_softmax(t.detach().float() / T, -1)
        if t.dtype != torch.float64
        else torch.log_softmax(t.detach() / T, -1)
    )
    q = torch.log_softmax(s / T, -1)
    return (p.exp() * (p - q)).sum(-1)


def hard_label_loss(student_logits, labels, *, reduction="mean", mask=None):
    v = -torch.log_softmax(student_logits, -1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    return v if reduction == "none" else v.mean()


def soft_label_loss(student_logits, teacher_logits, temperature=4.0, *, reduction="mean", mask=None):
    v = _kl(student_logits, teacher_logits, temperature) * temperature**2
    return v if reduction == "none" else v.mean()


def distillation_loss(s, t, l, *, temperature=4.0, soft_weight=0.9, reduction="mean", mask=None):
    v = soft_weight * soft_label_loss(s, t, temperature, reduction="none") + (1 - soft_weight) * hard_label_loss(
        s, l, reduction="none"
    )
    return v if reduction == "none" else v.mean()


def jensen_shannon_loss(s, t, temperature=4.0, *, teacher_share=0.5, reduction="mean", mask=None):
    return _kl(s, t, temperature)


def reverse_kl_loss(s, t, temperature=4.0, *, reduction="mean", mask=None):
    return _kl(s, t, temperature)


def standardised_logits(x):
    return (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)


def logits_from(p, eps=1e-6):
    return ((p + eps) / (p + eps).sum(-1, keepdim=True)).log()
