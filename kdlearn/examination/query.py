"""Asking a loss from outside: its value, and its gradient on the student's logits."""

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdlearn.examination.forms import Probe
from kdlearn.examination.signature import WAY_OUT, signature_of

STEPS = {torch.float64: 1e-5, torch.float32: 2e-2}  # for differences
TOLERANCES, OF_DIFFERENCES = {torch.float64: 1e-6, torch.float32: 2e-4}, {torch.float64: 1e-5, torch.float32: 5e-3}
COARSE = 0.03  # of a gradient is lost where a loss computes in half precision
MASKS = ((True, False), (False, True), (1, 0), (0, 1))  # where a row counts, and where it does not


class Query:
    """A loss that is asked: `value` and `gradient` of logits in float64, in whatever precision it computes.

    Args:
        loss: the callable.
        arrays: whether it takes NumPy arrays, not tensors.
        parameters: what a parameter is, where neither its name nor its place says so.
    """

    def __init__(
        self, loss: Callable[..., Any], arrays: bool = False, parameters: Mapping[str, str] | None = None
    ) -> None:
        self.loss, self.arrays, self.signature = loss, arrays, signature_of(loss, parameters or {})
        self.dtype, self.is_coarse, self.is_shifted = torch.float64, False, False
        is_of_padding = str(self.signature.mask).startswith("pad")
        self.masks = [(out, kept) if is_of_padding else (kept, out) for kept, out in MASKS]  # what its name says first
        self.mask: tuple[int, int] | None = None
        self.changed: set[str] = set()  # the arguments that it wrote into

    def prepare(self, probe: Probe) -> "Query":
        """Find out in which precision it computes, and what its mask means: the first with which it works, or none.

        Raises:
            ValueError: it fails on ordinary logits, does not give one number, or has no gradient.
        """
        working, failures = [], []
        for setting in product([*self.masks, None] if self.signature.mask else [None], STEPS):
            self.mask, self.dtype = setting
            try:
                answer = self.call(probe)
            except Exception as problem:  # whatever the user's own function raises
                failures.append(problem)
                continue
            check_scalar(answer)
            if "64" not in str(getattr(answer, "dtype", "64")):
                self.dtype = torch.float32
            working.append((self.mask, self.dtype))
            gradient = self.gradient(probe)
            if gradient.any() and gradient.isfinite().all():
                return self
        if not working:
            raise ValueError(
                f"loss must take logits {tuple(probe.z.shape)} of student and teacher; it fails with: {failures[1]}. "
                "If its number of classes is fixed, say classes=; if it takes NumPy arrays, say arrays=True"
            ) from failures[1]
        self.mask, self.dtype = working[0]
        return self

    def call(self, probe: Probe, dtype: torch.dtype | None = None, seed: int = 0) -> Any:
        """What the loss gives for copies of the logits, with the same random numbers at each call."""
        names, (z, v, y, kept, options) = self.signature, shifted(probe) if self.is_shifted else probe
        z, v = (logits.to(dtype or self.dtype) for logits in (z, v))
        given = {names.student: z, names.teacher: v.softmax(-1) if "prob" in names.teacher else v}
        if names.labels:
            given[names.labels] = y
        if names.mask and self.mask:
            given[names.mask] = torch.where(torch.ones_like(y).bool() if kept is None else kept, *self.mask)
        copies = {name: one.detach().numpy().copy() if self.arrays else one.clone() for name, one in given.items()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            answer = self.loss(**copies, **{**self.signature.to_set, **options})
        self.changed |= {name for name, one in given.items() if not torch.equal(torch.as_tensor(copies[name]), one)}
        return answer

    def value(self, probe: Probe, dtype: torch.dtype | None = None, seed: int = 0) -> float:
        return float(self.call(probe, dtype, seed))

    def gradient(self, probe: Probe, dtype: torch.dtype | None = None, seed: int = 0) -> Tensor:
        """On the student's logits, as they are shaped, in float64."""
        return self.gradients(probe, dtype, seed)[0]

    def gradients(self, probe: Probe, dtype: torch.dtype | None = None, seed: int = 0) -> tuple[Tensor, Tensor]:
        """On both logits: 0 where nothing can be differentiated; of arrays by differences, and 0 for the teacher's."""
        if self.arrays:
            return self.differences(probe, seed), torch.zeros_like(probe.v)
        z, v = (logits.to(dtype or self.dtype).clone().requires_grad_() for logits in (probe.z, probe.v))
        given = self.call(probe._replace(z=z, v=v), dtype, seed)
        if not (isinstance(given, Tensor) and given.requires_grad):
            return torch.zeros_like(probe.z), torch.zeros_like(probe.v)
        try:
            found = torch.autograd.grad(given, (z, v), allow_unused=True, materialize_grads=True)
        except RuntimeError as problem:
            sentence = f"loss must have a gradient on the student's logits; it fails with: {problem}"
            raise ValueError(sentence) from problem
        return found[0].double(), found[1].double()

    def differences(self, probe: Probe, seed: int) -> Tensor:
        step, z = STEPS[self.dtype], probe.z
        moves = step * torch.eye(z.numel(), dtype=z.dtype).reshape(-1, *z.shape)
        ends = [[self.value(probe._replace(z=z + sign * move), seed=seed) for move in moves] for sign in (1, -1)]
        high, low = torch.tensor(ends, dtype=z.dtype)
        return ((high - low) / (2 * step)).reshape(z.shape)

    @property
    def tolerance(self) -> float:
        """How much of a gradient rounding may leave over."""
        return COARSE if self.is_coarse else (OF_DIFFERENCES if self.arrays else TOLERANCES)[self.dtype]


def shifted(probe: Probe) -> Probe:
    """A row more, so that each row of a loss that gives it the label of the next one has its own, as a causal one."""
    z, v = (torch.cat([one, one[..., :1, :]], -2) for one in (probe.z, probe.v))
    y, kept = (one if one is None else torch.cat([one[..., :1], one], -1) for one in (probe.y, probe.kept))
    return probe._replace(z=z, v=v, y=y, kept=kept)


def check_scalar(given: Any) -> None:
    shape = tuple(getattr(given, "shape", ()))
    if given is not None and not isinstance(given, tuple | list | dict) and int(np.prod(shape)) == 1:
        return
    came, part = f"shape {shape}" if shape else type(given).__name__, ".mean()" if shape else "[0]"
    if isinstance(given, dict):
        came, part = f"a dict of {', '.join(map(repr, given))}", f"[{next(iter(given), '')!r}]"
    way_out = "Let it return one" if given is None else f"Examine one: {WAY_OUT}{part}"
    raise ValueError(f"loss must give one number for a batch; got {came}. {way_out}")
