"""What pages tell in numbers, from the records.

Between `<!-- records: hinton.hinton_threes -->` and `<!-- /records -->` stands what `hinton_threes()` of hinton.py
yields.
Command: `python book/fill.py` writes the pages anew; a test asks whether they are what the records give.
"""

import re
from importlib import import_module
from pathlib import Path

from kdlearn.data.files import replacing

BOOK = Path(__file__).parent
PART = re.compile(r"(<!-- records: (\w+)\.(\w+) -->\n).*?(<!-- /records -->)", re.DOTALL)


def pages() -> list[Path]:
    """Those that hold a part."""
    written = [*sorted(BOOK.glob("*.md")), BOOK.parent / "README.md"]
    return [page for page in written if PART.search(page.read_text(encoding="utf-8"))]


def filled(text: str) -> str:
    """The page with each part as the records give it; an unknown part is an error."""
    return PART.sub(lambda part: part[1] + "\n".join([*getattr(import_module(part[2]), part[3])(), part[4]]), text)


def main() -> None:
    for page in pages():
        text = filled(page.read_text(encoding="utf-8"))
        with replacing(page) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
