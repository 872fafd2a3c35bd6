"""Where a network's weights come from: another network's layers that fit, or a file (safetensors, never a pickle)."""

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from kdlearn.data.dataset import tensors_hash
from kdlearn.data.files import is_sealed, read_tensors, write_tensors


@torch.no_grad()
def initialise_from(student: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Copy what fits by name and shape, such as the layers of `teacher.state_dict()`.

    Floating tensors alone: BatchNorm's counter of batches fits everywhere. If none fits, that is a ValueError.

    Returns:
        The names of what was copied, in the student's order.

    >>> teacher, student = nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 9)), nn.Sequential(nn.Linear(8, 4))
    >>> initialise_from(student, teacher.state_dict())
    ['0.weight', '0.bias']
    """
    own = student.state_dict()
    fitting = [name for name in own if name in weights and weights[name].shape == own[name].shape]
    copied = [name for name in fitting if own[name].is_floating_point()]
    if not copied:
        raise ValueError(
            f"weights must share a name and shape with the student; of their {len(weights)} tensors none fits one of "
            f"its {len(own)}. Build teacher and student by the same function, or begin at random"
        )
    for name in copied:
        own[name].copy_(weights[name])
    return copied


def set_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Set all weights of the model; a ValueError, and an untouched model, if a name or a shape differs.

    >>> model, trained = nn.Linear(4, 2), nn.Linear(4, 2)
    >>> set_weights(model, trained.state_dict())
    >>> torch.equal(model.weight, trained.weight)
    True
    """
    needed, found = ({name: tuple(one.shape) for name, one in held.items()} for held in (model.state_dict(), weights))
    for name in needed | found:
        if needed.get(name) != found.get(name):
            shapes = f"{needed.get(name, 'not there')} in the model, {found.get(name, 'not there')} in weights"
            raise ValueError(f"{name} must have the same shape in both; it is {shapes}. Build the model that was saved")
    model.load_state_dict(weights)


def save_weights(path: str | Path, model: nn.Module, decided_by: Mapping[str, str] | str = "") -> None:
    """Write parameters and buffers as safetensors, with their hash and what decides them; whole or as it was before.

    `load_weights` reads the file, and so does any program that reads safetensors.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     save_weights(f"{folder}/teacher.safetensors", nn.Linear(4, 2), decided_by="seed 0")
    ...     sorted(load_weights(f"{folder}/teacher.safetensors", decided_by="seed 0"))
    ['bias', 'weight']
    """
    write_tensors(Path(path), model.state_dict(), decided_by)


def load_weights(path: str | Path, decided_by: Mapping[str, str] | str | None = None) -> dict[str, Tensor]:
    """Weights of a safetensors file.

    A file by `save_weights` that is altered, or decided by something else, is a ValueError. Files of other programs
    carry no hash: they are taken if they are whole, unless it is said what must have decided them.

    Returns:
        Tensors on the CPU by their names, as a network's `state_dict()` and as `set_weights` takes them.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     save_weights(f"{folder}/teacher.safetensors", nn.Linear(4, 2))
    ...     load_weights(f"{folder}/teacher.safetensors")["weight"].shape
    torch.Size([2, 4])
    """
    path = Path(path)
    if decided_by is not None or is_sealed(path):
        return {name: tensor.clone() for name, tensor in read_tensors(path, decided_by).items()}
    try:
        return safetensors.torch.load(path.read_bytes())
    except (safetensors.SafetensorError, KeyError) as problem:  # a KeyError is a type that torch does not have
        raise ValueError(f"{path} is not a whole safetensors file ({problem}); save or copy it again") from None


def weights_hash(model: nn.Module) -> str:
    """What tells whether two networks have the same weights and buffers, on every device and in every file.

    Returns:
        SHA-256, in hexadecimal, of names, types, shapes and values in the order of names.

    >>> one, other = nn.Linear(4, 2), nn.Linear(4, 2)
    >>> set_weights(other, one.state_dict())
    >>> weights_hash(one) == weights_hash(other)
    True
    """
    return tensors_hash(sorted({**dict(model.named_buffers()), **model.state_dict()}.items()))


def are_finite(model: nn.Module) -> bool:
    """Whether no parameter holds NaN or infinity."""
    return all(bool(weight.isfinite().all()) for weight in model.parameters())
