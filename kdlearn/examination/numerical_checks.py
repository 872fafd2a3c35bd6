"""What goes wrong with logits that are extreme, rounded or padding."""

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from kdlearn.examination.findings import Finding
from kdlearn.examination.forms import Probe
from kdlearn.examination.loss_profile import LossProfile

SIZES = (30.0, 100.0, 1e3, 1e4)  # of logits at which a loss must stay finite
HALF_ERROR = 0.25  # of the value, in float16: bfloat16 has too few digits for any KL at a high T


def of_size(profile: LossProfile) -> Iterator[Finding]:
    """Ordinary logits, and confident ones of student, teacher or both."""
    plain = profile.plain
    for size in (1.0, *SIZES):
        z, v = (size * logits.sign() if size > 1 else logits for logits in plain[:2])
        probes = (plain._replace(z=z), plain._replace(v=v), plain._replace(z=z, v=v))
        if not all(is_finite(profile, probe) for probe in probes):
            which = f"logits of ± {size:g} in float32" if size > 1 else "ordinary logits"
            yield Finding("not-finite", f"{which} give NaN or infinity", size)
            return


def is_finite(profile: LossProfile, probe: Probe) -> bool:
    query = profile.query
    slopes = torch.zeros(1) if query.arrays else query.gradient(probe, dtype=torch.float32)
    return math.isfinite(query.value(probe, dtype=torch.float32)) and bool(slopes.isfinite().all())


def of_half_precision(profile: LossProfile) -> Iterator[Finding]:
    """Its own, or that of logits in half precision."""
    query, plain = profile.query, profile.plain
    if query.is_coarse and (share := profile.rows_without_response) > 0.5:
        sentence = f"both logits times 1.000001 leave {share:.0%} of the rows' gradients as they are"
        yield Finding("inexact-in-half-precision", f"it computes in half precision: {sentence}", share)
    rounded = plain._replace(z=plain.z.half().double(), v=plain.v.half().double())
    try:
        half, exact = query.value(rounded, torch.float16), query.value(rounded)
    except Exception:  # not every operation exists in it on a CPU
        return
    sentence = f"in float16 it gives {half:.4g} where {exact:.4g} is right"
    if not math.isfinite(half):
        yield Finding("not-finite", sentence, half)
    elif abs(half - exact) > HALF_ERROR * abs(exact):
        yield Finding("inexact-in-half-precision", sentence, half)


def of_padding(profile: LossProfile) -> Iterator[Finding]:
    """What a mask, or in sequences a label of -100, leaves out does not count: the rest alone has the same value."""
    query, plain, takes = profile.query, profile.plain, profile.signature
    if query.mask and query.mask[0] != query.masks[0][0]:
        yield Finding("mask-inverted", f"rows where {takes.mask} is {not query.mask[0]} do not count", 1.0)
    marks = "time" in profile.sizes or "ignore_index" in takes.settings
    if profile.is_random or not (query.mask or (takes.labels and marks)):
        return
    count = (plain.y.shape[-1] + 1) // 2
    kept = (torch.arange(plain.y.shape[-1]) < count).expand_as(plain.y)
    marked = plain._replace(kept=kept, y=torch.where(kept, plain.y, takes.settings.get("ignore_index", -100)))
    for probe in (marked, marked._replace(y=plain.y)) if query.mask else (marked,):
        with contextlib.suppress(Exception):  # a loss may refuse -100
            value = query.value(probe)
            parts = (plain.z[..., :count, :], plain.v[..., :count, :], plain.y[..., :count])
            alone = query.value(plain._replace(z=parts[0], v=parts[1], y=parts[2]))
            if abs(value - alone) > profile.threshold * max(1.0, abs(alone)) and not labels_alone(profile, kept):
                by = takes.mask or takes.labels
                sentence = f"with a part left out by {by}, the value is {value / alone:.3g} times"
                yield Finding("padding-counted", f"{sentence} that of the rest alone", value / alone)
            return


def labels_alone(profile: LossProfile, kept: Tensor) -> bool:
    """Whether a mask of rows says which labels are known: elsewhere the teacher teaches on, and labels do not count."""
    if not profile.query.mask or not profile.reads_labels or "time" in profile.sizes:
        return False
    marked = profile.plain._replace(kept=kept)
    other = marked._replace(y=torch.where(kept, marked.y, profile.other_labels))
    gradient = profile.query.gradient(marked)
    return bool(gradient[~kept].any()) and torch.equal(gradient, profile.query.gradient(other))


TESTS = (of_padding, of_size, of_half_precision)
