"""A run's key: a hash of everything that decides it, so that no result is taken for another's."""

import hashlib
import importlib.metadata
import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor, nn

import kdlearn
from kdlearn.data.dataset import bytes_of
from kdlearn.networks import weights_hash
from kdlearn.studies.run import Run
from kdlearn.training.machine import Machine
from kdlearn.training.strategies import Strategy


class UnreadableSourceError(Exception):
    """What decides a run cannot be read."""


class Keys:
    """The keys of runs that share networks, data and teachers, each of which is hashed once."""

    def __init__(self, machine: Machine, answers: Mapping[int, str]) -> None:
        """`answers`: for each teacher that is no run and no network, by its id, the hash of what it answers."""
        self.machine, self.answers = machine, answers
        self.known: dict[Any, str] = {}
        self.unreadable: list[str] = []

    def of(self, run: Run) -> str:
        return self.once(("run", id(run)), lambda: digest(self.description(run)))

    def description(self, run: Run) -> dict[str, Any]:
        """Everything that decides a run, as plain values."""
        first_weights = ("network", id(run.network), run.own_seed, id(run.start))
        return {
            "engine": kdlearn.ENGINE,
            "machine": self.machine.settings(),
            "data": run.data.key,
            "network": self.once(first_weights, lambda: self.network(run.build())),
            "strategy": self.strategy(run.strategy),
            "teacher": self.teacher(run) if run.asks_teacher else None,
            "answers": run.answers if run.asks_teacher else None,
            "optimizer": run.recipe.settings(),
            "views": None if run.views is None else asdict(run.views),
            "metric": [name_of(run.metric), self.source(run.metric)],
            **{name: getattr(run, name) for name in ("lengths", "own_seed", "batch_size", "sample", "measured_on")},
        }

    def teacher(self, run: Run) -> str:
        teacher = run.teacher
        if isinstance(teacher, Run):
            return self.of(teacher)
        if isinstance(teacher, nn.Module):
            return self.once(("teacher", id(teacher)), lambda: self.network(teacher))
        return self.answers[id(teacher)]

    def network(self, network: nn.Module) -> str:
        """Its layers, their source, its weights, and which of them are trained."""
        kinds = {type(module) for module in network.modules()}
        trained = [name for name, weight in network.named_parameters() if weight.requires_grad]
        sources = sorted((name_of(kind), self.source(kind)) for kind in kinds)
        return digest([repr(network), sources, trained, weights_hash(network)])

    def strategy(self, strategy: Strategy) -> list[Any]:
        """Its class, the source of the class and its bases, its settings, and the same of a strategy within it."""
        within = [self.strategy(one) for one in vars(strategy).values() if isinstance(one, Strategy)]
        sources = [self.source(one) for one in type(strategy).__mro__ if issubclass(one, Strategy)]
        return [name_of(type(strategy)), sources, strategy.settings, strategy.layers, within]

    def source(self, found: Any) -> str:
        """The source of what is no library's; what cannot be read is noted, so that nothing is kept."""
        try:
            return source_of(found)
        except UnreadableSourceError:
            self.unreadable.append(name_of(found))
            return name_of(found)

    def once(self, name: Any, make: Any) -> str:
        if name not in self.known:
            self.known[name] = make()
        return self.known[name]


def name_of(found: Any) -> str:
    return f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', repr(found))}"


def digest(description: Any) -> str:
    """SHA-256 in hexadecimal of plain values; numbers are told apart to their last digit."""
    return hashlib.sha256(json.dumps(description, sort_keys=True, default=repr).encode()).hexdigest()


def tensors_key(tensors: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256()
    for name, values in sorted(tensors.items()):
        found.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        found.update(bytes_of(values))
    return found.hexdigest()


@cache
def source_of(found: Any) -> str:
    """The source of what is no library's, else the library's name and version; an UnreadableSourceError if neither."""
    module = inspect.getmodule(found)
    package = (getattr(found, "__module__", "") or "").partition(".")[0]
    if package == "kdlearn" or is_installed(module):
        return f"{package} {version_of(package)}" if package != "kdlearn" else "kdlearn"
    try:
        return inspect.getsource(found)
    except (OSError, TypeError):
        return source_of_methods(found)


def source_of_methods(kind: Any) -> str:
    """Of a class in a notebook, whose source Python finds function by function alone."""
    functions = [value for value in vars(kind).values() if inspect.isfunction(value)] if inspect.isclass(kind) else []
    plain = {name: repr(value) for name, value in vars(kind).items() if isinstance(value, str | int | float | tuple)}
    try:
        return "\n".join([*(inspect.getsource(function) for function in functions), repr(sorted(plain.items()))])
    except (OSError, TypeError) as problem:
        raise UnreadableSourceError(f"the source of {kind.__qualname__} cannot be read") from problem


def is_installed(module: Any) -> bool:
    """Whether a module belongs to Python or to an installed package."""
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        return getattr(module, "__name__", "") not in ("__main__", "")
    return "site-packages" in Path(file).parts or Path(file).is_relative_to(Path(inspect.__file__).parent)


@cache
def version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
