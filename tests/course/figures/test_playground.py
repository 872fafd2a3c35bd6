"""The playground in Chromium, from a file, without a kernel; and its Python class."""

import re
from pathlib import Path

import pytest
from figures_in_page import node, state, words

from kdcourse.figures import Playground
from kdcourse.figures.playground import LABELS, RECORDED
from kdlearn.data.files import read_json

NOTEBOOK = Path(__file__).parents[3] / "notebooks/04_first_distillation.ipynb"
RESULT = "[...globalThis.kdlearnStates.values()][0].get('result')"
RUN = """return given.map((settings) => {
  let teacher;
  for (teacher of L.trainTeacher(settings.data_set));
  const room = P.openClassroom(settings, teacher, L.drawPoints(settings.data_set, 1000, L.randomNumbers(0, 2)));
  for (let step = 0; step < 1000; step++) room.learn();
  return room.compare();
});"""


@pytest.fixture
def begun(live):
    def open_page(**values):
        page = live(Playground(**values), viewport={"width": 1280, "height": 800})
        page.wait_for_function(f"{RESULT}.steps === 0")
        return page

    return open_page


def steps_of(page) -> int:
    return int(re.search(r"step (\d+) of", words(page)).group(1))


def press(page, name: str) -> None:
    page.get_by_role("button", name=name).press("Enter")


def test_it_starts_pauses_steps_resets_and_ends_where_it_was_recorded(begun):
    page = begun()
    assert steps_of(page) == 0 and page.get_by_text("begin alike").first.is_visible()
    press(page, "Start")
    page.get_by_text(re.compile(r"step \d{3} of")).wait_for()
    press(page, "Pause")
    page.wait_for_function(f"{RESULT}.steps >= 100")
    paused = steps_of(page)
    assert paused < 1000
    press(page, "Step")
    page.wait_for_function(f"{RESULT}.steps === {paused + 1}")  # which a figure that went on would have passed
    assert state(page, "result")["right"] > 60
    press(page, "Start")
    page.get_by_role("button", name="Train again").wait_for(timeout=60_000)
    result = state(page, "result")
    assert result["steps"] == 1000
    assert (result["difference"], result["half_width"]) == pytest.approx(RECORDED["blobs"], abs=0.5)
    assert result["difference"] == pytest.approx(result["right"] - result["left"])
    said = page.get_by_text("After 1000 steps").first.inner_text()
    assert f"+{result['difference']:.1f} ± {result['half_width']:.1f} points: right is better" in said
    press(page, "Reset")
    page.wait_for_function(f"{RESULT}.steps === 0")
    assert steps_of(page) == 0


def test_the_same_labels_are_no_difference(begun):
    page = begun(left="soft labels", right="soft labels")
    for _ in range(3):
        press(page, "Step")
    page.wait_for_function(f"{RESULT}.steps === 3")
    assert page.get_by_text("0.0 ± 0.0 points: not distinguishable from 0").first.is_visible()


def test_what_is_taught_begins_anew_and_what_is_shown_does_not(begun):
    page = begun()
    press(page, "Step")
    page.wait_for_function(f"{RESULT}.steps === 1")
    page.get_by_label("Seed shown").press("ArrowRight")
    page.get_by_text("seed 11:").first.wait_for()
    canvas = page.locator("canvas").last
    canvas.click(position={"x": canvas.bounding_box()["width"] * 0.05, "y": 20})  # the first thumbnail
    page.get_by_text("left student of seed 1:").wait_for()
    assert state(page, "seed") == 1 == steps_of(page)
    page.get_by_label("Temperature").press("ArrowRight")
    page.wait_for_function(f"{RESULT}.steps === 0")
    page.get_by_label("Data").select_option("spiral")
    page.get_by_text("97.").wait_for()


def test_it_rests_when_removed_and_learns_again_when_back(begun):
    page = begun(labelled_points=8)
    press(page, "Start")
    asked = page.evaluate("""async () => {
        const host = [...document.body.children].find((node) => node.shadowRoot);
        const ask = globalThis.requestAnimationFrame;
        let asked = 0;
        globalThis.requestAnimationFrame = (...all) => { asked += 1; return ask(...all); };
        const rest = () => new Promise((resolve) => setTimeout(resolve, 300));
        host.remove();
        await rest();
        const away = asked;
        document.body.append(host);
        await rest();
        return [away, asked > away];
    }""")
    assert asked == [0, True]


def test_controls_and_verdict_stand_on_one_screen_and_finished_runs_are_kept_and_set_again(begun):
    page = begun()
    places = [page.get_by_role("button", name="Start"), page.get_by_label("Label noise")]
    places += [page.get_by_text("begin alike").last, page.get_by_role("combobox", name="Right")]
    boxes = [place.bounding_box() for place in places]
    assert max(box["y"] + box["height"] for box in boxes) - min(box["y"] for box in boxes) < 500

    settings = {**Playground().state, "data_set": "moons"}
    run = {"settings": settings, "difference": 1.25, "half_width": 0.5}
    page.evaluate("run => [...kdlearnStates.values()][0].set('history', [run])", run)
    page.get_by_label("Temperature").press("ArrowRight")
    row = page.locator(".history tbody tr")
    assert "moons" in row.inner_text() and "± 0.5" in row.inner_text()
    row.get_by_role("button", name="Set again").click()
    assert (state(page, "data_set"), state(page, "temperature")) == ("moons", settings["temperature"])


def test_dots_lie_where_their_values_are_and_the_axis_reaches_the_lowest_accuracy():
    values = [0.1, 0.2, -3.0, 5.0, 0.15]
    script = """const dots = [], shape = (x, y, radius) => dots.push([x, y, radius]);
        const surface = { width: 332, line() {}, write() {}, shape };
        P.paintDifferences(surface, { differences: given, mean: 1, halfWidth: 0.5 }, 0, () => "");
        return [dots, P.floorOf([55, 90]), P.floorOf([31]), P.floorOf([12, 99])];"""
    dots, *floors = node(script, values, "painting")
    assert [x for x, _, _ in dots[:-1]] == pytest.approx([166 + 150 * value / 5.5 for value in values])
    places = [(x, y) for x, y, radius in dots if radius == 3]
    assert all(abs(a - c) >= 7 or b != d for i, (a, b) in enumerate(places) for c, d in places[:i])
    assert floors == [40, 20, 0]


def found_with(*changes: dict) -> list[tuple[float, float]]:
    found = node(RUN, [{**Playground().state, **change} for change in changes])
    return [(one["mean"], one["halfWidth"]) for one in found]


@pytest.mark.release
def test_the_recorded_differences_are_what_it_finds():
    others = [name for name in RECORDED if name != "blobs"]  # which the browser runs
    for name, found in zip(others, found_with(*({"data_set": name} for name in others)), strict=True):
        assert found == pytest.approx(RECORDED[name], abs=0.5)


@pytest.mark.release
def test_the_three_differences_that_notebook_04_tells_are_what_it_finds():
    cells = ["".join(cell["source"]) for cell in read_json(NOTEBOOK)["cells"]]
    shown = cells.index('Playground(data_set="moons")')
    recorded = next(source for source in cells[shown:] if "were recorded.*" in source)
    said = [tuple(map(float, pair)) for pair in re.findall(r"(\d\.\d) ± (\d\.\d)", recorded)]
    tried = [{}, {"right": "teacher's hard labels"}, {"labelled_points": 400}]
    for pair, found in zip(said, found_with(*({"data_set": "moons"} | one for one in tried)), strict=True):
        assert found == pytest.approx(pair, abs=0.1)


def test_it_says_what_is_seen():
    playground = Playground(data_set="moons", label_noise=0.2)
    assert "moons" in repr(playground) and "label noise 0.2" in repr(playground)
    assert "recorded" in playground.alt and "spiral {:+.1f} ± {:.1f}".format(*RECORDED["spiral"]) in playground.alt
    assert [text.get_text() for text in playground.draw().get_yticklabels()] == list(RECORDED)[::-1]
    playground.result = {"steps": 500, "left": 80.0, "right": 79.5, "difference": -0.5, "half_width": 0.75}
    assert "500 steps" in playground.alt and "moons -0.5 ± 0.8" in playground.alt and "recorded" not in playground.alt
    assert len(playground.draw().get_yticklabels()) == 1
    assert node("return [L.LABEL_KINDS, Object.keys(L.DATA_SETS)];") == [LABELS, list(RECORDED)]
