"""What the page on pruning and eight bits tells in numbers, from studies/smaller."""

from collections.abc import Iterator
from typing import Any

from findings import planned_table
from records import STUDIES, record_of
from tables import table

from kdlearn.data.files import read_json

NOT_TOLD = "–"


def smaller() -> Iterator[str]:
    """A row a network and a way to store it: bytes, both accuracies, and what soft labels give."""
    sizes = record_of("smaller").table.groupby(["way", "stored", "width", "kept"], as_index=False)["bytes"].mean()
    rows = sizes.sort_values("bytes").to_dict("records")
    yield from table(["network", "stored as", "bytes", "ground truth", "soft labels", "gain"], map(row_of, rows))


def row_of(size: dict[str, Any]) -> list[str]:
    where = {name: size[name] for name in ("way", "stored", "width", "kept")}
    names = {"large": "large", "small": "small, {width} units", "pruned": "pruned, {kept:.0%} are kept"}
    about = [names[size["way"]].format(**size), size["stored"], f"{size['bytes']:,.0f}"]
    if size["way"] == "large":
        return [*about, accuracy_of(where, "ground truth"), NOT_TOLD, NOT_TOLD]
    soft, truth = ({**where, "strategy": one} for one in ("soft labels", "ground truth"))
    gain = record_of("smaller").difference(soft, truth)
    return [*about, *(accuracy_of(where, one) for one in ("ground truth", "soft labels")), f"{gain:+.1f}"]


def accuracy_of(where: dict[str, Any], strategy: str) -> str:
    rows = record_of("smaller").rows_of({**where, "strategy": strategy}, None, {})
    return f"{100 * rows['accuracy'].mean():.1f}"


def smaller_planned() -> Iterator[str]:
    """The five differences that were planned."""
    yield from planned_table("smaller")


def smaller_times() -> Iterator[str]:
    """Ratios to the large network."""
    ratios = read_json(STUDIES / "smaller/latencies.json")
    rows = ([name, *(f"{one:.2f}" for one in of.values())] for name, of in ratios.items())
    yield from table(["network", "one image", "256 images"], rows)
