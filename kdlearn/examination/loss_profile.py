"""What `examine` measures of a loss: which rows it pairs, its form, and how its weights grow with N, C, time and T."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from kdlearn.examination.fitting import Fit, fits
from kdlearn.examination.forms import Probe
from kdlearn.examination.query import Query
from kdlearn.examination.signature import ASKED_TEMPERATURE

SIZES, LARGER = {"rows": 6, "classes": 5, "time": 3}, {"rows": 9, "classes": 8, "time": 4}
OTHER_TEMPERATURES = (2.0, 8.0)
SAME_TEMPERATURE = 0.01  # as a share, within which the temperature is the argument
MEETS = 0.02  # of the largest change of a row's gradient: less is no meeting
NEARLY = 0.05  # how far a power may be from a whole number


def drawn(rows: int = 6, classes: int = 5, time: int | None = None, seed: int = 0) -> Probe:
    """Logits of a student and of a surer teacher, and labels; no two classes of a row are close."""
    generator = torch.Generator().manual_seed(seed)
    shape = (rows, classes) if time is None else (rows, time, classes)
    z, v = (scale * torch.randn(shape, dtype=torch.float64, generator=generator) for scale in (1.5, 3.0))
    return Probe(z, v, torch.randint(classes, shape[:-1], generator=generator))


class LossProfile:
    """A loss and what is measured of it, each once.

    Args:
        query: the loss, not yet prepared.
        sequences: whether it is asked about logits `(N, time, C)`.
        classes: their number, where it takes no other.
    """

    def __init__(self, query: Query, sequences: bool = False, classes: int | None = None) -> None:
        self.fixed_classes = classes is not None
        self.sizes = {**SIZES, "classes": classes or SIZES["classes"]}
        if not sequences:
            del self.sizes["time"]
        self.plain = drawn(**self.sizes)
        self.query, self.signature = query.prepare(self.plain), query.signature
        last = query.gradient(self.plain).abs().sum(-1).reshape(-1, self.plain.z.shape[-2]).sum(0) > 0
        query.is_shifted = bool(last[:-1].all() and not last[-1])  # the label of a row is that of the next one
        self.first_value = query.value(self.plain)

    @cached_property
    def gradient(self) -> Tensor:
        return self.query.gradient(self.plain)

    @property
    def threshold(self) -> float:
        """What of a gradient's change is more than rounding."""
        return max(1e-6, 4 * self.query.tolerance)

    def asking(self, options: Mapping[str, Any]) -> Probe:
        """The same rows with other arguments, by name."""
        return self.plain._replace(options=options)

    def change(self, probe: Probe) -> float:
        """How much the gradient is another one for this probe, as a share of its size."""
        other = self.query.gradient(probe)
        return float((other - self.gradient).norm() / self.gradient.norm().clamp_min(1e-300))

    @cached_property
    def influence(self) -> Tensor:
        """How much the student's gradient in each row moves when the teacher's row j changes, `(j, rows)`."""
        v, rows = self.plain.v.flatten(0, -2), torch.eye(self.plain.y.numel()).bool().unsqueeze(-1)
        changed = [torch.where(row, 1.3 * v.roll(1, -1), v).reshape(self.plain.v.shape) for row in rows]
        gradients = torch.stack([self.query.gradient(self.plain._replace(v=v)) for v in changed])
        moves = (gradients - self.gradient).flatten(1, -2).norm(dim=-1)
        return moves / self.gradient.norm().clamp_min(1e-300)

    @property
    def reads_teacher(self) -> bool:
        return bool(self.influence.max() > self.threshold)

    @cached_property
    def is_random(self) -> bool:
        """Whether other random numbers give another value."""
        other = self.query.value(self.plain, seed=1)
        return abs(other - self.first_value) > self.threshold * abs(self.first_value)

    @cached_property
    def reads_labels(self) -> bool:
        other = self.plain._replace(y=(self.plain.y + 1) % self.sizes["classes"])
        return self.signature.labels is not None and self.change(other) > self.threshold

    @cached_property
    def mixed_rows(self) -> int:
        """How many rows of the student meet another row of the teacher than their own, where each meets one alone."""
        meets = self.influence > MEETS * self.influence.max()
        is_permutation = (meets.sum(0) == 1).all() and (meets.sum(1) == 1).all()
        return int((~meets.diag()).sum()) if is_permutation else 0

    @cached_property
    def fit(self) -> Fit | None:
        """The first form that holds for two numbers of classes; in half precision, one that almost does.

        None where no form fits, or rows are mixed. With one number of classes, two deviations of logits are alike.
        """
        if not self.gradient.isfinite().all() or self.mixed_rows:
            return None
        for self.query.is_coarse in (False, True):
            found = fits(self.plain, self.gradient, self.reads_teacher, self.reads_labels)
            exact = (fit for fit in found if fit.error < self.query.tolerance)
            held = (fit for fit in exact if self.fixed_classes or self.again(fit, self.larger("classes")))
            if (fit := next(held, None)) or self.rows_without_response < 0.5:
                return fit
        self.query.is_coarse = False
        return None

    def larger(self, axis: str) -> Probe:
        return drawn(**{**self.sizes, axis: LARGER[axis]})

    def again(self, fit: Fit | None, probe: Probe, T: float | None = None) -> Fit | None:
        """The same form on other rows or for other arguments, at T; None where it does not hold there."""
        if fit is None:
            return None
        found = fit.on(probe, self.query.gradient(probe), T)
        return found if found.error < 10 * self.query.tolerance else None

    @cached_property
    def rows_without_response(self) -> float:
        """The share of rows whose gradient keeps its last digit where the teacher's logits hardly move."""
        other = self.query.gradient(self.plain._replace(v=self.plain.v * (1 + 1e-6)))
        return float((other == self.gradient).all(-1).double().mean())

    @property
    def part(self) -> int:
        """The one by which the reduction is told: 0, the soft loss, or 1, the hard one where there is no other."""
        return 0 if self.fit and self.fit.soft.terms else 1

    @cached_property
    def growth(self) -> list[dict[str, float]]:
        """By "rows", "classes" and "time": the power with which the soft and the hard weight grow; NaN for none."""
        axes = [axis for axis in self.sizes if not (axis == "classes" and self.fixed_classes)]
        ends = {axis: (self.fit, self.again(self.fit, self.larger(axis))) for axis in axes}
        both = {axis: powers(*ends[axis], LARGER[axis] / self.sizes[axis], self.query.tolerance) for axis in axes}
        return [{axis: both[axis][part] for axis in axes} for part in (0, 1)]

    def at_temperature(self, T: float, options: Mapping[str, Any]) -> Fit | None:
        """The form where the loss is given T: in proportion to it, or at the temperature that stays."""
        probe = self.asking({**options, str(self.signature.temperature): T})
        ratio = self.fit.temperature / ASKED_TEMPERATURE if self.fit else 1.0
        at_T = self.again(self.fit, probe, T * (1.0 if abs(ratio - 1) < SAME_TEMPERATURE else ratio))
        return at_T or self.again(self.fit, probe)

    def growth_with_temperature(self, options: Mapping[str, Any]) -> tuple[float, float]:
        """Of soft and hard weight; NaN where T is not an argument, or is not heard."""
        if self.fit is None or self.signature.temperature is None:
            return math.nan, math.nan
        low, high = (self.at_temperature(T, options) for T in OTHER_TEMPERATURES)
        soft, hard = powers(low, high, OTHER_TEMPERATURES[1] / OTHER_TEMPERATURES[0], self.query.tolerance)
        is_heard = low and high and not (low.soft.softened and low.temperature == high.temperature)
        return soft if is_heard else math.nan, hard


def powers(small: Fit | None, large: Fit | None, ratio: float, rounding: float) -> tuple[float, float]:
    """Of the soft and of the hard weight: k where large / small = ratio to the k; NaN where it is rounding alone."""
    if small is None or large is None:
        return math.nan, math.nan
    sizes = [(sum(map(abs, fit.soft_weights)), abs(fit.hard_weight)) for fit in (small, large)]
    floor = rounding * sum(sizes[0])
    soft, hard = (
        power(ends[0], ends[1], ratio) if min(ends) > floor else math.nan for ends in zip(*sizes, strict=True)
    )
    return soft, hard


def power(small: float, large: float, ratio: float) -> float:
    """A whole number where it nearly is one."""
    found = math.log(large / small) / math.log(ratio)
    return float(round(found)) if abs(found - round(found)) < NEARLY else found
