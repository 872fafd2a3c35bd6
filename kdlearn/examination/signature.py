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
ASKED_TEMPERATURE = 3.0  # not the default: at 1, and above 40, the gradients of some forms are alike
WAY_OUT = "lambda student_logits, teacher_logits: loss(...)"


@dataclass(frozen=True)
class Signature:
    """The names of a loss's parameters, None where there is none.

    `weights` are numbers in it; `to_set` are those of them that have no default, and the temperature.
    """

    student: str
    teacher: str
    labels: str | None
    temperature: str | None
    mask: str | None
    weights: list[str]
    to_set: dict[str, float]
    default_temperature: float | None


def signature_of(loss: Callable[..., Any], parameters: Mapping[str, str]) -> Signature:
    """From what `parameters` says, such as `{"kd_T": "temperature"}`, else from names, else from places.

    Raises:
        TypeError: student or teacher is not found, or a parameter without a default is none of these.
        ValueError: `parameters` has a name or a meaning that does not exist.
    """
    every = inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss).parameters
    defaults = {name: one.default for name, one in every.items() if not str(one).startswith("*")}
    meanings = meanings_of(defaults, parameters)
    names = {meaning: name for name, meaning in meanings.items()}
    if not {"student", "teacher"} <= set(names):
        raise TypeError(f"loss must name student_logits and teacher_logits; it takes {list(defaults)}. Write {WAY_OUT}")
    labels, temperature, mask = (names.get(one) for one in ("labels", "temperature", "mask"))
    weights = [name for name, meaning in meanings.items() if meaning == "weight"]
    to_set = {name: 0.5 for name in weights if defaults[name] is inspect.Parameter.empty}
    default = defaults[temperature] if temperature else None
    if temperature:
        to_set[temperature] = ASKED_TEMPERATURE
    told = float(default) if isinstance(default, int | float) else None
    return Signature(names["student"], names["teacher"], labels, temperature, mask, weights, to_set, told)


def meanings_of(defaults: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, str]:
    """What each parameter is; those that have a default may be nothing of interest."""
    for name, meaning in parameters.items():
        if name not in defaults or meaning not in MEANINGS:
            raise ValueError(f"parameters must map {list(defaults)} to {list(MEANINGS)}; got {name!r}: {meaning!r}")
    meanings = dict(parameters)
    for name in defaults:
        meaning = next((one for one, names in MEANINGS.items() if re.fullmatch(names, name)), None)
        if name not in meanings and meaning and (meaning == "weight" or meaning not in meanings.values()):
            meanings[name] = meaning
    open_places = [one for one in BY_PLACE if one not in meanings.values()]
    others = [name for name, one in defaults.items() if name not in meanings and one is inspect.Parameter.empty]
    if odd := others[len(open_places) :]:
        raise TypeError(
            "loss must take (student_logits, teacher_logits), and labels, temperature, mask if it likes; "
            f"{odd[0]} is none of these. Say what it is by parameters=, or set it: {WAY_OUT}"
        )
    return meanings | dict(zip(others, open_places, strict=False))
