"""Which parameter of a loss is what: by a rule for its name and its place, or as the caller says."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

# What a whole name means, the first that fits.
MEANINGS = {
    "weight": "alpha|beta|gamma|lam|lambda_|.*weight|.*share",
    "mask": ".*mask",
    "temperature": "temperature|temp|T|tau",
    "labels": "labels",
    "student": ".*student.*|y_pred",
    "teacher": ".*teacher.*|y_true",
}
BY_PLACE = ("student", "teacher", "labels")  # what other parameters without a default are, in this order
WAY_OUT = "lambda student_logits, teacher_logits: loss(...)"


@dataclass(frozen=True)
class Signature:
    """The names of a loss's parameters, None where there is none; `weights` are numbers in it."""

    student: str
    teacher: str
    labels: str | None
    temperature: str | None
    mask: str | None
    weights: tuple[str, ...]
    weights_to_set: tuple[str, ...]
    default_temperature: float | None


def signature_of(loss: Callable[..., Any], parameters: Mapping[str, str]) -> Signature:
    """From what `parameters` says, such as `{"kd_T": "temperature"}`, else from names, else from places.

    Raises:
        TypeError: student or teacher is not found, or a parameter without a default is none of these.
        ValueError: `parameters` has a name or a meaning that does not exist.
    """
    found = parameters_of(loss)
    for name, meaning in parameters.items():
        if name not in found or meaning not in MEANINGS:
            raise ValueError(f"parameters must map {list(found)} to {list(MEANINGS)}; got {name!r}: {meaning!r}")
    defaults = {name: one.default for name, one in found.items() if one.default is not one.empty}
    meanings = dict(parameters)
    for name in found:
        meaning = next((one for one, names in MEANINGS.items() if re.fullmatch(names, name)), None)
        if name not in meanings and meaning and (meaning == "weight" or meaning not in meanings.values()):
            meanings[name] = meaning
    open_places = [one for one in BY_PLACE if one not in meanings.values()]
    unknown = [name for name in found if name not in meanings and name not in defaults]
    meanings |= dict(zip(unknown, open_places, strict=False))
    if odd := unknown[len(open_places) :]:
        raise TypeError(
            "loss must take (student_logits, teacher_logits), and labels, temperature, mask if it likes; "
            f"{odd[0]} is none of these. Say what it is by parameters=, or set it: {WAY_OUT}"
        )
    names = {meaning: name for name, meaning in meanings.items()}
    if not {"student", "teacher"} <= set(names):
        raise TypeError(f"loss must name student_logits and teacher_logits; it takes {list(found)}. Write {WAY_OUT}")
    optional = (names.get(one) for one in ("labels", "temperature", "mask"))
    weights = tuple(name for name, meaning in meanings.items() if meaning == "weight")
    to_set = tuple(name for name in weights if name not in defaults)
    default = defaults.get(names.get("temperature"))
    default = float(default) if isinstance(default, int | float) else None
    return Signature(names["student"], names["teacher"], *optional, weights, to_set, default)


def parameters_of(loss: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """By name; none where Python cannot tell, and no `*arguments`."""
    try:
        found = inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss).parameters
    except (TypeError, ValueError):  # of what is not written in Python
        return {}
    return {name: one for name, one in found.items() if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)}
