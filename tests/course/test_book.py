"""The built book, opened in a browser that reaches no host but this one: no error, no request, every formula drawn."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urldefrag, urljoin

import pytest
from conftest import ROOT, install_npm_packages, looked_at, serve
from public import PUBLIC

sys.path.insert(0, str(ROOT / "book"))
from chapters_pdf import PAPER, put_on_paper
from chapters_pdf import opened as on_paper

pytestmark = pytest.mark.release


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    install_npm_packages()
    out = tmp_path_factory.mktemp("book")
    trees = ["-d", str(tmp_path_factory.mktemp("trees"))]
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", *trees, "-b", "html", "book", str(out)]
    result = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return out


@pytest.fixture(scope="module")
def address(book) -> Iterator[str]:
    with serve(book) as address:
        yield address


def opened(browser, url: str, home: str):
    """The page once its formulas and diagrams are drawn, its console errors, and its requests to other hosts."""
    page, errors, strangers = looked_at(browser, url, home)
    if page.locator(".math").count():
        page.wait_for_function("window.MathJax?.startup?.promise !== undefined")
        page.evaluate("MathJax.startup.promise")
    if page.locator("pre.mermaid").count():
        page.wait_for_selector("pre.mermaid svg", timeout=10_000)
    return page, errors, strangers


def pages_of(book: Path) -> list[str]:
    return sorted(str(path.relative_to(book)) for path in book.rglob("*.html") if "_static" not in path.parts)


@pytest.fixture(scope="module")
def visits(book, browser, address) -> dict[str, dict[str, Any]]:
    """What each page of the book shows once it is drawn."""
    return {name: visit(browser, urljoin(address, name), address) for name in pages_of(book)}


def visit(browser, url: str, home: str) -> dict[str, Any]:
    page, errors, strangers = opened(browser, url, home)
    undrawn = "[...document.querySelectorAll('.math')].filter(node => !node.querySelector('mjx-container')).length"
    seen = {
        "faults": errors + strangers,
        "faulty formulas": page.locator("mjx-merror, [data-mjx-error]").count() + page.evaluate(undrawn),
        "pictures without words": page.locator("img:not([alt])").count(),
        "formulas": page.locator("mjx-container").count(),
        "diagrams": page.locator("pre.mermaid svg").count(),
        "anchors": set(page.evaluate("[...document.querySelectorAll('[id]')].map(node => node.id)")),
        "links": page.evaluate("[...document.querySelectorAll('a[href]')].map(node => node.href)"),
        "equations": page.evaluate(NUMBERS),
        "serious": serious(page),
    }
    page.set_viewport_size({"width": 360, "height": 800})
    seen["width"] = page.evaluate("document.documentElement.scrollWidth")
    if "/notebooks/" in url:
        seen["paper"] = seen_on_paper(page)
    page.close()
    return seen


def seen_on_paper(page) -> dict[str, Any]:
    """What a chapter is once it is printed."""
    put_on_paper(page)
    return {
        "cut": page.evaluate(CUT),
        "closed folds": page.locator("main details:not([open])").count(),
        "moving": page.evaluate("document.getAnimations().length"),  # a fold that opens slowly is printed empty
        "file": page.pdf(**PAPER)[:4],
    }


CUT = """() => {
  const end = document.querySelector("main article").getBoundingClientRect().right;
  const drawn = "mjx-container svg, mjx-assistive-mml";
  const beyond = (node) => node.offsetWidth && node.getBoundingClientRect().right > end + 1 && !node.closest(drawn);
  return [...document.querySelectorAll("main article *")].filter(beyond).map((node) => node.outerHTML.slice(0, 200));
}"""


NUMBERS = """[...document.querySelectorAll('mjx-assistive-mml mlabeledtr mtd:first-child')]
  .map((node) => node.textContent.replace(/[() ]/g, ''))"""


def serious(page) -> list[tuple[str, str]]:
    """What axe finds serious or critical: the rule, and the first element that breaks it.

    Formulas are left out: MathJax makes their thousands of nodes, and looking at them took half of the time.
    """
    page.add_script_tag(path=install_npm_packages() / "axe-core" / "axe.min.js")
    found = page.evaluate("axe.run({ exclude: ['mjx-container'] }, { resultTypes: ['violations'] })")["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]


def test_every_page_stands_alone(visits):
    for name, seen in visits.items():
        assert seen["faults"] == [], name
        assert seen["faulty formulas"] == seen["pictures without words"] == 0, name
    assert sum(seen["formulas"] for seen in visits.values()) > 200
    assert sum(seen["diagrams"] for seen in visits.values()) >= 1


def test_every_page_is_accessible_and_fits_a_phone(visits):
    assert {name: seen["serious"] for name, seen in visits.items() if seen["serious"]} == {}
    assert {name: seen["width"] for name, seen in visits.items() if seen["width"] > 360} == {}


def test_the_book_is_small(book):
    assert sum(path.stat().st_size for path in book.rglob("*") if path.is_file()) <= 30_000_000


def test_every_numbered_equation_is_a_place(visits):
    for name, seen in visits.items():
        places = {f"equation-{number.replace('.', '-')}" for number in seen["equations"]}
        assert places <= seen["anchors"], name
    assert sum(len(seen["equations"]) for seen in visits.values()) > 30


def test_search_results_show_text_and_no_tex(browser, address):
    page, errors, _ = opened(browser, urljoin(address, "search.html?q=gradient"), address)
    page.wait_for_function("document.querySelectorAll('#search-results p.context').length > 3")
    summaries = page.locator("#search-results p.context").all_inner_texts()
    assert not any("\\(" in text or "\\frac" in text or "\\[" in text for text in summaries)
    assert errors == []
    page.close()


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")))
def test_a_chapter_on_paper_is_not_cut_and_its_folds_are_open(visits, name):
    printed = {"cut": [], "closed folds": 0, "moving": 0, "file": b"%PDF"}
    assert visits[f"notebooks/{name}.html"]["paper"] == printed


def test_a_chapter_is_put_on_paper_from_a_disk_too(book, browser):
    page = on_paper(browser, book / "notebooks/09_when_it_does_not_help.html")
    assert page.locator("main details:not([open])").count() == 0
    assert page.evaluate("matchMedia('print').matches && !matchMedia('(prefers-color-scheme: dark)').matches")
    page.close()


def test_every_internal_link_leads_somewhere(book, visits, address):
    anchors = {urljoin(address, name): seen["anchors"] for name, seen in visits.items()}
    for name, link in [(name, link) for name, seen in visits.items() for link in seen["links"]]:
        target, fragment = urldefrag(link)
        if target.startswith(address):
            target = urljoin(target, "index.html") if target.endswith("/") else target
            assert (book / unquote(target.removeprefix(address))).exists(), f"{name}: {link}"
            if fragment and target in anchors:
                figure = parse_qs(fragment).get("figure", [unquote(fragment)])[0]  # or a place
                assert figure in anchors[target], f"{name}: {link}"


def test_every_public_name_stands_in_the_reference(visits):
    described = {anchor.rpartition(".")[2] for anchor in visits["reference.html"]["anchors"] if "." in anchor}
    assert {name for name, found in PUBLIC.items() if callable(found)} <= described


def test_it_opens_from_a_disk_too(book, browser):
    page, errors, strangers = opened(browser, (book / "notebooks/03_loss_derivations.html").as_uri(), book.as_uri())
    assert errors == [] and strangers == []
    assert page.locator("mjx-container").count() > 30 and page.locator("pre.mermaid svg").count() == 1


def test_what_answers_a_prediction_is_folded_and_opens(book, browser, address):
    page, _, _ = opened(browser, urljoin(address, "notebooks/04_first_distillation.html"), address)
    output = page.locator("details:has(.cell_output)").first
    assert output.locator("summary").get_attribute("aria-label") is None  # it is called what it reads
    assert not output.evaluate("node => node.open")
    output.locator("summary").click()
    assert output.locator(".cell_output").first.is_visible()
    assert page.locator("details:has(.cell_input)").count() >= 4  # the exercises' solutions


def test_numbers_of_equations_are_the_notebooks(visits):
    assert "3.1" in visits["notebooks/03_loss_derivations.html"]["equations"]


def test_a_term_is_explained_where_a_page_uses_it_first(book, browser, address):
    page, _, _ = opened(browser, urljoin(address, "notebooks/00_start_here.html"), address)
    explained = page.locator("abbr[title*='软标签']")
    assert explained.count() == 1 and explained.inner_text() == "soft label"
    page.goto(urljoin(address, "concept_test.html"))
    assert page.locator("abbr[title]").count() == 0, "a test must not explain what it asks"
