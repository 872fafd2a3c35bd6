"""A run's key: a hash of everything that decides it, so that no result is taken for another's."""

import dis
import hashlib
import importlib.metadata
import inspect
import json
import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import kdlearn
from kdlearn.data.dataset import bytes_of
from kdlearn.engine.run import Run
from kdlearn.networks.weights import weights_hash
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
        return self.once(("run", id(run)), lambda: digest(self.plain(self.description(run))))

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
            "views": run.views,
            "metric": run.metric,
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
        return self.once(("data", id(run.data)), lambda: digest([run.data.key, self.plain(run.data.normalise)]))

    def optimizer(self, run: Run) -> str:
        """The settings and the source of a recipe and of an optimiser that are the reader's own."""
        made = getattr(run.recipe, "example", None) or getattr(run.recipe, "made", None)
        kinds = [type(one) for one in (run.recipe, made) if one is not None]
        return self.once(("optimizer", id(run.optimizer)), lambda: digest(self.plain([run.optimizer, kinds])))

    def teacher(self, run: Run) -> str:
        teacher = run.teacher
        if isinstance(teacher, Run):
            return self.of(teacher)
        if isinstance(teacher, nn.Module):
            return self.once(("teacher", id(teacher)), lambda: self.network(teacher))
        return self.answers[asked(run)]

    def network(self, network: nn.Module) -> str:
        """What `structure` says, and its weights."""
        return digest([self.structure(network), weights_hash(network)])

    def structure(self, network: nn.Module) -> str:
        """All but the weights: layers, their source, settings and hooks, which weights there are and are trained."""
        kinds = {type(module) for module in network.modules()}
        sources = self.once(("sources", frozenset(kinds)), lambda: digest(self.plain(sorted(kinds, key=name_of))))
        weights = [
            (name, tuple(one.shape), str(one.dtype), one.requires_grad) for name, one in network.named_parameters()
        ]
        layers = [(name, name_of(type(module))) for name, module in network.named_modules()]
        settings = [self.plain(settings_of(module)) for module in network.modules()]
        return digest([layers, sources, settings, weights])

    def strategy(self, strategy: Strategy) -> list[Any]:
        """Its class, what it holds, its settings, and the same of a strategy within it."""
        return [self.state(strategy), self.plain(strategy.settings), self.plain(strategy.layers)]

    def plain(self, value: Any) -> Any:
        """A value as JSON takes it: the same for equal values in every process, told apart to the last digit."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if id(value) in self.under_way:  # it holds itself, as a function that calls itself does
            return "once more"
        self.under_way.add(id(value))
        try:
            return self.described(value)
        finally:
            self.under_way.discard(id(value))

    def described(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return [[self.plain(name), self.plain(one)] for name, one in value.items()]
        if isinstance(value, list | tuple):
            return [self.plain(one) for one in value]
        if isinstance(value, set | frozenset):
            return sorted((self.plain(one) for one in value), key=json.dumps)
        if isinstance(value, bytes | complex):
            return repr(value)
        if isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.name in NUMBERS):
            return tensors_key({"": torch.as_tensor(value)})
        if isinstance(value, weakref.ReferenceType):  # such as a recurrent layer's, to weights that are told anyway
            return "a reference"
        if isinstance(value, nn.Module):
            return self.network(value)
        if isinstance(value, Strategy):
            return self.strategy(value)
        return self.of_code(value) if is_code(value) else self.state(value)

    def of_code(self, value: Any) -> Any:
        """Of a module, class, function or method its source, and what stands around it."""
        if inspect.ismodule(value):
            return value.__name__ if is_library(value) else source_of_module(value)
        if inspect.ismethod(value):
            return [self.plain(value.__func__), self.plain(value.__self__)]
        if not isinstance(value, type | FunctionType):  # written in C
            return [name_of(value), None if inspect.ismodule(within := behind(value)) else self.plain(within)]
        if is_library(value):
            return [name_of(value), self.source(value)]
        around = [self.plain(one) for one in values_around(value)]
        return [name_of(value), self.source(value), self.plain(code_of(value)), around]

    def state(self, value: Any) -> Any:
        """Its class and what pickle would keep of it; what pickle refuses cannot be known again."""
        try:
            kept = value.__reduce_ex__(4)
        except Exception:
            self.unreadable.append(name_of(type(value)))
            return name_of(type(value))
        parts = kept if isinstance(kept, tuple) else (kept,)
        return self.plain([type(value), *(list(one) if isinstance(one, Iterator) else one for one in parts)])

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


OURS = ("kdlearn", "kdcourse")  # libraries where they are edited too: what changes numbers here raises ENGINE
NUMBERS = frozenset({"bool", "int64", "int32", "uint8", "float64", "float32", "float16"})
MODULES_OWN = frozenset(vars(nn.Module()))  # what every network has: weights, layers, mode, hooks
UNTOLD = frozenset({"_abc_impl"})  # what Python keeps in a class for itself, beside names like __doc__


def is_code(value: Any) -> bool:
    return inspect.ismodule(value) or inspect.isclass(value) or inspect.isroutine(value)


def behind(function: Any) -> Any:
    """What decides a function that is written in C: the one that a cache wraps, or the object whose method it is."""
    return getattr(function, "__wrapped__", None) or getattr(function, "__self__", None)


def functions_of(found: Any) -> list[FunctionType]:
    """A function, or those that a class's body defines: its methods, static ones and properties too."""
    if not inspect.isclass(found):
        return [found]
    return [one for value in vars(found).values() for one in unwrapped(value)]


def unwrapped(value: Any) -> Iterator[FunctionType]:
    """The functions within a method, property or decorated function; of a dataclass not those that it writes."""
    within = [getattr(value, name, None) for name in ("__func__", "fget", "fset", "func", "__wrapped__")]
    for one in [value] if isinstance(value, FunctionType) else within:
        if isinstance(one, FunctionType) and one.__code__.co_filename != "<string>":
            yield one


def code_of(found: Any) -> list[Any]:
    """The compiled code of a function, or of a class's: two functions of one line, or an edited file, differ by it."""
    return [shown_code(one.__code__) for one in functions_of(found)]


def shown_code(code: Any) -> list[Any]:
    consts = [shown_code(one) if inspect.iscode(one) else one for one in code.co_consts]
    return [code.co_code.hex(), code.co_names, code.co_varnames, consts]


def name_of(found: Any) -> str:
    return f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', repr(found))}"


def asked(run: Run) -> tuple:
    """What a teacher that only answers is asked, and so known by."""
    return id(run.teacher), id(run.data), run.views, run.answers


def digest(description: Any) -> str:
    """SHA-256 in hexadecimal of what JSON takes; numbers are told apart to their last digit."""
    return hashlib.sha256(json.dumps(description).encode()).hexdigest()


def settings_of(module: nn.Module) -> dict[str, Any]:
    """The attributes of a layer that its user set; its weights and mode are none."""
    own = vars(module)
    hooks = [list(found.values()) for name, found in own.items() if name.endswith("_hooks") and found]
    return {name: one for name, one in own.items() if name not in MODULES_OWN} | ({"hooks": hooks} if hooks else {})


def values_around(found: Any) -> list[Any]:
    """Of a class its bases, attributes and what is around its methods; of a function what it looks up elsewhere."""
    if not inspect.isclass(found):
        return looked_up(found)
    own = {name: one for name, one in vars(found).items() if not (name.startswith("__") or name in UNTOLD)}
    values = {name: one for name, one in own.items() if not list(unwrapped(one)) and not inspect.isdatadescriptor(one)}
    return [found.__bases__, values, *(looked_up(method) for method in functions_of(found))]


def looked_up(function: FunctionType) -> list[Any]:
    """Its defaults, what it takes from the function around it, and what it takes from its module by name."""
    cells = [cell_contents(cell) for cell in function.__closure__ or ()]
    taken = {name: function.__globals__[name] for name in sorted(names_in(function.__code__) & {*function.__globals__})}
    return [function.__defaults__, function.__kwdefaults__, cells, taken]


def names_in(code: Any) -> set[str]:
    """The names that code, and the functions within it, look up in their module."""
    mine = {one.argval for one in dis.get_instructions(code) if one.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return mine.union(*(names_in(one) for one in code.co_consts if inspect.iscode(one)))


def cell_contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return "empty"


def source_of_module(module: Any) -> str:
    """Of a module of the reader's own, all of it: which of its functions are called is not followed."""
    return Path(module.__file__).read_text(encoding="utf-8") if getattr(module, "__file__", None) else module.__name__


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
        return package if package in OURS else f"{package} {version_of(package)}"
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
    return package_of(found) in OURS or is_installed(inspect.getmodule(found))


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
