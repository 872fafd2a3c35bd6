"""The closed forms that the notebooks derive: limits, gradients, Hessians, decompositions.

One row an example, and no mean over the batch: divide by N for the gradient of a batch's mean loss. With the symbols of
the notebooks, z for student_logits, v for teacher_logits, T for temperature, C classes, labels y:

    q = softmax(z / T)      p = softmax(v / T)      e_y = one-hot of y

`temperature` is a number, or a tensor `(N, 1)` with one value a row. Nothing here is trained or checked for its
arguments; `kdlearn.formulas.losses` is what to train with.
"""

import torch
from torch import Tensor

from kdlearn.formulas.labels import one_hot


def softmax(logits: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
    """e^(z_k / T) / Σ e^(z_j / T), `(N, C)`."""
    return torch.softmax(logits / temperature, dim=-1)


def centred(logits: Tensor) -> Tensor:
    """z - z̄, `(N, C)`: each row less its mean over the classes."""
    return logits - logits.mean(dim=-1, keepdim=True)


# What temperature does


def entropy_slope(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """dH/dT = Var_p(v) / T³, `(N,)`: the variance of the logits under their own softmax, never negative."""
    p = softmax(logits, temperature)
    mean = (p * logits).sum(dim=-1, keepdim=True)
    variance = (p * (logits - mean).square()).sum(dim=-1, keepdim=True)
    return (variance / temperature**3).squeeze(-1)


def effective_classes(logits: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
    """e^H, `(N,)`: how many equally likely classes would be as uncertain; from 1 to C."""
    log_p = torch.log_softmax(logits / temperature, dim=-1)
    return (-(log_p.exp() * log_p).sum(dim=-1)).exp()


# Gradients on the student's logits, `(N, C)`


def softmax_jacobian(logits: Tensor) -> Tensor:
    """∂q_i / ∂z_j = q_i (δ_ij - q_j) at T = 1, `(N, C, C)`: symmetric, and each row sums to 0."""
    q = softmax(logits)
    return torch.diag_embed(q) - q.unsqueeze(-1) * q.unsqueeze(-2)


def cross_entropy_gradient(student_logits: Tensor, labels: Tensor) -> Tensor:
    """q - e_y at T = 1: of -log q_y."""
    return softmax(student_logits) - one_hot(labels, student_logits.shape[-1])


def soft_label_gradient(student_logits: Tensor, teacher_logits: Tensor, temperature: float | Tensor) -> Tensor:
    """T (q - p): of T² KL(p ‖ q). One T of the two is spent on the chain rule.

    Source: Hinton, Vinyals, Dean 2015 (arXiv 1503.02531), equation 2, times T².
    """
    return temperature * (softmax(student_logits, temperature) - softmax(teacher_logits, temperature))


def distillation_gradient(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float | Tensor = 4.0,
    soft_weight: float | Tensor = 0.9,
) -> Tensor:
    """soft_weight · T (q - p) + (1 - soft_weight) (softmax(z) - e_y): N times the gradient of `distillation_loss`."""
    soft = soft_label_gradient(student_logits, teacher_logits, temperature)
    hard = cross_entropy_gradient(student_logits, labels)
    return soft_weight * soft + (1 - soft_weight) * hard


def logit_matching_gradient(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """(z - z̄ - (v - v̄)) / C: the limit of T (q - p) as T grows.

    Source: Kim et al. 2021 (arXiv 2105.08919); with z̄ = v̄ = 0 assumed, Hinton et al. 2015, equation 4.
    """
    return (centred(student_logits) - centred(teacher_logits)) / student_logits.shape[-1]


def label_matching_gradient(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """e_argmax(z) - e_argmax(v): the limit of q - p as T falls to 0, where no row has ties.

    Source: Kim et al. 2021 (arXiv 2105.08919).
    """
    num_classes = student_logits.shape[-1]
    return one_hot(student_logits.argmax(-1), num_classes) - one_hot(teacher_logits.argmax(-1), num_classes)


def reverse_kl_gradient(student_logits: Tensor, teacher_logits: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
    """q (log q - log p - KL(q ‖ p)) / T: of KL(q ‖ p). Where q is 0 it is 0, however much the teacher minds."""
    q = softmax(student_logits, temperature)
    log_ratio = q.log() - torch.log_softmax(teacher_logits / temperature, dim=-1)
    return q * (log_ratio - (q * log_ratio).sum(dim=-1, keepdim=True)) / temperature


def softmax_error_gradient(student_logits: Tensor, teacher_logits: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
    """J(z / T) (q - p) / T: of ‖q - p‖² / 2. The Jacobian J is nearly 0 where the student is sure."""
    difference = softmax(student_logits, temperature) - softmax(teacher_logits, temperature)
    return (softmax_jacobian(student_logits / temperature) @ difference.unsqueeze(-1)).squeeze(-1) / temperature


# Beyond the gradient


def soft_label_hessian(student_logits: Tensor, temperature: float | Tensor) -> Tensor:
    """J(z / T), `(N, C, C)`: of T² KL(p ‖ q), whatever the teacher says. T² and the two 1/T cancel."""
    return softmax_jacobian(student_logits / temperature)


def example_weight(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
    """(p_y - q_y) / (1 - q_y), `(N,)`, at T = 1: the soft gradient on the target's logit over the hard one.

    Source: Tang et al. 2020 (arXiv 2002.03532), who read distillation as a weight on examples.
    """
    q_y, p_y = (softmax(logits).gather(-1, labels.unsqueeze(-1)) for logits in (student_logits, teacher_logits))
    return ((p_y - q_y) / (1 - q_y)).squeeze(-1)


def decoupled_parts(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: float | Tensor = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """TCKD, NCKD and p_y, `(N,)` each, with KL(p ‖ q) = TCKD + (1 - p_y) NCKD.

    Source: Zhao et al. 2022 (arXiv 2203.08679), equation 5.
    """
    q, p = softmax(student_logits, temperature), softmax(teacher_logits, temperature)
    q_y, p_y = (probabilities.gather(-1, labels.unsqueeze(-1)).squeeze(-1) for probabilities in (q, p))
    target = p_y * (p_y / q_y).log() + (1 - p_y) * ((1 - p_y) / (1 - q_y)).log()
    others = 1 - one_hot(labels, q.shape[-1])
    q_others, p_others = q / (1 - q_y).unsqueeze(-1), p / (1 - p_y).unsqueeze(-1)
    nontarget = (others * p_others * (p_others / q_others).log()).sum(dim=-1)
    return target, nontarget, p_y
