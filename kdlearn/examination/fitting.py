"""Which form a loss has: least squares of its gradient on the gradients of known forms, over their temperature."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from scipy.optimize import minimize, minimize_scalar
from torch import Tensor

from kdlearn.examination.forms import HARD, NO_LABELS, NO_TEACHER, SHARES, SOFT, Form, Probe, Term, mixture_of

GRID = torch.logspace(math.log10(0.2), math.log10(64), 41, dtype=torch.float64)
ONE = torch.ones(1, dtype=torch.float64)
WORTH_REFINING = 0.15  # of the gradient's size is left at the best temperature of the grid


@dataclass(frozen=True)
class Fit:
    """A soft and a hard form with a weight for each of their terms; `error` is the share of the gradient left over."""

    soft: Form
    hard: Form
    temperature: float
    weights: tuple[float, ...]
    error: float

    @property
    def soft_weights(self) -> tuple[float, ...]:
        return self.weights[: len(self.soft.terms)]

    @property
    def hard_weight(self) -> float:
        """Of cross-entropy with its smoothing; 0 where there are no labels."""
        return sum(self.weights[len(self.soft.terms) :])

    @property
    def smoothing(self) -> float:
        even = self.weights[len(self.soft.terms) + 1 :]
        return even[0] / self.hard_weight if even else 0.0

    @property
    def terms(self) -> tuple[Term, ...]:
        return self.soft.terms + self.hard.terms

    def on(self, probe: Probe, gradient: Tensor) -> "Fit":
        """The same forms and temperature, with the weights that they have on other rows."""
        weights, error = weights_of(columns(self.terms, probe, ONE * self.temperature), gradient)
        return Fit(self.soft, self.hard, self.temperature, tuple(weights[0].tolist()), float(error[0]))

    def of_terms(self, probe: Probe, terms: int | None = None) -> float:
        """The value of the first `terms` of them, or of all, with their weights."""
        rows, T = probe.rows(), ONE.reshape(1, 1, 1) * self.temperature
        values = [term(rows.z.unsqueeze(0), rows.v, rows.y, T).sum() / len(rows.y) for term in self.terms]
        return float(sum(weight * value for weight, value in zip(self.weights[:terms], values[:terms], strict=True)))


def fitted(probe: Probe, gradient: Tensor, tolerance: float, with_teacher: bool, with_labels: bool) -> Fit | None:
    """The first form that leaves less than `tolerance` of the gradient; None where none does."""
    for hard in (NO_LABELS, *HARD) if with_labels else (NO_LABELS,):
        for soft in SOFT if with_teacher else (NO_TEACHER,):
            found = refined(soft, hard, probe, gradient, GRID)
            if found and found.error < tolerance:
                return found
    return fitted_mixture(probe, gradient, tolerance, with_labels) if with_teacher else None


def refined(soft: Form, hard: Form, probe: Probe, gradient: Tensor, grid: Tensor) -> Fit | None:
    """At the temperature that leaves the least."""
    terms = soft.terms + hard.terms
    if not terms:
        return None
    if not (soft.softened or hard.softened):
        return at(1.0, soft, hard, probe, gradient)
    errors = weights_of(columns(terms, probe, grid), gradient)[1]
    best = int(errors.argmin())
    if len(grid) == 1 or errors[best] > WORTH_REFINING:
        return at(float(grid[best]), soft, hard, probe, gradient)
    around = grid[[max(0, best - 1), min(len(grid) - 1, best + 1)]].log().tolist()

    def left(log_T: float) -> float:
        return at(math.exp(log_T), soft, hard, probe, gradient).error ** 2

    found = minimize_scalar(left, bounds=around, method="bounded", options={"xatol": 1e-10})
    return at(math.exp(found.x), soft, hard, probe, gradient)


def at(T: float, soft: Form, hard: Form, probe: Probe, gradient: Tensor) -> Fit:
    return Fit(soft, hard, T, (), 0.0).on(probe, gradient)


def fitted_mixture(probe: Probe, gradient: Tensor, tolerance: float, with_labels: bool) -> Fit | None:
    """Jensen–Shannon, whose share of the teacher is one number more to find."""
    hard = HARD[0] if with_labels else NO_LABELS
    coarse = {share: refined(mixture_of(share), hard, probe, gradient, GRID) for share in SHARES}
    found = {share: fit for share, fit in coarse.items() if fit}
    best = min(found, key=lambda share: found[share].error)

    def left(point: Sequence[float]) -> float:
        return at(math.exp(point[0]), mixture_of(point[1]), hard, probe, gradient).error ** 2

    start = (math.log(found[best].temperature), best)
    bounds = [(start[0] - 0.3, start[0] + 0.3), (max(1e-3, start[1] - 0.05), min(1 - 1e-3, start[1] + 0.05))]
    options = {"xatol": 1e-9, "fatol": 1e-18}
    least = minimize(left, start, method="Nelder-Mead", bounds=bounds, options=options).x
    fit = at(math.exp(least[0]), mixture_of(float(least[1])), hard, probe, gradient)
    return fit if fit.error < tolerance else None


def columns(terms: Sequence[Term], probe: Probe, temperatures: Tensor) -> Tensor:
    """The gradients of the terms' means over the rows, `(G, N · C, terms)`, at each of G temperatures."""
    return torch.stack(list(slopes(terms, probe.rows(), temperatures)), dim=-1)


def slopes(terms: Sequence[Term], rows: Probe, temperatures: Tensor) -> Iterator[Tensor]:
    for term in terms:
        z = rows.z.expand(len(temperatures), *rows.z.shape).clone().requires_grad_()
        values = term(z, rows.v, rows.y, temperatures.reshape(-1, 1, 1))
        (slope,) = torch.autograd.grad(values.sum() / len(rows.y), z)
        yield slope.flatten(1)


def weights_of(columns: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Least squares: weights `(G, terms)`, and the share of the gradient's size that is left, `(G,)`."""
    target = gradient.flatten().expand(len(columns), -1).unsqueeze(-1)
    weights = torch.linalg.lstsq(columns, target).solution
    left = (columns @ weights - target).squeeze(-1).norm(dim=-1)
    return weights.squeeze(-1), left / gradient.norm().clamp_min(1e-300)
