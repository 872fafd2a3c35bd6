"""Asking a loss from outside: its value, and its gradient on the student's logits."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdlearn.examination.forms import Probe
from kdlearn.examination.roles import roles_of

STEPS = {torch.float64: 1e-5, torch.float32: 2e-2}
COARSE = 0.03  # of a gradient is lost where a loss computes in half precision


class Asked:
    """A loss with its roles: `value` and `gradient` of logits in float64, however it computes.

    Args:
        loss: the callable.
        arrays: whether it takes NumPy arrays, not tensors.
    """

    def __init__(self, loss: Callable[..., Any], arrays: bool = False) -> None:
        self.loss, self.arrays, self.roles = loss, arrays, roles_of(loss)
        self.dtype, self.by_autograd = torch.float64, not arrays
        self.gives_gradient, self.coarse = True, False  # coarse: in half precision inside
        self.mask_keeps, self.mask_dtype = self.roles.mask_keeps, torch.bool
        self.changes: set[str] = set()  # which of its inputs it wrote into

    def prepare(self, probe: Probe) -> None:
        """Find out in which precision it computes, and whether it can be differentiated.

        Raises:
            ValueError: it fails on ordinary logits, or does not give one number.
        """
        problems = self.failures(probe)
        if all(problems) and self.roles.mask in self.roles.needed:
            self.mask_dtype = torch.long
            problems = self.failures(probe)
        if problems[0] and problems[1]:
            raise ValueError(
                f"loss must take logits {tuple(probe.z.shape)} of student and teacher; it fails with: {problems[1]}. "
                "If its number of classes is fixed, say classes=; if it takes NumPy arrays, say arrays=True"
            ) from problems[1]
        given = self.call(probe, torch.float32 if problems[0] else torch.float64)
        check_scalar(given)
        is_tensor = isinstance(given, Tensor)
        single = bool(problems[0]) or (hasattr(given, "dtype") and "64" not in str(given.dtype))
        self.dtype = torch.float32 if single else torch.float64
        self.by_autograd = is_tensor and not self.arrays
        self.gives_gradient = self.arrays or (is_tensor and given.requires_grad)
        try:
            self.gradient(probe)
        except Exception as problem:  # whatever autograd raises
            said = f"loss must have a gradient on the student's logits; it fails with: {problem}"
            raise ValueError(said) from problem

    def failures(self, probe: Probe) -> list[Exception | None]:
        return [self.failure(probe, dtype) for dtype in (torch.float64, torch.float32)]

    def failure(self, probe: Probe, dtype: torch.dtype) -> Exception | None:
        try:
            self.call(probe, dtype)
        except Exception as problem:  # whatever the user's own function raises
            return problem
        return None

    def call(self, probe: Probe, dtype: torch.dtype, *, seed: int = 0, **options: Any) -> Any:
        """What the loss gives for copies of the logits, with the same random numbers at each call."""
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(seed)
            own = self.own(probe, dtype)
            copies = [one.detach().clone() if self.arrays else one.clone() for one in own]
            handed = [one.numpy() for one in copies] if self.arrays else copies
            given = self.loss(*self.positional(handed), **self.named(handed, options))
        pairs = zip(("the student's logits", "the teacher's logits", "the labels"), copies, own, strict=True)
        self.changes |= {name for name, copy, one in pairs if not torch.equal(copy, one)}
        return given

    def own(self, probe: Probe, dtype: torch.dtype) -> list[Tensor]:
        z, v = probe.z.to(dtype), probe.v.to(dtype)
        z = z if z.requires_grad else z.clone().requires_grad_()
        return [z, v.softmax(-1) if self.roles.takes_probabilities else v, probe.y]

    def masked(self, kept: Tensor, keeps: bool | None = None) -> Tensor:
        """A mask that lets these rows count, as the loss takes it."""
        return (kept == (self.mask_keeps if keeps is None else keeps)).to(self.mask_dtype)

    def positional(self, tensors: list[Any]) -> list[Any]:
        return tensors[:2] if self.roles.positional else []

    def named(self, tensors: list[Any], options: Mapping[str, Any]) -> dict[str, Any]:
        roles = self.roles
        if roles.positional:
            return dict(options)
        given = {roles.student: tensors[0], roles.teacher: tensors[1]}
        if roles.labels:
            given[roles.labels] = tensors[2]
        if roles.temperature in roles.needed:
            given[roles.temperature] = 4.0
        given |= {name: 0.5 for name in roles.weights if name in roles.needed}
        if roles.mask and roles.mask in roles.needed:
            given[roles.mask] = self.masked(torch.ones(tensors[2].shape, dtype=torch.bool))
        return {**given, **options}

    def value(self, probe: Probe, dtype: torch.dtype | None = None, **options: Any) -> float:
        return number(self.call(probe, dtype or self.dtype, **options))

    def gradient(self, probe: Probe, dtype: torch.dtype | None = None, **options: Any) -> Tensor:
        """On the student's logits, `(N, C)` in float64: by autograd, or by differences where there is none."""
        if self.by_autograd:
            return self.slopes(probe, dtype or self.dtype, **options)[0]
        return self.differences(probe, **options)

    def slopes(self, probe: Probe, dtype: torch.dtype, **options: Any) -> tuple[Tensor, Tensor]:
        """By autograd, on both logits."""
        z, v = (logits.to(dtype).clone().requires_grad_() for logits in (probe.z, probe.v))
        given = self.call(Probe(z, v, probe.y), dtype, **options)
        if not given.requires_grad:
            return torch.zeros_like(z).double(), torch.zeros_like(v).double()
        found = torch.autograd.grad(given, (z, v), allow_unused=True)
        return tuple(torch.zeros_like(z).double() if one is None else one.double() for one in found)  # type: ignore

    def differences(self, probe: Probe, **options: Any) -> Tensor:
        step, found = STEPS[self.dtype], torch.zeros_like(probe.z)
        for place in np.ndindex(*probe.z.shape):
            ends = []
            for sign in (1, -1):
                z = probe.z.clone()
                z[place] += sign * step
                ends.append(self.value(Probe(z, probe.v, probe.y), **options))
            found[place] = (ends[0] - ends[1]) / (2 * step)
        return found

    def row_slopes(self, probe: Probe, **options: Any) -> Tensor:
        """How the loss changes as each row of the student's logits moves in a direction of its own, `(N,)`."""
        direction = torch.randn(probe.z.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        if self.by_autograd:
            return (self.gradient(probe, **options) * direction).sum(-1).flatten()
        step, found = STEPS[self.dtype], []
        for place in np.ndindex(*probe.y.shape):
            moved = torch.zeros_like(direction)
            moved[place] = step * direction[place]
            high, low = (self.value(probe._replace(z=probe.z + sign * moved), **options) for sign in (1, -1))
            found.append((high - low) / (2 * step))
        return torch.tensor(found, dtype=torch.float64)

    @property
    def tolerance(self) -> float:
        """How much of a gradient rounding may leave over."""
        if self.coarse:
            return COARSE
        if self.by_autograd:
            return 1e-6 if self.dtype == torch.float64 else 2e-4
        return 1e-5 if self.dtype == torch.float64 else 5e-3


def check_scalar(given: Any) -> None:
    shape = tuple(getattr(given, "shape", ()))
    if given is not None and not isinstance(given, tuple | list | dict) and int(np.prod(shape)) == 1:
        return
    came, way_out = f"shape {shape}" if shape else type(given).__name__, "Take .mean(), or the part that is one"
    if isinstance(given, dict):
        came = f"a dict of {', '.join(map(repr, given))}"
        way_out = f"Take one: lambda s, t, y: loss(s, t, y)[{next(iter(given), '')!r}]"
    elif given is None:
        came, way_out = "None", "Let it return its value"
    raise ValueError(f"loss must give one number for a batch; got {came}. {way_out}")


def number(given: Any) -> float:
    return float(given.detach() if isinstance(given, Tensor) else np.asarray(given).reshape(()))
