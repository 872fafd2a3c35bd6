"""A notebook that nbconvert exports as HTML shows its figures: as a picture without scripts, alive with them."""

import nbformat
import pytest
from conftest import looked_at
from nbconvert import HTMLExporter
from test_figures_in_browser import notebook_of

from kdcourse.figures import LossExplorer, TemperatureExplorer


@pytest.fixture(scope="module")
def figures() -> list:
    return [TemperatureExplorer([3.0, 1.0, -2.0], ["cat", "dog", "fox"], temperature=7.0), LossExplorer(view="balance")]


@pytest.fixture(scope="module")
def address(figures, tmp_path_factory) -> str:
    """Exported for a reader without a network: MathJax and RequireJS, which nothing here needs, are left out."""
    exporter = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="", widget_renderer_url="")
    text, _ = exporter.from_notebook_node(nbformat.from_dict(notebook_of(*figures)))
    path = tmp_path_factory.mktemp("exported") / "notebook.html"
    path.write_text(text, encoding="utf-8")
    return path.as_uri()


def test_without_scripts_the_state_is_seen_as_a_picture_with_its_words(browser, address, figures):
    page = browser.new_page(java_script_enabled=False)
    page.goto(address)
    for figure in figures:
        picture = page.get_by_role("img", name=figure.alt)
        assert picture.is_visible() and picture.bounding_box()["width"] > 300
    assert page.get_by_text("To make it live").count() == len(figures)
    page.close()


def test_with_scripts_it_opens_at_that_state(browser, address):
    page, errors, _ = looked_at(browser, address, address)
    page.wait_for_function("kdlearnStates.size === 2")
    explorer = page.get_by_role("region", name="temperature explorer")
    assert explorer.locator("output").first.inner_text() == "7"
    page.get_by_text("How long the gradient of each part is").wait_for()
    assert not page.get_by_text("To make it live").first.is_visible() and errors == []
    page.close()
