"""Losses by which language models are distilled, beside those of `losses`, whose arguments and errors they share.

With p = softmax(teacher_logits / T), q = softmax(student_logits / T), K the k classes that the teacher finds likeliest,
p_R and q_R what the other classes have together, and x one of these, drawn from the teacher's p / p_R::

    skewed_kl_loss           T² mean(KL(p ‖ m)),  m = β p + (1 - β) q
    skewed_reverse_kl_loss   T² mean(KL(q ‖ m)),  m = β q + (1 - β) p
    top_k_loss, "bucket"     mean(Σ_K p (log p - log q) + p_R (log p_R - log q_R)),  T = 1
    top_k_loss, "nothing"    T² mean(Σ_K p' (log p' - log q)),  p' = p / (1 - p_R)
    top_k_loss, "sampled"    mean(Σ_K p (log p - log q) + p_R (log p_x - log q_x)),  T = 1
"""

from typing import Literal, get_args

import torch
from torch import Tensor

from kdlearn.formulas.arguments import check_logits, check_temperature, check_weight, values_can_be_read
from kdlearn.formulas.divergences import kl, log_mixture, log_softmax
from kdlearn.formulas.preparation import Reduction, comparable, kept_classes, reduced

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
    values: Tensor,
    indices: Tensor,
    temperature: float | Tensor = 1.0,
    *,
    tail: Tail = "bucket",
    reduction: Reduction = "mean",
    mask: Tensor | None = None,
) -> Tensor:
    """Forward KL of which only k classes of the teacher are known, K, as they are stored, or sold by an interface.

    By the chain rule KL(p ‖ q) is the KL of "which of K, or another" and p_R times the KL among the others, the tail.
    What becomes of the tail:

    - "bucket": the first part alone. Their sum is learned, how they share it is not; never more than KL, 0 for q = p.
    - "nothing": the teacher's probabilities of K are made to sum to 1, as if no other class existed. Smallest for a
      student that gives the tail nothing: even q = p has a loss, -log(1 - p_R).
    - "sampled": the last of the values is of a class that was drawn from the teacher's tail, and stands for all of it.
      The mean over draws is KL, and so is its gradient's; single values vary, and can be negative. With it alone every
      class is in the tail: the gradient is that of a hard label drawn from the teacher. `TopK` draws.

    "nothing" takes logits or log-probabilities, at any T. The others take log-probabilities, of which p_R is what is
    left of 1, and T = 1, since at another T the sum of the tail depends on how it is shared. Where all of the teacher's
    logits are known, `T**2 * top_k_loss(student_logits / T, *(teacher_logits / T).log_softmax(-1).topk(k))` has any T.

    Source: for "sampled" Anshumann et al. 2025 (Sparse Logit Sampling, arXiv 2503.16870), who draw all classes.

    Args:
        values: the teacher's log-probabilities or logits `(..., k)`, k at least 1 and fewer than there are classes.
        indices: their classes, `(..., k)` int64, each once in a row.

    Returns:
        A scalar for student logits `(..., C)`; one value a label, `(...)`, for `reduction="none"`.

    >>> import torch
    >>> values, indices = torch.tensor([[0.5, 0.3]]).log(), torch.tensor([[2, 0]])  # "logprobs" of two of four tokens
    >>> student = torch.tensor([[0.3, 0.1999, 0.5, 0.0001]]).log()
    >>> top_k_loss(student, values, indices) < 1e-6, top_k_loss(student, values, indices, tail="nothing")  # -log 0.8
    (tensor(True), tensor(0.2231))
    """
    if tail not in get_args(Tail):
        raise ValueError(f"tail must be one of {', '.join(get_args(Tail))}; got {tail!r}")
    check_temperature(temperature)
    student, known, indices = kept_classes(student_logits, values, indices, mask)
    if tail != "nothing":
        check_rest(known, temperature, mask)
    return reduced(temperature**2 * known_part(student, known, indices, temperature, tail), reduction, mask)


def known_part(student: Tensor, known: Tensor, indices: Tensor, temperature: float | Tensor, tail: Tail) -> Tensor:
    log_q = log_softmax(student, temperature)
    others, log_q = log_q.scatter(-1, indices, -torch.inf).logsumexp(dim=-1, keepdim=True), log_q.gather(-1, indices)
    if tail == "nothing":
        return kl(log_softmax(known, temperature), log_q)
    if tail == "bucket":  # the tail as one class more; of "sampled" the last class stands for it already
        known, log_q = torch.cat([known, rest(known).log()], dim=-1), torch.cat([log_q, others], dim=-1)
    weights = torch.cat([known[..., :-1].exp(), rest(known[..., :-1])], dim=-1)
    return (weights * (known - log_q)).sum(dim=-1)


def rest(log_p: Tensor) -> Tensor:
    """p_R, which rounding may leave below 0."""
    return (1 - log_p.exp().sum(dim=-1, keepdim=True)).clamp_min(torch.finfo(log_p.dtype).tiny)


def check_rest(log_p: Tensor, temperature: float | Tensor, mask: Tensor | None) -> None:
    """Refuse a temperature at which the tail's sum is not known, and rows that leave less than nothing for it."""
    if isinstance(temperature, Tensor) or temperature != 1:
        raise ValueError(
            f"temperature must be 1, since the tail's sum at another is not known; got {temperature}. tail='nothing' "
            "takes any; so does T**2 * top_k_loss(student_logits / T, *(teacher_logits / T).log_softmax(-1).topk(k))"
        )
    total = log_p.exp().sum(dim=-1) if mask is None else torch.where(mask, log_p.exp().sum(dim=-1), 0)
    if values_can_be_read(total) and (most := float(total.amax())) > 1.01:  # half precision is rounded so far
        raise ValueError(
            f"values must be log-probabilities, whose exp sums to at most 1 in a row; got a sum of {most:.3g}. Take "
            ".log() of probabilities, .log_softmax(-1) of all logits, tail='nothing' of the logits of k classes alone"
        )
