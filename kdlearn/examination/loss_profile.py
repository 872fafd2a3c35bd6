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
from kdlearn.formulas.labels import one_hot

LARGER = {"rows": 9, "classes": 8, "time": 4}
OTHER_TEMPERATURES = (2.0, 8.0)
ASKED_TEMPERATURE, DISTINCT = 3.0, (1.2, 40.0)  # in place of a default outside these, where some forms are alike
SAME_TEMPERATURE = 0.01  # as a share, within which the temperature is the argument
MEETS = 0.02  # of the largest change of a row's gradient: less is no meeting
GAP, LOST = 30.0, 0.3  # of logits over T, where the student is sure; of the gradient that the form has there
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
        self.sizes = {"rows": 6, "classes": classes or 5, **({"time": 3} if sequences else {})}
        self.larger = {axis: LARGER[axis] for axis in self.sizes if axis != "classes" or classes is None}
        self.query, self.signature = query, query.signature
        default = self.signature.default_temperature
        self.temperature = default if default and DISTINCT[0] < default < DISTINCT[1] else ASKED_TEMPERATURE
        self.plain = self.draw()
        query.prepare(self.plain)
        last = query.gradient(self.plain).abs().sum(-1).reshape(-1, self.plain.z.shape[-2]).sum(0) > 0
        if last[:-1].all() and not last[-1]:  # the label of a row may be that of the next one
            y = self.plain.y.clone()
            y[..., -1] = -100
            query.is_shifted = sequences or self.responds(self.plain._replace(y=y))
            self.__dict__.pop("gradient", None)  # of rows as they were
        self.first_value, self.other_value = (query.value(self.plain, seed=seed) for seed in (0, 1))

    @cached_property
    def gradient(self) -> Tensor:
        return self.query.gradient(self.plain)

    @property
    def threshold(self) -> float:
        """What of a gradient's change is more than rounding."""
        return 4 * self.query.tolerance

    def draw(self, axis: str | None = None, seed: int = 0) -> Probe:
        """Rows of the usual sizes, or of a larger one, with a temperature at which forms can be told apart."""
        sizes = {**self.sizes, axis: self.larger[axis]} if axis else self.sizes
        options = {self.signature.temperature: self.temperature} if self.signature.temperature else {}
        return drawn(**sizes, seed=seed)._replace(options=options)

    def with_arguments(self, options: Mapping[str, Any]) -> Probe:
        """The same rows with other arguments, by name."""
        return self.plain._replace(options={**self.plain.options, **options})

    def change(self, probe: Probe) -> float:
        """How much the gradient is another one for this probe, as a share of its size."""
        other = self.query.gradient(probe)
        return float((other - self.gradient).norm() / self.gradient.norm().clamp_min(1e-300))

    def responds(self, probe: Probe) -> bool:
        """Whether value or gradient is another one for this probe, or the loss refuses it."""
        try:
            moved = abs(self.query.value(probe) - (plain := self.query.value(self.plain)))
            return moved > self.threshold * abs(plain) or self.change(probe) > self.threshold
        except Exception:  # whatever the user's own function raises
            return True

    def influence_of(self, field: str, other: Tensor) -> Tensor:
        """How much the student's gradient in each row moves when row j of a field is another one, `(j, rows)`."""
        plain, y = getattr(self.plain, field), self.plain.y
        rows = torch.eye(y.numel()).bool().reshape(-1, *y.shape, *(1,) * (plain.ndim - y.ndim))
        changed = [self.plain._replace(**{field: torch.where(row, other, plain)}) for row in rows]
        gradients = torch.stack([self.query.gradient(probe) for probe in changed])
        moves = (gradients - self.gradient).flatten(1, -2).norm(dim=-1)
        return moves / self.gradient.norm().clamp_min(1e-300)

    @cached_property
    def influence(self) -> Tensor:
        """Of the teacher's rows."""
        return self.influence_of("v", 1.3 * self.plain.v.roll(1, -1))

    @property
    def other_labels(self) -> Tensor:
        return (self.plain.y + 1) % self.sizes["classes"]

    @property
    def reads_teacher(self) -> bool:
        return bool(self.influence.max() > self.threshold)

    @property
    def is_random(self) -> bool:
        """Whether other random numbers give another value."""
        return abs(self.other_value - self.first_value) > self.threshold * abs(self.first_value)

    @cached_property
    def reads_labels(self) -> bool:
        other = self.plain._replace(y=self.other_labels)
        return self.signature.labels is not None and self.change(other) > self.threshold

    @cached_property
    def mixed_rows(self) -> int:
        """How many rows of the student meet the teacher's or the label of another row, where each meets one alone."""
        asked = [self.influence, *([self.influence_of("y", self.other_labels)] if self.reads_labels else [])]
        every = [influence > MEETS * influence.max() for influence in asked]
        permutations = (meets for meets in every if (meets.sum(0) == 1).all() and (meets.sum(1) == 1).all())
        return max((int((~meets.diag()).sum()) for meets in permutations), default=0)

    @cached_property
    def fit(self) -> Fit | None:
        """The first form that holds for two numbers of classes; in half precision or clamped, one that almost does.

        None where no form fits, or rows are mixed. With one number of classes, two deviations of logits are alike.
        """
        if not self.gradient.isfinite().all() or self.mixed_rows:
            return None
        for self.query.is_coarse in (False, True):
            found = fits(self.plain, self.gradient, self.reads_teacher, self.reads_labels)
            exact = (fit for fit in found if fit.error < self.query.tolerance)
            held = (fit for fit in exact if "classes" not in self.larger or self.again(fit, self.draw("classes")))
            fit = next(held, None)
            holds = not self.query.is_coarse or self.rows_without_response > 0.5
            if fit and (holds or self.lost_where_sure(fit) > LOST):
                return fit
        self.query.is_coarse = False
        return None

    def again(self, fit: Fit | None, probe: Probe, T: float | None = None) -> Fit | None:
        """The same form on other rows or for other arguments, at T; None where it does not hold there."""
        if fit is None:
            return None
        found = fit.on(probe, self.query.gradient(probe), T)
        return found if found.error < 10 * self.query.tolerance else None

    @cached_property
    def rows_without_response(self) -> float:
        """The share of rows whose gradient keeps its last digit where the logits of both hardly move."""
        other = self.query.gradient(self.plain._replace(z=self.plain.z * (1 + 1e-6), v=self.plain.v * (1 + 1e-6)))
        return float((other == self.gradient).all(-1).double().mean())

    def sure(self, gap: float) -> Probe:
        """The student is sure of a class that is neither the teacher's nor the label, by this much."""
        wrong = torch.where(one_hot(self.plain.y, self.plain.v.shape[-1]) > 0, math.inf, self.plain.v).argmin(-1)
        return self.plain._replace(z=0.1 * self.plain.z + gap * one_hot(wrong, self.plain.v.shape[-1]))

    def lost_where_sure(self, fit: Fit) -> float:
        """The share of the form's gradient that is not there where the student is sure and wrong."""
        probe = self.sure(GAP * fit.temperature)
        expected = (fit.terms(probe)[1] @ torch.tensor(fit.weights, dtype=torch.float64)).reshape(probe.z.shape)
        left = (self.query.gradient(probe) - expected).norm()
        return float(left / max(expected.norm(), self.gradient.norm()))

    @cached_property
    def growth(self) -> dict[str, dict[str, float]]:
        """Of the "soft" and the "hard" weight: the powers of "rows", "classes" and "time" in it; NaN for no power."""
        ends = {axis: (self.fit, self.again(self.fit, self.draw(axis))) for axis in self.larger}
        ratios = {axis: self.larger[axis] / self.sizes[axis] for axis in ends}
        both = {axis: powers(*ends[axis], ratios[axis], self.query.tolerance) for axis in ends}
        return {part: {axis: both[axis][i] for axis in ends} for i, part in enumerate(("soft", "hard"))}

    def at_temperature(self, T: float, options: Mapping[str, Any]) -> Fit | None:
        """The form where the loss is given T: in proportion to it, or at the temperature that stays."""
        probe = self.with_arguments({**options, str(self.signature.temperature): T})
        ratio = self.fit.temperature / self.temperature if self.fit else 1.0
        at_T = self.again(self.fit, probe, T * (1.0 if abs(ratio - 1) < SAME_TEMPERATURE else ratio))
        return at_T or self.again(self.fit, probe)

    def growth_with_temperature(self, options: Mapping[str, Any]) -> tuple[float, float]:
        """Of soft and hard weight; NaN where T is not an argument, or makes no difference."""
        if self.fit is None or self.signature.temperature is None:
            return math.nan, math.nan
        low, high = (self.at_temperature(T, options) for T in OTHER_TEMPERATURES)
        soft, hard = powers(low, high, OTHER_TEMPERATURES[1] / OTHER_TEMPERATURES[0], self.query.tolerance)
        is_used = low and high and not (low.soft.softened and low.temperature == high.temperature)
        return soft if is_used else math.nan, hard


def powers(small: Fit | None, large: Fit | None, ratio: float, rounding: float) -> tuple[float, float]:
    """Of the soft and of the hard weight: k where large / small = ratio to the k; NaN where it is rounding alone."""
    if small is None or large is None:
        return math.nan, math.nan
    sizes = [(sum(map(abs, fit.soft_weights)), abs(fit.hard_weight)) for fit in (small, large)]
    floor = rounding * sum(sizes[0])
    soft, hard = (power(a, b, ratio) if min(a, b) > floor else math.nan for a, b in zip(*sizes, strict=True))
    return soft, hard


def power(small: float, large: float, ratio: float) -> float:
    """A whole number where it nearly is one."""
    found = math.log(large / small) / math.log(ratio)
    return float(round(found)) if abs(found - round(found)) < NEARLY else found
