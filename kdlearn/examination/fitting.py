"""Which form a loss has: least squares of its gradient on the gradients of known forms, over their temperature."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from kdlearn.examination.forms import HARD, NO_LABELS, NO_TEACHER, SOFT, Form, Probe, mixture_of

GRID = torch.logspace(-1, math.log10(64), 46, dtype=torch.float64)
WORTH_REFINING = 0.15  # of the gradient's size is left at the best temperature of the grid


@dataclass(frozen=True)
class Fit:
    """A soft and a hard form with a weight for each of their terms; `error` is the share of the gradient left over."""

    soft: Form
    hard: Form
    temperature: float
    weights: tuple[float, ...] = ()
    error: float = 0.0

    @property
    def main(self) -> str:
        """The part by which a reduction is told: "soft", or "hard" where there is no other."""
        return "soft" if self.soft.terms else "hard"

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

    def terms(self, probe: Probe) -> tuple[Tensor, Tensor]:
        """Value and gradient of each, `(terms,)` and `(N · C, terms)`, without the weights."""
        values, slopes = terms_of(self.soft, self.hard, probe, torch.tensor([self.temperature], dtype=torch.float64))
        return values[0], slopes[0]

    def value(self, probe: Probe) -> float:
        return float(self.terms(probe)[0] @ torch.tensor(self.weights, dtype=torch.float64))

    def on(self, probe: Probe, gradient: Tensor, temperature: float | None = None) -> "Fit":
        """The same forms with the weights that they have on other rows, or at another temperature."""
        bare = Fit(self.soft, self.hard, temperature or self.temperature)
        weights, error = weights_of(bare.terms(probe)[1].unsqueeze(0), gradient)
        return Fit(bare.soft, bare.hard, bare.temperature, tuple(weights[0].tolist()), float(error[0]))


def fits(probe: Probe, gradient: Tensor, with_teacher: bool, with_labels: bool) -> Iterator[Fit]:
    """The best of each form, the simplest first."""
    hard_forms = (NO_LABELS, *HARD) if with_labels else (NO_LABELS,)
    for hard, soft in product(hard_forms, SOFT if with_teacher else (NO_TEACHER,)):
        if soft.terms + hard.terms:
            yield refined(soft, hard, probe, gradient)
    if with_teacher:
        yield fitted_mixture(HARD[0] if with_labels else NO_LABELS, probe, gradient)


def refined(soft: Form, hard: Form, probe: Probe, gradient: Tensor) -> Fit:
    """At the temperature that leaves the least."""
    if not (soft.softened or hard.softened):
        return Fit(soft, hard, 1.0).on(probe, gradient)
    errors = weights_of(terms_of(soft, hard, probe, GRID)[1], gradient)[1]
    best = int(errors.argmin())
    start = Fit(soft, hard, float(GRID[best]))
    if errors[best] > WORTH_REFINING:
        return start.on(probe, gradient)

    around = GRID[[max(0, best - 1), min(len(GRID) - 1, best + 1)]].log().tolist()
    log_T = least(lambda log_T: start.on(probe, gradient, math.exp(log_T)).error, around)
    return start.on(probe, gradient, math.exp(log_T))


def fitted_mixture(hard: Form, probe: Probe, gradient: Tensor) -> Fit:
    """Jensen–Shannon, whose share of the teacher is one number more to find."""
    share = least(lambda share: refined(mixture_of(share), hard, probe, gradient).error, (1e-3, 1 - 1e-3))
    return refined(mixture_of(share), hard, probe, gradient)


def least(error: Callable[[float], float], bounds: Sequence[float]) -> float:
    """Where the error is least; its square is smooth there."""
    found: Any = minimize_scalar(lambda x: error(x) ** 2, bounds=bounds, method="bounded", options={"xatol": 1e-10})
    return float(found.x)


def terms_of(soft: Form, hard: Form, probe: Probe, temperatures: Tensor) -> tuple[Tensor, Tensor]:
    """Means over the rows and their gradients, `(G, terms)` and `(G, N · C, terms)`, at each of G temperatures."""
    rows, values, slopes = probe.rows(), [], []
    for term in soft.terms + hard.terms:
        z = rows.z.expand(len(temperatures), *rows.z.shape).clone().requires_grad_()
        values.append(term(z, rows.v, rows.y, temperatures.reshape(-1, 1, 1)).mean(-1))
        slopes.append(torch.autograd.grad(values[-1].sum(), z)[0].flatten(1))
    return torch.stack(values, -1).detach(), torch.stack(slopes, -1)


def weights_of(slopes: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Least squares: weights `(G, terms)`, and the share of the gradient's size that is left, `(G,)`."""
    target = gradient.flatten().expand(len(slopes), -1).unsqueeze(-1)
    weights = torch.linalg.lstsq(slopes, target).solution
    left = (slopes @ weights - target).squeeze(-1).norm(dim=-1)
    return weights.squeeze(-1), left / gradient.norm().clamp_min(1e-300)
