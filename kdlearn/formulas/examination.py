"""The measurements behind `examine`: which rows a loss pairs, its form, and how its weights scale with N, C and T."""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from kdlearn.formulas.fitting import ONE, Fit, fitted, refined
from kdlearn.formulas.forms import Probe
from kdlearn.formulas.probing import Asked

ROWS, CLASSES, TIME = 6, 5, 3
MORE_ROWS, MORE_CLASSES, MORE_TIME = 9, 8, 4
ASKED_TEMPERATURE, OTHER_TEMPERATURES = 3.0, (2.0, 8.0)
NEARLY = 0.05  # how far a power may be from a whole number


def drawn(rows: int = ROWS, classes: int = CLASSES, time: int | None = None, seed: int = 0) -> Probe:
    """Logits of a student and of a surer teacher, and labels; no two classes of a row are close."""
    generator = torch.Generator().manual_seed(seed)
    shape = (rows, classes) if time is None else (rows, time, classes)
    z, v = (scale * torch.randn(shape, dtype=torch.float64, generator=generator) for scale in (1.5, 3.0))
    return Probe(z, v, torch.randint(classes, shape[:-1], generator=generator))


@dataclass
class Examination:
    """A loss that is being asked; what is measured is measured once."""

    asked: Asked
    sequences: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def probe(self, rows: int = ROWS, classes: int = CLASSES, time: int = TIME, seed: int = 0) -> Probe:
        return drawn(rows, classes, time if self.sequences else None, seed)

    @cached_property
    def plain(self) -> Probe:
        return self.probe()

    @cached_property
    def gradient(self) -> Tensor:
        return self.asked.gradient(self.plain, **self.options)

    @property
    def threshold(self) -> float:
        """What of a gradient's change is more than rounding."""
        return max(1e-6, 4 * self.asked.tolerance)

    def moves(self, other: Probe) -> bool:
        """Whether the gradient is another one on this probe."""
        change = self.asked.gradient(other, **self.options) - self.gradient
        return bool(change.norm() > self.threshold * self.gradient.norm())

    @cached_property
    def reads_teacher(self) -> bool:
        return self.moves(self.plain._replace(v=self.plain.v.roll(1, -1)))

    @cached_property
    def reads_labels(self) -> bool:
        other = (self.plain.y + 1) % CLASSES
        return self.asked.roles.labels is not None and self.moves(self.plain._replace(y=other))

    @cached_property
    def influence(self) -> Tensor:
        return influence(self, self.plain)

    @cached_property
    def partners(self) -> list[int] | None:
        return partners(self.influence)

    def paired(self, probe: Probe) -> Probe:
        """The probe with the teacher's rows where the loss takes them."""
        if self.partners is None or not self.mixed:
            return probe
        order = self.partners if probe is self.plain else partners(influence(self, probe))
        return probe if order is None else probe._replace(v=probe.v.flatten(0, -2)[order].reshape(probe.v.shape))

    @property
    def mixed(self) -> bool:
        """Whether a row of the student meets another row of the teacher."""
        return self.partners is not None and self.partners != list(range(len(self.partners)))

    @cached_property
    def fit(self) -> Fit | None:
        probe = self.paired(self.plain)
        return fitted(probe, self.gradient, self.asked.tolerance, self.reads_teacher, self.reads_labels)

    def fit_on(self, probe: Probe, **options: Any) -> Fit | None:
        """The same form on other rows; None where it does not hold there."""
        if self.fit is None:
            return None
        gradient = self.asked.gradient(probe, **{**self.options, **options})
        found = self.fit.on(self.paired(probe), gradient)
        return found if found.error < 10 * self.asked.tolerance else None

    @cached_property
    def scalings(self) -> dict[str, tuple[float, float]]:
        """By "rows", "classes" and "time": the power with which the soft and the hard weight grow; NaN for none."""
        larger = {
            "rows": (self.probe(rows=MORE_ROWS), MORE_ROWS / ROWS),
            "classes": (self.probe(classes=MORE_CLASSES), MORE_CLASSES / CLASSES),
        }
        if self.sequences:
            larger["time"] = (self.probe(time=MORE_TIME), MORE_TIME / TIME)
        return {name: powers(self.fit, self.fit_on(probe), ratio) for name, (probe, ratio) in larger.items()}

    def bare(self, weight: float, part: int) -> float:
        """A weight without what the reduction puts into it; `part` 0 is soft, 1 is hard."""
        sizes = {"rows": ROWS, "classes": CLASSES, "time": TIME}
        for name, both in self.scalings.items():
            weight /= sizes[name] ** (both[part] if not math.isnan(both[part]) else 0)
        return weight

    def at_temperature(self, T: float, **options: Any) -> Fit | None:
        """The form where the loss is given T; at T, or at the temperature that it takes instead."""
        if self.fit is None or self.asked.roles.temperature is None:
            return None
        gradient = self.asked.gradient(self.plain, **{**self.options, self.asked.roles.temperature: T, **options})
        probe = self.paired(self.plain)
        found = refined(self.fit.soft, self.fit.hard, probe, gradient, ONE * T)
        if found and found.error < 10 * self.asked.tolerance:
            return found
        held = replace(self.fit).on(probe, gradient)
        return held if held.error < 10 * self.asked.tolerance else None

    def power_of_temperature(self, **options: Any) -> float:
        """With which the soft weight grows with T; NaN where it does not, or T is not an argument."""
        low, high = (self.at_temperature(T, **options) for T in OTHER_TEMPERATURES)
        if not (low and high and low.soft_weights) or (low.soft.softened and low.temperature == high.temperature):
            return math.nan
        return power(low.soft_weights[0], high.soft_weights[0], OTHER_TEMPERATURES[1] / OTHER_TEMPERATURES[0])


def influence(seen: Examination, probe: Probe) -> Tensor:
    """How much the student's gradient in row i moves when the teacher's row j changes, `(j, i)`, 1 at most."""
    before, rows = seen.asked.row_slopes(probe, **seen.options), []
    flat = probe.v.flatten(0, -2)
    for j in range(len(flat)):
        other = flat.clone()
        other[j] = 1.3 * flat[j].roll(1)
        changed = probe._replace(v=other.reshape(probe.v.shape))
        rows.append((seen.asked.row_slopes(changed, **seen.options) - before).abs())
    found = torch.stack(rows)
    return found / found.max().clamp_min(1e-300)


def partners(influence: Tensor, threshold: float = 0.02) -> list[int] | None:
    """For each row of the student the row of the teacher that it meets; None where rows meet several, or none."""
    meets = influence > threshold * influence.max()
    if not (meets.sum(0) == 1).all() or not (meets.sum(1) == 1).all():
        return None
    return meets.int().argmax(0).tolist()


def powers(small: Fit | None, large: Fit | None, ratio: float) -> tuple[float, float]:
    """Of the soft and of the hard weight."""
    if small is None or large is None:
        return math.nan, math.nan
    soft = [power(*pair, ratio) for pair in zip(small.soft_weights, large.soft_weights, strict=True)]
    hard = power(small.hard_weight, large.hard_weight, ratio)
    return next((one for one in soft if not math.isnan(one)), 0.0), 0.0 if math.isnan(hard) else hard


def power(small: float, large: float, ratio: float) -> float:
    """k where large / small = ratio to the k, a whole number where it nearly is one; NaN for what is nearly 0."""
    if abs(small) < 1e-9 or small * large <= 0:
        return math.nan
    found = math.log(large / small) / math.log(ratio)
    return float(round(found)) if abs(found - round(found)) < NEARLY else found
