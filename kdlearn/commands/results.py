"""`kdlearn results`: the table of one or more folders."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument

from kdlearn.commands.folders import path
from kdlearn.commands.messages import say

if TYPE_CHECKING:
    from pandas import DataFrame

    from kdlearn.comparing.comparison import Comparison

FILE = "comparison.parquet"
LAST = ("replicate", "seed", "length")  # of the columns that tell runs apart
FOLLOWS = ("strategy", "rows")  # what tells rows apart that are compared all the same


def results(
    folders: Annotated[list[Path], Argument(parser=path, metavar="FOLDER...", help="that distill or demo has written")],
) -> None:
    """The table of one or more folders that distill has written."""
    say(in_parts(combined([comparison_in(folder) for folder in folders])))


def comparison_in(folder: Path) -> "Comparison":
    from kdlearn.comparing.comparison import Comparison

    if not (folder / FILE).is_file():
        raise FileNotFoundError(f"{folder} holds no results of kdlearn: there is no {folder / FILE}")
    return Comparison.load(folder / FILE)


def combined(found: Sequence["Comparison"]) -> "Comparison":
    """Several comparisons as one; a ValueError for other data, another measure, or runs that are there twice."""
    first, table = found[0], concatenated(found)
    if any((one.metric, one.baseline) != (first.metric, first.baseline) for one in found):
        raise ValueError("the folders must hold the same measure, compared with the same strategy; they do not")
    twice = table[table.duplicated(telling_columns(first, table))]
    if len(twice):
        row = twice.iloc[0]
        raise ValueError(f"the same run must be there once; {row['strategy']}, seed {row['seed']} is there twice")
    return first if len(found) == 1 else replace(first, table=table, notes=())  # notes are about a table


def concatenated(found: Sequence["Comparison"]) -> "DataFrame":
    """All rows; columns that tell them apart before what was measured."""
    import pandas as pd

    table = pd.concat([one.table for one in found], ignore_index=True)
    if "data_key" in table and table["data_key"].nunique(dropna=False) > 1:
        raise ValueError(f"the folders must be about the same data; data_key is {table['data_key'].unique().tolist()}")
    settings = dict.fromkeys(name for one in found for name in telling_columns(one, one.table) if name not in LAST)
    return table[list(dict.fromkeys([*settings, *LAST, found[0].metric, *table.columns]))]


def telling_columns(comparison: "Comparison", table: "DataFrame") -> list[str]:
    """The columns that tell runs apart."""
    return list(table.columns[: list(table.columns).index(comparison.metric)])


def in_parts(comparison: "Comparison") -> str:
    """As text: a table for each of what the reference itself differs in, such as students, so that each has its own."""
    from kdlearn.comparing.printed import note_lines

    telling = differing(comparison)
    if not telling:
        return str(comparison)
    groups = comparison.table.groupby(telling, sort=False, dropna=False)
    parts = [f"{title(telling, values)}\n{replace(comparison, table=rows, notes=())}" for values, rows in groups]
    return "\n\n".join(filter(None, [*parts, "\n".join(note_lines(comparison.notes))]))


def differing(comparison: "Comparison") -> list[str]:
    rows = comparison.table[comparison.table["strategy"] == comparison.baseline]
    names = [one for one in comparison.settings if one not in FOLLOWS and rows[one].nunique(dropna=False) > 1]
    lacking = set(comparison.lengths) - set(rows["length"])  # where there is nothing to compare with
    return [*names, "length"] if lacking and len(rows) else names


def title(names: Sequence[str], values: Sequence[Any]) -> str:
    told = (f"{value:g}" if isinstance(value, float) else value for value in values)
    return ", ".join(f"{name} {value}" for name, value in zip(names, told, strict=True))
