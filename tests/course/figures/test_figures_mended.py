"""What once went wrong with the figures, in Chromium: paper, forced colours, many classes, fingers, type, keys."""

import io
import re
import zlib

import numpy as np
import pytest
from conftest import looked_at
from PIL import Image
from test_figures_learning import node

from kdcourse.commands.explore import figures_of_the_course
from kdcourse.figures import DarkKnowledge, LossExplorer, Playground, Simplex, TemperatureExplorer, save

BLUE, ORANGE = (0, 0x72, 0xB2), (0xB8, 0x7A, 0)
MANY = [f"class {k}" for k in range(1000)]


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("figures") / "all.html"
    save(figures_of_the_course(), path, "All figures")
    return path.as_uri()


@pytest.fixture(scope="module")
def page(browser, address):
    page, errors, strangers = looked_at(browser, address, address)
    yield page
    assert errors == strangers == []
    page.close()


def figure(page, name: str):
    return page.get_by_role("region", name=name, exact=True)


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
def test_marks_are_printed_in_light_colours_without_backgrounds(browser, address, theme):
    page = browser.new_page(color_scheme=theme)
    page.goto(address)
    pdf = page.pdf(print_background=False)
    assert fills(pdf, BLUE) >= 9 + 5  # columns, the student's bars
    assert fills(pdf, ORANGE) >= 5 + 10 + 90  # the teacher's bars, those of an image, cells of the table
    page.close()


def test_marks_survive_forced_colours(browser, address):
    page = browser.new_page(forced_colors="active")
    page.goto(address)
    for locator, colour in (
        (".column:not(.marked) .bar >> nth=0", BLUE),
        (".bar svg.teacher >> nth=0", ORANGE),
        (".ten .top .room svg", ORANGE),
    ):
        mark = page.locator(locator)
        mark.scroll_into_view_if_needed()
        box = mark.bounding_box()
        clip = {"x": box["x"] + box["width"] / 3, "y": box["y"] + box["height"] / 2, "width": 3, "height": 2}
        shot = page.screenshot(clip=clip)
        pixels = np.array(Image.open(io.BytesIO(shot)).convert("RGB"))
        assert (pixels == colour).all(axis=-1).any(), locator
    page.close()


@pytest.fixture(scope="module")
def page_of_many(browser, tmp_path_factory):
    rows = np.random.default_rng(0).normal(0, 2, (4, 1000))
    figures = [
        TemperatureExplorer(rows, MANY, labels=[3, 999, 5, 7]),
        LossExplorer(rows[0], rows[1], 777, MANY),
        DarkKnowledge(rows, [3, 999, 5, 3], np.zeros((4, 8, 8)), MANY),
    ]
    path = tmp_path_factory.mktemp("many") / "many.html"
    save(figures, path, "Many classes")
    page, errors, strangers = looked_at(browser, path.as_uri(), path.as_uri())
    yield page, rows
    assert errors == strangers == []
    page.close()


@pytest.mark.parametrize("name", ["temperature explorer", "loss explorer", "dark knowledge"])
def test_of_a_thousand_classes_the_top_ones_are_shown(page_of_many, name):
    section = figure(page_of_many[0], name)
    assert section.evaluate("node => node.querySelectorAll('*:not(option)').length") < 1200
    assert section.bounding_box()["height"] < 1500
    assert "others" in section.inner_text()


def test_the_rest_of_a_thousand_classes_is_their_sum(page_of_many):
    page, rows = page_of_many
    column = page.locator(".column.rest")
    p = np.exp(rows[0]) / np.exp(rows[0]).sum()
    top = set(np.argsort(-p)[:20])
    shown = top if 3 in top else {*np.argsort(-p)[:19], 3}
    assert float(column.locator(".track span").inner_text()) == pytest.approx(1 - p[sorted(shown)].sum(), abs=0.006)
    assert column.get_attribute("role") is None
    names = page.locator(".column:not(.rest)").evaluate_all("all => all.map((one) => one.title)")
    assert names == [MANY[k] for k in sorted(shown)]


def swipe(page, locator, x: float = 0, y: float = 0) -> None:
    """A finger that comes down in the middle of it and moves."""
    box, session = locator.bounding_box(), page.context.new_cdp_session(page)
    left, top = box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2
    for step in range(12):
        kind, share = "touchMove" if step else "touchStart", step / 11
        point = {"x": left + share * x, "y": top + share * y}
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_finger_that_scrolls_changes_nothing_and_one_that_moves_along_does(browser, tmp_path):
    save([TemperatureExplorer([1.0, 0.0, 2.0]), LossExplorer()], tmp_path / "figure.html", "Swiped")
    page = browser.new_page(viewport={"width": 360, "height": 640}, has_touch=True)
    page.goto((tmp_path / "figure.html").as_uri())
    state = "() => [...globalThis.kdlearnStates.values()].map((one) => JSON.stringify(one.values))"
    before = page.evaluate(state)
    for name in (".column >> nth=0", "input[type=range] >> nth=0", ".rows .bar >> nth=0"):
        locator = page.locator(name)
        locator.scroll_into_view_if_needed()
        at = page.evaluate("scrollY")
        swipe(page, locator, y=-120)
        page.wait_for_function(f"scrollY > {at}")
        assert page.evaluate(state) == before, name
    locator.scroll_into_view_if_needed()
    swipe(page, page.locator(".rows .bar >> nth=0"), x=-60)
    page.wait_for_function(f"({state})()[1] !== {before[1]!r}")
    page.close()


def test_the_axis_of_the_pushes_stays(page):
    section = figure(page, "loss explorer")
    axis = section.locator(".axis").nth(1)
    before = axis.inner_text()
    for value in ("-1", "2", "0"):
        section.get_by_role("slider", name="Temperature").fill(value)
        assert axis.inner_text() == before
    section.get_by_role("slider", name="teacher's logit of cat").press("End")
    assert axis.inner_text() == before
    assert section.locator(".push svg svg path").count() > 0
    section.get_by_role("button", name="Reset").click()


def test_hard_label_is_never_said_of_the_ground_truth(page):
    explorer = figure(page, "temperature explorer").inner_text()
    assert "Ground truth: 7. Hard label of these logits: 2." in explorer
    after = "node => getComputedStyle(node, '::after').content"
    assert page.locator(".name.label").evaluate(after) == '"ground truth"'
    assert "The teacher's hard label: " in figure(page, "dark knowledge").inner_text()


def test_type_follows_the_readers_size(page):
    page.evaluate("document.documentElement.style.fontSize = '32px'")
    size = "node => getComputedStyle(node).fontSize"
    assert all(float(section.evaluate(size)[:-2]) == 28 for section in page.locator("section.figure").all())
    page.evaluate("document.documentElement.style.fontSize = ''")
    assert page.locator("section.figure").first.evaluate(size) == "14px"


def test_home_end_and_the_page_keys_move_a_logit(page):
    column = figure(page, "temperature explorer").locator(".column").first
    start = float(column.get_attribute("aria-valuenow"))
    for key, expected in (("PageUp", start + 1), ("PageDown", start), ("Home", -50), ("End", 50), ("PageUp", 50)):
        column.press(key)
        assert float(column.get_attribute("aria-valuenow")) == pytest.approx(expected, abs=0.006)
    figure(page, "temperature explorer").get_by_role("button", name="Reset").click()


def test_in_a_row_of_flexible_boxes_it_keeps_its_width(browser, tmp_path):
    Simplex().save(tmp_path / "figure.html")
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    page.goto((tmp_path / "figure.html").as_uri())
    wide = page.evaluate("""() => {
        const row = document.createElement("div"), host = document.querySelector(".kdlearn-figure");
        row.style.display = "flex";
        document.body.append(row);
        row.append(host);
        return host.offsetWidth;
    }""")
    assert wide >= 360
    page.close()


# ---- the playground


@pytest.fixture(scope="module")
def playground(browser, tmp_path_factory):
    path = tmp_path_factory.mktemp("playground") / "figure.html"
    Playground().save(path)
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(path.as_uri())
    page.wait_for_function("[...kdlearnStates.values()][0].get('result').steps === 0")
    yield page
    page.close()


def test_controls_and_verdict_stand_on_one_screen(playground):
    places = [playground.get_by_role("button", name="Start"), playground.get_by_label("Label noise")]
    places += [playground.get_by_text("begin alike").last, playground.get_by_role("combobox", name="Right")]
    boxes = [place.bounding_box() for place in places]
    assert max(box["y"] + box["height"] for box in boxes) - min(box["y"] for box in boxes) < 500


def test_a_click_on_thumbnails_shows_their_seed(playground):
    canvas = playground.locator("canvas").last
    canvas.click(position={"x": canvas.bounding_box()["width"] * 0.05, "y": 20})
    playground.wait_for_function("[...kdlearnStates.values()][0].get('seed') === 1")
    playground.get_by_text("left student of seed 1:").wait_for()


def test_finished_runs_are_kept_and_set_again(playground):
    state = "[...kdlearnStates.values()][0]"
    settings = playground.evaluate(f"{state}.values")
    run = {"settings": {name: settings[name] for name in ("data_set", "left", "right", "temperature", "soft_weight")}}
    run["settings"] |= {"labelled_points": 40, "label_noise": 0, "data_set": "moons"}
    run |= {"difference": 1.25, "half_width": 0.5}
    playground.evaluate(f"run => {state}.set('history', [run])", run)
    playground.get_by_label("Temperature").press("ArrowRight")
    row = playground.locator(".history tbody tr")
    assert "moons" in row.inner_text() and "± 0.5" in row.inner_text()
    row.get_by_role("button", name="Set again").click()
    playground.wait_for_function(f"{state}.get('data_set') === 'moons' && {state}.get('temperature') === 2")


def test_dots_lie_where_their_values_are_and_the_axis_reaches_the_lowest_accuracy():
    drawn = node(
        """const dots = [], shape = (x, y, radius) => dots.push([x, y, radius]);
        const surface = { width: 332, line() {}, write() {}, shape };
        P.paintDifferences(surface, { differences: given, mean: 1, halfWidth: 0.5 }, 0, () => "");
        return [dots, P.floorOf([55, 90]), P.floorOf([31]), P.floorOf([12, 99])];""",
        values := [0.1, 0.2, -3.0, 5.0, 0.15],
        module="painting",
    )
    dots, *floors = drawn
    assert [x for x, _, _ in dots[:-1]] == pytest.approx([166 + 150 * value / 5.5 for value in values])
    places = [(x, y) for x, y, radius in dots if radius == 3]
    assert all(abs(a - c) >= 7 or b != d for i, (a, b) in enumerate(places) for c, d in places[:i])
    assert floors == [40, 20, 0]
