"""What networks answer: their logits, in `eval()` mode, and what their layers give."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from kdlearn.formulas.labels import full_precision
from kdlearn.training.machine import Machine


@torch.no_grad()
def predict(
    network: Callable[[Tensor], Tensor], inputs: Tensor, batch_size: int = 1000, machine: Machine = Machine()
) -> Tensor:
    """What a network says of inputs `(N, …)`, in `eval()` mode and without a gradient.

    `network` is a network, which is left as it was, or any callable from inputs to logits, such as a pretrained network
    with its own preprocessing: what networks it calls are in `eval()` mode while they answer. It answers with a tensor,
    a NumPy array, or an object or dictionary with `logits`; another answer is a TypeError or ValueError.

    Returns:
        Logits `(N, C)`, or `(N, time, C)`, in float32 or wider.

    >>> predict(nn.Linear(64, 10), torch.randn(5, 64)).shape
    torch.Size([5, 10])
    """
    with eval_mode(network), machine.precision():
        return torch.cat([full_precision(as_logits(network(part), part)) for part in inputs.split(batch_size)])


def logits_of(answer: Any) -> Tensor:
    """The tensor that a network answers: itself, an array, or the `logits` of an object or a dictionary."""
    found = answer.get("logits", answer) if isinstance(answer, Mapping) else getattr(answer, "logits", answer)
    found = torch.tensor(found) if isinstance(found, np.ndarray) else found  # a copy, for an array may be read-only
    if not isinstance(found, Tensor):
        way = ". Return the one output that holds the logits" * isinstance(found, list | tuple)
        raise TypeError(
            f"a network or teacher must answer with logits as a tensor or an array; got {type(found).__name__}{way}"
        )
    return found


def as_logits(answer: Any, inputs: Tensor) -> Tensor:
    """The same, a row for each of the inputs, and where these are."""
    found = logits_of(answer)
    if found.ndim < 2 or len(found) != len(inputs):
        raise ValueError(
            f"a network or teacher must answer with a row of logits for each of {len(inputs)} inputs, "
            f"({len(inputs)}, C); got {tuple(found.shape)}"
        )
    return found.to(inputs.device)


@contextmanager
def eval_mode(answers: Any = None) -> Iterator[None]:
    """Whatever module is called within is in `eval()` mode, and afterwards as it was.

    A method of a network, or a compiled script, calls no module that could be seen: `answers` is such a one.
    """
    switched: list[nn.Module] = []

    def switch(module: nn.Module, inputs: Any = ()) -> None:
        if module.training:
            switched.append(module)
            module.training = False

    owner = getattr(answers, "__self__", answers)
    for module in owner.modules() if isinstance(owner, nn.Module) else ():
        switch(module)
    try:
        with register_module_forward_pre_hook(switch):
            yield
    finally:
        for module in switched:
            module.training = True


@contextmanager
def captured_outputs(network: Any, layers: Sequence[str]) -> Iterator[list[Tensor]]:
    """The outputs of a network's named layers, in this order, of the one forward pass within."""
    outputs: list[Any] = [None] * len(layers)

    def capture(place: int, module: nn.Module, inputs: Any, output: Any) -> None:
        outputs[place] = output

    with ExitStack() as hooks:
        for place, name in enumerate(layers):
            hooks.enter_context(layer_of(network, name).register_forward_hook(partial(capture, place)))
        yield outputs


def layer_of(network: nn.Module, name: str) -> nn.Module:
    found = dict(network.named_modules())
    if name not in found:
        raise ValueError(
            f"layers must name a layer of the network; {name!r} is none of {', '.join(filter(None, found))}"
        )
    return found[name]
