"""Every block of Python in the book's own pages runs as it stands, one after the other, without a warning of ours."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import ROOT, require

pytestmark = pytest.mark.release
PAGES = sorted(path for path in (ROOT / "book").glob("*.md") if "```python" in path.read_text(encoding="utf-8"))


def code_of(page: Path) -> str:
    """The page's blocks with the lines where they stand, so that an error names the line."""
    lines, inside = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        inside = line == "```python" if line.startswith("```") else inside
        lines.append(line if inside and not line.startswith("```") else "")
    return "\n".join(lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    """As a script of its own: workers find its functions, and a key its source, as they would for a reader's."""
    for library in ("transformers", "accelerate", "lightning"):
        if re.search(f"^(from|import) {library}", code_of(page), re.MULTILINE):
            require(bool(find_spec(library)), f"this page is about {library}: python -m pip install {library}")
    script = tmp_path / f"{page.stem}.py"
    script.write_text(code_of(page), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), {"__name__": page.stem})


def test_the_pages_have_code():
    assert len(PAGES) > 14 and all(len(re.findall("\n\n+", code_of(page))) > 1 for page in PAGES)
