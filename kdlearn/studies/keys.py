"""A run's key: a hash of everything that decides it, so that no result is taken for another's."""

import hashlib
import importlib.metadata
import inspect
import json
import re
import weakref
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
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

    def __init__(self, machine: Machine, answers: Mapping[tuple, str]) -> None:
        """`answers`: by `asked(run)`, the hash of what a teacher that is no run and no network answers."""
        self.machine, self.answers = machine, answers
        self.known: dict[Any, str] = {}
        self.unreadable: list[str] = []
        self.under_way: set[Any] = set()

    def of(self, run: Run) -> str:
        return self.once(("run", id(run)), lambda: digest(self.description(run), self.plain))

    def description(self, run: Run) -> dict[str, Any]:
        """Everything that decides a run, as plain values."""
        return {
            "engine": kdlearn.ENGINE,
            "machine": self.machine.settings(),
            "data": self.data(run),
            "network": self.first_network(run)[0],
            "strategy": self.strategy(run.strategy),
            "teacher": self.teacher(run) if run.asks_teacher else None,
            "answers": run.answers if run.asks_teacher else None,
            "optimizer": [run.recipe.settings(), self.optimizer(run)],
            "views": None if run.views is None else asdict(run.views),
            "metric": self.plain(run.metric),
            **{name: getattr(run, name) for name in ("lengths", "own_seed", "batch_size", "sample", "measured_on")},
        }

    def first_network(self, run: Run) -> tuple[str, Any]:
        """The key of a run's network with its first weights, and what networks of one stack share.

        Of each seed: what a network draws at its building and does not train may differ from seed to seed.
        """

        def made() -> tuple[str, Any]:
            network = run.build()
            structure = self.structure(network)
            shared = (structure, *(id(type(module)) for module in network.modules()))
            return digest([structure, weights_hash(network)]), shared

        return self.once(("network", id(run.network), run.own_seed, id(run.start)), made)

    def data(self, run: Run) -> str:
        """Hashed anew in each plan: somebody may have changed the tensors since."""
        return self.once(("data", id(run.data)), lambda: run.data.key)

    def optimizer(self, run: Run) -> str:
        """The source of a recipe and of an optimiser that are the reader's own."""
        made = getattr(run.recipe, "example", None) or getattr(run.recipe, "made", None)
        kinds = [*type(run.recipe).__mro__, *(type(made).__mro__ if made is not None else ())]
        return self.once(
            ("optimizer", id(run.optimizer)), lambda: digest([self.made_of(one) for one in kinds], self.plain)
        )

    def teacher(self, run: Run) -> str:
        teacher = run.teacher
        if isinstance(teacher, Run):
            return self.of(teacher)
        if isinstance(teacher, nn.Module):
            return self.once(("teacher", id(teacher)), lambda: self.network(teacher))
        return self.answers[asked(run)]

    def network(self, network: nn.Module) -> str:
        """What `structure` says, and its weights."""
        return digest([self.structure(network), weights_hash(network)], self.plain)

    def structure(self, network: nn.Module) -> str:
        """All but the weights: layers, their source, settings and hooks, which weights there are and are trained."""
        kinds = {kind for module in network.modules() for kind in type(module).__mro__}
        sources = self.once(
            ("sources", frozenset(kinds)), lambda: digest([self.made_of(kind) for kind in sorted(kinds, key=name_of)])
        )
        weights = [
            (name, tuple(one.shape), str(one.dtype), one.requires_grad) for name, one in network.named_parameters()
        ]
        settings = [self.plain(settings_of(module)) for module in network.modules()]
        return digest([self.shown(network), sources, settings, weights], self.plain)

    def strategy(self, strategy: Strategy) -> list[Any]:
        """The source of its class and bases, its settings, and the same of a strategy within it."""
        sources = [self.made_of(kind) for kind in type(strategy).__mro__]
        return [sources, self.plain(vars(strategy)), self.plain(strategy.settings), strategy.layers]

    def plain(self, value: Any) -> Any:
        """What JSON does not know, as something that it does, told apart to the last digit."""
        if isinstance(value, Strategy):
            return self.strategy(value)
        if isinstance(
            value, weakref.ReferenceType
        ):  # such as a recurrent layer's, to weights that are told by themselves
            return "a reference"
        if isinstance(value, Tensor | np.ndarray):
            return tensors_key({"": torch.as_tensor(value)})
        if isinstance(value, nn.Module):
            return self.network(value)
        if isinstance(value, Mapping):
            return [[self.plain(name), self.plain(one)] for name, one in value.items()]
        if isinstance(value, list | tuple | set | frozenset):
            return [self.plain(one) for one in (value if isinstance(value, list | tuple) else sorted(value, key=repr))]
        if isinstance(value, partial):
            return [self.plain(value.func), value.args, value.keywords]
        if inspect.isfunction(value) or inspect.isclass(value):
            return self.made_of(value)
        if inspect.ismethod(value):
            return [self.made_of(value.__func__), self.plain(value.__self__)]
        if inspect.isroutine(value):
            return name_of(value)
        if type(value).__repr__ is object.__repr__:  # which shows an address
            return [*map(self.made_of, type(value).__mro__), settings_of(value)]
        return self.shown(value)

    def shown(self, value: Any) -> str:
        """Its text; one that shows an address is another in each process, so that nothing can be kept."""
        if ADDRESS.search(text := repr(value)):
            self.unreadable.append(name_of(type(value)))
        return text

    def made_of(self, found: Any) -> list[Any]:
        """The source of a function or class, and the values around it that its source does not show."""
        if found in self.under_way or is_library(found):  # a function that calls itself
            return [name_of(found), self.source(found)]
        self.under_way.add(found)
        around = [self.plain(one) for one in values_around(found)]
        self.under_way.discard(found)
        return [name_of(found), self.source(found), code_of(found), around]

    def source(self, found: Any) -> str:
        """The source of what is no library's; what cannot be read is noted, so that nothing is kept."""
        try:
            return source_of(found)
        except UnreadableSourceError:
            self.unreadable.append(name_of(found))
            return name_of(found)

    def once(self, name: Any, make: Callable[[], Any]) -> Any:
        if name not in self.known:
            self.known[name] = make()
        return self.known[name]


ADDRESS = re.compile(r" at 0x[0-9a-f]+")
MODULES_OWN = frozenset(vars(nn.Module()))  # what every network has: weights, layers, mode, hooks


def code_of(found: Any) -> list[Any]:
    """The compiled code of a function, or of a class's: two functions of one line, or an edited file, differ by it."""
    functions = vars(found).values() if inspect.isclass(found) else [found]
    return [shown_code(one.__code__) for one in functions if inspect.isfunction(one)]


def shown_code(code: Any) -> list[Any]:
    consts = [shown_code(one) if inspect.iscode(one) else repr(one) for one in code.co_consts]
    return [code.co_code.hex(), code.co_names, code.co_varnames, consts]


def name_of(found: Any) -> str:
    return f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', repr(found))}"


def asked(run: Run) -> tuple:
    """What a teacher that only answers is asked, and so known by."""
    return id(run.teacher), id(run.data), run.views, run.answers


def digest(description: Any, plain: Callable[[Any], Any] = repr) -> str:
    """SHA-256 in hexadecimal; numbers are told apart to their last digit, `plain` says what JSON does not know."""
    return hashlib.sha256(json.dumps(description, sort_keys=True, default=plain).encode()).hexdigest()


def settings_of(value: Any) -> dict[str, Any]:
    """The attributes of an object that its user set; a network's weights and mode are none."""
    own = getattr(value, "__dict__", {})
    if not isinstance(value, nn.Module):
        return {name: one for name, one in own.items()}
    hooks = [list(found.values()) for name, found in own.items() if name.endswith("_hooks") and found]
    return {name: one for name, one in own.items() if name not in MODULES_OWN} | ({"hooks": hooks} if hooks else {})


def values_around(found: Any) -> list[Any]:
    """A function's defaults and what it takes from the function around it; of a class its attributes' and methods'."""
    if inspect.isclass(found):
        own = [one for name, one in sorted(vars(found).items()) if not name.startswith("__") or inspect.isfunction(one)]
        written = [one for one in own if inspect.isfunction(one) and one.__code__.co_filename != "<string>"]
        plain = [one for one in own if isinstance(one, bool | int | float | str | tuple)]
        return [*plain, *(value for method in written for value in values_around(method))]
    cells = [cell.cell_contents for cell in found.__closure__ or () if not is_empty(cell)]
    around = [*(found.__defaults__ or ()), *cells, *globals_of(found)]
    return [value for value in around if not inspect.isclass(value) and not (callable(value) and is_library(value))]


def globals_of(function: Any) -> list[Any]:
    """What a function takes from its module by name: the reader's own functions, modules and plain values."""
    names = sorted(names_in(function.__code__) & function.__globals__.keys())
    found = [function.__globals__[name] for name in names]
    own = [one for one in found if inspect.ismodule(one) and not is_installed(one) and package_of(one) != "kdlearn"]
    plain = (bool, int, float, str, tuple, list, dict, Tensor, np.ndarray)
    return [*map(source_of_module, own), *(one for one in found if inspect.isfunction(one) or isinstance(one, plain))]


def names_in(code: Any) -> set[str]:
    """The names that code, and the functions within it, look up."""
    within = [one for one in code.co_consts if inspect.iscode(one)]
    return set(code.co_names).union(*map(names_in, within))


def source_of_module(module: Any) -> str:
    """Of a module of the reader's own, all of it: which of its functions are called is not followed."""
    return Path(module.__file__).read_text(encoding="utf-8") if getattr(module, "__file__", None) else module.__name__


def is_empty(cell: Any) -> bool:
    try:
        return cell.cell_contents is None
    except ValueError:
        return True


def tensors_key(tensors: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256()
    for name, values in sorted(tensors.items()):
        found.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        found.update(bytes_of(values))
    return found.hexdigest()


@cache
def source_of(found: Any) -> str:
    """The source of what is no library's, else the library's name and version; an UnreadableSourceError if neither."""
    if is_library(found):
        package = package_of(found)
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


def package_of(found: Any) -> str:
    name = found.__name__ if inspect.ismodule(found) else getattr(found, "__module__", "")
    return (name or "").partition(".")[0]


def is_library(found: Any) -> bool:
    return package_of(found) == "kdlearn" or is_installed(inspect.getmodule(found))


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
