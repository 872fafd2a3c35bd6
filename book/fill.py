"""What pages tell in numbers, from the records: each part between `<!-- records: NAME -->` and `<!-- /records -->`.

Command: `python book/fill.py` writes the pages anew; a test asks whether they are what the records give.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from findings import HEAD, topics
from guide_page import (
    atlas,
    by_student,
    decisions,
    example,
    for_whom,
    in_short,
    kinds,
    lengths,
    model,
    steps,
    temperatures,
    tested,
    wrong,
)
from hinton import hinton, hinton_planned, hinton_threes
from several_teachers import several_cut, several_planned, several_teachers
from smaller import smaller, smaller_planned, smaller_times
from tables import table

from kdlearn.data.files import replacing

BOOK = Path(__file__).parent
PAGES = (
    BOOK / "guide.md",
    BOOK / "atlas.md",
    BOOK / "what_we_found.md",
    BOOK / "pruning_and_quantisation.md",
    BOOK / "several_teachers.md",
    BOOK / "hinton_mnist.md",
    BOOK.parent / "README.md",
)
PART = re.compile(r"(<!-- records: (\w+) -->\n).*?(<!-- /records -->)", re.DOTALL)


# ---- the atlas


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


# ---- what was found


def found() -> Iterator[str]:
    for topic, findings in topics():
        yield f"## {topic}\n"
        yield from table(HEAD, (one.row for one in findings))
        yield ""


def front() -> Iterator[str]:
    """The README's lines."""
    for _, findings in topics():
        yield from (f"- {one.told}: {one.front}" for one in findings if one.front)


PARTS: Mapping[str, Callable[[], Iterator[str]]] = {
    one.__name__: one
    for one in (
        *(for_whom, in_short, by_student, decisions, kinds, temperatures, lengths, wrong),
        *(model, steps, tested, example),
        *(grids, found, front, smaller, smaller_planned, smaller_times, several_teachers, several_planned, several_cut),
        *(hinton, hinton_threes, hinton_planned),
    )
}


def filled(text: str) -> str:
    """The page with each part as the records give it; an unknown part is a KeyError."""
    return PART.sub(lambda part: part[1] + "\n".join([*PARTS[part[2]](), part[3]]), text)


def main() -> None:
    for page in PAGES:
        text = filled(page.read_text(encoding="utf-8"))
        with replacing(page) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
