"""The glossary: a page from glossary.yaml, and its entries where a page of the book uses a term first."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from trial import chinese, table

from kdlearn.data.files import read_json

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
OUTSIDE = (nodes.literal, nodes.literal_block, nodes.reference, nodes.title, nodes.math, nodes.raw, nodes.abbreviation)
LEFT_ALONE = ("glossary", "teaching", "lab_sheet", "concept_test")  # in which students are people, or terms are asked
OPENING = """# Glossary · 术语表

The field's terms in English and Chinese. In the other pages the first use of a term is dotted. A pointer that
rests on it shows its entry. The last column names the notebook, and its section, that shows a term at work.
"""


@cache
def entries() -> list[dict[str, Any]]:
    return yaml.safe_load(Path(__file__).with_name("glossary.yaml").read_text(encoding="utf-8"))


def write_glossary(path: Path) -> None:
    """The page as Markdown."""
    rows = [[f"**{one['term']}**", chinese(one["zh"]), one["says"], shown(one.get("shown", ""))] for one in entries()]
    lines = [OPENING, *table("glossary", ["English", chinese("中文"), "meaning", "shown in"], *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def shown(place: str) -> str:
    """The notebook of `notebook#cell`, a link where it is there, and the section that has the cell."""
    name, _, cell = place.partition("#")
    path = NOTEBOOKS / f"{name}.ipynb"
    if not path.is_file():
        return f"`{name}`" if name else ""
    link = f"[{name.partition('_')[0]}](notebooks/{path.name})"
    return f"{link}, {section_of(path, cell)}" if cell else link


def section_of(path: Path, cell: str) -> str:
    """The heading above a cell."""
    title = ""
    for one in read_json(path)["cells"]:
        headings = (
            re.findall("^## (.+)$", "".join(one["source"]), re.MULTILINE) if one["cell_type"] == "markdown" else []
        )
        title = headings[-1] if headings else title
        if one["id"] == cell:
            return title
    raise ValueError(f"{path.name} has no cell {cell!r}")


def explain(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Mark the first use of each term in the text of a page."""
    if page in LEFT_ALONE:
        return
    waiting = {word.lower(): one for one in entries() for word in (one["term"], *one.get("also", ()))}
    for text in list(doctree.findall(nodes.Text)):
        if any(isinstance(parent, nodes.paragraph) for parent in parents(text)) and not outside(text):
            parts = list(marked(str(text), waiting))
            if len(parts) > 1:
                text.parent.replace(text, parts)


def marked(text: str, waiting: dict[str, dict[str, Any]]) -> Iterator[nodes.Node]:
    """The text with abbreviations in it; what was found waits no longer."""
    words = "|".join(map(re.escape, sorted(waiting, key=len, reverse=True)))
    found = re.search(rf"\b({words})s?\b(?!['’]s t\b)", text, re.IGNORECASE)
    if not found or not waiting:
        yield nodes.Text(text)
        return
    entry = waiting[found[1].lower()]
    for word in [word for word, one in waiting.items() if one is entry]:
        del waiting[word]
    yield nodes.Text(text[: found.start()])
    yield nodes.abbreviation("", found[0], explanation=f"{entry['zh']}: {entry['says']}")
    yield from marked(text[found.end() :], waiting)


def parents(node: nodes.Node) -> Iterator[nodes.Node]:
    while node := node.parent:
        yield node


def outside(text: nodes.Text) -> bool:
    return any(isinstance(parent, OUTSIDE) for parent in parents(text))
