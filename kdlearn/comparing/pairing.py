"""Rows that share teacher, replicate and seed, side by side, and the interval over what a claim is about."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from kdlearn.formulas.intervals import Interval, crossed_interval, including_rows, interval, of_rows

REPEATED = ("teacher", "replicate", "seed")  # what a difference averages over


def values_of(rows: pd.DataFrame, metric: str, scale: float = 1.0) -> pd.DataFrame:
    """With columns `value`, and `of_rows`, an array of what makes it up, empty where the table does not tell."""
    digits = rows[of_rows(metric)] if of_rows(metric) in rows else [""] * len(rows)
    arrays = [np.frombuffer(one.encode() if isinstance(one, str) else b"", np.uint8) - 48.0 for one in digits]
    return rows.assign(value=scale * rows[metric], of_rows=pd.Series(arrays, rows.index, dtype=object) * scale)


def paired(mine: pd.DataFrame, other: pd.DataFrame, scale: float = 1.0) -> pd.DataFrame:
    """A row a pair of `values_of`, its `value` scale · (a - b); what nobody taught is paired with every teacher's."""
    shared = [name for name in REPEATED if name != "teacher" or not without_teacher(mine, other)]
    pairs = sides(mine, other, shared)
    both = next(pairs).merge(next(pairs), on=shared, validate="many_to_many", suffixes=("_a", "_b"))
    same = (both["of_rows_a"].map(len) == both["of_rows_b"].map(len)).all()
    of_rows = both["of_rows_a"] - both["of_rows_b"] if same else pd.Series([np.zeros(0)] * len(both), both.index)
    return both.assign(value=scale * (both["value_a"] - both["value_b"]), of_rows=scale * of_rows)


def without_teacher(mine: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether one side was taught by nobody, so that it is paired with every teacher's."""
    return any(not (side["teacher"] != "").any() for side in (mine, other))


def sides(mine: pd.DataFrame, other: pd.DataFrame, shared: Sequence[str]) -> Iterator[pd.DataFrame]:
    """What is paired of both sides; the teacher's name stays on the side that has one."""
    for side in (mine, other):
        columns = list(shared) if "teacher" in shared or not (side["teacher"] != "").any() else ["teacher", *shared]
        yield side[[*columns, "value", "of_rows"]]


def interval_of(values: pd.DataFrame) -> Interval:
    """Mean of `value` and its interval over what is repeated and, where `of_rows` tells them, over test rows.

    Where a value is NaN, so are both.
    """
    if values["value"].isna().any():
        return Interval(float("nan"), float("nan"))
    of_runs, rows = over_repetitions(values), list(values["of_rows"])
    told = len(rows) > 1 and len(rows[0]) > 1 and len({len(one) for one in rows}) == 1
    return including_rows(of_runs, np.stack(rows)) if told else of_runs


def over_repetitions(values: pd.DataFrame) -> Interval:
    """Over replicates, over crossed teachers and seeds, or over seeds."""
    if values["replicate"].nunique() > 1:
        return interval(values.groupby("replicate")["value"].mean())
    if "teacher" in values and values["teacher"].nunique() > 1:
        crossed = values.pivot_table(index="teacher", columns="seed", values="value", aggfunc="mean")
        if crossed.isna().any(axis=None):
            raise ValueError(
                "every teacher must have taught every seed for an interval over both; some pairs are missing"
            )
        return crossed_interval(crossed.to_numpy())
    means = values.groupby("seed")["value"].mean()
    return interval(means) if len(means) > 1 else Interval(float(means.iloc[0]), float("nan"))


def means_of(values: pd.DataFrame) -> pd.Series:
    """The means over what the interval of `interval_of` is about."""
    several = [name for name in ("replicate", "teacher") if name in values and values[name].nunique() > 1]
    return values.groupby(several[0] if several else "seed")["value"].mean()


def repetitions_of(table: pd.DataFrame) -> str:
    """What an interval of such rows covers, in words."""
    counts = {name: table.loc[table[name] != "", name].nunique() for name in REPEATED}
    seeds = f"{counts['seed']} seeds" if counts["seed"] > 1 else "1 seed"
    if counts["replicate"] > 1:
        return f"{counts['replicate']} replicates, each with {seeds}"
    if counts["teacher"] > 1:
        return f"{counts['teacher']} teachers × {seeds}"
    return f"{seeds}, of this teacher" if counts["teacher"] else seeds
