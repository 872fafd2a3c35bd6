"""How far two softmaxes lie apart, row by row: the formulas, in place.

With p = softmax(teacher_logits / T) and q = softmax(student_logits / T)::

    KL(p ‖ q)   Σ p (log p - log q)
    KL(p ‖ m)   with log m = log(share · p + (1 - share) · q), which `log_mixture` gives from log p and log q
    decoupled   KL of "the target or another", two classes, and KL among the others

Arguments are checked already, `(..., C)` in float32 or float64. Nothing is cut off at 0, which would take the gradient
away: rounding may leave a value slightly below it.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

NO_LABEL = torch.iinfo(torch.int64).min  # for torch, which ignores -100 unless told: a wrong label is an error


def scaled(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """(z - max z) / T: of logits of 10⁴ at a small T, the quotient z / T would be rounded too much."""
    return (logits - logits.detach().amax(dim=-1, keepdim=True)) / temperature


def log_softmax(logits: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
    return torch.log_softmax(scaled(logits, temperature), dim=-1)


def kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Σ p (log p - log q), `(...)`, of logarithms `(..., C)`."""
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-log q_y at T = 1, `(...)`."""
    rows, places = logits.flatten(0, -2), labels.flatten()
    return F.cross_entropy(rows, places, ignore_index=NO_LABEL, reduction="none").view(labels.shape)


def log_mixture(log_p: Tensor, log_q: Tensor, share: float | Tensor) -> Tensor:
    """log(share · p + (1 - share) · q), without leaving logarithms."""
    share = torch.as_tensor(share, dtype=log_p.dtype, device=log_p.device)
    return torch.logaddexp(log_p + share.log(), log_q + (1 - share).log())


def jensen_shannon(log_p: Tensor, log_q: Tensor, share: float | Tensor) -> Tensor:
    """share · KL(p ‖ m) + (1 - share) · KL(q ‖ m), `(...)`, with m = share · p + (1 - share) · q."""
    log_m = log_mixture(log_p, log_q, share)
    return share * kl(log_p, log_m) + (1 - share) * kl(log_q, log_m)


def decoupled(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: float | Tensor
) -> list[Tensor]:
    """KL of "the target or another" and KL among the others, `(...)` each."""
    target = labels.unsqueeze(-1)
    others = torch.arange(student_logits.shape[-1] - 1, device=student_logits.device)
    order = torch.cat([target, others + (others >= target)], dim=-1)
    student, teacher = (logits.gather(-1, order) for logits in (student_logits, teacher_logits))
    log_q, log_p = (log_softmax(bucketed(logits, temperature, 1)) for logits in (student, teacher))
    others_q, others_p = (log_softmax(logits[..., 1:], temperature) for logits in (student, teacher))
    return [kl(log_p, log_q), kl(others_p, others_q)]


def bucketed(logits: Tensor, temperature: float | Tensor, k: int) -> Tensor:
    """Logits at temperature 1 of the first k classes, and of all others as one: `(..., k + 1)`."""
    logits = scaled(logits, temperature)
    return torch.cat([logits[..., :k], logits[..., k:].logsumexp(dim=-1, keepdim=True)], dim=-1)
