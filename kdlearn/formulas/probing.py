"""Asking a loss from outside: what its signature takes, its value, and its gradient on the student's logits."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdlearn.formulas.forms import Probe

LABELS = (
    "labels", "label", "y", "targets", "target", "ground_truth", "hard_labels", "true_labels", "gt", "hard_targets",
)  # fmt: skip
TEMPERATURES = ("temperature", "temp", "T", "tau", "kd_T")
MASKS = ("mask", "attention_mask", "padding_mask", "loss_mask", "label_mask")
WEIGHTS = (
    "soft_weight", "hard_weight", "alpha", "beta", "weight", "gamma", "lam", "lambda_", "kd_weight", "ce_weight",
    "teacher_share", "target_weight", "nontarget_weight", "distillation_weight",
)  # fmt: skip
TEACHERS, STUDENTS = ("y_true", "y_t", "logits_t", "out_t", "t", "v"), ("y_pred", "y_s", "logits_s", "out_s", "s", "z")
STEPS = {torch.float64: 1e-5, torch.float32: 2e-2}
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Roles:
    """Which parameter of the loss is what; None where there is none. `weights` are numbers in it, by their name."""

    order: tuple[str, ...]
    student: str = ""
    teacher: str = ""
    labels: str | None = None
    temperature: str | None = None
    mask: str | None = None
    weights: tuple[str, ...] = ()
    positional: bool = field(default=False, kw_only=True)
    default_temperature: float | None = None
    needed: tuple[str, ...] = ()


def roles_of(loss: Callable[..., Any]) -> Roles:
    """By the names in the signature, else by the order student, teacher, labels.

    Raises:
        TypeError: a parameter without a default that has none of these names.
    """
    parameters = parameters_of(loss)
    if parameters is None:
        return Roles((), positional=True)
    names = [name for name, one in parameters.items() if one.kind in POSITIONAL]
    student, teacher = student_and_teacher(names)
    others = [name for name in parameters if name not in (student, teacher)]
    needed = [name for name in others if parameters[name].default is inspect.Parameter.empty]
    temperature, mask = first_of(TEMPERATURES, others), first_of(MASKS, others)
    weights = tuple(name for name in others if name in WEIGHTS)
    known = (temperature, mask, *weights)
    labels = first_of(LABELS, others) or next((name for name in needed if name not in known), None)
    if odd := [name for name in needed if name not in (labels, *known)]:
        raise TypeError(
            f"loss must take (student_logits, teacher_logits), and labels, temperature, mask if it likes; {odd[0]} is "
            "none of these. A function sets it: lambda student_logits, teacher_logits: loss(..., "
            f"{odd[0]}=...)"
        )
    default = parameters[temperature].default if temperature else None
    told = default if isinstance(default, int | float) and not isinstance(default, bool) else None
    return Roles(tuple(parameters), student, teacher, labels, temperature, mask, weights,
                 default_temperature=told, needed=tuple(needed))  # fmt: skip


def parameters_of(loss: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    """By name, without `*arguments`; None where two are not named."""
    try:
        signature = inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss)
    except (TypeError, ValueError):  # of what is not written in Python
        return None
    found = {
        name: one
        for name, one in signature.parameters.items()
        if one.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    }
    return found if sum(one.kind in POSITIONAL for one in found.values()) >= 2 else None


def student_and_teacher(names: list[str]) -> tuple[str, str]:
    teacher = next((name for name in names if "teacher" in name.lower() or name in TEACHERS), None)
    student = next((name for name in names if "student" in name.lower() or name in STUDENTS), None)
    student = student or next(name for name in names if name != teacher)
    teacher = teacher or next(name for name in names if name != student)
    return student, teacher


def first_of(wanted: tuple[str, ...], names: list[str]) -> str | None:
    return next((name for name in wanted if name in names), None)


class Asked:
    """A loss with its roles: `value` and `gradient` of logits in float64, however it computes.

    Args:
        loss: the callable.
        arrays: whether it takes NumPy arrays, not tensors.
    """

    def __init__(self, loss: Callable[..., Any], arrays: bool = False) -> None:
        self.loss, self.arrays, self.roles = loss, arrays, roles_of(loss)
        self.dtype, self.by_autograd = torch.float64, not arrays
        self.gives_gradient = self.mask_keeps = True  # the mask's value that lets a row count

    def prepare(self, probe: Probe) -> None:
        """Find out in which precision it computes, and whether it can be differentiated.

        Raises:
            ValueError: it fails on ordinary logits, or does not give one number.
        """
        problems = [self.failure(probe, dtype) for dtype in (torch.float64, torch.float32)]
        if problems[0] and problems[1]:
            raise ValueError(
                f"loss must take logits {tuple(probe.z.shape)} of student and teacher; it fails with: {problems[1]}"
            ) from problems[1]
        given = self.call(probe, torch.float32 if problems[0] else torch.float64)
        check_scalar(given)
        is_tensor = isinstance(given, Tensor)
        single = bool(problems[0]) or (hasattr(given, "dtype") and "64" not in str(given.dtype))
        self.dtype = torch.float32 if single else torch.float64
        self.by_autograd = is_tensor and not self.arrays
        self.gives_gradient = not self.by_autograd or given.requires_grad

    def failure(self, probe: Probe, dtype: torch.dtype) -> Exception | None:
        try:
            self.call(probe, dtype)
        except Exception as problem:  # whatever the user's own function raises
            return problem
        return None

    def call(self, probe: Probe, dtype: torch.dtype, *, seed: int = 0, **options: Any) -> Any:
        """What the loss gives, with the same random numbers at each call."""
        tensors = [probe.z.to(dtype), probe.v.to(dtype), probe.y]
        if self.arrays:
            tensors = [tensor.detach().numpy() for tensor in tensors]
        else:
            tensors[0] = tensors[0] if tensors[0].requires_grad else tensors[0].clone().requires_grad_()
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(seed)
            return self.loss(*self.positional(tensors), **self.named(tensors, options))

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
            given[roles.mask] = torch.full(tensors[2].shape, self.mask_keeps)
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
        if self.by_autograd:
            return 1e-6 if self.dtype == torch.float64 else 2e-4
        return 1e-5 if self.dtype == torch.float64 else 5e-3


def check_scalar(given: Any) -> None:
    shape = tuple(getattr(given, "shape", ()))
    if isinstance(given, tuple | list | dict) or int(np.prod(shape)) != 1:
        came = f"shape {shape}" if shape else type(given).__name__
        raise ValueError(f"loss must give one number for a batch; got {came}. Take .mean(), or the part that is one")


def number(given: Any) -> float:
    return float(given.detach() if isinstance(given, Tensor) else np.asarray(given).reshape(()))
