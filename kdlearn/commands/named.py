"""What names on the command line mean: strategies and networks, ours by name, the user's own as `module:name`."""

import importlib
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from kdlearn.commands.messages import UsageError
from kdlearn.commands.presets import NUM_WIDTHS, network_named, parsed
from kdlearn.comparing.question import check_strategy
from kdlearn.data.dataset import Dataset
from kdlearn.training.strategies import Softened, Strategy, strategies_by_cli_name

Network = Callable[[Dataset], Any]  # what builds it for a data set, or the network itself


def strategy_named(name: str, temperature: float) -> Strategy:
    """A strategy of ours at this temperature, if it has one; or the user's own, with its own settings."""
    ours = strategies_by_cli_name()
    if name in ours:
        settings = {"temperature": temperature} if issubclass(ours[name], Softened) else {}
        return ours[name](**settings)
    if ":" not in name:
        raise UsageError(f"--strategies must be of {', '.join(ours)}, or module:name of your own; got {name}")
    found = object_named(name)
    check_strategy(name, found)
    return found


def network_of(name: str) -> Network:
    """A network of ours, or the user's own; a name that cannot be meant is refused before images are read."""
    if ":" not in name or name.partition(":")[0] in NUM_WIDTHS:
        parsed(name)
        return partial(network_named, name)
    found = imported(name)
    if isinstance(found, nn.Module):
        return lambda data: found
    if not callable(found):
        raise UsageError(f"{name} must be a network, or a function that builds one; it is {type(found).__name__}")
    return lambda data: partial(found, num_classes=len(data.class_names))


def object_named(name: str) -> Any:
    """The function or object that a name means, or an object of the class."""
    found = imported(name)
    try:
        return found() if isinstance(found, type) else found
    except TypeError as problem:
        raise UsageError(f"{name} is a class that needs arguments: {problem}. Name an object") from problem


def imported(name: str) -> Any:
    """What `module:name` means here; modules are looked for where the command is called, too."""
    module, _, attribute = name.partition(":")
    if not module or not attribute or module.endswith(".py"):
        raise UsageError(f"module:name is expected, such as mine:function in the file mine.py; got {name}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as problem:  # whatever the user's own module raises
        raise UsageError(f"{name} cannot be imported: {type(problem).__name__}: {problem}") from problem
    return found
