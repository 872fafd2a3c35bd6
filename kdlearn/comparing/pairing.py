"""Rows that share teacher, replicate and seed, side by side, and the interval over what a claim is about."""

from collections.abc import Iterator, Sequence

import pandas as pd

from kdlearn.formulas.intervals import Interval, crossed_interval, interval

REPEATED = ("teacher", "replicate", "seed")  # what a difference averages over


def paired(mine: pd.DataFrame, other: pd.DataFrame, metric: str) -> pd.DataFrame:
    """A row a pair, with `value_a` and `value_b`; what nobody taught is paired with every teacher's."""
    shared = [name for name in REPEATED if name != "teacher" or not without_teacher(mine, other)]
    one, another = sides(mine, other, shared, metric)
    return one.merge(another, on=shared, validate="many_to_many")


def without_teacher(mine: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether one side was taught by nobody, so that it is paired with every teacher's."""
    return any(not (side["teacher"] != "").any() for side in (mine, other))


def sides(mine: pd.DataFrame, other: pd.DataFrame, shared: Sequence[str], metric: str) -> Iterator[pd.DataFrame]:
    """Both sides with a column of values each; the teacher's name stays on the side that has one."""
    for side, name in ((mine, "value_a"), (other, "value_b")):
        columns = list(shared) if "teacher" in shared or not (side["teacher"] != "").any() else ["teacher", *shared]
        yield side.rename(columns={metric: name})[[*columns, name]]


def interval_of(values: pd.DataFrame) -> Interval:
    """Mean of the column `value` and its interval over replicates, over crossed teachers and seeds, or over seeds.

    Where a value is NaN, so are both.
    """
    if values["value"].isna().any():
        return Interval(float("nan"), float("nan"))
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
