"""What teacher and student do in one step of somebody's training, heard by hooks and undone afterwards."""

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdlearn.networks.weights import weights_hash
from kdlearn.training.loop import seeded_numbers
from kdlearn.training.outputs import as_logits

Change = Callable[[Tensor], Tensor]


@dataclass
class Heard:
    """One step: what went in and came out, in which mode, and what the step changed.

    `gradient` is that of the student's logits; what was not heard is None.
    """

    student_inputs: Tensor | None = None
    teacher_inputs: Tensor | None = None
    student_logits: Tensor | None = None
    teacher_logits: Tensor | None = None
    modes: dict[str, bool] = field(default_factory=dict)
    student_learns: bool = False
    teacher_changes: bool = False

    @property
    def gradient(self) -> Tensor | None:
        return None if self.student_logits is None else self.student_logits.grad


def heard_step(
    step: Callable[[Any], Any], batch: Any, student: nn.Module, teacher: nn.Module, change: Change | None = None
) -> Heard:
    """Carry out `step(batch)` and put both networks back; `change` alters what the teacher says meanwhile.

    Weights, buffers, gradients and modes are as before afterwards, and so are the random numbers of Python, NumPy and
    torch, which every step begins with alike. An optimiser's own memory, such as momentum, is not put back.
    """
    heard = Heard()
    with ExitStack() as stack:
        stack.enter_context(put_back(student))
        stack.enter_context(put_back(teacher))
        stack.enter_context(same_numbers())
        handles = (hook(heard, "student", student, None), hook(heard, "teacher", teacher, change))
        before = parameters_of(student), weights_hash(teacher)
        try:
            step(batch)
        finally:
            for handle in handles:
                handle.remove()
        heard.student_learns = not all(map(torch.equal, before[0], parameters_of(student)))
        heard.teacher_changes = weights_hash(teacher) != before[1]
    return heard


def parameters_of(network: nn.Module) -> list[Tensor]:
    return [one.detach().clone() for one in network.parameters()]


def hook(heard: Heard, who: str, network: nn.Module, change: Change | None) -> Any:
    """Listen to the first call of a network in the step."""

    def listen(module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any], output: Any) -> Any:
        inputs = next((one.detach() for one in (*arguments, *keywords.values()) if isinstance(one, Tensor)), None)
        if who in heard.modes or inputs is None:
            return None
        heard.modes[who] = any(one.training for one in module.modules() if differs_in_training(one))
        setattr(heard, f"{who}_inputs", inputs)
        logits = as_logits(output, inputs)
        if who == "student" and logits.requires_grad:
            logits.retain_grad()
        setattr(heard, f"{who}_logits", logits)
        return change(output) if change is not None and output is logits else None

    return network.register_forward_hook(listen, with_kwargs=True)


def differs_in_training(module: nn.Module) -> bool:
    """Whether it is dropout or keeps batch statistics, and does so in `train()` alone."""
    return isinstance(module, nn.modules.dropout._DropoutNd | nn.modules.batchnorm._NormBase)


@contextmanager
def put_back(network: nn.Module) -> Iterator[None]:
    """Weights, buffers, gradients and modes as they were."""
    weights = copy.deepcopy(network.state_dict())
    gradients = [(one, one.grad) for one in network.parameters()]
    modes = [(one, one.training) for one in network.modules()]
    try:
        yield
    finally:
        network.load_state_dict(weights)
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
