"""Tables as pages hold them."""

from collections.abc import Iterator, Sequence


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    """Plain Markdown, which is read without the book too."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|").replace(" ± ", "\u00a0±\u00a0") for cell in row) + " |"
