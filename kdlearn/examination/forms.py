"""What a loss can be, as formulas of one row: the forms that `examine` fits to the gradients of a loss.

A term takes `z` `(G, N, C)`, the student's logits once for each of G temperatures, `v` `(N, C)`, the teacher's logits,
`y` `(N,)`, and `T` `(G, 1, 1)`; it gives a value a row, `(G, N)`. Most terms compare what a reading of the student's
logits gives with what a reading of the teacher's logits gives; a reading takes logits and T.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from kdlearn.formulas.labels import evenly_spread, one_hot

Term = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
Reading = Callable[[Tensor, Tensor], Tensor]


class Probe(NamedTuple):
    """What a loss is asked about: logits `(N, C)` or `(N, time, C)` of student and teacher, and labels.

    `kept` says which rows count, None for all; `options` are further arguments by name.
    """

    z: Tensor
    v: Tensor
    y: Tensor
    kept: Tensor | None = None
    options: Mapping[str, Any] = MappingProxyType({})

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


def raw(x: Tensor, T: Tensor) -> Tensor:
    return x


def divided(x: Tensor, T: Tensor) -> Tensor:
    return x / T


def centred(x: Tensor, T: Tensor) -> Tensor:
    return x - x.mean(-1, keepdim=True)


def largest(x: Tensor, T: Tensor) -> Tensor:
    return one_hot(x.argmax(-1), x.shape[-1])


def softmax(x: Tensor, T: Tensor) -> Tensor:
    return (x / T).softmax(-1)


def softened(x: Tensor, T: Tensor) -> Tensor:
    return (x / T).log_softmax(-1)


def plain(x: Tensor, T: Tensor) -> Tensor:
    return x.log_softmax(-1)


def twice(x: Tensor, T: Tensor) -> Tensor:
    return (x.softmax(-1) / T).log_softmax(-1)


def over_batch(x: Tensor, T: Tensor) -> Tensor:
    return (x / T).log_softmax(-2)


def exp_softmax(x: Tensor, T: Tensor) -> Tensor:
    return softmax(x, T).exp()


def spread_softmax(x: Tensor, T: Tensor) -> Tensor:
    return evenly_spread(softmax(x, T))


def standardised(correction: int) -> Reading:
    """By a standard deviation that divides by C - `correction`."""
    return lambda x, T: softened(x / x.std(-1, keepdim=True, correction=correction), T)


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def kl(teacher: Reading, student: Reading | None = None) -> Term:
    """With the same reading for both, if none is said for the student."""
    return lambda z, v, y, T: divergence(teacher(v, T), (student or teacher)(z, T))


def reverse(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return divergence(softened(z, T), softened(v, T))


def cross(teacher: Reading, student: Reading) -> Term:
    """- Σ target · log q, whatever is taken for the target and for log q."""
    return lambda z, v, y, T: -(teacher(v, T) * student(z, T)).sum(-1)


def with_label(student: Reading) -> Term:
    return lambda z, v, y, T: -(one_hot(y, z.shape[-1]) * student(z, T)).sum(-1)


def even_cross_entropy(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return -z.log_softmax(-1).mean(-1)


def distance(of: Reading, power: int = 2) -> Term:
    return lambda z, v, y, T: ((of(z, T) - of(v, T)).abs() ** power).sum(-1)


def sigmoids(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(z / T, (v / T).sigmoid().expand_as(z), reduction="none").sum(-1)


def clipped_logits(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    p, q = ((logits / T).clamp(1e-7, 1) for logits in (v, z))  # as Keras clips probabilities
    return (p * (p / q).log()).sum(-1)


def target_or_not(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    """KL of two outcomes: the class of the label, or one of the others."""
    target = one_hot(y, v.shape[-1])
    p, q = ((softmax(x, T) * target).sum(-1, keepdim=True) for x in (v, z))
    return divergence(*(torch.cat([one, 1 - one], -1).clamp_min(1e-30).log() for one in (p, q)))


def other_classes(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
    is_target = one_hot(y, v.shape[-1]).bool()
    return divergence(*(torch.where(is_target, -1e4, x / T).log_softmax(-1) for x in (v, z)))


def mixture_of(share: float) -> Form:
    """Jensen–Shannon with this share of the teacher."""

    def term(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> Tensor:
        log_p, log_q = softened(v, T), softened(z, T)
        log_m = (share * log_p.exp() + (1 - share) * log_q.exp()).log()
        return share * divergence(log_p, log_m) + (1 - share) * divergence(log_q, log_m)

    return Form(f"Jensen–Shannon with {share:.3g} of the teacher", (term,), least_at_teacher=True)


# Where two forms agree, at T = 1 say, the earlier is named.
SOFT = (
    Form("KL(teacher ‖ student)", (kl(softened),), least_at_teacher=True),
    Form("squared distance of logits", (distance(raw),), softened=False, elementwise=True),
    Form("squared distance of centred logits", (distance(centred),), softened=False, elementwise=True),
    Form("KL(student ‖ teacher)", (reverse,), finding="reversed-divergence", least_at_teacher=True),
    Form("cross-entropy with the teacher's hard labels", (cross(largest, plain),), softened=False),
    Form("KL(teacher ‖ student) of standardised logits", (kl(standardised(1)),), least_at_teacher=True),
    Form("KL(teacher ‖ student) of standardised logits", (kl(standardised(0)),), least_at_teacher=True),
    Form("decoupled KL, target and the other classes", (target_or_not, other_classes)),
    Form("squared distance of probabilities", (distance(softmax),), True, "squared-error-of-probabilities", True),
    Form("squared distance of log-probabilities", (distance(softened),), elementwise=True),
    Form("absolute distance of logits", (distance(raw, 1),), softened=False, elementwise=True),
    Form("KL(teacher ‖ student), the teacher alone softened", (kl(softened, plain),), True, "softened-on-one-side"),
    Form("KL(teacher ‖ student), the student alone softened", (kl(plain, softened),), True, "softened-on-one-side"),
    Form("KL(teacher ‖ student), softmax twice for the teacher", (kl(twice, softened),), True, "softmax-twice"),
    Form("KL(teacher ‖ student), softmax twice for the student", (kl(softened, twice),), True, "softmax-twice"),
    Form("KL(teacher ‖ student), softmax twice", (kl(twice),), True, "softmax-twice"),
    Form("Σ p (log p - q), the student's logarithm left out", (cross(softmax, softmax),), True, "no-logarithm"),
    Form("Σ p (log p - z / T), the student's logits as they are", (cross(softmax, divided),), True, "no-softmax"),
    Form("KL of the teacher's logits as they are", (cross(divided, softened),), True, "no-softmax"),
    Form("KL of the teacher's log-probabilities", (cross(softened, softened),), True, "logarithms-as-targets"),
    Form("KL with exp(p) for the target p", (cross(exp_softmax, softened),), True, "log-target-of-probabilities"),
    Form("cross-entropy of sigmoids, class by class", (sigmoids,), elementwise=True),
    Form("KL of logits clipped to 0 … 1", (clipped_logits,), True, "no-softmax"),
    Form("KL, softmax over the batch", (kl(over_batch),), True, "softmax-over-batch"),
    Form("KL(teacher ‖ student) and KL(student ‖ teacher)", (kl(softened), reverse), least_at_teacher=True),
    Form("cross-entropy with the same entropy, spread evenly", (cross(spread_softmax, softened),)),
)
NO_TEACHER = Form("no teacher", (), softened=False)
NO_LABELS = Form("no labels", (), softened=False)
HARD = (
    Form("cross-entropy", (with_label(plain), even_cross_entropy), softened=False),
    Form("cross-entropy at T", (with_label(softened),), True, "temperature-on-hard-loss"),
    Form("cross-entropy of probabilities", (with_label(lambda x, T: plain(x.softmax(-1), T)),), False, "softmax-twice"),
)
