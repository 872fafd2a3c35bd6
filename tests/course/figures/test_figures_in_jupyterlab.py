"""The figures in JupyterLab: with a kernel, without it again, and in a notebook that is not trusted."""

from collections.abc import Callable, Iterator

import nbformat
import pytest
from figures_in_page import sentence_teacher
from jupyterlab_in_browser import (
    Lab,
    command,
    jupyterlab,
    notebook_of,
    opened,
    press,
    python,
    run_all,
    shown_in,
    wait_until,
)

from kdcourse.commands.explore import figures_of_the_course

TEMPERATURE = "input[aria-label=Temperature]"
FIGURES = "section.figure"
LIVE = [
    "import ipywidgets\n"
    "from kdcourse.figures import TemperatureExplorer\n"
    "explorer = TemperatureExplorer([[6.0, 2.0, -1.0], [1.0, 0.0, 2.0]], ['cat', 'dog', 'ship'])\n"
    "explorer",
    "box = ipywidgets.FloatText()\nipywidgets.jslink((explorer, 'temperature'), (box, 'value'))\nbox",
    "explorer",
]
BESIDE = [
    "import ipywidgets\nfrom kdcourse.figures import LossExplorer, Simplex, beside\nloss = LossExplorer()\nloss",
    "ipywidgets.HBox([loss, LossExplorer(temperature=2.0)])",
    "beside(Simplex(), Simplex(temperature=1.0))",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Lab]:
    with jupyterlab(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def run(browser, lab) -> Callable:
    """The page of a notebook of these cells, that a kernel has run."""

    def run_in_lab(name: str, *code: str):
        nbformat.write(notebook_of(code=code), lab.folder / name)
        page = opened(browser, lab, name)
        run_all(page)
        page.wait_for_selector(FIGURES, timeout=60_000)
        return page

    return run_in_lab


def test_with_a_kernel_saved_closed_and_reopened(browser, lab, run):
    page = run("live.ipynb", *LIVE)
    page.wait_for_selector(f"{FIGURES} >> nth=1")
    views = page.locator(FIGURES)
    first, second = (views.nth(place).locator(TEMPERATURE) for place in (0, 1))

    press(first, "ArrowRight", 20)  # from the page to Python, the other view and a linked widget
    wait_until(lambda: second.input_value() == first.input_value() == "0.1")
    wait_until(lambda: float(python(page, "explorer.temperature")) == 1.26)
    wait_until(lambda: page.locator(".widget-text input").input_value() == "1.26")
    column = views.nth(0).locator(".column").nth(1)
    press(column, "ArrowUp", 5)
    wait_until(lambda: python(page, "explorer.logits[0][1]") == "2.5")

    before = column.locator(".bar").bounding_box()["height"]
    python(page, "0", "explorer.temperature = 5; explorer.index = 1")  # from Python to the page
    wait_until(lambda: first.input_value() == second.input_value() == "0.7")
    wait_until(lambda: column.locator(".bar").bounding_box()["height"] != before)

    command(page, "docmanager:save")
    command(page, "kernelmenu:shutdown")
    press(first, "ArrowRight")
    wait_until(lambda: second.input_value() == first.input_value() == "0.705")  # no kernel: it goes on by itself
    page.close()
    saved = nbformat.read(lab.folder / "live.ipynb", 4).cells[1].outputs[0]
    assert "application/vnd.jupyter.widget-view+json" not in saved["data"]

    page = opened(browser, lab, "live.ipynb")
    slider = page.locator(f"{FIGURES} >> nth=0 >> {TEMPERATURE}")
    press(slider, "ArrowLeft")
    wait_until(lambda: slider.input_value() == "-0.005")
    assert "model not found" not in page.inner_text(".jp-Notebook .jp-Cell >> nth=1").lower()
    page.close()


def is_wide(view) -> bool:
    box = view.bounding_box()
    return box is not None and box["width"] > 300


def has_focus(control) -> bool:
    return control.evaluate("node => node.getRootNode().activeElement === node")


def test_a_saved_notebook_holds_what_was_seen_and_it_is_told_that_the_kernel_is_gone(browser, lab, run):
    page, path = run("beside.ipynb", *BESIDE), lab.folder / "beside.ipynb"
    views = page.locator(FIGURES)
    wait_until(lambda: views.count() == 5, seconds=60)
    wait_until(lambda: all(is_wide(view) for view in views.all()))  # in an HBox too
    slider = views.nth(0).locator(TEMPERATURE)
    press(slider, "ArrowRight", 5)

    def saved() -> str:
        command(page, "docmanager:save")
        return shown_in(path)[0]

    wait_until(lambda: '"temperature": 4.2' in saved(), seconds=30)
    assert has_focus(slider)  # the keys stay on it
    press(slider, "ArrowRight")
    wait_until(lambda: float(python(page, "loss.temperature")) > 4.2)
    other = views.last.locator("button").last  # of another cell
    other.focus()
    wait_until(lambda: '"temperature": 4.2,' not in saved(), seconds=30)
    assert has_focus(other)  # and are not taken from there
    press(views.nth(0).get_by_role("slider", name="student's logit of dog"), "ArrowUp", 5)
    wait_until(lambda: python(page, "loss.student_logits[1]") == "3.0")
    assert not page.get_by_text("The kernel is gone").first.is_visible()
    command(page, "kernelmenu:shutdown")
    page.get_by_text("The kernel is gone").first.wait_for()
    page.close()

    page = opened(browser, lab, path.name)
    wait_until(lambda: page.locator(FIGURES).count() == 3)  # without a kernel: the HBox is gone, beside is not
    assert float(page.locator(TEMPERATURE).first.input_value()) > 0.62
    page.close()


def test_the_hand_stays_in_a_field_of_text_that_is_shown_again(lab, run):
    sentence_teacher()  # which must be there
    text = "Det regner, so we stay at home."
    page = run("typed.ipynb", "from kdcourse.figures import TypeASentence\nfigure = TypeASentence()\nfigure")
    field = page.locator(f"{FIGURES} textarea")
    field.fill("")
    field.press_sequentially(text)
    wait_until(lambda: python(page, "figure.text") == repr(text), seconds=60)
    page.keyboard.press("Home")
    wait_until(lambda: "not asked" not in page.locator(FIGURES).inner_text(), seconds=60)  # until Python did

    def is_shown_again() -> bool:
        command(page, "docmanager:save")
        return f'"text": "{text}"' in shown_in(lab.folder / "typed.ipynb")[0]

    wait_until(is_shown_again, seconds=60)
    page.keyboard.type("Y")
    wait_until(lambda: python(page, "figure.text") == repr(f"Y{text}"), seconds=60)
    page.close()


def test_an_untrusted_notebook_shows_a_picture(browser, lab):
    figures = figures_of_the_course()
    nbformat.write(notebook_of(*figures), lab.folder / "foreign.ipynb")
    page = opened(browser, lab, "foreign.ipynb")
    pictures = page.locator(".jp-OutputArea-output img")
    wait_until(lambda: pictures.count() == len(figures))  # JupyterLab draws one cell after the other
    for picture, figure in zip(pictures.all(), figures, strict=True):
        assert picture.get_attribute("alt") == figure.alt
        wait_until(lambda picture=picture: picture.evaluate("node => node.naturalWidth") > 300)
    assert page.locator(FIGURES).count() == 0
    wait_until(page.get_by_text("To make it live").first.is_visible)
    page.close()
