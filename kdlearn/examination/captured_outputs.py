"""What teacher and student get and answer in one step of somebody's training; the step is undone afterwards."""

import copy
import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdlearn.training.loop import seeded_numbers
from kdlearn.training.outputs import as_logits

Change = Callable[[Tensor], Tensor]


@dataclass
class RecordedStep:
    """The first call of "student" and "teacher" in a step, as far as they were called, and what the step changed.

    `in_training`: whether dropout or batch statistics were on; `gradient`: that of the student's logits.
    """

    inputs: dict[str, Tensor] = field(default_factory=dict)
    logits: dict[str, Tensor] = field(default_factory=dict)
    in_training: dict[str, bool] = field(default_factory=dict)
    gradient: Tensor | None = None
    student_learns: bool = False
    teacher_changes: bool = False


def recorded_step(
    step: Callable[[Any], Any], batch: Any, student: nn.Module, teacher: nn.Module, change: Change | None = None
) -> RecordedStep:
    """Carry out `step(batch)` and put both networks back; `change` alters what the teacher says meanwhile.

    Weights, buffers, gradients and modes are as before afterwards, and so are the random numbers of Python, NumPy and
    torch, which every step begins with alike. An optimiser's own memory, such as momentum, is not put back.
    """
    recorded = RecordedStep()
    with ExitStack() as stack:
        of_student, of_teacher = (put_back(network, stack) for network in (student, teacher))
        same_numbers(stack)
        for name, network, altered in (("student", student, None), ("teacher", teacher, change)):
            handle = network.register_forward_hook(recorder(recorded, name, altered), with_kwargs=True)
            stack.callback(handle.remove)
        step(batch)
        recorded.gradient = recorded.logits["student"].grad if "student" in recorded.logits else None
        learned, kept = student.named_parameters(), teacher.state_dict().items()
        recorded.student_learns = any(not torch.equal(of_student[name], one) for name, one in learned)
        recorded.teacher_changes = any(not torch.equal(of_teacher[name], one) for name, one in kept)
    return recorded


def recorder(recorded: RecordedStep, name: str, change: Change | None) -> Callable[..., Any]:
    def record(module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any], output: Any) -> Any:
        inputs = next((one.detach() for one in (*arguments, *keywords.values()) if isinstance(one, Tensor)), None)
        if inputs is None or name in recorded.logits:
            return None
        recorded.inputs[name], recorded.logits[name] = inputs, (logits := as_logits(output, inputs))
        recorded.in_training[name] = any(one.training for one in module.modules() if differs_in_training(one))
        if name == "student" and logits.requires_grad:
            logits.retain_grad()
        return change(output) if change is not None and output is logits else None

    return record


def differs_in_training(module: nn.Module) -> bool:
    """Whether it is dropout or keeps batch statistics, and does so in `train()` alone."""
    return isinstance(module, nn.modules.dropout._DropoutNd | nn.modules.batchnorm._NormBase)


def put_back(network: nn.Module, stack: ExitStack) -> dict[str, Tensor]:
    """Weights and buffers as they are now; they, gradients and modes are so again where the stack ends."""
    before = copy.deepcopy(network.state_dict())
    stack.callback(network.load_state_dict, before)
    for parameter in network.parameters():
        stack.callback(setattr, parameter, "grad", parameter.grad)
    for module in network.modules():
        stack.callback(setattr, module, "training", module.training)
    return before


def same_numbers(stack: ExitStack) -> None:
    """The random numbers of Python, NumPy and torch begin with the same seed, and go on as before where it ends."""
    stack.callback(random.setstate, random.getstate())
    stack.callback(np.random.set_state, np.random.get_state())
    random.seed(0)
    np.random.seed(0)
    stack.enter_context(seeded_numbers(0))
