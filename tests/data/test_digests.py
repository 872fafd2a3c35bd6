"""The hash of a value: another for whatever it holds, the same in every process for what is made again alike."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from kdlearn.data.digests import digest

HOLDS = {  # name: what makes `value`, which holds {0} somewhere
    "a set": "value = {'a', 'b', 'c', '{0}'}",
    "a frozen set in code": "value = lambda found: found in {'a', 'b', 'c', '{0}'}",
    "a set of sets": "value = {frozenset({'a', '{0}'}), frozenset({'b'})}",
    "a tensor's element": "import torch\nvalue = torch.tensor([1.0, {0}])",
    "a tensor's attribute": "import torch\nvalue = torch.ones(2)\nvalue.decay = {0}",
    "a tensor's hook": "import torch\nvalue = torch.ones(2, requires_grad=True)\n"
    "value.register_hook(lambda gradient: {0} * gradient)",
    "a hook after the gradient": "import torch\nvalue = torch.ones(2, requires_grad=True)\n"
    "value.register_post_accumulate_grad_hook(lambda w: w.grad.mul_({0}))",
    "bfloat16": "import torch\nvalue = torch.ones(2, dtype=torch.bfloat16) * {0}",
    "an array": "import numpy\nvalue = [numpy.ones(2) * {0}, numpy.float32(1)]",
    "an array of objects": "import numpy\nvalue = numpy.array(['a', {0}, None], dtype=object)",
    "a module's hook": "from torch import nn\nvalue = nn.Linear(2, 2)\nnn.init.ones_(value.weight)\n"
    "nn.init.ones_(value.bias)\nvalue.register_forward_hook(lambda layer, given, found: {0} * found)",
    "a recurrent layer": "from torch import nn\nvalue = nn.GRU(2, 3, dropout={0} / 100, num_layers=2)\n"
    "[nn.init.ones_(one) for one in value.parameters()]",
    "tied weights": "from torch import nn\nvalue = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))\n"
    "[nn.init.ones_(one) for one in value.parameters()]\nif {0} > 1: value[0].weight = value[1].weight",
    "weights that are parametrised": "from torch import nn\nclass Times(nn.Module):\n"
    "  def forward(self, w): return {0} * w\nvalue = nn.Linear(2, 2)\n"
    "[nn.init.ones_(one) for one in value.parameters()]\n"
    "nn.utils.parametrize.register_parametrization(value, 'weight', Times())",
    "a method that was put in": "import types\nfrom torch import nn\nvalue = nn.ReLU()\n"
    "def forward(self, inputs): return {0} * inputs\nvalue.forward = types.MethodType(forward, value)",
    "an own gradient": "import torch\nclass Own(torch.autograd.Function):\n  @staticmethod\n"
    "  def forward(ctx, x): return x\n  @staticmethod\n  def backward(ctx, g): return {0} * g\nvalue = Own.apply",
    "a closure's cell": "def outer(w):\n  def inner(x): return w * x\n  return inner\nvalue = outer({0})",
    "a closure behind a closure": "def outer(f): return lambda x: f(x)\nvalue = outer(outer(lambda x: {0} * x))",
    "an empty cell": "def outer():\n  def inner(): return later\n"
    "  if {0} > 1: later = {0}\n  return inner\nvalue = outer()",
    "a function that calls itself": "def value(n): return 1 if n < 1 else {0} * value(n - 1)",
    "functions that call each other": "def value(n): return other(n - 1)\ndef other(n): return value(n) if n else {0}",
    "a name in a comprehension": "W = {0}\ndef value(xs): return [[W * x for x in row] for row in xs]",
    "a name within a function": "W = {0}\ndef value(x):\n  def inner(y): return W * y\n  return inner(x)",
    "a name within a class's body": "W = {0}\ndef value():\n  class Inner: w = W\n  return Inner.w",
    "the name of a function": "def value(x): return x\nvalue.__name__ = 'f{0}'.replace('.', '_')",
    "the number of arguments": "exec('def value(' + ('a' if {0} > 1 else '*a') + '): return a')",
    "a partial of a partial": "from functools import partial\nvalue = partial(partial(pow, {0}), 2)",
    "a cached function": "import functools\nW = {0}\n@functools.lru_cache\ndef value(): return W",
    "a single dispatch": "import functools\n@functools.singledispatch\ndef value(x): return x\n"
    "@value.register\ndef _(x: int): return {0} * x",
    "a decorated function": "import torch\n@torch.no_grad()\ndef value(x): return {0} * x",
    "a context manager": "import contextlib\n@contextlib.contextmanager\ndef value(): yield {0}",
    "a cached property": "import functools\nclass Own:\n  @functools.cached_property\n"
    "  def w(self): return {0}\nvalue = Own()",
    "a class method": "class Own:\n  @classmethod\n  def w(cls): return {0}\nvalue = Own.w",
    "a method of an object": "class Own:\n  def __init__(self): self.w = {0}\n  def of(self, x): return self.w * x\n"
    "value = Own().of",
    "a method of a built-in object": "value = dict(w={0}).get",
    "a metaclass": "class Meta(type):\n  w = {0}\nclass value(metaclass=Meta): pass",
    "an abstract class": "import abc\nclass Base(abc.ABC):\n  @abc.abstractmethod\n  def w(self): ...\n"
    "class Own(Base):\n  def w(self): return {0}\nvalue = Own()",
    "a dataclass": "from dataclasses import dataclass, field\n@dataclass\nclass Own:\n  w: float = {0}\n"
    "  xs: list = field(default_factory=list)\nvalue = Own()",
    "a named tuple": "from typing import NamedTuple\nclass Own(NamedTuple):\n  w: float = {0}\nvalue = Own()",
    "an enumeration": "import enum\nclass Own(enum.Enum):\n  W = {0}\n  V = 'v'\nvalue = Own.V",
    "slots": "class Own:\n  __slots__ = ('w',)\nvalue = Own()\nvalue.w = {0}",
    "a descriptor": "class By:\n  def __get__(self, *_): return {0}\nclass Own: w = By()\nvalue = Own()",
    "a generic class": "from typing import Generic, TypeVar\nT = TypeVar('T')\n"
    "class Own(Generic[T]): w = {0}\nvalue = Own[int]",
    "a set of one's own kind": "class Own(set):\n  def w(self): return {0}\nvalue = Own([1])",
    "a property of one's own kind": "class By(property):\n  w = {0}\n  def __get__(self, *_): return self.w\n"
    "class value: w = By(len)",
    "a module that a function imports": "import types, sys\nsys.modules['by_hand'] = types.ModuleType('by_hand')\n"
    "sys.modules['by_hand'].W = {0}\ndef value():\n  from by_hand import W\n  return W",
    "a name as a string": "W = {0}\ndef value(): return globals()['W']",
    "an attribute by its name": "import types\nhelper = types.ModuleType('by_hand_too')\nhelper.W = {0}\n"
    "def value(): return getattr(helper, 'W')",
    "a regular expression": "import re\nvalue = re.compile('a{0}')",
    "an ordered dictionary": "from collections import OrderedDict, defaultdict\n"
    "value = OrderedDict(a=defaultdict(list, b=[{0}]))",
    "a random generator": "import numpy\nvalue = numpy.random.default_rng(int({0}))",
    "a weak reference": "import weakref\nclass Own: pass\nkept = Own()\nkept.w = {0}\nvalue = weakref.ref(kept)",
    "a list that holds itself": "value = [{0}]\nvalue.append(value)",
    "what a mapping proxy shows": "import types\nvalue = types.MappingProxyType(dict(w={0}))",
    "an object with a logger": "import logging\nclass Own: log = logging.getLogger('own')\n"
    "value = Own()\nvalue.w = {0}",
    "a long chain of functions": "def f0(): return {0}\n"
    + "\n".join(f"def f{n}(): return f{n - 1}() + 1" for n in range(1, 400))
    + "\nvalue = f399",
}


CELLS: list[dict] = []  # as a notebook keeps them


def made(text: str, number: float) -> Any:
    cell: dict[str, Any] = {"__name__": "a_cell"}
    exec(text.replace("{0}", repr(number)), cell)
    CELLS.append(cell)
    return cell["value"]


def digests() -> dict[str, list[str]]:
    return {name: [digest(made(text, number)) for number in (1.0, 2.0, 1.0)] for name, text in HOLDS.items()}


@pytest.fixture(scope="module")
def found() -> dict[str, list[str]]:
    return digests()


@pytest.mark.parametrize("name", HOLDS)
def test_what_a_value_holds_decides_and_nothing_else(found, name):
    one, other, again = found[name]
    assert one == again != other


def test_another_process_finds_the_same(found):
    code = "import torch; import test_digests as t; print(t.json.dumps(t.digests()))"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, [Path(__file__).parents[2], Path(__file__).parent])),
    }
    for seed in ("1", "2"):
        environment["PYTHONHASHSEED"] = seed
        printed = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert json.loads(printed.stdout) == found


def test_what_pickle_refuses_is_an_error():
    for value in (threading.Lock(), (number for number in range(3)), sys.stdout):
        with pytest.raises(TypeError):
            digest([value])


def test_parameters_count_by_their_shapes_where_that_is_asked():
    one, other, wide = (nn.Linear(4, size) for size in (2, 2, 3))
    assert digest(one, weights=False) == digest(other, weights=False) != digest(wide, weights=False)
    other.register_buffer("held", torch.ones(1))
    assert digest(one, weights=False) != digest(other, weights=False)


def test_a_mode_is_none_of_what_decides():
    network = nn.Dropout()
    assert digest(network.eval()) == digest(network.train())
