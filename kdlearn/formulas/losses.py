"""The losses of distillation, on logits: a mean over the labels of a sum over the classes, in nats.

With p = softmax(teacher_logits / T), q = softmax(student_logits / T) and y the class indices::

    kl_divergence         Σ p (log p - log q)                        one value a label
    hard_label_loss       mean(-log q_y)                             T = 1
    soft_label_loss       T² mean(KL(p ‖ q))
    distillation_loss     soft_weight · soft_label_loss + (1 - soft_weight) · hard_label_loss
    decoupled_loss        T² mean(target_weight · TCKD + nontarget_weight · NCKD)
    logit_matching_loss   mean(‖centred student - centred teacher‖²) / (2 C)
    reverse_kl_loss       T² mean(KL(q ‖ p))
    jensen_shannon_loss   T² mean(β KL(p ‖ m) + (1 - β) KL(q ‖ m)),  m = β p + (1 - β) q,  β the teacher_share

`student_logits` and `teacher_logits` are `(..., C)` with at least one leading dimension and two classes, such as
`(N, C)` or `(N, time, C)`, floating point, before softmax; `labels` are `(...)` int64 class indices; T is the
`temperature`, above 0. T and the weights are numbers, or tensors without dimensions (one a student under `vmap`).
Teacher logits never receive a gradient. Half-precision logits are computed, and losses returned, in float32.

`reduction="mean"` gives a scalar, `"none"` one value for each label. `mask`, boolean and of the labels' shape, says
which labels count: the mean is over those, the value of the others is 0, and what their logits and labels hold is
neither checked nor felt, NaN included. A label of -100 does not count either, as in torch's `cross_entropy`.

For logits of ±10⁴ and temperatures from 0.05 to 100 values and gradients are finite: in float32 a value is right to
1e-5 T² + 1e-4 of itself, the gradient of a row to 1e-5 T + 1e-4 of itself. Nothing is cut off at 0, where the gradient
would be lost, so rounding may leave a value slightly below it. Under autocast the losses compute as without it.

What a loss cannot take is a TypeError or ValueError that names the argument, what was expected and what came: wrong
dtypes and shapes, no rows, a temperature or weight out of range; and, for tensors on the CPU outside `torch.compile`
and `torch.func`, labels out of range, NaN and infinity, an empty mask. `LooksLikeProbabilities` is a warning there.
"""

import math

from torch import Tensor

from kdlearn.formulas.arguments import check_logits, check_shapes, check_weight
from kdlearn.formulas.divergences import cross_entropy, decoupled, jensen_shannon, kl, log_softmax
from kdlearn.formulas.preparation import Reduction, comparable, kept, kept_labels, reduced


def kl_divergence(student_logits: Tensor, teacher_logits: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
    """KL(teacher ‖ student): how many nats a label it costs to take the student for the teacher. Without T².

    Returns:
        `(...)` for logits `(..., C)`, one value a label.

    >>> import torch
    >>> kl_divergence(torch.zeros(1, 2), torch.tensor([[9.0, 0.0]]))  # log 2 less the teacher's own doubt
    tensor([0.6919])
    """
    student, teacher, T = comparable(student_logits, teacher_logits, temperature, None)
    values = kl(log_softmax(teacher, T), log_softmax(student, T))
    return reduced(values, "none", None, student_logits=student, teacher_logits=teacher)


def hard_label_loss(
    student_logits: Tensor, labels: Tensor, *, reduction: Reduction = "mean", mask: Tensor | None = None
) -> Tensor:
    """Cross-entropy with class indices, whosever they are: ground truth, or the teacher's hard labels.

    Returns:
        A scalar for logits `(..., C)` and labels `(...)`; one value a label, `(...)`, for `reduction="none"`.

    >>> import torch
    >>> hard_label_loss(torch.tensor([[0.0, 0.0], [5.0, 0.0]]), torch.tensor([1, -100]))  # -100 does not count
    tensor(0.6931)
    """
    check_shapes(student_logits=student_logits)
    student_logits = kept(student_logits, mask)
    labels, mask = kept_labels(labels, mask, student_logits)
    check_logits(student_logits=student_logits)
    return reduced(cross_entropy(student_logits, labels), reduction, mask)


def soft_label_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float | Tensor = 4.0,
    *,
    reduction: Reduction = "mean",
    mask: Tensor | None = None,
) -> Tensor:
    """T² · mean KL(teacher ‖ student). T² keeps the size of the gradient when a high temperature changes.

    Source: Hinton, Vinyals, Dean 2015 (arXiv 1503.02531), section 2.

    Returns:
        A scalar for logits `(..., C)`; one value a label, `(...)`, for `reduction="none"`.

    The tokens of a language model, and those that are padding:

    >>> import torch
    >>> student, teacher = torch.zeros(2, 3, 5), torch.ones(2, 3, 5).cumsum(dim=-1)
    >>> is_token = torch.tensor([[True, True, False], [True, False, False]])
    >>> soft_label_loss(student, teacher, temperature=2.0, mask=is_token)
    tensor(0.8606)

    A teacher given as probabilities, and an ensemble of teachers, which is the mean of their probabilities:

    >>> from kdlearn import logits_from, soft_labels
    >>> soft_label_loss(torch.tensor([[1.0, 0.0, -9.0]]), logits_from(torch.tensor([[0.7, 0.3, 0.0]])), temperature=1.0)
    tensor(0.0024)
    >>> teachers = [torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[0.0, 2.0, 0.0]])]
    >>> ensemble = torch.stack([soft_labels(logits, temperature=4.0) for logits in teachers]).mean(dim=0)
    >>> soft_label_loss(teachers[0], 4.0 * logits_from(ensemble), temperature=4.0)  # the first teacher against both
    tensor(0.3592)
    """
    student, teacher, T = comparable(student_logits, teacher_logits, temperature, mask)
    values = T**2 * kl(log_softmax(teacher, T), log_softmax(student, T))
    return reduced(values, reduction, mask, student_logits=student, teacher_logits=teacher)


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float | Tensor = 4.0,
    soft_weight: float | Tensor = 0.9,
    reduction: Reduction = "mean",
    mask: Tensor | None = None,
) -> Tensor:
    """soft_weight · soft_label_loss + (1 - soft_weight) · hard_label_loss: the teacher and the ground truth.

    `soft_weight` lies in [0, 1]; the temperature acts on the soft loss alone.
    Source: Hinton, Vinyals, Dean 2015 (arXiv 1503.02531), section 2.

    Returns:
        A scalar for logits `(..., C)`; one value a label, `(...)`, for `reduction="none"`.

    >>> import torch
    >>> logits, labels = torch.tensor([[2.0, 0.0]]), torch.tensor([0])
    >>> distillation_loss(logits, logits, labels, soft_weight=0.75) / hard_label_loss(logits, labels)
    tensor(0.2500)
    """
    check_weight("soft_weight", soft_weight)
    student, teacher, T = comparable(student_logits, teacher_logits, temperature, mask)
    labels, mask = kept_labels(labels, mask, student)
    soft = T**2 * kl(log_softmax(teacher, T), log_softmax(student, T))
    values = soft_weight * soft + (1 - soft_weight) * cross_entropy(student, labels)
    return reduced(values, reduction, mask, student_logits=student, teacher_logits=teacher)


def decoupled_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    target_weight: float | Tensor = 1.0,
    nontarget_weight: float | Tensor = 8.0,
    temperature: float | Tensor = 4.0,
    reduction: Reduction = "mean",
    mask: Tensor | None = None,
) -> Tensor:
    """T² · mean(target_weight · TCKD + nontarget_weight · NCKD): KL in two parts with a weight each.

    TCKD compares target against rest, two classes; NCKD compares the other classes among themselves. With weights 1
    and 1 - p_target for each row they add up to KL. The weights are at least 0. No label loss inside.
    Source: Zhao et al. 2022 (arXiv 2203.08679), equation 7; T² and the default weights as in their code.

    Returns:
        A scalar for logits `(..., C)`; one value a label, `(...)`, for `reduction="none"`.

    >>> import torch
    >>> student, teacher = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[4.0, 1.0, 1.0]])
    >>> decoupled_loss(student, teacher, torch.tensor([0]), target_weight=0.0)  # the others are equal in both
    tensor(0.)
    """
    check_weight("target_weight", target_weight, highest=math.inf)
    check_weight("nontarget_weight", nontarget_weight, highest=math.inf)
    student, teacher, T = comparable(student_logits, teacher_logits, temperature, mask)
    labels, mask = kept_labels(labels, mask, student)
    target, nontarget = decoupled(student, teacher, labels, T)
    values = T**2 * (target_weight * target + nontarget_weight * nontarget)
    return reduced(values, reduction, mask, student_logits=student, teacher_logits=teacher)


def logit_matching_loss(
    student_logits: Tensor, teacher_logits: Tensor, *, reduction: Reduction = "mean", mask: Tensor | None = None
) -> Tensor:
    """mean ‖centred student - centred teacher‖² / (2 C): the limit of soft_label_loss at high temperature.

    Source: Hinton, Vinyals, Dean 2015 (arXiv 1503.02531), section 2.1, without their assumption of zero means.

    Returns:
        A scalar for logits `(..., C)`; one value a label, `(...)`, for `reduction="none"`.

    >>> import torch
    >>> logit_matching_loss(torch.tensor([[5.0, 7.0]]), torch.tensor([[0.0, 0.0]]))
    tensor(0.5000)
    """
    student, teacher, _ = comparable(student_logits, teacher_logits, 1.0, mask)
    difference = student - teacher
    values = (difference - difference.mean(dim=-1, keepdim=True)).square().mean(dim=-1) / 2
    return reduced(values, reduction, mask, student_logits=student, teacher_logits=teacher)


def reverse_kl_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float | Tensor = 4.0,
    *,
    reduction: Reduction = "mean",
    mask: Tensor | None = None,
) -> Tensor:
    """T² · mean KL(student ‖ teacher): dear where the student is sure of what the teacher denies, not the other way.

    Source: Gu et al. 2024 (MiniLLM, arXiv 2306.08543), section 2.1, for a token; T² as in `soft_label_loss`.

    Returns:
        A scalar for logits `(..., C)`; one value a label, `(...)`, for `reduction="none"`.

    >>> import torch
    >>> reverse_kl_loss(torch.zeros(1, 2), torch.tensor([[9.0, 0.0]]), temperature=1.0)
    tensor(3.8070)
    """
    student, teacher, T = comparable(student_logits, teacher_logits, temperature, mask)
    values = T**2 * kl(log_softmax(student, T), log_softmax(teacher, T))
    return reduced(values, reduction, mask, student_logits=student, teacher_logits=teacher)


def jensen_shannon_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float | Tensor = 4.0,
    teacher_share: float | Tensor = 0.5,
    *,
    reduction: Reduction = "mean",
    mask: Tensor | None = None,
) -> Tensor:
    """T² · mean(β KL(p ‖ m) + (1 - β) KL(q ‖ m)), m = β p + (1 - β) q: between teacher p and student q, never infinite.

    β is the `teacher_share`, above 0 and below 1. Over β it tends to KL(p ‖ q) as β falls to 0; over 1 - β to
    KL(q ‖ p) as β grows to 1.
    Source: Lin 1991 (doi 10.1109/18.61115), equation 4.1; in distillation Agarwal et al. 2024 (arXiv 2306.13649),
    equation 1.

    Returns:
        A scalar for logits `(..., C)`; one value a label, `(...)`, for `reduction="none"`.

    >>> import torch
    >>> jensen_shannon_loss(torch.tensor([[99.0, 0.0]]), torch.tensor([[0.0, 99.0]]), temperature=1.0)  # log 2
    tensor(0.6931)
    """
    check_weight("teacher_share", teacher_share)
    if not isinstance(teacher_share, Tensor) and teacher_share in (0, 1):
        raise ValueError(f"teacher_share must be above 0 and below 1, where the loss is 0 for all; got {teacher_share}")
    student, teacher, T = comparable(student_logits, teacher_logits, temperature, mask)
    values = T**2 * jensen_shannon(log_softmax(teacher, T), log_softmax(student, T), teacher_share)
    return reduced(values, reduction, mask, student_logits=student, teacher_logits=teacher)
