"""Where a training stands, kept on disk: one that was killed goes on and ends with the same weights."""

import json
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdlearn.data.files import ANEW, read_tensors, write_tensors

OUTLINE = "outline"  # the tensor of bytes that holds, as JSON, all but the tensors


def save_state(path: Path, state: Any, decided_by: Mapping[str, str] | str) -> None:
    """Write dictionaries, lists and tuples of tensors, numbers, strings, None and booleans, nested as you like.

    NumPy's numbers become Python's. What else there is is a TypeError that says where, before anything is written.
    """
    tensors: dict[str, Tensor] = {}
    text = json.dumps(outline(state, "state", tensors)).encode()
    write_tensors(path, {**tensors, OUTLINE: torch.frombuffer(bytearray(text), dtype=torch.uint8)}, decided_by)


def load_state(path: Path, decided_by: Mapping[str, str] | str | None = None) -> Any:
    """What `save_state` wrote, tensors on the CPU. Nothing is executed; a damaged or other file is a ValueError."""
    tensors = read_tensors(path, decided_by)
    if OUTLINE not in tensors:
        raise ValueError(f"{path} holds tensors but no state; {ANEW}")
    return filled(json.loads(tensors.pop(OUTLINE).numpy().tobytes()), tensors)


def outline(value: Any, where: str, tensors: dict[str, Tensor]) -> Any:
    """The value as JSON, in which tensors are names; the tensors themselves are added to `tensors`."""
    if isinstance(value, Tensor):
        tensors[name := f"{len(tensors)} {where}"] = value
        return {"tensor": name}
    if isinstance(value, dict):
        pairs = ((plain(key, f"a key of {where}"), one, f"{where}[{key!r}]") for key, one in value.items())
        return {"dict": [[key, outline(one, place, tensors)] for key, one, place in pairs]}
    if type(value) in (list, tuple):
        parts = [outline(one, f"{where}[{index}]", tensors) for index, one in enumerate(value)]
        return {type(value).__name__: parts}
    return plain(value, where)


def plain(value: Any, where: str) -> Any:
    """A number, string, boolean or None, as JSON keeps it."""
    value = value.item() if isinstance(value, np.generic) and value.dtype.kind in "biufU" else value
    if value is not None and type(value) not in (bool, int, float, str):
        raise TypeError(
            f"{where} must be a tensor, number, string, boolean or None, or a dict, list or tuple of these; "
            f"got {type(value).__name__}. torch.as_tensor makes a tensor of an array; leave other things out"
        )
    return value


def filled(outline: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The value of an outline; its tensors own their memory, so that the file can be replaced."""
    if not isinstance(outline, dict):
        return outline
    ((kind, content),) = outline.items()
    if kind == "tensor":
        return tensors[content].clone()
    if kind == "dict":
        return {key: filled(one, tensors) for key, one in content}
    parts = [filled(one, tensors) for one in content]
    return tuple(parts) if kind == "tuple" else parts


@dataclass
class Position:
    """Epochs that are done, steps of the present one, their losses, and the curve so far."""

    epoch: int = 0
    losses: list[Tensor] = field(default_factory=list)
    curve: list[dict[str, Any]] = field(default_factory=list)


def save_checkpoint(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, position: Position, settings: Any
) -> None:
    """Everything that the next step depends on; an earlier checkpoint stays until this one is complete.

    `settings` are plain values that another training does not share, such as a dictionary of its learning rate and
    seed, or a key.
    """
    state = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "optimizer_type": type(optimizer).__qualname__,
        "position": vars(position),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    save_state(path, state, decisive(settings))


def load_checkpoint(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, settings: Any) -> Position:
    """Put network, optimiser and random numbers where they were.

    A file that is damaged, or belongs to other settings, another network or optimiser, is a ValueError, and leaves all
    of them as they are.
    """
    state = load_state(path, decisive(settings))
    check_belonging(path, state, network, type(optimizer).__qualname__)
    try:
        optimizer.load_state_dict(state["optimizer"])
    except ValueError as problem:  # it compares the groups before it changes anything
        raise ValueError(f"{path} belongs to another optimiser ({problem}); {ANEW}") from problem
    network.load_state_dict(state["network"])
    torch.set_rng_state(state["random"])
    for device, random in zip(range(torch.cuda.device_count()), state["random_cuda"], strict=False):
        torch.cuda.set_rng_state(random, device)
    return Position(**state["position"])


def check_belonging(path: Path, state: Any, network: nn.Module, optimizer: str) -> None:
    if not isinstance(state, dict) or "optimizer_type" not in state:
        raise ValueError(f"{path} holds no checkpoint; {ANEW}")
    if shapes(state["network"]) != shapes(network.state_dict()):
        raise ValueError(f"{path} belongs to another network; {ANEW}")
    if state["optimizer_type"] != optimizer:
        raise ValueError(f"{path} belongs to the optimiser {state['optimizer_type']}, not {optimizer}; {ANEW}")


def decisive(settings: Any) -> dict[str, str] | str:
    """Settings as strings that compare and read well: JSON, a string for each name."""
    if not isinstance(settings, dict):
        return json.dumps(outline_without_tensors(settings, "settings"))
    named = {str(name): outline_without_tensors(value, f"settings[{name!r}]") for name, value in settings.items()}
    return {name: json.dumps(value) for name, value in named.items()}


def outline_without_tensors(value: Any, where: str) -> Any:
    found = outline(value, where, tensors := {})
    if tensors:
        raise TypeError(f"{where} must not hold tensors, which do not print exactly; give their hash")
    return found


def shapes(weights: Mapping[str, Any]) -> dict[str, Any]:
    return {name: (one.shape, one.dtype) if isinstance(one, Tensor) else None for name, one in weights.items()}


@contextmanager
def interrupts_noted() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, so that a step is finished and saved before the training stops.

    Who looks at the event ends the block by raising KeyboardInterrupt; if the block ends without, as when Ctrl-C came
    in the last evaluation, it is raised here: no Ctrl-C is lost.
    """
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield noted  # Python delivers signals to the main thread only
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: noted.set())
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
    if noted.is_set():
        raise KeyboardInterrupt
