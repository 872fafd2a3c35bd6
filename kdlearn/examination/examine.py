"""What a distillation loss computes, found by asking it: `kdlearn.examine(loss)` reads no source."""

import contextlib
import io
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from kdlearn.examination.examination import ASKED_TEMPERATURE, OTHER_TEMPERATURES, Examination
from kdlearn.examination.findings import Finding, in_order
from kdlearn.examination.hazards import of_extremes, of_padding
from kdlearn.examination.oddities import (
    of_gradients,
    of_hard_loss,
    of_inputs,
    of_reductions,
    of_rows,
    of_softmax,
    of_temperature,
    of_the_minimum,
    of_weights,
)
from kdlearn.examination.probing import Asked

REDUCTIONS: dict[tuple[float, float], str] = {
    (0, 0): "mean over the batch",
    (1, 0): "sum over the batch",
    (0, -1): "mean over batch and classes",
    (1, -1): "sum over the batch, mean over the classes",
}

TOLD_APART = (1.2, 40.0)  # between these temperatures, forms have gradients that differ

WEIGHED: dict[tuple[float, float], str] = {
    (1, 0): "weighs the soft loss alone",
    (0, 1): "weighs the hard loss alone",
    (1, -1): "weighs the soft loss; the hard loss gets the rest",
    (-1, 1): "weighs the hard loss; the soft loss gets the rest",
}


@dataclass(frozen=True)
class Report:
    """What `examine` found; `str(report)` is for people.

    `form` names the soft loss, None where it is none of the known ones; `temperature` is None where none is in it.
    `soft_weights`, one for each part of the soft loss (times `temperature` to the `power`), and `hard_weight` of
    cross-entropy are weights of means over the batch; none and NaN where the form is not known. `smoothing` is that of
    the labels.
    `weighs` says what the weights in the signature weigh, and `error` how much of the gradient is left unexplained.
    """

    form: str | None
    temperature: float | None
    power: int | None
    soft_weights: tuple[float, ...]
    hard_weight: float
    smoothing: float
    reduction: str
    weighs: dict[str, str]
    error: float
    findings: tuple[Finding, ...]

    @property
    def soft_weight(self) -> float:
        """The weight of the soft loss, or of its first part; 0 where there is none."""
        return math.nan if self.form is None else next(iter(self.soft_weights), 0.0)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the findings."""
        return tuple(finding.name for finding in self.findings)

    @property
    def sentence(self) -> str:
        """The loss in one line, such as `0.9 · T² · KL(teacher ‖ student), mean over the batch`."""
        if self.form is None:
            return "none of the forms that are known here"
        parts = [self.soft_part(), self.hard_part()]
        return " + ".join(part for part in parts if part) + f"; {self.reduction}" + self.at()

    def soft_part(self) -> str:
        if not self.soft_weight:
            return ""
        power = {None: "", 0: "", 2: " · T²"}.get(self.power, f" · T^{self.power}")
        weights = " and ".join(dict.fromkeys(f"{weight:.3g}" for weight in self.soft_weights))
        return f"{weights}{power} · {self.form}"

    def hard_part(self) -> str:
        smoothed = f", smoothed by {self.smoothing:.2g}" if abs(self.smoothing) > 1e-4 else ""
        return f"{self.hard_weight:.3g} · cross-entropy with the labels{smoothed}" if self.hard_weight else ""

    def at(self) -> str:
        return "" if self.temperature is None else f"; T = {self.temperature:.3g}"

    def __str__(self) -> str:
        lines = [f"This loss is {self.sentence}."]
        lines += [f"{name} {what}." for name, what in self.weighs.items()]
        lines += ["Its weights, T² and reductions were not checked."] if self.form is None else []
        lines += ["Nothing odd was found."] if not self.findings and self.form is not None else []
        lines += ["Nothing odd was found in the rest."] if not self.findings and self.form is None else []
        for finding in self.findings:
            lines += ["", str(finding)]
        return "\n".join(lines)


def examine(
    loss: Callable[..., Any], *, sequences: bool = False, arrays: bool = False, classes: int | None = None
) -> Report:
    """Find out what a distillation loss computes, from its values and gradients alone.

    Args:
        loss: takes the logits of student and teacher, `(N, C)`, and gives one number. Its signature says whether it
            takes labels, a temperature, a mask, or weights such as `alpha`; the names `student…` and `teacher…`,
            `y_pred` and `y_true`, tell their order, which is else student, teacher, labels.
        sequences: whether to ask it about logits `(N, time, C)`; a loss with a mask is asked about its mask either way.
        arrays: whether it takes NumPy arrays (NumPy, JAX, Keras on another backend); its gradient is then found by
            differences. A Keras loss on the torch backend takes tensors.
        classes: their number, where the loss takes no other; a mean over the classes is then not told from a weight.

    Returns:
        What it is, and what is odd, as `.temperature`, `.soft_weight`, `.findings`, each with a stable `name`.

    Raises:
        TypeError, ValueError: a parameter that no argument fits; a failure on ordinary logits; more than one number.

    >>> from torch.nn import functional as F
    >>> def mine(student_logits, teacher_logits, labels, T=4.0):
    ...     log_q, p = (student_logits / T).log_softmax(-1), (teacher_logits.detach() / T).softmax(-1)
    ...     return 0.9 * T**2 * F.kl_div(log_q, p, reduction="mean") + 0.1 * F.cross_entropy(student_logits, labels)
    >>> report = examine(mine)
    >>> report.names
    ('divided-by-classes',)
    >>> print(report.sentence)
    0.9 · T² · KL(teacher ‖ student) + 0.1 · cross-entropy with the labels; mean over batch and classes; T = 4
    """
    if not callable(loss):
        raise TypeError(f"loss must be a function of two logits; got {type(loss).__name__}")
    if isinstance(loss, type):
        raise TypeError(f"loss must be a function of two logits; {loss.__name__} is a class: hand over an object of it")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # extreme logits, and probes of what a loss warns of
        with torch.inference_mode(False), torch.enable_grad():
            return report_of(asked_of(loss, sequences, arrays, classes))


def asked_of(loss: Callable[..., Any], sequences: bool, arrays: bool, classes: int | None) -> Examination:
    asked = Asked(loss, arrays)
    options = {asked.roles.temperature: temperature_to_ask(asked)} if asked.roles.temperature else {}
    seen = Examination(asked, sequences, options, classes)
    asked.prepare(seen.plain)
    usable = seen.gradient.any() and seen.gradient.isfinite().all()
    if asked.roles.mask in asked.roles.needed and not usable:  # its values may mean the opposite
        asked.mask_keeps = not asked.mask_keeps
        return Examination(asked, sequences, options, classes)
    return seen


def temperature_to_ask(asked: Asked) -> float:
    """The default, unless forms are alike there."""
    default = asked.roles.default_temperature
    return float(default) if default and TOLD_APART[0] < default < TOLD_APART[1] else ASKED_TEMPERATURE


def report_of(seen: Examination) -> Report:
    first, found = seen.first_value, stateless(seen)
    if not seen.keeps_state():
        return found
    later = seen.asked.value(seen.plain, **seen.options)
    said = f"the first call gave {first:.4g}, a later one with the same logits and seed {later:.4g}"
    return Report(None, None, None, (), math.nan, 0.0, "", {}, 1.0, (Finding("keeps-state", said, later),))


def stateless(seen: Examination) -> Report:
    fit, power, told = seen.fit, *power_of(seen)
    common = {"weighs": weighs(seen), "findings": in_order(findings_of(seen, power, told))}
    if fit is None:
        return Report(None, None, None, (), math.nan, 0.0, "", error=1.0, **common)
    softened, part = fit.soft.softened or fit.hard.softened, 0 if fit.soft.terms else 1
    rows, classes = (seen.scalings.get(name, (0.0, 0.0))[part] for name in ("rows", "classes"))
    return Report(
        form=fit.soft.name,
        temperature=temperature_of(seen) if softened else None,
        power=int(power) if power.is_integer() and (softened or power) else None,
        soft_weights=soft_weights(seen, power),
        hard_weight=seen.bare(fit.hard_weight, 1) * default_over_asked(seen) ** seen.hard_power,
        smoothing=fit.smoothing,
        reduction=REDUCTIONS.get((rows, classes), "no mean or sum that is known here"),
        error=fit.error,
        **common,
    )


def findings_of(seen: Examination, power: float, told: bool) -> Iterator[Finding]:
    """Each name once, the gravest first."""
    if not seen.gradient.isfinite().all():
        yield from of_extremes(seen)
        return
    yield from of_reductions(seen)
    yield from of_temperature(seen, power, told)
    tests = (
        of_hard_loss, of_rows, of_softmax, of_gradients, of_inputs, of_weights, of_the_minimum, of_padding, of_extremes,
    )  # fmt: skip
    for test in tests:
        yield from test(seen)


def temperature_of(seen: Examination) -> float | None:
    """The one that is used where the caller gives none."""
    other, default = seen.at_temperature(OTHER_TEMPERATURES[1]), seen.asked.roles.default_temperature
    if seen.fit is None or seen.asked.roles.temperature is None:
        return seen.fit.temperature if seen.fit else None
    if other is None or other.temperature == seen.fit.temperature:  # whatever the argument is
        return seen.fit.temperature
    return None if default is None else default * seen.temperature_ratio


def default_over_asked(seen: Examination) -> float:
    default = seen.asked.roles.default_temperature
    return default / seen.options[str(seen.asked.roles.temperature)] if default else 1.0


def soft_weights(seen: Examination, power: float) -> tuple[float, ...]:
    """Without what the reduction and T to its power put into them."""
    fit = seen.fit
    if fit is None:
        return ()
    T = fit.temperature if fit.soft.softened else seen.options.get(str(seen.asked.roles.temperature), 1.0)
    divisor = 1.0 if math.isnan(power) else T**power
    return tuple(seen.bare(weight, 0) / divisor for weight in fit.soft_weights)


def power_of(seen: Examination) -> tuple[float, bool]:
    """The power of T in the soft weight, and whether it was measured over temperatures or taken from the weights.

    Where T cannot be given, the weights tell: they add up to 1, or the soft one is 1, at one power of T alone.
    """
    if seen.fit is None or not seen.fit.soft.terms:
        return math.nan, False
    if not math.isnan(measured := seen.power_of_temperature()):
        return measured, True
    soft, hard = abs(soft_weights(seen, 0)[0]), seen.bare(seen.fit.hard_weight, 1)
    if abs((T := seen.fit.temperature) - 1) < 1e-4:
        return math.nan, False
    sums = {k: (soft / T**k, soft / T**k + hard) for k in (2, 0, 4)}
    plausible = (k for k, ones in sums.items() if any(math.isclose(one, 1, rel_tol=1e-3) for one in ones))
    return float(next(plausible, 2)), False


def weighs(seen: Examination) -> dict[str, str]:
    """What each weight of the loss weighs, in words."""
    found = {name: weighed(seen, name) for name in seen.asked.roles.weights}
    return {name: what for name, what in found.items() if what}


def weighed(seen: Examination, name: str) -> str:
    """From the form's weights at a quarter and at three quarters."""
    try:
        low, high = (seen.fit_on(seen.plain, **{name: weight}) for weight in (0.25, 0.75))
    except Exception:  # a loss may refuse it
        return ""
    if low is None or high is None:
        return ""
    soft = sum(high.soft_weights) - sum(low.soft_weights)
    return WEIGHED.get((sign(soft), sign(high.hard_weight - low.hard_weight)), "")


def sign(change: float) -> float:
    return 0 if abs(change) < 1e-3 else math.copysign(1, change)
