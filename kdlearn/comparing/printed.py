"""A comparison as text and as HTML: a table a length, then what its reader needs to know."""

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from kdlearn.formulas.intervals import Interval

NUM_SHOWN = 3  # notes; the first say what is wrong


def lines_of(comparison: Any) -> Iterator[str]:
    """A line an arm, for each length, then the notes."""
    yield from heading(comparison)
    for length in comparison.lengths:
        yield f"\nafter {length:,} updates"
        rows = cells(comparison.arms(length), comparison.digits)
        width, wide, wider = (max(map(len, column)) + 2 for column in zip(*rows, strict=True))
        line = f"  {{:{width}}}{{:>{max(wide, 14)}}}{{:>{max(wider, 18)}}}"
        yield from (line.format(*row).rstrip() for row in rows)
    if comparison.notes:
        yield from ("", *note_lines(comparison.notes))


def note_lines(notes: Sequence[str]) -> list[str]:
    """The gravest, which come first, and how many there are more."""
    folded = [f"{len(notes) - NUM_SHOWN} more in comparison.notes"] if len(notes) > NUM_SHOWN else []
    return [*(f"Note: {note}" for note in notes[:NUM_SHOWN]), *folded]


def html_of(comparison: Any) -> str:
    """The same for Jupyter, with headings that a screen reader says."""
    parts = [f"<p>{'<br>'.join(map(html.escape, heading(comparison)))}</p>"]
    for length in comparison.lengths:
        rows = cells(comparison.arms(length), comparison.digits)
        shown = pd.DataFrame(rows, columns=["", comparison.metric, "difference"])
        caption = f"<caption>after {length:,} updates</caption><thead>"
        parts.append(shown.to_html(index=False, border=0).replace("<thead>", caption, 1))
    shown, folded = list_of(comparison.notes[:NUM_SHOWN]), list_of(comparison.notes[NUM_SHOWN:])
    return "\n".join([*parts, shown, folded and f"<details><summary>more notes</summary>{folded}</details>"])


def list_of(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return f"<ul>{items}</ul>" if items else ""


def heading(comparison: Any) -> Iterator[str]:
    unit = f"{comparison.metric} in %" if comparison.share else comparison.metric
    points = "in points, " if comparison.share else ""
    yield f"{unit}; difference to {comparison.baseline} {points}paired; ± 95 % interval over {comparison.over()}"
    if not pd.isna(own := own_score(comparison)):
        yield f"the teacher's own {comparison.metric}: {own:.{comparison.digits}f}"


def own_score(comparison: Any) -> float:
    """The teachers' mean; NaN where nobody taught, and of stored logits that do not cover what is measured on."""
    table, column = comparison.table, f"teacher_{comparison.metric}"
    return comparison.scale * float(table[column].mean()) if column in table else float("nan")


def cells(arms: Sequence[Mapping[str, Any]], digits: int) -> list[tuple[str, str, str]]:
    """Name, value and difference of each arm, as text."""
    return [
        (row["arm"], f"{row['value']:.{digits}f}", "" if gain is None else written(gain, digits))
        for row in arms
        for gain in [row["difference"]]
    ]


def written(difference: Interval, digits: int) -> str:
    """Where all runs differ by the same, nothing is known of the others: no interval is 0 wide."""
    if difference.half_width == 0:
        return f"{difference.mean:+.{digits}f}, unresolved"
    return f"{difference:+.{digits}f}"
