"""What the atlas's page tells of its grids."""

from collections.abc import Iterator
from typing import Any

from guide_page import atlas
from tables import table


def grids() -> Iterator[str]:
    """Grid by grid, what was trained and how often."""
    head = ["grid", "images", "teachers", "widths", "strategies", "read at", "trainings", "replicates"]
    rows = atlas().table
    yield from table(head, (grid(str(name), part) for name, part in rows.groupby("grid", sort=False)))
    yield f"\n{trainings(rows):,} trainings, {len(rows):,} rows."


def grid(name: str, rows: Any) -> list[str]:
    arms = rows[["strategy", "temperature", "soft_weight", "control"]].drop_duplicates()
    taught = rows.loc[rows["kind"] != "", "kind"].nunique()
    sizes, widths, lengths = (several(rows[column]) for column in ("images", "width", "length"))
    replicates = rows["replicate"].nunique()
    return [name, sizes, f"{taught}", widths, f"{len(arms)}", lengths, f"{trainings(rows):,}", f"{replicates}"]


def several(values: Any) -> str:
    """All of them, or the ends of many."""
    found = sorted(values.unique())
    return ", ".join(f"{one:,}" for one in found) if len(found) < 6 else f"{found[0]:,} to {found[-1]:,}"


def trainings(rows: Any) -> int:
    """A student that is read at several lengths is one, but where each length has a learning rate of its own."""
    told = [name for name in rows if name not in ("length", "accuracy", "loss", "agreement", "teacher_accuracy")]
    return len(rows[told].drop_duplicates())
