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
NEEDED = inspect.Parameter.empty
WAY_OUT = "lambda student_logits, teacher_logits: loss(...)"


@dataclass(frozen=True)
class Signature:
    """The names of a loss's parameters, None where there is none.

    `weights` are numbers in it; `to_set` are those of them, and the temperature, that have no default; `settings` are
    further arguments with their defaults.
    """

    student: str
    teacher: str
    labels: str | None
    temperature: str | None
    mask: str | None
    weights: list[str]
    to_set: dict[str, float]
    default_temperature: float | None
    settings: dict[str, Any]


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
    to_set = {one: 0.5 if one in weights else 4.0 for one in (*weights, temperature) if one and defaults[one] is NEEDED}
    default = defaults[temperature] if temperature else None
    as_number = float(default) if isinstance(default, int | float) else None
    settings = {name: one for name, one in defaults.items() if name not in meanings}
    roles = names["student"], names["teacher"], labels, temperature, mask
    return Signature(*roles, weights, to_set, as_number, settings)


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
    others = [name for name, one in defaults.items() if name not in meanings and one is NEEDED]
    if odd := others[len(open_places) :]:
        sentence = f"{odd[0]} is none of these. Say what it is by parameters=, or set it: {WAY_OUT}"
        raise TypeError(f"loss must take the logits of both, and labels, temperature, mask if it likes; {sentence}")
    return meanings | dict(zip(others, open_places, strict=False))
