"""What a loss can be, as formulas of one row: the forms that `examine` fits to the gradients of a loss.

A term takes `z` `(G, N, C)`, the student's logits once for each of G temperatures, `v` `(N, C)`, the teacher's logits,
`y` `(N,)`, and `T` `(G, 1, 1)`; it gives a value a row, `(G, N)`. With p = softmax(v / T) and q = softmax(z / T).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from kdlearn.formulas.labels import evenly_spread, one_hot

Term = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
CLIP = 1e-7  # what Keras clips probabilities to


class Probe(NamedTuple):
    """Logits `(N, C)` or `(N, time, C)` of student and teacher, and labels of the same rows."""

    z: Tensor
    v: Tensor
    y: Tensor

    def rows(self) -> "Probe":
        """One label a row: `(N · time, C)`."""
        return Probe(self.z.flatten(0, -2), self.v.flatten(0, -2), self.y.flatten())


@dataclass(frozen=True)
class Form:
    """A kind of loss: its terms, each with a weight of its own, and the finding that it is in itself.

    `softened`: T is in it. `elementwise`: a mean over the classes too belongs to it, and no T². `least_at_teacher`: a
    divergence, 0 where the student equals the teacher.
    """

    name: str
    terms: tuple[Term, ...]
    softened: bool = True
    finding: str | None = None
    elementwise: bool = False
    least_at_teacher: bool = False


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def softened(logits: Tensor, T: Tensor | float) -> Tensor:
    return (logits / T).log_softmax(-1)


def forward(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return divergence(softened(v, T), softened(z, T))


def reverse(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return divergence(softened(z, T), softened(v, T))


def jensen_shannon(share: float) -> Term:
    def mixture(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
        log_p, log_q = softened(v, T), softened(z, T)
        log_m = (share * log_p.exp() + (1 - share) * log_q.exp()).log()
        return share * divergence(log_p, log_m) + (1 - share) * divergence(log_q, log_m)

    return mixture


def squared_logits(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return (z - v).square().sum(-1)


def centred_logits(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    difference = z - v
    return (difference - difference.mean(-1, keepdim=True)).square().sum(-1)


def absolute_logits(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return (z - v).abs().sum(-1)


def cosine(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return 1 - F.cosine_similarity(z, v.expand_as(z), dim=-1)


def squared_probabilities(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return (softened(z, T).exp() - softened(v, T).exp()).square().sum(-1)


def squared_logarithms(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return (softened(z, T) - softened(v, T)).square().sum(-1)


def standardised(correction: int) -> Term:
    """By a standard deviation that divides by C - `correction`."""

    def term(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
        z, v = (logits / logits.std(-1, keepdim=True, correction=correction) for logits in (z, v))
        return forward(z, v, y, T)

    return term


def teachers_hard_labels(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return -(one_hot(v.argmax(-1), v.shape[-1]) * z.log_softmax(-1)).sum(-1)


def spread_evenly(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return -(evenly_spread(softened(v, T).exp()) * softened(z, T)).sum(-1)


def target_or_not(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    (log_p, log_not_p), (log_q, log_not_q) = (apart(logits / T, y) for logits in (v, z))
    return divergence(torch.stack([log_p, log_not_p], -1), torch.stack([log_q, log_not_q], -1))


def apart(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """log p_y and log(1 - p_y)."""
    is_target = one_hot(y, logits.shape[-1]).bool()
    log_rest = torch.where(is_target, -torch.inf, logits).logsumexp(-1)
    log_all = logits.logsumexp(-1)
    return torch.where(is_target, logits, 0).sum(-1) - log_all, log_rest - log_all


def other_classes(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    is_target = one_hot(y, z.shape[-1]).bool()
    log_p, log_q = (torch.where(is_target, -1e4, logits / T).log_softmax(-1) for logits in (v, z))
    return divergence(log_p, log_q)


def teacher_alone_softened(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return divergence(softened(v, T), softened(z, 1.0))


def student_alone_softened(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return divergence(softened(v, 1.0), softened(z, T))


def softmax_twice_for_teacher(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return forward(z, v.softmax(-1), y, T)


def softmax_twice_for_student(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return forward(z.softmax(-1), v, y, T)


def softmax_twice(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return forward(z.softmax(-1), v.softmax(-1), y, T)


def probabilities_for_logarithms(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return -(softened(v, T).exp() * softened(z, T).exp()).sum(-1)


def logits_for_logarithms(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return -(softened(v, T).exp() * z / T).sum(-1)


def logits_for_targets(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return -(v / T * softened(z, T)).sum(-1)


def logarithms_for_targets(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return -(softened(v, T) * softened(z, T)).sum(-1)


def probabilities_for_log_targets(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return -(softened(v, T).exp().exp() * softened(z, T)).sum(-1)


def sigmoids(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    p = (v / T).sigmoid()
    return -(p * F.logsigmoid(z / T) + (1 - p) * F.logsigmoid(-z / T)).sum(-1)


def clipped_logits(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    p, q = ((logits / T).clamp(CLIP, 1) for logits in (v, z))
    return (p * (p / q).log()).sum(-1)


def over_the_batch(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return forward(z.transpose(-1, -2), v.T, y, T)


def cross_entropy(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return -(one_hot(y, z.shape[-1]) * z.log_softmax(-1)).sum(-1)


def even_cross_entropy(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return -z.log_softmax(-1).mean(-1)


def softened_cross_entropy(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return cross_entropy(z / T, v, y, T)


def cross_entropy_of_probabilities(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return cross_entropy(z.softmax(-1), v, y, T)


# With one number of classes, the two are alike at temperatures that differ.
STANDARDISED = tuple(
    Form("KL(teacher ‖ student) of standardised logits", (standardised(correction),), least_at_teacher=True)
    for correction in (0, 1)
)
# Where two forms agree, at T = 1 say, the earlier is named.
SOFT = (
    Form("KL(teacher ‖ student)", (forward,), least_at_teacher=True),
    Form("squared distance of logits", (squared_logits,), softened=False, elementwise=True),
    Form("squared distance of centred logits", (centred_logits,), softened=False, elementwise=True),
    Form("KL(student ‖ teacher)", (reverse,), finding="reversed-divergence", least_at_teacher=True),
    Form("cross-entropy with the teacher's hard labels", (teachers_hard_labels,), softened=False),
    STANDARDISED[1],
    Form("decoupled KL, target and the other classes", (target_or_not, other_classes)),
    Form("squared distance of probabilities", (squared_probabilities,), True, "squared-error-of-probabilities", True),
    Form("squared distance of log-probabilities", (squared_logarithms,), elementwise=True),
    Form("absolute distance of logits", (absolute_logits,), softened=False, elementwise=True),
    Form("cosine distance of logits", (cosine,), softened=False),
    Form("KL(teacher ‖ student), the teacher alone softened", (teacher_alone_softened,), True, "softened-on-one-side"),
    Form("KL(teacher ‖ student), the student alone softened", (student_alone_softened,), True, "softened-on-one-side"),
    Form("KL(teacher ‖ student), softmax twice for the teacher", (softmax_twice_for_teacher,), True, "softmax-twice"),
    Form("KL(teacher ‖ student), softmax twice for the student", (softmax_twice_for_student,), True, "softmax-twice"),
    Form("KL(teacher ‖ student), softmax twice", (softmax_twice,), True, "softmax-twice"),
    Form("Σ p (log p - q), the student's logarithm left out", (probabilities_for_logarithms,), True, "no-logarithm"),
    Form("Σ p (log p - z / T), the student's logits as they are", (logits_for_logarithms,), True, "no-softmax"),
    Form("KL of the teacher's logits as they are", (logits_for_targets,), True, "no-softmax"),
    Form("KL of the teacher's log-probabilities", (logarithms_for_targets,), True, "logarithms-as-targets"),
    Form("KL with exp(p) for the target p", (probabilities_for_log_targets,), True, "log-target-of-probabilities"),
    Form("cross-entropy of sigmoids, class by class", (sigmoids,), elementwise=True),
    Form("KL of logits clipped to 0 … 1", (clipped_logits,), True, "no-softmax"),
    Form("KL, softmax over the batch", (over_the_batch,), True, "softmax-over-batch"),
    Form("KL(teacher ‖ student) and KL(student ‖ teacher)", (forward, reverse), least_at_teacher=True),
    Form("cross-entropy with the same entropy, spread evenly", (spread_evenly,)),
)
NO_TEACHER = Form("no teacher", (), softened=False)
NO_LABELS = Form("no labels", (), softened=False)
HARD = (
    Form("cross-entropy", (cross_entropy, even_cross_entropy), softened=False),
    Form("cross-entropy at T", (softened_cross_entropy,), True, "temperature-on-hard-loss"),
    Form("cross-entropy of probabilities", (cross_entropy_of_probabilities,), False, "softmax-twice"),
)
SHARES = tuple(share / 20 for share in range(1, 20))  # of the teacher, in a Jensen–Shannon mixture


def mixture_of(share: float) -> Form:
    """Jensen–Shannon with this share of the teacher."""
    return Form(f"Jensen–Shannon with {share:.3g} of the teacher", (jensen_shannon(share),), least_at_teacher=True)
