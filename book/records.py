"""The records of the studies, and their plans as modules."""

import importlib.util
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from kdlearn import Comparison
from kdlearn.formulas.intervals import Interval, holm

STUDIES = Path(__file__).parents[1] / "studies"


def script(path: Path) -> ModuleType:
    """A script of a study as a module; what lies beside it is found, as when it is run."""
    sys.path.insert(0, str(path.parent))
    try:
        spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


def comparison_or_table(path: Path) -> Any:
    try:
        return Comparison.load(path)
    except ValueError:
        return pd.read_parquet(path)


def path_of(record: str) -> Path:
    """`atlas` is the record of that study's plan, `atlas/held_out` a table of its folder."""
    folder, _, name = record.partition("/")
    if name:
        return STUDIES / folder / f"{name}.parquet"
    return getattr(plan_of(folder), "RECORD", STUDIES / folder / f"{folder}.parquet")


@cache
def plan_of(study: str) -> Any:
    return script(STUDIES / study / "plan.py")


@cache
def record_of(record: str) -> Any:
    return comparison_or_table(path_of(record))


@cache
def claims(study: str) -> Mapping[str, Interval]:
    """A study's planned differences; their p-values are corrected by Holm's procedure."""
    found = plan_of(study).planned(record_of(study))
    corrected = holm({name: one.p_value for name, one in found.items()})
    return {name: one._replace(p_value=corrected[name]) for name, one in found.items()}
