"""How far two softmaxes lie apart, row by row, to full precision: for nearly equal logits and extreme temperatures too.

With p = softmax(teacher_logits / T), q = softmax(student_logits / T), r = log q - log p and f(x) = e^x - 1 - x >= 0::

    KL(p ‖ q)   Σ p (log p - log q)                             = Σ p f(r)     slope  (q - p) / T
    KL(q ‖ p)   Σ q (log q - log p)                             = Σ q f(-r)    slope  q (r - KL(q ‖ p)) / T
    JS          β KL(p ‖ m) + (1 - β) KL(q ‖ m),  m = β p + (1 - β) q          slope  (1 - β) q (ℓ - Σ q ℓ) / T
    KL(p ‖ m)   as KL(p ‖ q)                             slope  (1 - β) q (Σ q g - g) / T,  g = p / m
    KL(q ‖ m)   as KL(q ‖ p)                             slope  q (h - Σ q h) / T,  h = ℓ - (1 - β) q / m

with ℓ = log q - log m. The second form is the first plus Σ (q - p) = 0: its terms are positive, so nothing cancels,
where the first loses all digits as q comes near p. What must be had exactly is r and q - p: `Comparison`.

Arguments are checked already, `(..., C)` in float32 or float64, and T a tensor without dimensions.
"""

import inspect
import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

from kdlearn.formulas.arguments import values_can_be_read
from kdlearn.formulas.labels import softmax

LOG2_E = 1 / math.log(2)
FAR_APART = 0.05  # Σ |q - p| of a row from which plain float32 arithmetic is right to 3e-4: KL is above 0.05² / 2


class Comparison(Function):
    """KL(p ‖ q) `(...)`, r, q - p and p: each right in its own digits. Of p there is no gradient."""

    generate_vmap_rule = True

    @staticmethod
    def forward(student_logits: Tensor, teacher_logits: Tensor, temperature: Tensor) -> tuple[Tensor, ...]:
        if not all(map(values_can_be_read, (student_logits, teacher_logits, temperature))):
            return compare_exactly(student_logits, teacher_logits, temperature)
        results = compare_plainly(student_logits, teacher_logits, temperature)
        rows = results[2].abs().sum(-1) < FAR_APART
        if rows.any():
            exact = compare_exactly(student_logits[rows], teacher_logits[rows], temperature)
            for result, values in zip(results, exact, strict=True):
                result[rows] = values
        return results

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        _, _, change, p = output
        ctx.mark_non_differentiable(p)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(change, p, inputs[2])

    @staticmethod
    def backward(ctx: Any, *of_outputs: Tensor | None) -> Any:
        of_kl, of_ratio, of_change, _ = of_outputs
        change, p, temperature = ctx.saved_tensors
        slopes = []
        if of_kl is not None:
            slopes.append(of_kl.unsqueeze(-1) * change)
        if of_ratio is not None:
            slopes.append(of_ratio - (p + change) * of_ratio.sum(-1, True))
        if of_change is not None:
            slopes.append(centred_under(p + change, of_change))
        return (sum(slopes) / temperature if slopes else None), None, None


class CrossEntropy(Function):
    """-log q_y `(...)` and q - one-hot of y, at T = 1: right also where q_y is so near 1 that 1 - q_y rounds to 0."""

    generate_vmap_rule = True

    @staticmethod
    def forward(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits, target = logits - logits.amax(-1, True), labels.unsqueeze(-1)
        target_logit = logits.gather(-1, target)
        powers = (logits * LOG2_E).exp2_().scatter(-1, target, 0)
        others = powers.sum(-1, True)
        total = others + target_logit.exp()
        value = (others + target_logit.expm1()).log1p_() - target_logit
        return value.squeeze(-1), powers.div_(total).scatter(-1, target, -others / total)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(output[1], inputs[1])

    @staticmethod
    def backward(ctx: Any, *of_outputs: Tensor | None) -> Any:
        of_value, of_change = of_outputs
        change, labels = ctx.saved_tensors
        slope = None if of_value is None else of_value.unsqueeze(-1) * change
        if of_change is not None:
            q = change + (labels.unsqueeze(-1) == torch.arange(change.shape[-1], device=change.device))
            slope = centred_under(q, of_change) + (0 if slope is None else slope)
        return slope, None


class WithSlope(Function):
    """A value a row `(...)`, and its slope `(..., C)` in `at`, which is differentiated where a second one is wanted."""

    generate_vmap_rule = True

    @staticmethod
    def forward(at: Tensor, value: Tensor, slope: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[2])

    @staticmethod
    def backward(ctx: Any, *of_value: Tensor) -> tuple[Tensor, None, None]:
        return of_value[0].unsqueeze(-1) * ctx.saved_tensors[0], None, None


for function in (Comparison, CrossEntropy, WithSlope):  # which `apply` asks for at every call: half of its time
    function.forward.__signature__ = inspect.signature(function.forward)


# Dynamo cannot trace a Function inside torch.func. While compiling, a value gets its slope as the factor of a 0: second
# derivatives, which compiled code does not have, would be 0.


def compare(student_logits: Tensor, teacher_logits: Tensor, temperature: Tensor) -> tuple[Tensor, ...]:
    """KL(p ‖ q), r, q - p and p: see `Comparison`."""
    if not torch.compiler.is_compiling():
        return Comparison.apply(student_logits, teacher_logits, temperature)
    kl, ratio, change, p = compare_exactly(student_logits.detach(), teacher_logits, temperature)
    return with_slope(student_logits, kl, change / temperature), ratio, change, p


def with_slope(at: Tensor, value: Tensor, slope: Tensor) -> Tensor:
    """The value, with this slope in `at`: see `WithSlope`."""
    if not torch.compiler.is_compiling():
        return WithSlope.apply(at, value, slope)
    return value + (slope.detach() * (at - at.detach())).sum(-1)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-log q_y at T = 1, `(...)`."""
    if not torch.compiler.is_compiling():
        return CrossEntropy.apply(logits, labels)[0]
    return with_slope(logits, *CrossEntropy.forward(logits.detach(), labels))


def kl(student_logits: Tensor, teacher_logits: Tensor, temperature: Tensor) -> Tensor:
    """KL(p ‖ q), `(...)`."""
    return compare(student_logits, teacher_logits, temperature)[0]


def reverse_kl(student_logits: Tensor, teacher_logits: Tensor, temperature: Tensor) -> Tensor:
    """KL(q ‖ p), `(...)`."""
    _, ratio, change, _ = compare(student_logits, teacher_logits, temperature)
    q = softmax(student_logits, temperature)
    value = bregman(q.detach(), -ratio.detach(), -change.detach()).sum(dim=-1)
    return with_slope(student_logits, value, centred_under(q, ratio) / temperature)


def jensen_shannon(
    student_logits: Tensor, teacher_logits: Tensor, temperature: Tensor, share: float | Tensor
) -> Tensor:
    """share · KL(p ‖ m) + (1 - share) · KL(q ‖ m), `(...)`, with m = share · p + (1 - share) · q."""
    _, ratio, change, p = compare(student_logits, teacher_logits, temperature)
    q, log_m_over_q = softmax(student_logits, temperature), log_mixture(-ratio, share)
    from_p = bregman(p, log_mixture(ratio.detach(), 1 - share), (1 - share) * change.detach())
    from_q = bregman(q.detach(), log_m_over_q.detach(), -share * change.detach())
    value = (share * from_p + (1 - share) * from_q).sum(dim=-1)
    return with_slope(student_logits, value, (1 - share) * centred_under(q, -log_m_over_q) / temperature)


def skewed_kl(student_logits: Tensor, teacher_logits: Tensor, temperature: Tensor, share: float | Tensor) -> Tensor:
    """KL(p ‖ m), `(...)`, with m = share · p + (1 - share) · q."""
    _, ratio, change, p = compare(student_logits, teacher_logits, temperature)
    q, log_m_over_p = softmax(student_logits, temperature), log_mixture(ratio, 1 - share)
    value = bregman(p, log_m_over_p.detach(), (1 - share) * change.detach()).sum(dim=-1)
    slope = (1 - share) * centred_under(q, -torch.expm1(-log_m_over_p))
    return with_slope(student_logits, value, slope / temperature)


def skewed_reverse_kl(
    student_logits: Tensor, teacher_logits: Tensor, temperature: Tensor, share: float | Tensor
) -> Tensor:
    """KL(q ‖ m), `(...)`, with m = share · q + (1 - share) · p."""
    _, ratio, change, _ = compare(student_logits, teacher_logits, temperature)
    q, log_m_over_q = softmax(student_logits, temperature), log_mixture(-ratio, 1 - share)
    value = bregman(q.detach(), log_m_over_q.detach(), -(1 - share) * change.detach()).sum(dim=-1)
    slope = centred_under(q, -log_m_over_q - share * torch.expm1(-log_m_over_q))
    return with_slope(student_logits, value, slope / temperature)


def decoupled(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: Tensor
) -> tuple[Tensor, Tensor]:
    """KL of "the target or not" and KL among the others, `(...)` each."""
    target = labels.unsqueeze(-1)
    others = torch.arange(student_logits.shape[-1] - 1, device=student_logits.device)
    others = others + (others >= target)
    student_others, teacher_others = student_logits.gather(-1, others), teacher_logits.gather(-1, others)
    student_odds = log_odds(student_logits.gather(-1, target), student_others, temperature)
    teacher_odds = log_odds(teacher_logits.gather(-1, target), teacher_others, temperature)
    _, ratio, change, p = compare(student_logits, teacher_logits, temperature)
    change = change.gather(-1, target)
    target_part = bregman(p.gather(-1, target), ratio.detach().gather(-1, target), change.detach())
    rest, rest_change = p.gather(-1, others).sum(-1, True), -change.detach()
    rest_part = bregman(rest, rest_ratio(rest, rest_change, student_odds.detach(), teacher_odds), rest_change)
    target_kl = with_slope(student_odds, (target_part + rest_part).squeeze(-1), change)
    if student_others.shape[-1] == 1:
        return target_kl, torch.zeros_like(target_kl)
    return target_kl, kl(student_others, teacher_others, temperature)


def log_odds(target_logit: Tensor, other_logits: Tensor, temperature: Tensor) -> Tensor:
    """log(q_y / (1 - q_y)), `(..., 1)`."""
    top = other_logits.detach().amax(dim=-1, keepdim=True)
    log_others = torch.logsumexp((other_logits - top) / temperature, dim=-1, keepdim=True)
    return (target_logit - top) / temperature - log_others


def rest_ratio(rest: Tensor, change: Tensor, student_odds: Tensor, teacher_odds: Tensor) -> Tensor:
    """log((1 - q_y) / (1 - p_y)) where `rest` is 1 - p_y and `change` is p_y - q_y."""
    relative = change / rest.clamp_min(torch.finfo(rest.dtype).tiny)
    near = relative.abs() < 0.5
    far_ratio = F.softplus(teacher_odds) - F.softplus(student_odds)
    return torch.where(near, torch.log1p(torch.where(near, relative, 0)), far_ratio)


def compare_exactly(student_logits: Tensor, teacher_logits: Tensor, temperature: Tensor) -> tuple[Tensor, ...]:
    """What `Comparison` gives, for any logits."""
    difference, student_top, teacher_top = relative_difference(student_logits, teacher_logits)
    q, student_sum = softmax_and_sum((student_logits - student_top) / temperature)
    p, teacher_sum = softmax_and_sum((teacher_logits - teacher_top) / temperature)
    ratio = (difference / temperature).sub_((student_sum / teacher_sum).log_())
    change = small_difference(p, q, ratio)
    # The logarithm was rounded, for all classes alike: by as much as Σ (q - p), which is known better, is not 0.
    excess = change.sum(-1, True)
    change.sub_(p * excess)
    ratio.sub_(excess)
    return bregman(p, ratio, change).sum(-1), ratio, change, p


def compare_plainly(student_logits: Tensor, teacher_logits: Tensor, temperature: Tensor) -> tuple[Tensor, ...]:
    """The same by fewer operations, for rows that are `FAR_APART`: three times as fast."""
    q, p = (logits - logits.amax(-1, True) for logits in (student_logits, teacher_logits))
    ratio = (q - p).div_(temperature)
    (_, student_sum), (_, teacher_sum) = (softmax_and_sum(logits.div_(temperature)) for logits in (q, p))
    ratio.sub_((student_sum / teacher_sum).log_())
    return torch.linalg.vecdot(p, ratio).neg_(), ratio, q.sub_(p), p


def softmax_and_sum(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The softmax, in place of the logits, and Σ e^logits, where the largest is 0. Powers of 2 are faster than of e."""
    total = logits.mul_(LOG2_E).exp2_().sum(-1, True)
    return logits.div_(total), total


def exact_difference(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """left - right rounded, and how much too large that is. Source: Knuth, TAOCP 2, section 4.2.2, theorem B."""
    rounded = left - right
    minus_right = rounded - left
    excess = (rounded - minus_right).sub_(left)
    return rounded, excess.add_(minus_right.add_(right))


def relative_difference(student_logits: Tensor, teacher_logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(student - its largest) - (teacher - its largest), exact beside each other; and the two largest, `(..., 1)`."""
    student_top, teacher_top = (logits.amax(dim=-1, keepdim=True) for logits in (student_logits, teacher_logits))
    offset, offset_excess = exact_difference(student_top, teacher_top)
    difference, excess = exact_difference(student_logits, teacher_logits)
    return difference.sub_(offset).sub_(excess.sub_(offset_excess)), student_top, teacher_top


def split(ratio: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """The ratio, cut off where it is large, and 1 there, 0 elsewhere. (`torch.where` takes 30 times as long.)

    It is small where a series with a relative error of ratio^order / 120 beats a subtraction.
    """
    outside = F.softshrink(ratio, (120 * torch.finfo(ratio.dtype).eps) ** (1 / (order + 1)))
    return ratio - outside, outside.sign_().abs_()


def small_difference(p: Tensor, q: Tensor, ratio: Tensor) -> Tensor:
    """q - p, where ratio is log q - log p: near 0 by 2 (q - p) / ((q + p) ratio) = 1 - ratio²/12 + O(ratio⁴)."""
    close, far = split(ratio, order=4)
    near = (close * close).div_(-12).add_(1).mul_(close).mul_(torch.lerp(p, q, 0.5))
    return (q - p).sub_(near).mul_(far).add_(near)


def bregman(weight: Tensor, ratio: Tensor, change: Tensor) -> Tensor:
    """weight · (e^ratio - 1 - ratio), never negative, where `change` is weight · (e^ratio - 1).

    Near 0 by (e^x - 1 - x) / (x (e^x - 1)) = 1/2 - x/12 + O(x³).
    """
    close, far = split(ratio, order=3)
    near = close.div(-12).add_(0.5).mul_(close).mul_(change)
    return (change - weight * ratio).sub_(near).mul_(far).add_(near)


def centred_under(q: Tensor, values: Tensor) -> Tensor:
    """q (values - Σ q values), what softmax makes of a slope in q: counted from the likeliest class, or it cancels."""
    values = values - values.gather(-1, q.argmax(-1, keepdim=True))
    return q * (values - (q * values).sum(-1, True))


def log_mixture(ratio: Tensor, share: float | Tensor) -> Tensor:
    """log(1 - share + share · e^ratio), exact near 0 and without overflow."""
    share = torch.as_tensor(share, dtype=ratio.dtype, device=ratio.device)
    near = ratio.abs() < 1
    close = torch.log1p(share * torch.expm1(torch.where(near, ratio, 0)))
    return torch.where(near, close, torch.logaddexp((1 - share).log(), share.log() + ratio))
