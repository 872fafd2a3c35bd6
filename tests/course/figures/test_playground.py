"""The playground in Chromium, from a file, without a kernel; and its Python class."""

import re

import pytest
import traitlets
from conftest import looked_at
from test_figures_learning import node

from kdcourse.figures import Playground
from kdcourse.figures.playground import LABELS, RECORDED

RESULT = "[...globalThis.kdlearnStates.values()][0].get('result')"
RUN = """return given.map((settings) => {
  let teacher;
  for (teacher of L.trainTeacher(settings.data_set));
  const room = P.openClassroom(settings, teacher, L.drawPoints(settings.data_set, 1000, L.randomNumbers(0, 2)));
  for (let step = 0; step < 1000; step++) room.learn();
  return room.compare();
});"""


@pytest.fixture
def opened(browser, tmp_path):
    def open_page(**state):
        Playground(**state).save(tmp_path / "playground.html")
        page, errors, strangers = looked_at(browser, (tmp_path / "playground.html").as_uri(), tmp_path.as_uri())
        page.wait_for_function(f"{RESULT}.steps === 0")
        return page, errors + strangers

    return open_page


def steps_of(page) -> int:
    return int(re.search(r"step (\d+) of", page.locator("section.figure").inner_text()).group(1))


def press(page, name: str) -> None:
    page.get_by_role("button", name=name).press("Enter")


def test_it_starts_pauses_steps_resets_and_ends_where_it_was_recorded(opened):
    page, complaints = opened()
    assert steps_of(page) == 0 and page.get_by_text("begin alike").first.is_visible()
    press(page, "Start")
    page.get_by_text(re.compile(r"step \d{3} of")).wait_for()
    press(page, "Pause")
    page.wait_for_function(f"{RESULT}.steps >= 100")
    paused = steps_of(page)
    assert paused < 1000
    press(page, "Step")
    page.wait_for_function(f"{RESULT}.steps === {paused + 1}")  # which a figure that went on would have passed
    assert page.evaluate(RESULT)["right"] > 60
    press(page, "Start")
    page.get_by_role("button", name="Train again").wait_for(timeout=60_000)
    result = page.evaluate(RESULT)
    assert result["steps"] == 1000
    assert (result["difference"], result["half_width"]) == pytest.approx(RECORDED["blobs"], abs=0.5)
    assert result["difference"] == pytest.approx(result["right"] - result["left"])
    said = page.get_by_text("After 1000 steps").first.inner_text()
    assert f"+{result['difference']:.1f} ± {result['half_width']:.1f} points: right is better" in said
    press(page, "Reset")
    page.wait_for_function(f"{RESULT}.steps === 0")
    assert steps_of(page) == 0 and complaints == []


def test_the_same_labels_are_no_difference(opened):
    page, _ = opened(left="soft labels", right="soft labels")
    for _ in range(3):
        press(page, "Step")
    page.wait_for_function(f"{RESULT}.steps === 3")
    assert page.get_by_text("0.0 ± 0.0 points: not distinguishable from 0").first.is_visible()


def test_what_is_taught_begins_anew_and_what_is_shown_does_not(opened):
    page, complaints = opened()
    press(page, "Step")
    page.wait_for_function(f"{RESULT}.steps === 1")
    page.get_by_label("Seed shown").press("ArrowRight")
    page.get_by_text("seed 11:").first.wait_for()
    assert steps_of(page) == 1
    page.get_by_label("Temperature").press("ArrowRight")
    page.wait_for_function(f"{RESULT}.steps === 0")
    page.get_by_label("Data").select_option("spiral")
    page.get_by_text("97.").wait_for()
    assert complaints == []


def test_it_rests_when_removed_and_learns_again_when_back(opened):
    page, complaints = opened(labelled_points=8)
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
    assert asked == [0, True] and complaints == []


@pytest.mark.release
def test_the_recorded_differences_are_what_it_finds():
    defaults = {name: value for name, value in Playground().state.items() if name != "data_set"}
    others = [name for name in RECORDED if name != "blobs"]  # which the browser runs
    for name, found in zip(others, node(RUN, [{**defaults, "data_set": name} for name in others]), strict=True):
        assert (found["mean"], found["halfWidth"]) == pytest.approx(RECORDED[name], abs=0.5)


def test_it_says_what_is_seen_and_refuses_what_cannot_be():
    playground = Playground(data_set="moons", label_noise=0.2)
    assert "moons" in repr(playground) and "label noise 0.2" in repr(playground)
    assert "recorded" in playground.alt and "spiral {:+.1f} ± {:.1f}".format(*RECORDED["spiral"]) in playground.alt
    assert [text.get_text() for text in playground.draw().get_yticklabels()] == list(RECORDED)[::-1]
    playground.result = {"steps": 500, "left": 80.0, "right": 79.5, "difference": -0.5, "half_width": 0.75}
    assert "500 steps" in playground.alt and "moons -0.5 ± 0.8" in playground.alt and "recorded" not in playground.alt
    assert len(playground.draw().get_yticklabels()) == 1
    for state in ({"temperature": 0}, {"labelled_points": 4}, {"left": "hard"}, {"seed": 21}, {"label_noise": 0.6}):
        with pytest.raises((traitlets.TraitError, ValueError), match=next(iter(state))):
            Playground(**state)
    assert node("return [L.LABEL_KINDS, Object.keys(L.DATA_SETS)];") == [LABELS, list(RECORDED)]
