"""Where a training stands, kept on disk: one that was killed goes on and ends with the same weights."""

import io
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kdlearn.data.files import replacing


@dataclass
class Position:
    """Epochs that are done, steps of the present one, their losses, and the curve so far."""

    epoch: int = 0
    losses: list[Tensor] = field(default_factory=list)
    curve: list[dict[str, Any]] = field(default_factory=list)


def save_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, position: Position, settings: Any
) -> None:
    """Everything that the next step depends on; an earlier checkpoint stays until this one is complete."""
    state = {
        "settings": settings,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": position.epoch,
        "losses": [loss.cpu() for loss in position.losses],
        "curve": position.curve,
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    content = io.BytesIO()
    torch.save(state, content)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())  # a full disk is an OSError here, which torch.save would hide


def load_checkpoint(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, settings: Any) -> Position:
    """Put model, optimiser and random numbers where they were. Nothing is executed: tensors and plain values only.

    A file that is cut or belongs to another training is a ValueError, and leaves the model as it was.
    """
    state = read_checkpoint(path)
    if state["settings"] != settings:
        raise ValueError(f"{path} belongs to another training: {differences(state['settings'], settings)}")
    fits = {name: values.shape for name, values in model.state_dict().items()}
    if {name: values.shape for name, values in state["model"].items()} != fits:
        raise ValueError(f"{path} belongs to another model; delete it to begin anew")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["random"])
    if torch.cuda.is_available() and state["random_cuda"]:
        torch.cuda.set_rng_state_all(state["random_cuda"])
    return Position(state["epoch"], state["losses"], state["curve"])


def read_checkpoint(path: Path) -> dict[str, Any]:
    content = io.BytesIO(path.read_bytes())
    try:
        state = torch.load(content, map_location="cpu", weights_only=True)
        state["settings"], state["model"], state["optimizer"], state["epoch"], state["losses"], state["curve"]
    except Exception as problem:  # torch names no type for a file that is cut: it raises half a dozen
        raise ValueError(f"{path} is no whole checkpoint; delete it to begin anew") from problem
    return state


def differences(before: Any, now: Any) -> str:
    """`learning_rate was 0.1, is now 0.2` for two dictionaries of settings."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return f"its settings were {before}, are now {now}"
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(f"{name} was {before.get(name)}, is now {now.get(name)}" for name in names)


@contextmanager
def interrupts_noted() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, so that a step is finished and saved before the training stops."""
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield noted  # Python delivers signals to the main thread only
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: noted.set())
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
