"""Which parameter of a loss is what, told by the names in its signature."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

LABELS = (
    "labels", "label", "y", "targets", "target", "ground_truth", "hard_labels", "true_labels", "gt", "hard_targets",
)  # fmt: skip
TEMPERATURES = ("temperature", "temp", "T", "tau", "kd_T")
MASKS = ("mask", "attention_mask", "padding_mask", "loss_mask", "label_mask")
PADDING = ("padding_mask",)  # whose True is what is left out
WEIGHTS = (
    "soft_weight", "hard_weight", "alpha", "beta", "weight", "gamma", "lam", "lambda_", "kd_weight", "ce_weight",
    "teacher_share", "target_weight", "nontarget_weight", "distillation_weight",
)  # fmt: skip
TEACHERS, STUDENTS = ("y_true", "y_t", "logits_t", "out_t", "t", "v"), ("y_pred", "y_s", "logits_s", "out_s", "s", "z")
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

    @property
    def takes_probabilities(self) -> bool:
        """Whether the teacher's parameter asks for probabilities by its name."""
        return "prob" in self.teacher.lower()

    @property
    def mask_keeps(self) -> bool:
        """The value of the mask that lets a row count, as its name has it."""
        return self.mask not in PADDING


def roles_of(loss: Callable[..., Any]) -> Roles:
    """By the names in the signature, else by the order student, teacher, labels.

    Raises:
        TypeError: a parameter without a default that has none of these names.
    """
    parameters = parameters_of(loss)
    if parameters is None:
        return Roles((), positional=True)
    ordered = [name for name, one in parameters.items() if one.kind in POSITIONAL]
    student, teacher = student_and_teacher(ordered if len(ordered) >= 2 else list(parameters))
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
    return found if len(found) >= 2 else None


def student_and_teacher(names: list[str]) -> tuple[str, str]:
    teacher = next((name for name in names if "teacher" in name.lower() or name in TEACHERS), None)
    student = next((name for name in names if "student" in name.lower() or name in STUDENTS), None)
    student = student or next(name for name in names if name != teacher)
    teacher = teacher or next(name for name in names if name != student)
    return student, teacher


def first_of(wanted: tuple[str, ...], names: list[str]) -> str | None:
    return next((name for name in wanted if name in names), None)
