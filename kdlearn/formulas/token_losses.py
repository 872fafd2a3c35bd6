"""Losses by which language models are distilled, beside those of `losses`, whose arguments and errors they share.

With p = softmax(teacher_logits / T), q = softmax(student_logits / T), K the k classes that the teacher finds likeliest,
p_R and q_R what the other classes have together, and x one of these, drawn from the teacher's p / p_R::

    skewed_kl_loss           T² mean(KL(p ‖ m)),  m = β p + (1 - β) q
    skewed_reverse_kl_loss   T² mean(KL(q ‖ m)),  m = β q + (1 - β) p
    top_k_loss, "bucket"     T² mean(Σ_K p (log p - log q) + p_R (log p_R - log q_R))
    top_k_loss, "nothing"    T² mean(Σ_K p' (log p' - log q)),  p' = p / (1 - p_R)
    top_k_loss, "sampled"    T² mean(Σ_K p (log p - log q) + p_R (log p_x - log q_x))
"""

from typing import Literal, get_args

import torch
from torch import Tensor

from kdlearn.formulas.arguments import check_logits, check_weight
from kdlearn.formulas.divergences import bucketed, kl, log_mixture, log_softmax, scaled
from kdlearn.formulas.preparation import Reduction, comparable, reduced

__all__ = ["skewed_kl_loss", "skewed_reverse_kl_loss", "top_k_loss"]

Tail = Literal["bucket", "nothing", "sampled"]


def skewed_kl_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float | Tensor = 1.0,
    share: float | Tensor = 0.1,
    *,
    reduction: Reduction = "mean",
    mask: Tensor | None = None,
) -> Tensor:
    """T² · mean KL(p ‖ m), m = share · p + (1 - share) · q: forward KL that never exceeds log(1 / share).

    Where the student leaves a class out, forward KL is infinite; here the teacher's share of the mixture bounds it.
    A share of 0 is forward KL. Source: Ko et al. 2024 (DistiLLM, arXiv 2402.03898), section 3.1.

    Returns:
        A scalar for logits `(..., C)`; one value a label, `(...)`, for `reduction="none"`.

    >>> import torch
    >>> skewed_kl_loss(torch.tensor([[99.0, 0.0]]), torch.tensor([[0.0, 99.0]]), share=0.5)  # log 2, where KL is 99
    tensor(0.6931)
    """
    check_share(share)
    student, teacher, T = comparable(student_logits, teacher_logits, temperature, mask)
    check_logits(student_logits=student, teacher_logits=teacher)
    log_p, log_q = log_softmax(teacher, T), log_softmax(student, T)
    values = T**2 * kl(log_p, log_mixture(log_p, log_q, share))
    return reduced(values, reduction, mask, student_logits=student, teacher_logits=teacher)


def skewed_reverse_kl_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float | Tensor = 1.0,
    share: float | Tensor = 0.1,
    *,
    reduction: Reduction = "mean",
    mask: Tensor | None = None,
) -> Tensor:
    """T² · mean KL(q ‖ m), m = share · q + (1 - share) · p: reverse KL that never exceeds log(1 / share).

    A share of 0 is reverse KL. Source: Ko et al. 2024 (DistiLLM, arXiv 2402.03898), section 3.1.

    Returns:
        A scalar for logits `(..., C)`; one value a label, `(...)`, for `reduction="none"`.

    >>> import torch
    >>> skewed_reverse_kl_loss(torch.tensor([[99.0, 0.0]]), torch.tensor([[0.0, 99.0]]), share=0.5)
    tensor(0.6931)
    """
    check_share(share)
    student, teacher, T = comparable(student_logits, teacher_logits, temperature, mask)
    check_logits(student_logits=student, teacher_logits=teacher)
    log_p, log_q = log_softmax(teacher, T), log_softmax(student, T)
    values = T**2 * kl(log_q, log_mixture(log_q, log_p, share))
    return reduced(values, reduction, mask, student_logits=student, teacher_logits=teacher)


def check_share(share: float | Tensor) -> None:
    check_weight("share", share)
    if not isinstance(share, Tensor) and share == 1:
        raise ValueError("share must be below 1, where the loss is 0 for all; got 1")


def top_k_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    k: int,
    temperature: float | Tensor = 1.0,
    *,
    tail: Tail = "bucket",
    reduction: Reduction = "mean",
    mask: Tensor | None = None,
) -> Tensor:
    """Forward KL of which the k classes that the teacher finds likeliest are known, as stored or bought logits are.

    By the chain rule KL(p ‖ q) is the KL of "which of K, or another" and p_R times the KL among the others, the tail.
    What becomes of the tail:

    - "bucket": the first part alone. Their sum is learned, how they share it is not; never more than KL, 0 for q = p.
    - "nothing": the teacher's probabilities of K are made to sum to 1, as if no other class existed. Smallest for a
      student that gives the tail nothing: even q = p has a loss, -log(1 - p_R).
    - "sampled": one of them is drawn from the teacher, with torch's random numbers, and stands for all. Its mean over
      draws is KL, and so is its gradient's; single values vary, and can be negative. With k = 0 every class is in the
      tail: the gradient is that of a hard label drawn from the teacher. It needs the whole p when answers are stored,
      and is not for `vmap`.

    Source: for "sampled" Anshumann et al. 2025 (Sparse Logit Sampling, arXiv 2503.16870), who draw all classes.

    Args:
        k: how many classes, at least 1 ("sampled": 0) and fewer than there are.

    Returns:
        A scalar for logits `(..., C)`; one value a label, `(...)`, for `reduction="none"`.

    >>> import torch
    >>> teacher = torch.tensor([[0.5, 0.3, 0.1, 0.1]]).log()
    >>> student = torch.tensor([[0.5, 0.3, 0.2, 0.0001]]).log()
    >>> top_k_loss(student, teacher, k=2) < 1e-6, top_k_loss(teacher, teacher, k=2, tail="nothing")  # -log 0.8
    (tensor(True), tensor(0.2231))
    """
    if tail not in get_args(Tail):
        raise ValueError(f"tail must be one of {', '.join(get_args(Tail))}; got {tail!r}")
    student_logits, teacher_logits, T = comparable(student_logits, teacher_logits, temperature, mask)
    check_logits(student_logits=student_logits, teacher_logits=teacher_logits)
    least, most = int(tail != "sampled"), student_logits.shape[-1] - 1
    if not isinstance(k, int) or not least <= k <= most:
        raise ValueError(f"k must be a whole number in {least} … {most}, fewer than there are classes; got {k!r}")
    order = teacher_logits.argsort(dim=-1, descending=True, stable=True)
    student, teacher = (logits.gather(-1, order) for logits in (student_logits, teacher_logits))
    values = T**2 * TAILS[tail](student, teacher, T, k)
    return reduced(values, reduction, mask, student_logits=student_logits, teacher_logits=teacher_logits)


# Classes are sorted by the teacher's logits.


def with_bucket(student: Tensor, teacher: Tensor, temperature: float | Tensor, k: int) -> Tensor:
    log_p, log_q = (log_softmax(bucketed(logits, temperature, k)) for logits in (teacher, student))
    return kl(log_p, log_q)


def with_nothing(student: Tensor, teacher: Tensor, temperature: float | Tensor, k: int) -> Tensor:
    """KL among the first k classes, and -log of what the student gives them together."""
    log_p, log_q = (log_softmax(logits[..., :k], temperature) for logits in (teacher, student))
    student = scaled(student, temperature)
    return kl(log_p, log_q) + student.logsumexp(dim=-1) - student[..., :k].logsumexp(dim=-1)


def with_one_drawn(student: Tensor, teacher: Tensor, temperature: float | Tensor, k: int) -> Tensor:
    log_p, log_q = (log_softmax(logits, temperature) for logits in (teacher, student))
    others = log_softmax(teacher[..., k:], temperature).exp()
    drawn = k + torch.multinomial(others.flatten(0, -2), 1).reshape(*others.shape[:-1], 1)
    ratio, p = log_p - log_q, log_p.exp()
    of_drawn = p[..., k:].sum(dim=-1) * ratio.gather(-1, drawn).squeeze(-1)
    return (p[..., :k] * ratio[..., :k]).sum(dim=-1) + of_drawn


TAILS = {"bucket": with_bucket, "nothing": with_nothing, "sampled": with_one_drawn}
