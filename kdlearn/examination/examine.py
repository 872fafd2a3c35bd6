"""What a distillation loss computes, found by asking it: `kdlearn.examine(loss)` reads no source."""

import contextlib
import io
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch

from kdlearn.examination import diagnoses, numerical_checks, relations
from kdlearn.examination.findings import Finding, in_order
from kdlearn.examination.loss_profile import LossProfile
from kdlearn.examination.query import Query
from kdlearn.examination.report import Report, report_of


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
    loss = getattr(loss, "_orig_mod", getattr(loss, "_torchdynamo_orig_callable", loss))  # what was compiled
    if not callable(loss) or isinstance(loss, type):
        way_out = f"{loss} is a class: hand over an object of it" if isinstance(loss, type) else f"got {loss!r}"
        raise TypeError(f"loss must be a function of two logits; {way_out}")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # extreme logits, and probes of what a loss warns of
        with torch.inference_mode(False), torch.enable_grad():
            profile = LossProfile(Query(loss, arrays, parameters), sequences, classes)
            tests = diagnoses.TESTS + relations.TESTS + numerical_checks.TESTS
            tests = tests if profile.gradient.isfinite().all() else (numerical_checks.of_size,)
            findings = in_order(finding for test in tests for finding in test(profile))
            later = profile.query.value(profile.plain)
            if abs(later - profile.first_value) > profile.threshold * abs(later):
                sentence = f"the first call gave {profile.first_value:.4g}, a later one with the same seed {later:.4g}"
                return Report((Finding("keeps-state", sentence, later),))
            return report_of(profile, findings)
