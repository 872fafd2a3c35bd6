"""The figures in Chromium: in JupyterLab with and without a kernel, in a book and a file that reach no other host."""

import subprocess
import sys
from collections.abc import Iterator

import nbformat
import pytest
from conftest import install_npm_packages, looked_at, serve
from jupyterlab_in_browser import Lab, command, jupyterlab, opened, python, run_all, wait_until

from kdcourse.commands.explore import figures_of_the_course
from kdcourse.figures import TemperatureExplorer, save

FIGURES = figures_of_the_course()
NAMES = [type(figure).__name__ for figure in FIGURES]
CELLS = [
    "import ipywidgets\n"
    "from kdcourse.figures import TemperatureExplorer\n"
    "explorer = TemperatureExplorer([[6.0, 2.0, -1.0], [1.0, 0.0, 2.0]], ['cat', 'dog', 'ship'])\n"
    "explorer",
    "box = ipywidgets.FloatText()\nipywidgets.jslink((explorer, 'temperature'), (box, 'value'))\nbox",
    "explorer",
]
TEMPERATURE = "input[aria-label=Temperature]"


def output_of(figure) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("display_data", data=figure._repr_mimebundle_())


def notebook_of(*figures) -> nbformat.NotebookNode:
    cells = [nbformat.v4.new_markdown_cell("# Figures")]
    cells += [nbformat.v4.new_code_cell("figure", outputs=[output_of(figure)]) for figure in figures]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def press(slider, key: str, times: int = 1) -> None:
    slider.focus()
    for _ in range(times):
        slider.press(key)


# ---- a page by itself


@pytest.fixture(scope="module")
def page_of_all(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("saved") / "figures.html"
    save(FIGURES, path, "All figures")
    return path.as_uri()


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Iterator[str]:
    """A book of one page, built as ours is."""
    source, out = (tmp_path_factory.mktemp(name) for name in ("source", "book"))
    (source / "conf.py").write_text(
        "extensions = ['myst_nb']\nnb_execution_mode = 'off'\nnb_ipywidgets_js = {}\nhtml_theme = 'sphinx_book_theme'\n"
        "html_context = {'default_mode': 'auto'}\n"
    )
    nbformat.write(notebook_of(*FIGURES), source / "index.ipynb")
    subprocess.run([sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", str(source), str(out)], check=True)
    with serve(out) as address:
        yield address


def move(section) -> None:
    """Its first slider, or where it has none the last choice of its first list."""
    slider, choices = section.locator("input[type=range]"), section.locator("select").first
    if slider.count():
        press(slider.first, "PageUp")
    else:
        choices.select_option(index=choices.locator("option").count() - 1)


def check_alive(browser, address: str, count: int) -> None:
    """So many figures live at the address without a kernel, and ask nobody."""
    page, errors, strangers = looked_at(browser, address, address)
    wait_until(lambda: page.locator("section.figure").count() == count)
    for section in page.locator("section.figure").all():
        before = section.inner_text()
        move(section)
        assert section.inner_text() != before
    assert not any(note.is_visible() for note in page.get_by_text("To make it live").all())
    assert errors == [] and strangers == []
    page.close()


@pytest.mark.smoke
@pytest.mark.parametrize("figure", FIGURES, ids=NAMES)
def test_each_lives_in_a_file_of_its_own(browser, tmp_path, figure):
    figure.save(tmp_path / "figure.html")
    check_alive(browser, (tmp_path / "figure.html").as_uri(), 1)


@pytest.mark.parametrize("host", ["page_of_all", "book"])
def test_all_live_beside_each_other(browser, request, host):
    check_alive(browser, request.getfixturevalue(host), len(FIGURES))


def test_a_column_follows_the_hand_and_the_keys(browser, tmp_path):
    TemperatureExplorer([1.0, 0.0, 2.0]).save(tmp_path / "figure.html")
    page, errors, _ = looked_at(browser, (tmp_path / "figure.html").as_uri(), tmp_path.as_uri())
    column = page.locator(".column").first
    bar = column.locator(".bar")
    box, ground = bar.bounding_box(), column.locator(".track").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 5, ground["y"] + 60)
    page.mouse.up()
    assert bar.bounding_box()["y"] == pytest.approx(ground["y"] + 60, abs=1)
    dragged = float(column.get_attribute("aria-valuenow"))
    press(column, "ArrowDown", 3)
    press(column, "Shift+ArrowUp")
    assert float(column.get_attribute("aria-valuenow")) == pytest.approx(dragged + 0.7, abs=0.01)
    page.get_by_role("button", name="Reset").click()
    assert column.get_attribute("aria-valuenow") == "1.00" and errors == []


def test_names_are_text_and_never_html(browser, tmp_path):
    attack = "</script><script>document.title = 'broken'</script><img src=x onerror=\"document.title = 'broken'\">"
    TemperatureExplorer([1.0, 2.0], [attack, "'\"&lt;"]).save(tmp_path / "figure.html")
    page, errors, strangers = looked_at(browser, (tmp_path / "figure.html").as_uri(), tmp_path.as_uri())
    assert page.title() == "Temperature explorer" and errors == strangers == []
    assert [node.get_attribute("title") for node in page.locator(".column").all()] == [attack, "'\"&lt;"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, page_of_all, theme):
    axe = install_npm_packages() / "axe-core" / "axe.min.js"
    page = browser.new_page(color_scheme=theme, reduced_motion="reduce")
    page.goto(page_of_all)
    page.add_script_tag(path=axe)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    serious = [(rule["id"], rule["nodes"][0]["html"]) for rule in found if rule["impact"] in ("serious", "critical")]
    assert serious == []
    assert set(page.locator("section.figure").evaluate_all("all => all.map(each => each.dataset.theme)")) == {theme}


@pytest.mark.parametrize("width", [360, 460])
def test_it_fits_a_phone_and_zoom_and_answers_to_touch(browser, page_of_all, width):
    """460 CSS pixels are what a window of 920 has at zoom 200 %."""
    page = browser.new_page(viewport={"width": width, "height": 800}, has_touch=True)
    page.goto(page_of_all)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    column = page.locator(".column").first
    column.scroll_into_view_if_needed()
    before, box = column.get_attribute("aria-valuenow"), column.locator(".track").bounding_box()
    page.touchscreen.tap(box["x"] + 3, box["y"] + 20)
    assert column.get_attribute("aria-valuenow") != before


def test_every_control_is_reached_by_tab(browser, page_of_all):
    page = browser.new_page()
    page.goto(page_of_all)
    for section in page.locator("section.figure").all():
        controls = section.locator("input, select, button:enabled, [tabindex='0']").all()
        controls[0].focus()
        for control in controls:
            assert control.evaluate("node => node.getRootNode().activeElement === node"), control.evaluate(
                "n => n.outerHTML"
            )
            page.keyboard.press("Tab")


# ---- JupyterLab


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Lab]:
    with jupyterlab(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("lab")) as lab:
        yield lab


def test_with_a_kernel_saved_closed_and_reopened(browser, lab):
    notebook = notebook_of()
    notebook.cells = [nbformat.v4.new_code_cell(code) for code in CELLS]
    nbformat.write(notebook, lab.folder / "live.ipynb")
    page = opened(browser, lab, "live.ipynb")
    run_all(page)
    page.wait_for_selector("section.figure >> nth=1")
    views = page.locator("section.figure")
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
    outputs = [cell.outputs[0] for cell in nbformat.read(lab.folder / "live.ipynb", 4).cells]
    assert "application/vnd.jupyter.widget-view+json" not in outputs[0]["data"]

    page = opened(browser, lab, "live.ipynb")
    slider = page.locator(f"section.figure >> nth=0 >> {TEMPERATURE}")
    press(slider, "ArrowLeft")
    wait_until(lambda: slider.input_value() == "-0.005")
    assert "model not found" not in page.inner_text(".jp-Notebook .jp-Cell >> nth=0").lower()
    page.close()


def test_loss_and_knowledge_with_a_kernel(browser, lab):
    notebook = notebook_of()
    notebook.cells = [
        nbformat.v4.new_code_cell(
            "from kdcourse.figures import DarkKnowledge, LossExplorer\nloss = LossExplorer()\nloss"
        ),
        nbformat.v4.new_code_cell(
            "knowledge = DarkKnowledge([[2.0, 1.0], [0.0, 3.0]], [0, 1], [[[0, 1]], [[1, 0]]])\nknowledge"
        ),
    ]
    nbformat.write(notebook, lab.folder / "two.ipynb")
    page = opened(browser, lab, "two.ipynb")
    run_all(page)
    page.wait_for_selector("section.figure >> nth=1")
    bar = page.get_by_role("slider", name="student's logit of dog")
    press(bar, "ArrowUp", 5)
    wait_until(lambda: python(page, "loss.student_logits[1]") == "3.0")
    page.get_by_role("combobox", name="Soft loss").select_option("reverse")
    wait_until(lambda: python(page, "loss.direction") == "'reverse'")
    python(page, "0", "loss.student_logits = [0, -1, 0, 0, 0]; knowledge.selected = 1")
    wait_until(lambda: bar.get_attribute("aria-valuenow") == "-1.00")
    wait_until(lambda: page.locator(".images [aria-selected=true]").get_attribute("id") == "image-1")
    page.get_by_role("option", name="image 0").click()
    wait_until(lambda: python(page, "knowledge.selected") == "0")
    page.close()


BESIDE = [
    "import ipywidgets\nfrom kdcourse.figures import LossExplorer, Simplex, beside\nloss = LossExplorer()\nloss",
    "ipywidgets.HBox([loss, LossExplorer(temperature=2.0)])",
    "beside(Simplex(), Simplex(temperature=1.0))",
]


def shown_in(path) -> list[str]:
    """The HTML of the outputs of a saved notebook."""
    outputs = [cell.outputs[0]["data"] for cell in nbformat.read(path, 4).cells if cell.outputs]
    return ["".join(data.get("text/html", "")) for data in outputs]


def is_wide(view) -> bool:
    box = view.bounding_box()
    return box is not None and box["width"] > 300


def test_a_saved_notebook_holds_what_was_seen_and_it_is_told_that_the_kernel_is_gone(browser, lab):
    notebook, path = notebook_of(), lab.folder / "beside.ipynb"
    notebook.cells = [nbformat.v4.new_code_cell(code) for code in BESIDE]
    nbformat.write(notebook, path)
    page = opened(browser, lab, path.name)
    run_all(page)
    views = page.locator("section.figure")
    wait_until(lambda: views.count() == 5, seconds=60)
    wait_until(lambda: all(is_wide(view) for view in views.all()))  # in an HBox too
    slider = views.nth(0).locator(TEMPERATURE)
    press(slider, "ArrowRight", 5)

    def is_saved() -> bool:
        command(page, "docmanager:save")
        return '"temperature": 4.2' in shown_in(path)[0]

    wait_until(is_saved, seconds=30)
    assert slider.evaluate("node => node.getRootNode().activeElement === node")  # the keys stay on it
    press(slider, "ArrowRight")
    wait_until(lambda: float(python(page, "loss.temperature")) > 4.2)
    other = page.locator("section.figure").last.locator("button").last  # of another cell
    other.focus()
    wait_until(
        lambda: '"temperature": 4.2,' not in (command(page, "docmanager:save"), shown_in(path)[0])[1], seconds=30
    )
    assert other.evaluate("node => node.getRootNode().activeElement === node")  # and are not taken from there
    assert not page.get_by_text("The kernel is gone").first.is_visible()
    command(page, "kernelmenu:shutdown")
    page.get_by_text("The kernel is gone").first.wait_for()
    page.close()

    page = opened(browser, lab, path.name)
    wait_until(lambda: page.locator("section.figure").count() == 3)  # without a kernel: the HBox is gone, beside is not
    assert float(page.locator(TEMPERATURE).first.input_value()) > 0.62
    page.close()


def test_an_untrusted_notebook_shows_a_picture(browser, lab):
    nbformat.write(notebook_of(*FIGURES), lab.folder / "foreign.ipynb")
    page = opened(browser, lab, "foreign.ipynb")
    pictures = page.locator(".jp-OutputArea-output img")
    wait_until(lambda: pictures.count() == len(FIGURES))  # JupyterLab draws one cell after the other
    for picture, figure in zip(pictures.all(), FIGURES, strict=True):
        assert picture.get_attribute("alt") == figure.alt
        wait_until(lambda picture=picture: picture.evaluate("node => node.naturalWidth") > 300)
    assert page.locator("section.figure").count() == 0
    wait_until(page.get_by_text("To make it live").first.is_visible)
    page.close()
