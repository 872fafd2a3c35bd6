"""What words of the command line name: strategies and networks, ours by a word, the user's own as `module:name`."""

import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

from torch import nn

from kdlearn.commands.presets import NUM_WIDTHS, network_named, parsed
from kdlearn.commands.words import WrongWordsError
from kdlearn.data.dataset import Dataset
from kdlearn.networks.basic import seeded
from kdlearn.training.strategies import Strategy, strategies_by_cli_name

Build = Callable[[], nn.Module]


def settings_of(kind: type[Strategy]) -> set[str]:
    return {field.name for field in fields(kind)} if is_dataclass(kind) else set()


def strategy_kind(word: str) -> type[Strategy]:
    """The class that a word, or `module:Class`, names."""
    known = strategies_by_cli_name()
    if word in known:
        return known[word]
    if ":" not in word:
        raise WrongWordsError(f"--strategies must be of {', '.join(known)}, or module:Class of your own; got {word}")
    found = imported(word)
    if not (isinstance(found, type) and issubclass(found, Strategy) and found is not Strategy):
        raise WrongWordsError(f"--strategies {word} must be a subclass of kdlearn.Strategy; it is {found!r}")
    return found


def check_name(name: str) -> None:
    """A WrongWordsError for what can name no network."""
    kind, colon, rest = name.partition(":")
    if kind in NUM_WIDTHS:
        try:
            parsed(name)
        except ValueError as problem:
            raise WrongWordsError(problem) from problem
    elif not colon or not rest:
        raise WrongWordsError(
            f"a network is written airbench:24,88,88, resnet18:64, or module:function that builds your own; got {name}"
        )
    else:
        imported(name)


def builder(name: str, data: Dataset) -> Build:
    """What builds a network by name, or by a function that takes nothing or `num_classes`."""
    if name.partition(":")[0] in NUM_WIDTHS:
        return network_named(name, data)
    found: Any = imported(name)
    if not callable(found):
        raise WrongWordsError(f"{name} must be a function that builds a network; it is {type(found).__name__}")
    build: Any = partial(found, num_classes=len(data.class_names)) if takes_classes(found) else found
    try:
        network = seeded(build, 0)
    except Exception as problem:  # whatever the user's own function raises
        raise ValueError(f"{name} cannot be called: {type(problem).__name__}: {problem}") from problem
    if not isinstance(network, nn.Module):
        raise WrongWordsError(f"{name} must give a torch network; it gives {type(network).__name__}")
    return build


def takes_classes(function: Callable[..., Any]) -> bool:
    try:
        return "num_classes" in inspect.signature(function).parameters
    except ValueError:  # of some that are not written in Python
        return False


def imported(name: str) -> Any:
    """What `module:name` means here; modules are looked for where the command is called, too."""
    if "" not in sys.path:
        sys.path.insert(0, "")
    module, _, attribute = name.partition(":")
    try:
        found = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as problem:  # whatever the user's own module raises
        raise WrongWordsError(f"{name} cannot be imported: {type(problem).__name__}: {problem}") from problem
    return found
