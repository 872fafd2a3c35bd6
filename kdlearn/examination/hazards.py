"""What goes wrong with logits that are extreme, rounded or padding."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from kdlearn.examination.examination import Examination
from kdlearn.examination.findings import Finding
from kdlearn.examination.forms import Probe
from kdlearn.examination.probing import number

SIZES = (30.0, 100.0, 1e3, 1e4)  # of logits at which a loss must stay finite
HALF_ERROR = 0.25  # of the value, in float16; bfloat16 has too few digits for any KL at a high T


def of_extremes(seen: Examination) -> Iterator[Finding]:
    """Confident logits, and half precision."""
    value = seen.asked.value(seen.plain, **seen.options)
    if not math.isfinite(value):
        yield Finding("not-finite", f"on ordinary logits its value is {value}", value)
        return
    if not seen.gradient.isfinite().all():
        yield Finding("not-finite", "on ordinary logits its gradient is NaN or infinite", math.nan)
        return
    for size in SIZES:
        if not all(finite(seen, probe) for probe in confident(seen.plain, size)):
            yield Finding("not-finite", f"logits of ± {size:g} in float32 give NaN or infinity", size)
            break
    yield from of_half_precision(seen)


def confident(probe: Probe, size: float) -> Iterator[Probe]:
    """Student, teacher or both with logits of that size."""
    large_z, large_v = size * probe.z.sign(), size * probe.v.sign()
    yield from (probe._replace(z=large_z), probe._replace(v=large_v), Probe(large_z, large_v, probe.y))


def finite(seen: Examination, probe: Probe) -> bool:
    given = number(seen.asked.call(probe, torch.float32, **seen.options))
    if not seen.asked.by_autograd:
        return math.isfinite(given)
    slope = seen.asked.slopes(probe, torch.float32, **seen.options)[0]
    return math.isfinite(given) and bool(slope.isfinite().all())


def of_half_precision(seen: Examination) -> Iterator[Finding]:
    if not seen.asked.by_autograd:
        return
    for dtype in (torch.float16, torch.bfloat16):
        z, v = (logits.to(dtype).double() for logits in seen.plain[:2])
        rounded = Probe(z, v, seen.plain.y)
        try:
            half = number(seen.asked.call(rounded, dtype, **seen.options))
        except Exception:  # not every operation exists in it on a CPU
            continue
        exact = seen.asked.value(rounded, **seen.options)
        said = f"in {str(dtype).removeprefix('torch.')} it gives {half:.4g} where {exact:.4g} is right"
        if not math.isfinite(half):
            yield Finding("not-finite", said, half)
        elif dtype == torch.float16 and abs(half - exact) > HALF_ERROR * abs(exact):
            yield Finding("inexact-in-half-precision", said, half)


def of_padding(seen: Examination) -> Iterator[Finding]:
    """What a mask leaves out, or a label of -100 in sequences."""
    half = torch.arange(seen.plain.y.numel()).reshape(seen.plain.y.shape) % 2 == 0
    roles = seen.asked.roles
    for name in (roles.mask, roles.labels if seen.sequences else None):
        if name:
            yield from half_masked(seen, name, half)


def half_masked(seen: Examination, name: str, kept: Tensor) -> list[Finding]:
    usual = seen.asked.mask_dtype
    for seen.asked.mask_dtype in (usual, torch.long):
        with contextlib.suppress(Exception):  # a loss may refuse -100, or masks of this kind
            return list(counted(seen, name, kept))
    seen.asked.mask_dtype = usual
    return []


def option(seen: Examination, name: str, kept: Tensor, y: Tensor) -> dict[str, Any]:
    """The mask, or the labels with -100, that keeps these rows."""
    if name == seen.asked.roles.mask:
        return {name: seen.asked.masked(kept, seen.asked.roles.mask_keeps)}
    return {name: torch.where(kept, y, -100)}


def counted(seen: Examination, name: str, marked: Tensor) -> Iterator[Finding]:
    given = {**seen.options, **option(seen, name, marked, seen.plain.y)}
    kept = marked
    if seen.shift:  # the mark of a row is at the next one
        kept = marked.roll(-1, -1) & (torch.arange(marked.shape[-1]) < marked.shape[-1] - 1)
    value = seen.asked.value(seen.plain, **given)

    def change(where: Tensor) -> float:
        moved = torch.where(where.unsqueeze(-1), seen.plain.v, seen.plain.z)
        return abs(seen.asked.value(seen.plain._replace(z=moved), **given) - value)

    left_out, threshold = change(~kept), seen.threshold * max(1.0, abs(value))
    if name == seen.asked.roles.mask and change(kept) <= threshold < left_out:
        said = f"rows where {name} is {seen.asked.roles.mask_keeps} do not count"
        yield Finding("mask-inverted", said, left_out)
    elif left_out > threshold:
        yield Finding("padding-counted", f"logits that {name} leaves out move the value by {left_out:.3g}", left_out)
    elif not seen.shift:
        yield from diluted(seen, name, kept, value)


def diluted(seen: Examination, name: str, kept: Tensor, value: float) -> Iterator[Finding]:
    """The mean over what counts is the loss of those rows alone."""

    def rows(tensor: Tensor) -> Tensor:
        return tensor[kept].reshape(1, -1, *tensor.shape[kept.ndim :]) if seen.sequences else tensor[kept]

    alone_rows = Probe(rows(seen.plain.z), rows(seen.plain.v), rows(seen.plain.y))
    options = option(seen, name, rows(kept), alone_rows.y)
    alone = seen.asked.value(alone_rows, **{**seen.options, **options})
    share = float(kept.double().mean())
    if abs(value - share * alone) < 1e-3 * abs(alone):
        yield Finding(
            "padding-counted",
            f"half of the rows masked, the value is {value / alone:.2g} of that of the "
            "other half alone: padding is in the denominator",
            value / alone,
        )
