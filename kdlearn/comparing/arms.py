"""The rows of a table by the name of their arm: a strategy, with the settings that tell it from others of its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from kdlearn.comparing.pairing import REPEATED

Arm = str | Mapping[str, Any]
SHORT = {"temperature": "T", "soft_weight": "weight", "learning_rate": "rate"}


@dataclass(frozen=True, eq=False)
class ArmTable:
    """Columns up to `metric` tell rows apart; from there on they are measured."""

    table: pd.DataFrame
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        """Rows are found by their index: that of tables that were put together without `ignore_index` repeats."""
        if not self.table.index.is_unique:
            object.__setattr__(self, "table", self.table.reset_index(drop=True))

    @property
    def settings(self) -> list[str]:
        """The columns that tell arms apart: all before the metric that a difference does not average over."""
        columns = list(self.table.columns)
        return [name for name in columns[: columns.index(self.metric)] if name not in (*REPEATED, "length")]

    @property
    def lengths(self) -> list[int]:
        return sorted(int(length) for length in self.table["length"].unique())

    def rows_of(self, arm: Arm, length: int | None, where: Mapping[str, Any]) -> pd.DataFrame:
        """The rows of one arm at one length."""
        rows = self.named(arm)
        for name, value in where.items():
            if name not in self.table:
                raise ValueError(f"where must name columns of the table, {', '.join(self.settings)}; got {name}")
            rows = rows[(rows[name] == value) | rows[name].isna() | (rows[name] == "")]
        wanted = max(self.lengths) if length is None else length
        if wanted not in self.lengths:
            raise ValueError(f"length must be one of {self.lengths}; got {wanted}")
        rows = rows[rows["length"] == wanted]
        if rows.empty:
            raise ValueError(f"nothing in the table is {arm!r} with {dict(where)} at length {wanted}")
        self.refuse_several(rows, arm)
        return rows

    def named(self, arm: Arm) -> pd.DataFrame:
        if isinstance(arm, str):
            if arm in set(self.table["strategy"]):
                return self.table[self.table["strategy"] == arm]
            if arm in set(self.labels):
                return self.table[self.labels == arm]
            names = ", ".join(map(repr, dict.fromkeys([*self.table["strategy"], *self.labels])))
            raise ValueError(f"{arm!r} is no strategy of the table; there are {names}")
        rows = self.table
        for name, value in arm.items():
            if name not in rows:
                raise ValueError(f"{name!r} is no column of the table, {', '.join(self.settings)}")
            rows = rows[rows[name] == value]
        return rows

    def refuse_several(self, rows: pd.DataFrame, arm: Arm) -> None:
        for name in self.settings:
            values = sorted(rows[name].unique(), key=str)
            if len(values) > 1:
                told = " and ".join(shown(value) for value in values)
                one = repr(values[0]) if isinstance(values[0], str) else shown(values[0])
                raise ValueError(f"{arm!r} fits several arms: {name} takes {told}: say which, {name}={one}")

    @cached_property
    def labels(self) -> pd.Series:
        """For each row the name of its arm: its strategy, and the settings in which strategies of its name differ."""
        names = self.table["strategy"].astype(str).copy()
        for _, rows in self.table.groupby("strategy", sort=False):
            telling = [name for name in self.settings if name != "strategy" and rows[name].nunique(dropna=False) > 1]
            for name in telling:
                names[rows.index] += [f", {SHORT.get(name, name)} = {shown(value)}" for value in rows[name]]
        return names


def shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)
