"""A comparison as text and as HTML: a table a length, then what its reader needs to know."""

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd


def lines_of(comparison: Any) -> Iterator[str]:
    """A line an arm, for each length, then the notes."""
    yield heading(comparison)
    for length in comparison.lengths:
        yield f"\nafter {length:,} updates"
        rows = cells(comparison.arms(length), comparison.digits)
        width, wide, wider = (max(map(len, column)) + 2 for column in zip(*rows, strict=True))
        line = f"  {{:{width}}}{{:>{max(wide, 14)}}}{{:>{max(wider, 18)}}}"
        yield from (line.format(*row).rstrip() for row in rows)
    if comparison.notes:
        yield ""
        yield from (f"Note: {note}" for note in comparison.notes)


def html_of(comparison: Any) -> str:
    """The same for Jupyter, with headings that a screen reader says."""
    parts = [f"<p>{html.escape(heading(comparison))}</p>"]
    for length in comparison.lengths:
        rows = cells(comparison.arms(length), comparison.digits)
        shown = pd.DataFrame(rows, columns=["", comparison.metric, "difference"])
        caption = f"<caption>after {length:,} updates</caption><thead>"
        parts.append(shown.to_html(index=False, border=0).replace("<thead>", caption, 1))
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in comparison.notes)
    return "\n".join([*parts, f"<ul>{notes}</ul>" if notes else ""])


def heading(comparison: Any) -> str:
    unit = f"{comparison.metric} in %" if comparison.share else comparison.metric
    points = "in points, " if comparison.share else ""
    return f"{unit}; difference to {comparison.baseline} {points}paired; ± 95 % interval over {comparison.over()}"


def cells(arms: Sequence[Mapping[str, Any]], digits: int) -> list[tuple[str, str, str]]:
    """Name, value and difference of each arm, as text."""
    return [
        (
            row["arm"],
            f"{row['value']:.{digits}f}",
            "" if row["difference"] is None else f"{row['difference']:+.{digits}f}",
        )
        for row in arms
    ]
