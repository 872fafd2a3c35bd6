"""Each public name says in its docstring what comes back, and shows it in an example that runs as it stands."""

import doctest
import inspect
import re

import pytest
import torch
from conftest import ROOT
from public import PUBLIC
from torch import nn

import kdcourse

NAMES = PUBLIC | {name: getattr(kdcourse, name) for name in kdcourse.__all__}
CALLED = {name: found for name, found in NAMES.items() if callable(found)}
SAID_BEFORE = {**CALLED, "torch": torch, "nn": nn}  # what the reference takes for granted
SHOWN = set(
    re.findall(r"^\.\. auto\w+:: (\S+)$", (ROOT / "book/reference.md").read_text(encoding="utf-8"), re.MULTILINE)
)
each_name = pytest.mark.parametrize("name", CALLED)


@each_name
def test_it_stands_in_the_reference(name):
    """With all public names of its module, or alone."""
    module = CALLED[name].__module__
    assert {module, f"{module}.{name}"} & SHOWN, "book/reference.md lacks it"


@each_name
def test_what_a_function_returns_is_said(name):
    """And not as "this: that", of which Sphinx takes the first half for a type."""
    found = CALLED[name]
    if inspect.isfunction(found) and inspect.signature(found).return_annotation is not None:
        told = inspect.getdoc(found).partition("\nReturns:\n")[2]
        assert told and ": " not in told.splitlines()[0]


@each_name
def test_its_example_runs(name):
    """Without the names of its module, which a reader of the reference does not have."""
    parts = doctest.DocTestFinder(recurse=False).find(CALLED[name], name, globs=dict(SAID_BEFORE))
    found = doctest.DocTestRunner(verbose=False)
    assert sum(found.run(part).attempted for part in parts) > 0, "it has no example"
    assert found.summarize(verbose=False).failed == 0
