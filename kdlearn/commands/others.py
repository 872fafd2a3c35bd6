"""Commands that other packages add, such as the course's: found as entry points, and loaded when they are called."""

import ast
import importlib
import re
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from typer import Typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import kdlearn

GROUP = "kdlearn.commands"


@cache
def others() -> dict[str, str]:
    """The `module:name` of each command; a clone that is not installed tells them in its pyproject.toml."""
    found = {one.name: one.value for one in entry_points(group=GROUP)}
    project = Path(kdlearn.__file__).parents[1] / "pyproject.toml"
    if found or not project.is_file():
        return found
    section = project.read_text(encoding="utf-8").partition(f'[project.entry-points."{GROUP}"]\n')[2]
    return dict(re.findall(r'^(\w+) = "(.+)"$', section.partition("\n[")[0], flags=re.MULTILINE))


class Commands(TyperGroup):
    """kdlearn's own commands, then the others, of which the list tells without importing them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *others()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        known = super().get_command(ctx, cmd_name)
        return TyperCommand(cmd_name, help=told(others()[cmd_name])) if not known and cmd_name in others() else known

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in others():
            self.add_command(loaded(others()[args[0]]), args[0])
        return super().resolve_command(ctx, args)


def loaded(place: str) -> Any:
    module, _, name = place.partition(":")
    found = getattr(importlib.import_module(module), name)
    if not isinstance(found, Typer):
        function, found = found, Typer(add_completion=False, rich_markup_mode=None)
        found.command()(function)
    return get_command(found)


def told(place: str) -> str:
    """The docstring of a function, or of a file whose commands are a group, read from the source."""
    module, _, name = place.partition(":")
    package, *parts = module.split(".")
    found = PathFinder.find_spec(package)
    if found is None or not found.submodule_search_locations:
        return ""
    tree = ast.parse(Path(found.submodule_search_locations[0], *parts).with_suffix(".py").read_text(encoding="utf-8"))
    functions = (one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name)
    return ast.get_docstring(next(functions, tree)) or ""
