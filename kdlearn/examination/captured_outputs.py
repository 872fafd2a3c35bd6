"""What teacher and student get and answer in one step of somebody's training; the step is undone afterwards."""

import copy
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdlearn.training.loop import seeded_numbers
from kdlearn.training.outputs import as_logits

Change = Callable[[Tensor], Tensor]


@dataclass
class Answer:
    """The first call of a network in a step; `in_training`: whether dropout or batch statistics were on."""

    inputs: Tensor
    logits: Tensor
    in_training: bool


@dataclass
class RecordedStep:
    """What both networks answered, None where they were not called, and whether the step changed them."""

    student: Answer | None = None
    teacher: Answer | None = None
    student_learns: bool = False
    teacher_changes: bool = False

    @property
    def gradient(self) -> Tensor | None:
        """That of the student's logits."""
        return None if self.student is None else self.student.logits.grad


def recorded_step(
    step: Callable[[Any], Any], batch: Any, student: nn.Module, teacher: nn.Module, change: Change | None = None
) -> RecordedStep:
    """Carry out `step(batch)` and put both networks back; `change` alters what the teacher says meanwhile.

    Weights, buffers, gradients and modes are as before afterwards, and so are the random numbers of Python, NumPy and
    torch, which every step begins with alike. An optimiser's own memory, such as momentum, is not put back.
    """
    recorded = RecordedStep()
    with ExitStack() as stack:
        of_student, of_teacher = (stack.enter_context(put_back(network)) for network in (student, teacher))
        stack.enter_context(same_numbers())
        for name, network, altered in (("student", student, None), ("teacher", teacher, change)):
            handle = network.register_forward_hook(recorder(recorded, name, altered), with_kwargs=True)
            stack.callback(handle.remove)
        step(batch)
        recorded.student_learns = differ(of_student, student.named_parameters())
        recorded.teacher_changes = differ(of_teacher, teacher.state_dict().items())
    return recorded


def differ(before: Mapping[str, Tensor], now: Iterable[tuple[str, Tensor]]) -> bool:
    return any(not torch.equal(before[name], one) for name, one in now)


def recorder(recorded: RecordedStep, name: str, change: Change | None) -> Callable[..., Any]:
    def record(module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any], output: Any) -> Any:
        inputs = next((one.detach() for one in (*arguments, *keywords.values()) if isinstance(one, Tensor)), None)
        if inputs is None or getattr(recorded, name):
            return None
        logits = as_logits(output, inputs)
        if name == "student" and logits.requires_grad:
            logits.retain_grad()
        in_training = any(one.training for one in module.modules() if differs_in_training(one))
        setattr(recorded, name, Answer(inputs, logits, in_training))
        return change(output) if change is not None and output is logits else None

    return record


def differs_in_training(module: nn.Module) -> bool:
    """Whether it is dropout or keeps batch statistics, and does so in `train()` alone."""
    return isinstance(module, nn.modules.dropout._DropoutNd | nn.modules.batchnorm._NormBase)


@contextmanager
def put_back(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Weights, buffers, gradients and modes as they were; the values before are given."""
    before = copy.deepcopy(network.state_dict())
    gradients = [(one, one.grad) for one in network.parameters()]
    modes = [(one, one.training) for one in network.modules()]
    try:
        yield before
    finally:
        network.load_state_dict(before)
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for module, mode in modes:
            module.training = mode


@contextmanager
def same_numbers(seed: int = 0) -> Iterator[None]:
    """The random numbers of Python, NumPy and torch from a seed, and afterwards as they were."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        with seeded_numbers(seed):
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
