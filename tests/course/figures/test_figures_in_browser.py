"""All figures in Chromium, without a kernel: one trait after the other that each must have."""

import io
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator

import nbformat
import numpy as np
import pytest
from conftest import install_npm_packages, looked_at, serve
from figures_in_page import drag, numbers, state
from jupyterlab_in_browser import notebook_of, press, wait_until
from nbconvert import HTMLExporter
from PIL import Image

from kdcourse.commands.explore import figures_of_the_course
from kdcourse.figures import (
    Atlas,
    DarkKnowledge,
    DrawADigit,
    LossExplorer,
    SpeakADigit,
    TemperatureExplorer,
    TypeASentence,
    save,
)

FIGURES = figures_of_the_course()
BLUE, ORANGE = (0, 0x72, 0xB2), (0xB8, 0x7A, 0)

# ---- each lives, wherever it stands


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


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> str:
    """By nbconvert for a reader without a network: MathJax and RequireJS, which nothing here needs, are left out."""
    exporter = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="", widget_renderer_url="")
    path = tmp_path_factory.mktemp("exported") / "notebook.html"
    path.write_text(exporter.from_notebook_node(notebook_of(*FIGURES))[0], encoding="utf-8")
    return path.as_uri()


def check_alive(browser, address: str, count: int) -> None:
    """So many figures live at the address, follow their first slider or list, and ask nobody."""
    page, errors, strangers = looked_at(browser, address, address)
    wait_until(lambda: page.locator("section.figure").count() == count)
    for section in page.locator("section.figure").all():
        before, slider = section.inner_text(), section.locator("input[type=range]")
        if slider.count():
            press(slider.first, "PageUp")
        else:
            choices = section.locator("select").first
            choices.select_option(index=choices.locator("option").count() - 1)
        assert section.inner_text() != before
    assert not any(note.is_visible() for note in page.get_by_text("To make it live").all())
    assert errors == strangers == []
    page.close()


@pytest.mark.smoke
@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: type(figure).__name__)
def test_each_lives_in_a_file_of_its_own(browser, tmp_path, figure):
    figure.save(tmp_path / "figure.html")
    check_alive(browser, (tmp_path / "figure.html").as_uri(), 1)


@pytest.mark.parametrize("host", ["page_of_all", "book", "exported"])
def test_all_live_beside_each_other(browser, request, host):
    check_alive(browser, request.getfixturevalue(host), len(FIGURES))


def test_without_scripts_each_is_a_picture_with_its_words(browser, exported):
    page = browser.new_page(java_script_enabled=False)
    page.goto(exported)
    for figure in FIGURES:
        picture = page.get_by_role("img", name=figure.alt, exact=True)
        assert picture.is_visible() and picture.bounding_box()["width"] > 300
    assert page.get_by_text("To make it live").count() == len(FIGURES)
    page.close()


# ---- for every reader


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(live, theme):
    page = live(*FIGURES, color_scheme=theme, reduced_motion="reduce")
    page.add_script_tag(path=install_npm_packages() / "axe-core" / "axe.min.js")
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    serious = [(rule["id"], rule["nodes"][0]["html"]) for rule in found if rule["impact"] in ("serious", "critical")]
    assert serious == []
    assert set(page.locator("section.figure").evaluate_all("all => all.map(each => each.dataset.theme)")) == {theme}


@pytest.mark.parametrize("width", [360, 460])
def test_it_fits_a_phone_and_zoom_and_answers_to_touch(live, width):
    """460 CSS pixels are what a window of 920 has at zoom 200 %."""
    page = live(*FIGURES, viewport={"width": width, "height": 800}, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    column = page.locator(".column").first
    column.scroll_into_view_if_needed()
    before, box = column.get_attribute("aria-valuenow"), column.locator(".track").bounding_box()
    page.touchscreen.tap(box["x"] + 3, box["y"] + 20)
    assert column.get_attribute("aria-valuenow") != before


def test_every_control_is_reached_by_tab_and_type_follows_the_readers_size(live):
    page, size = live(*FIGURES), "all => all.map((node) => getComputedStyle(node).fontSize)"
    sections = page.locator("section.figure")
    for section in sections.all():
        controls = section.locator("input, select, button:enabled, [tabindex='0']").all()
        controls[0].focus()
        for control in controls:
            focused = control.evaluate("node => node.getRootNode().activeElement === node")
            assert focused, control.evaluate("node => node.outerHTML")
            page.keyboard.press("Tab")
    assert set(sections.evaluate_all(size)) == {"14px"}
    page.evaluate("document.documentElement.style.fontSize = '32px'")
    assert set(sections.evaluate_all(size)) == {"28px"}


def fills(pdf: bytes, colour: tuple[int, int, int]) -> int:
    """How often a page of the PDF sets this colour to fill with."""
    found = 0
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            text = zlib.decompress(stream)
        except zlib.error:
            continue
        for operands in re.findall(rb"([\d.]+ [\d.]+ [\d.]+) rg\n", text):
            found += np.allclose([255 * float(value) for value in operands.split()], colour, atol=1)
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_marks_are_printed_in_light_colours_without_backgrounds(live, theme):
    page = live(*FIGURES, color_scheme=theme)
    pdf = page.pdf(print_background=False)
    of_atlas = page.locator("td.more").count() + page.locator(".interval.more").count()
    assert fills(pdf, BLUE) >= 9 + 5 + of_atlas > 14  # columns, the student's bars, cells and intervals
    assert fills(pdf, ORANGE) >= 5 + 10 + 90  # the teacher's bars, those of an image, cells of the table


def pixels_of(png: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


def test_marks_survive_forced_colours(live):
    page = live(*FIGURES, forced_colors="active")
    marks = {
        ".column:not(.marked) .bar >> nth=0": BLUE,
        ".bar svg.teacher >> nth=0": ORANGE,
        ".ten .top .room svg": ORANGE,
    }
    for locator, colour in marks.items():
        mark = page.locator(locator)
        mark.scroll_into_view_if_needed()
        box = mark.bounding_box()
        clip = {"x": box["x"] + box["width"] / 3, "y": box["y"] + box["height"] / 2, "width": 3, "height": 2}
        assert (pixels_of(page.screenshot(clip=clip)) == colour).all(axis=-1).any(), locator


def swipe(page, locator, x: float = 0, y: float = 0) -> None:
    """A finger that comes down in the middle of it and moves."""
    locator.scroll_into_view_if_needed()
    box, session = locator.bounding_box(), page.context.new_cdp_session(page)
    left, top = box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2
    for step in range(12):
        kind, share = "touchMove" if step else "touchStart", step / 11
        point = {"x": left + share * x, "y": top + share * y}
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_finger_that_scrolls_changes_nothing_and_one_that_moves_along_does(live):
    figures = TemperatureExplorer([1.0, 0.0, 2.0]), LossExplorer()
    page = live(*figures, viewport={"width": 360, "height": 640}, has_touch=True)
    values = "() => [...globalThis.kdlearnStates.values()].map((one) => JSON.stringify(one.values))"
    before = page.evaluate(values)
    for name in (".column >> nth=0", "input[type=range] >> nth=0", ".rows .bar >> nth=0"):
        locator = page.locator(name)
        locator.scroll_into_view_if_needed()
        at = page.evaluate("scrollY")
        swipe(page, locator, y=-120)
        page.wait_for_function(f"scrollY > {at}")
        assert page.evaluate(values) == before, name
    swipe(page, locator, x=-60)
    page.wait_for_function(f"({values})()[1] !== {before[1]!r}")


# ---- what is shown


ATTACK = "</script><script>document.title = 'broken'</script><img src=x onerror=\"document.title = 'broken'\">"
NAMES = [ATTACK, "'\"&lt;"]


@pytest.mark.parametrize(
    ("figure", "shown"),
    [
        (TemperatureExplorer([1.0, 2.0], NAMES), ".column"),
        (LossExplorer([1.0, 2.0], [2.0, 1.0], 0, NAMES), ".name"),
        (DarkKnowledge([[1.0, 2.0]], [1], np.zeros((1, 8, 8)), NAMES), "tbody th"),
    ],
)
def test_names_are_text_and_never_html(live, figure, shown):
    page = live(figure)
    texts = "all => all.map((node) => node.title || node.textContent)"
    assert page.title() == "Figures" and page.locator(shown).evaluate_all(texts) == NAMES


@pytest.mark.parametrize(
    ("kind", "seen", "waits"),
    [
        (DrawADigit, [".pad", ".hard-label"], [".ten", ".presets"]),
        (TypeASentence, ["textarea", "text=hard label: Danish"], [".soft", ".languages"]),
        (SpeakADigit, ["canvas"], [".bars >> nth=0"]),
        (Atlas, [], [".map"]),
    ],
)
def test_what_the_guess_is_about_is_seen_while_it_waits(live, kind, seen, waits):
    page = live(kind(ask=True))
    shown = [page.locator(f"section >> {name}").first.is_visible for name in (*seen, *waits)]
    assert [is_shown() for is_shown in shown] == [True] * len(seen) + [False] * len(waits)
    page.get_by_role("button", name="Show me").click()
    assert all(is_shown() for is_shown in shown)


@pytest.mark.parametrize(
    ("figure", "address", "expected"),
    [
        (TypeASentence(), "type-a-sentence&text=Où+est-il+%3F&T=4", {"text": "Où est-il ?", "temperature": 4}),
        (SpeakADigit(), "speak-a-digit&sound=2&T=20", {"sound": 2, "temperature": 20}),
        (
            Atlas(),
            "atlas&images=240&rate=each+its+own&length=3000&T=8&kind=nobody",
            {"images": 240, "rate": "each its own", "length": 3000, "temperature": 8, "kind": "as they are"},
        ),
    ],
)
def test_it_opens_at_its_address_and_keeps_it(live, figure, address, expected):
    page = live(figure, where=f"#figure={address}")
    assert {name: state(page, name) for name in expected} == expected
    page.evaluate("[...kdlearnStates.values()][0].set('temperature', 2)")
    page.wait_for_function("location.hash.match(/T=2(&|$)/)")
    page.reload()
    assert {name: state(page, name) for name in expected} == {**expected, "temperature": 2}


def test_hard_label_is_never_said_of_the_ground_truth(live):
    page = live(*FIGURES)
    page.locator("#temperature-explorer").get_by_text("Ground truth: 7. Hard label of these logits: 2.").wait_for()
    page.locator("#dark-knowledge").get_by_text("The teacher's hard label: ").first.wait_for()
    after = "node => getComputedStyle(node, '::after').content"
    assert page.locator(".name.label").evaluate(after) == '"ground truth"'


def test_of_a_thousand_classes_the_top_ones_and_the_sum_of_the_rest_are_shown(live):
    rows, names = np.random.default_rng(0).normal(0, 2, (4, 1000)), [f"class {k}" for k in range(1000)]
    page = live(
        TemperatureExplorer(rows, names, labels=[3, 999, 5, 7]),
        LossExplorer(rows[0], rows[1], 777, names),
        DarkKnowledge(rows, [3, 999, 5, 3], np.zeros((4, 8, 8)), names),
    )
    for section in page.locator("section.figure").all():
        assert section.evaluate("node => node.querySelectorAll('*:not(option)').length") < 1200
        assert section.bounding_box()["height"] < 1500 and "others" in section.inner_text()
    p = np.exp(rows[0]) / np.exp(rows[0]).sum()
    top = set(np.argsort(-p)[:20])
    shown = sorted(top if 3 in top else {*np.argsort(-p)[:19], 3})
    column = page.locator(".column.rest")
    assert numbers(column.locator(".track span")) == pytest.approx([1 - p[shown].sum()], abs=0.006)
    assert column.get_attribute("role") is None
    titles = page.locator(".column:not(.rest)").evaluate_all("all => all.map((one) => one.title)")
    assert titles == [names[k] for k in shown]


def test_a_column_follows_the_hand_and_the_keys(live):
    page = live(TemperatureExplorer([1.0, 0.0, 2.0]))
    column = page.locator(".column").first
    bar = column.locator(".bar")
    box, ground = bar.bounding_box(), column.locator(".track").bounding_box()
    drag(page, (box["x"] + 5, box["y"] + 2), (box["x"] + 5, ground["y"] + 60))
    assert bar.bounding_box()["y"] == pytest.approx(ground["y"] + 60, abs=1)
    at = float(column.get_attribute("aria-valuenow"))
    moves = [
        ("ArrowDown", at - 0.1),
        ("ArrowRight", at),
        ("Shift+ArrowUp", at + 1),
        ("PageDown", at),
        ("PageUp", at + 1),
    ]
    for key, expected in [*moves, ("Home", -50), ("End", 50), ("PageUp", 50)]:
        column.press(key)
        assert float(column.get_attribute("aria-valuenow")) == pytest.approx(expected, abs=0.011)
    page.get_by_role("button", name="Reset").click()
    assert column.get_attribute("aria-valuenow") == "1.00"
