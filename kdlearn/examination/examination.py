"""The measurements behind `examine`: which rows a loss pairs, its form, and how its weights scale with N, C and T."""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from kdlearn.examination.fitting import GRID, ONE, Fit, fitted, refined
from kdlearn.examination.forms import HARD, NO_TEACHER, STANDARDISED, Probe
from kdlearn.examination.probing import Asked

ROWS, CLASSES, TIME = 6, 5, 3
MORE_ROWS, MORE_CLASSES, MORE_TIME = 9, 8, 4
SAME_TEMPERATURE = 0.01  # as a share, within which the temperature is the argument
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
    classes: int | None = None  # where the loss takes no other number of them

    @property
    def width(self) -> int:
        """The number of classes that it is asked about."""
        return self.classes or CLASSES

    def probe(self, rows: int = ROWS, classes: int | None = None, time: int = TIME, seed: int = 0) -> Probe:
        return drawn(rows, classes or self.width, time if self.sequences else None, seed)

    @cached_property
    def plain(self) -> Probe:
        return self.probe()

    @cached_property
    def gradient(self) -> Tensor:
        return self.asked.gradient(self.plain, **self.options)

    @cached_property
    def first_value(self) -> float:
        return self.asked.value(self.plain, **self.options)

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
        other = (self.plain.y + 1) % self.width
        return self.asked.roles.labels is not None and self.moves(self.plain._replace(y=other))

    @cached_property
    def influence(self) -> Tensor:
        return influence(self, self.plain)

    @cached_property
    def partners(self) -> list[int] | None:
        return partners(self.influence)

    @cached_property
    def shift(self) -> int:
        """1 where each row has the label of the next one, as in causal language models, so that the last has none."""
        heard = self.gradient.abs().sum(-1).reshape(-1, self.gradient.shape[-2]).sum(0)
        return int(not heard[-1] and bool((heard[:-1] > 0).all()))

    def labelled(self, gradient: Tensor) -> Tensor:
        """The gradient of the rows that have a label."""
        return gradient[..., :-1, :] if self.shift else gradient

    def aligned(self, probe: Probe) -> Probe:
        """Rows with the teacher's rows and the labels that the loss gives them."""
        z, v, y = self.paired(probe)
        return Probe(z[..., :-1, :], v[..., :-1, :], y[..., 1:]) if self.shift else Probe(z, v, y)

    def sizes(self, probe: Probe) -> dict[str, int]:
        """What a mean may divide by."""
        shape = self.aligned(probe).z.shape
        return {"rows": shape[0], "classes": shape[-1], **({"time": shape[1]} if self.sequences else {})}

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
        """None where no form fits; in half precision, one that almost fits."""
        if not self.gradient.isfinite().all():
            return None
        probe, gradient = self.aligned(self.plain), self.labelled(self.gradient)
        heard = (self.reads_teacher, self.reads_labels)
        found = fitted(probe, gradient, self.asked.tolerance, *heard)
        if found is None and self.reads_teacher and self.deaf_rows > 0.5:
            self.asked.coarse = True
            found = fitted(probe, gradient, self.asked.tolerance, *heard)
        if found and found.soft is STANDARDISED[1] and not self.holds_for_more_classes(found):
            return refined(STANDARDISED[0], found.hard, probe, gradient, GRID)
        return found

    def holds_for_more_classes(self, found: Fit) -> bool:
        if self.classes:
            return True
        probe = self.probe(classes=MORE_CLASSES)
        gradient = self.labelled(self.asked.gradient(probe, **self.options))
        return found.on(self.aligned(probe), gradient).error < 10 * self.asked.tolerance

    @cached_property
    def deaf_rows(self) -> float:
        """The share of rows whose gradient keeps its last digit where the teacher's logits hardly move."""
        other = self.asked.gradient(self.plain._replace(v=self.plain.v * (1 + 1e-6)), **self.options)
        return float(self.labelled(other == self.gradient).all(-1).double().mean())

    def fit_on(self, probe: Probe, **options: Any) -> Fit | None:
        """The same form on other rows; None where it does not hold there."""
        if self.fit is None:
            return None
        gradient = self.asked.gradient(probe, **{**self.options, **options})
        found = self.fit.on(self.aligned(probe), self.labelled(gradient))
        return found if found.error < 10 * self.asked.tolerance else None

    @cached_property
    def scalings(self) -> dict[str, tuple[float, float]]:
        """By "rows", "classes" and "time": the power with which the soft and the hard weight grow; NaN for none."""
        larger = {"rows": self.probe(rows=MORE_ROWS)}
        larger |= {} if self.classes else {"classes": self.probe(classes=MORE_CLASSES)}
        larger |= {"time": self.probe(time=MORE_TIME)} if self.sequences else {}
        return {
            name: powers(self.fit, self.fit_on(probe), self.sizes(probe)[name] / self.sizes(self.plain)[name])
            for name, probe in larger.items()
        }

    def bare(self, weight: float, part: int) -> float:
        """A weight without what the reduction puts into it; `part` 0 is soft, 1 is hard."""
        sizes = self.sizes(self.plain)
        for name, both in self.scalings.items():
            weight /= sizes[name] ** (both[part] if not math.isnan(both[part]) else 0)
        return weight

    @property
    def temperature_ratio(self) -> float:
        """The temperature that is found, over the one that was given."""
        given = self.options.get(str(self.asked.roles.temperature))
        ratio = self.fit.temperature / given if self.fit and given else 1.0
        return 1.0 if abs(ratio - 1) < SAME_TEMPERATURE else ratio

    def at_temperature(self, T: float, **options: Any) -> Fit | None:
        """The form where the loss is given T; at T, or in proportion to it, or at the temperature that stays."""
        if self.fit is None or self.asked.roles.temperature is None:
            return None
        gradient = self.asked.gradient(self.plain, **{**self.options, self.asked.roles.temperature: T, **options})
        probe, gradient = self.aligned(self.plain), self.labelled(gradient)
        found = refined(self.fit.soft, self.fit.hard, probe, gradient, ONE * T * self.temperature_ratio)
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

    @cached_property
    def hard_power(self) -> float:
        """With which the hard weight grows with T; 0 where it does not, or T is not an argument."""
        low, high = (self.at_temperature(T) for T in OTHER_TEMPERATURES)
        if not (low and high):
            return 0.0
        found = power(low.hard_weight, high.hard_weight, OTHER_TEMPERATURES[1] / OTHER_TEMPERATURES[0])
        return 0.0 if math.isnan(found) else found

    def keeps_state(self) -> bool:
        """Whether the first call gave another value than a later one with the same logits and random numbers."""
        later = self.asked.value(self.plain, **self.options)
        return abs(later - self.first_value) > self.threshold * abs(self.first_value)

    @cached_property
    def moved_at_teacher(self) -> float:
        """How long the gradient of a student equal to its teacher is, less what labels explain, as a share."""
        equal = self.plain._replace(z=self.paired(self.plain).v)
        gradient = self.asked.gradient(equal, **self.options)
        share = float(gradient.norm() / self.gradient.norm().clamp_min(1e-300))
        if not self.reads_labels or not share > self.threshold:
            return share
        at_equal = (self.aligned(equal), self.labelled(gradient), GRID)
        return share * min(fit.error for hard in HARD if (fit := refined(NO_TEACHER, hard, *at_equal)))


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
