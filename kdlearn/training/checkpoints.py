"""Where a training stands, kept on disk: one that was killed goes on and ends with the same weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdlearn.data.files import read_tensors, write_tensors

OUTLINE = "outline"  # the tensor of bytes that holds, as JSON, all but the tensors
TENSOR = "kdlearn-tensor"  # there, the name of one


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A file with everything that the next step of a training depends on; without a path nothing is kept.

    `settings` are plain values that another training does not share, such as its learning rate and seed, or a key. A
    file that is damaged, or belongs to other settings, another network or another optimiser, is a ValueError, and
    changes nothing.
    """

    path: Path | None
    network: nn.Module
    optimizer: torch.optim.Optimizer
    settings: Mapping[str, Any] | str

    def decided_by(self) -> dict[str, str]:
        settings = {"key": self.settings} if isinstance(self.settings, str) else self.settings
        weights = {name: f"{one.dtype} {tuple(one.shape)}" for name, one in self.network.state_dict().items()}
        groups = [len(group["params"]) for group in self.optimizer.param_groups]
        parts = {"weights": weights, "groups of weights": [type(self.optimizer).__qualname__, *groups]}
        return {str(name): json.dumps(one, default=as_python) for name, one in {**settings, **parts}.items()}

    def save(self, curve: list[dict[str, Any]]) -> None:
        """Keep how a training stands whose curve is this; an earlier checkpoint stays until this one is complete."""
        if self.path is not None:
            state = {
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "curve": curve,
                "random": torch.get_rng_state(),
                "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            }
            write_state(self.path, state, self.decided_by())

    def load(self) -> list[dict[str, Any]]:
        """Put network, optimiser and random numbers where they were; returns the curve, empty without a file."""
        if self.path is None or not self.path.exists():
            return []
        state = read_state(self.path, self.decided_by())
        by_weight = state["optimizer"]["state"]
        state["optimizer"]["state"] = {int(number): by_weight[number] for number in by_weight}
        self.optimizer.load_state_dict(state["optimizer"])
        self.network.load_state_dict(state["network"])
        torch.set_rng_state(state["random"])
        for device, random in zip(range(torch.cuda.device_count()), state["random_cuda"], strict=False):
            torch.cuda.set_rng_state(random, device)
        return state["curve"]


def write_state(path: Path, state: Any, decided_by: Mapping[str, str]) -> None:
    """Write what JSON takes, tensors, and NumPy's numbers, which become Python's.

    As in JSON a tuple comes back as a list, and a number that names an entry as text. What else there is is a
    TypeError, before anything is written.
    """
    tensors: dict[str, Tensor] = {}

    def named(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return as_python(value)
        name = str(len(tensors))
        tensors[name] = value
        return {TENSOR: name}

    text = json.dumps(state, default=named).encode()
    write_tensors(path, {**tensors, OUTLINE: torch.frombuffer(bytearray(text), dtype=torch.uint8)}, decided_by)


def read_state(path: Path, decided_by: Mapping[str, str]) -> Any:
    """What `write_state` wrote. Nothing is executed; tensors own their memory, so that the file can be replaced."""
    tensors = read_tensors(path, decided_by)
    text = tensors.pop(OUTLINE).numpy().tobytes()
    return json.loads(text, object_hook=lambda one: tensors[one[TENSOR]].clone() if TENSOR in one else one)


def as_python(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    raise TypeError(
        "settings, and what evaluate returns, must be numbers, strings, booleans, None, or lists and dictionaries of "
        f"them; got {type(value).__name__}"
    )
