"""The hash of a value by all that it holds: the same for equal values in every process, another for any others.

What belongs to a library stands by its name and version. Functions and classes of the reader's own stand by value:
their code, what they hold, and what they look up by name, or by a string, in their modules and in those they import.
A name that is made while a program runs is not followed: `sources` hashes the files of all modules of the reader's own,
whole, as they are loaded before the first training.
"""

import dis
import hashlib
import os
import pickle
import re
import sys
import sysconfig
import weakref
from collections.abc import Iterator
from functools import cache, cached_property
from importlib import metadata
from operator import attrgetter
from pathlib import Path
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from types import SimpleNamespace as Writer
from typing import Any

from torch import Tensor, nn

import kdlearn
from kdlearn.data.dataset import bytes_of

OURS = ("kdlearn", "kdcourse")  # what changes numbers here raises ENGINE
FOLDERS = os.path.dirname(os.__file__), os.path.join(sys.base_prefix, "DLLs"), sysconfig.get_path("scripts")
INSTALLED = tuple(os.path.join(folder, "") for folder in (*FOLDERS, os.path.dirname(kdlearn.__file__)))
PACKAGES = re.compile(r"[/\\](site|dist)-packages[/\\]")
PLAIN = (str, bytes, int, float, tuple, bool, complex, type(None))  # equal ones may be one object, or two
PYTHONS = {"__dict__", "__weakref__", "__slotnames__", "_abc_impl", "__annotations__", "__annotations_cache__"}
PLACES = {"__doc__", "__module__", "__firstlineno__", "__static_attributes__", "_autograd_function_id"}
CODE = ("code", "consts", "names", "varnames", "freevars", "cellvars", "flags", "argcount", "kwonlyargcount")
WRAPPED = ("fget", "fset", "fdel", "__func__", "func", "__wrapped__")  # the functions of a property and its like
HOOKS = [name for name in vars(nn.Module()) if name.endswith("_hooks")]
LOADS = ("LOAD_GLOBAL", "LOAD_NAME")
HEAP_TYPE = 1 << 9  # the flag of classes that Python made, and not C beforehand


def digest(value: Any, weights: bool = True) -> str:
    """SHA-256 in hexadecimal; without `weights` of parameters the shapes alone. What pickle refuses raises an error."""
    hasher = Hasher(weights)
    hasher.dump(value)
    for found in hasher.later:  # which grows meanwhile
        hasher.dump(parts_of(found))
    return hasher.hash.hexdigest()


Pickler: Any = pickle._Pickler  # type: ignore[attr-defined]  # the one written in Python, whose steps can be replaced


class Hasher(Pickler):
    """A pickler whose bytes are hashed, and can be equal in two processes where those of pickle are not."""

    def __init__(self, weights: bool) -> None:
        self.hash, self.weights = hashlib.sha256(), weights
        self.later: list[Any] = []  # functions and classes of the reader's own, described one after the other
        super().__init__(Writer(write=self.hash.update), protocol=4)

    def memoize(self, obj: Any) -> None:
        if not isinstance(obj, PLAIN):
            super().memoize(obj)

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, PLAIN) or id(obj) in self.memo:
            super().save(obj)
        elif isinstance(obj, FunctionType | type) and not is_of_library(obj):
            self.memoize(obj)
            self.later.append(obj)
        elif (held := self.held(obj)) is not None:
            self.memoize(obj)
            super().save((type(obj).__name__, held))
        else:
            super().save(obj)

    def save_global(self, obj: Any, name: str | None = None) -> None:
        super().save(name_of(obj, name))

    def held(self, value: Any) -> list[Any] | None:
        """What stands for a value that pickle refuses or writes differently each time; None for all others."""
        match value:
            case FunctionType() | type() | ModuleType():
                return name_of(value)
            case Tensor():
                content = bytes_of(value) if self.weights or not isinstance(value, nn.Parameter) else b""
                kind = [type(value), str(value.dtype), tuple(value.shape), value.requires_grad, vars(value)]
                hooks = {"before": value._backward_hooks, "after": value._post_accumulate_grad_hooks}
                return [*kind, hashlib.sha256(content).digest(), without_numbers(hooks)]
            case nn.Module():
                return [type(value), dict(settings_of(value))]
            case set() | frozenset():
                return [type(value), sorted(map(digest, value)), getattr(value, "__dict__", None)]
            case CodeType():
                return [getattr(value, f"co_{name}", None) for name in (*CODE, "exceptiontable")]
            case MethodType():
                return [value.__func__, value.__self__]
            case BuiltinFunctionType():
                return [name_of(value), None if isinstance(value.__self__, ModuleType) else value.__self__]
            case CellType():
                return contents_of(value)
            case weakref.ReferenceType():
                return [value()]
            case MappingProxyType():
                return [dict(value)]
            case property() | staticmethod() | classmethod() | cached_property():
                return [type(value), *(getattr(value, name, None) for name in WRAPPED)]
        return [value.__wrapped__] if type(value) is type(cache(len)) else None


def settings_of(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """All that a module holds but its mode, which is set for every use."""
    yield "", without_numbers({name: one for name, one in vars(module).items() if name in HOOKS})
    yield from (one for one in vars(module).items() if one[0] not in (*HOOKS, "training"))


def without_numbers(hooks: dict[str, Any]) -> dict[str, list[Any]]:
    """Hooks without their keys, which count all of the process."""
    return {name: [*found.values()] for name, found in hooks.items() if found}


def contents_of(cell: CellType) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:
        return []


def parts_of(found: Any) -> list[Any]:
    """A function or class of the reader's own by value."""
    if isinstance(found, FunctionType):
        parts = [found.__name__, found.__code__, found.__defaults__, found.__kwdefaults__, found.__closure__]
        return [*parts, vars(found), looked_up(found)]
    members = {name: value for name, value in vars(found).items() if name not in PYTHONS | PLACES}
    return [found.__qualname__, type(found), found.__bases__, members]


def looked_up(function: FunctionType) -> dict[tuple[str, str], Any]:
    """What a function finds by name in its module and, in modules of the reader's own that it names, by any name."""
    loaded, every, imported = names_in(function.__code__)
    found, spaces = {}, [] if is_library_space(function.__globals__) else [(function.__globals__, loaded)]
    spaces += [(vars(sys.modules[name]), every) for name in imported & sys.modules.keys() if not is_library(name)]
    for space, names in spaces:
        for name in sorted(names & space.keys()):
            value = space[name]
            if not isinstance(value, ModuleType) or is_library(value.__name__):
                found[space.get("__name__", ""), name] = value
            elif all(vars(value) is not one for one, _ in spaces):
                spaces.append((vars(value), every))
    return found


@cache
def names_in(code: CodeType) -> tuple[frozenset[str], ...]:
    """What code and the functions within it look up in their module, every name in them, and what they import.

    A string counts as a name, since `getattr`, `vars` and `globals` take it for one.
    """
    steps = [*dis.get_instructions(code)]
    loads, imports = ({one.argval for one in steps if one.opname in names} for names in (LOADS, ("IMPORT_NAME",)))
    strings = {one for one in code.co_consts if isinstance(one, str)}
    within = [names_in(one) for one in code.co_consts if isinstance(one, CodeType)]
    own = frozenset(loads | strings), frozenset(strings.union(code.co_names)), frozenset(imports)
    return tuple(frozenset().union(*some) for some in zip(own, *within, strict=True))


def name_of(found: Any, name: str | None = None) -> list[str]:
    """The name of what a library has, and the library's version."""
    where = found.__name__ if isinstance(found, ModuleType) else getattr(found, "__module__", None)
    where = where or type(found).__module__
    package = where.partition(".")[0]
    version = "" if package in OURS else getattr(sys.modules.get(package), "__version__", None) or installed(package)
    return [where, name or getattr(found, "__qualname__", ""), str(version)]


@cache
def installed(package: str) -> str:
    """The versions of what has brought a package."""
    return " ".join(metadata.version(one) for one in metadata.packages_distributions().get(package, []))


def is_of_library(found: Any) -> bool:
    """Whether a library has this function or class under its name; what it made while it ran, it has not."""
    if isinstance(found, type) and not found.__flags__ & HEAP_TYPE:
        return True
    where = found.__module__ or ""
    try:
        return is_library(where) and attrgetter(found.__qualname__)(sys.modules[where]) is found
    except Exception:  # whatever a module raises that loads its names when they are asked for
        return False


def is_library_space(space: dict[str, Any]) -> bool:
    module = sys.modules.get(space.get("__name__", ""))
    return module is not None and vars(module) is space and is_library(module.__name__)


def is_library(name: str) -> bool:
    """Whether a module is loaded that belongs to Python, an installed package or this one."""
    package = name.partition(".")[0]
    files = [file for one in (name, package) if (file := getattr(sys.modules.get(one), "__file__", None))]
    if not files:  # built in, or made by hand
        return getattr(sys.modules.get(name), "__spec__", None) is not None
    return package in OURS or any(file.startswith(INSTALLED) or PACKAGES.search(file) for file in files)


SEEN: weakref.WeakKeyDictionary[ModuleType, tuple[Any, str]] = weakref.WeakKeyDictionary()


def sources() -> dict[str, str]:
    """The hash of the file of each loaded module that is no library's; one that cannot be read is an OSError."""
    modules = {name: one for name, one in [*sys.modules.items()] if getattr(one, "__file__", None)}
    return {name: hash_of_file(one) for name, one in sorted(modules.items()) if not is_library(name)}


def hash_of_file(module: ModuleType) -> str:
    """As the file was when this loaded module was first seen: edits since then are not what is computed with."""
    spec, found = SEEN.get(module, (None, ""))
    if not found or spec is not module.__spec__:
        found = hashlib.sha256(Path(module.__file__ or "").read_bytes()).hexdigest()
        SEEN[module] = module.__spec__, found
    return found
