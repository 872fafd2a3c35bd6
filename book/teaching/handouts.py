"""Handouts: each deck as a PDF without its answers, and as one with them, printed by Chromium.

`python book/teaching/handouts.py [FOLDER]` takes the decks that `decks.py` wrote there.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ADDRESSES = {"handout": "view=print&handout", "answers": "view=print"}


def write_handouts(browser: Any, folder: Path) -> Iterator[Path]:
    """`NAME_handout.pdf` and `NAME_answers.pdf` beside each deck of `folder`."""
    for deck in sorted(folder.glob("*.html")):
        if (folder / f"{deck.stem}_notes.html").exists():  # the exam and the index have none
            for kind, asked in ADDRESSES.items():
                yield write_pdf(browser, f"{deck.resolve().as_uri()}?{asked}", folder / f"{deck.stem}_{kind}.pdf")


def write_pdf(browser: Any, address: str, path: Path) -> Path:
    """The page at `address` as a PDF, a page a slide."""
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    page.goto(address)
    page.wait_for_selector(".reveal-print .pdf-page")
    page.pdf(path=path, prefer_css_page_size=True, print_background=True)
    page.close()
    return path


def main(folder: Annotated[Path, typer.Argument()] = Path(__file__).parent / "_build") -> None:
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        raise SystemExit(f"printing needs one of {', '.join(BROWSERS)} on the path: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        print(*write_handouts(browser, folder), sep="\n")
        browser.close()


if __name__ == "__main__":
    typer.run(main)
