"""What a distillation loss computes, found by asking it: `kdlearn.examine(loss)` reads no source."""

import contextlib
import io
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from kdlearn.examination import diagnoses, numerical_checks
from kdlearn.examination.findings import Finding, in_order
from kdlearn.examination.loss_profile import LossProfile
from kdlearn.examination.query import Query
from kdlearn.examination.weights import described


@dataclass(frozen=True)
class Report:
    """What `examine` found; `str(report)` is for people.

    `form` names the soft loss, None where it is none of the known ones; `temperature` is None where none is in it.
    `soft_weights`, one for each part of the soft loss (times `temperature` to the `power`), and `hard_weight` of
    cross-entropy are weights of means over the batch; none and NaN where the form is not known. `smoothing` is that of
    the labels.
    `weighs` says what the weights in the signature weigh, and `error` how much of the gradient is left unexplained.
    """

    findings: tuple[Finding, ...]
    form: str | None = None
    temperature: float | None = None
    power: int | None = None
    soft_weights: tuple[float, ...] = ()
    hard_weight: float = math.nan
    smoothing: float = 0.0
    reduction: str = ""
    weighs: dict[str, str] = field(default_factory=dict)
    error: float = 1.0

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
    loss: Callable[..., Any],
    *,
    sequences: bool = False,
    arrays: bool = False,
    classes: int | None = None,
    parameters: Mapping[str, str] | None = None,
) -> Report:
    """Find out what a distillation loss computes, from its values and gradients alone.

    Args:
        loss: takes the logits of student and teacher, `(N, C)`, and gives one number. A parameter is what its name
            says: one with `student` or `teacher` in it (`y_pred` and `y_true` in Keras), `labels`, one that ends in
            `mask`, `temperature`, `temp`, `T` or `tau`, or a weight, which is `alpha`, `beta`, `gamma`, `lam`, or ends
            in `weight` or `share`. What else has no default is student, teacher, labels, in this order.
        sequences: whether to ask it about logits `(N, time, C)`; a loss with a mask is asked about its mask either way.
        arrays: whether it takes NumPy arrays (NumPy, JAX, Keras on another backend); its gradient is then found by
            differences. A Keras loss on the torch backend takes tensors.
        classes: their number, where the loss takes no other; a mean over the classes is then not told from a weight.
        parameters: what a parameter is where that rule is wrong: {"kd_T": "temperature", "gt": "labels"}. It maps
            names to "student", "teacher", "labels", "mask", "temperature" or "weight".

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
            profile = LossProfile(Query(loss, arrays, parameters), sequences, classes)
            return report_of(profile, in_order(findings_of(profile)))


def findings_of(profile: LossProfile) -> Iterator[Finding]:
    """The gravest first."""
    tests = (
        diagnoses.of_reductions, diagnoses.of_temperature, diagnoses.of_rows, diagnoses.of_form, diagnoses.of_gradients,
        diagnoses.of_weights, numerical_checks.of_padding, numerical_checks.of_ordinary_logits,
        numerical_checks.of_large_logits, numerical_checks.of_half_precision,
    )  # fmt: skip
    for test in tests if profile.gradient.isfinite().all() else (numerical_checks.of_ordinary_logits,):
        yield from test(profile)


def report_of(profile: LossProfile, findings: tuple[Finding, ...]) -> Report:
    """What is found of a loss that keeps no state; of another, that it does."""
    first, later = profile.first_value, profile.query.value(profile.plain)
    if abs(later - first) > profile.threshold * abs(first):
        said = f"the first call gave {first:.4g}, a later one with the same logits and seed {later:.4g}"
        return Report((Finding("keeps-state", said, later),))
    return Report(findings, **described(profile))
