"""Each chapter of the built book as a PDF, to hand out: `make chapters-pdf` writes them to book/_build/pdf.

Needs Playwright and Chromium, as the tests do.
"""

import shutil
from pathlib import Path
from typing import Any

BUILT = Path(__file__).parent / "_build"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAPER = {"format": "A4", "margin": dict.fromkeys(("top", "bottom", "left", "right"), "15mm")}
DRAWN = """async () => {
  await window.MathJax?.startup?.promise;
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
}"""

# The playground paints once its teacher is trained.
AT_REST = """[...(globalThis.kdlearnStates ?? new Map()).values()]
  .every(({ values }) => !values.result || "steps" in values.result)"""


def opened(browser: Any, chapter: Path) -> Any:
    """The chapter as it is on paper."""
    page = browser.new_page()
    page.goto(chapter.as_uri())
    put_on_paper(page)
    return page


def put_on_paper(page: Any) -> None:
    """Drawn between the margins of an A4 sheet, with every fold open."""
    page.set_viewport_size({"width": 680, "height": 1000})
    page.evaluate(DRAWN)
    if page.locator("pre.mermaid").count():
        page.wait_for_selector("pre.mermaid svg")
    page.wait_for_function(AT_REST)
    page.emulate_media(media="print", color_scheme="light")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")


def main() -> None:
    from playwright.sync_api import sync_playwright

    (BUILT / "pdf").mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for chapter in sorted((BUILT / "html/notebooks").glob("*.html")):
            page, out = opened(browser, chapter), BUILT / "pdf" / f"{chapter.stem}.pdf"
            page.pdf(path=out, **PAPER)
            print(out)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
