"""The decks in a browser that reaches no other host: each slide fits and can be read from the back of a room."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import ROOT, install_npm_packages, looked_at, made_once

from kdcourse import theory
from kdcourse.claims import shows
from kdcourse.figures import LossExplorer
from kdcourse.records import recorded
from kdlearn import Comparison

sys.path.insert(0, str(ROOT / "book/teaching"))
import decks as teaching
import measured
from exam import write_exam
from handouts import write_handouts

SOURCES = ROOT / "book/teaching/decks"
LOOKED_AT = ["article_45", "diagnosis_45", "lecture_90", "luck_45"]  # the others are made of parts of these
each_deck = pytest.mark.parametrize("name", LOOKED_AT)
SMALLEST = 24  # pixels of 1,080
TEXTS = """section => {
  const found = [];
  const visit = (node) => {
    if (node.nodeType === Node.TEXT_NODE && /[\\p{L}\\p{N}]/u.test(node.data)) {
      const parent = node.parentElement, style = getComputedStyle(parent), range = document.createRange();
      range.selectNodeContents(node);
      const { left, top, right, bottom } = range.getBoundingClientRect();
      const matrix = parent.getScreenCTM?.();
      const size = parseFloat(style.fontSize) * (matrix ? Math.hypot(matrix.a, matrix.b) : 1);
      const seen = right > left && bottom - top > 1 && style.visibility === 'visible';
      if (seen) found.push({ text: node.data.trim(), size, left, top, right, bottom });
    }
    if (node.matches?.('.notes, mjx-container, script, style, .hidden-text, option, [aria-hidden=true]')) return;
    for (const child of node.shadowRoot?.childNodes ?? node.childNodes) visit(child);
  };
  visit(section);
  return found;
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    install_npm_packages()
    return made_once(tmp_path_factory, "slides", teaching.write_decks)


@pytest.fixture
def opened(folder, browser) -> Iterator[Any]:
    pages = []

    def open_deck(name: str, asked: str = "") -> Any:
        page, errors, strangers = looked_at(browser, f"{(folder / f'{name}.html').as_uri()}{asked}", folder.as_uri())
        pages.append(page)
        page.set_viewport_size({"width": 1920, "height": 1080})
        page.wait_for_function("window.Reveal?.isReady()")
        assert errors == strangers == []
        return page

    yield open_deck
    for page in pages:
        page.close()


def whole_slides(page: Any) -> Iterator[Any]:
    """Each slide with its answers, and the question before its figure answered."""
    for place in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate("place => Reveal.slide(place)", place)
        if (question := page.locator("section.present").get_by_role("button", name="Show me")).count():
            question.click()
        while page.evaluate("Reveal.availableFragments().next"):
            page.evaluate("Reveal.nextFragment()")
        yield page.locator("section.present")


def test_the_decks_that_are_looked_at_hold_every_part():
    looked_at = "".join((SOURCES / f"{name}.md").read_text(encoding="utf-8") for name in LOOKED_AT)
    assert all(f"parts/{path.name}" in looked_at for path in (SOURCES / "parts").iterdir())


@each_deck
def test_every_slide_fits_and_can_be_read_from_the_back(opened, name):
    for slide in whole_slides(opened(name)):
        title = slide.locator("h1, h2").first.inner_text()
        assert slide.evaluate("it => [it.scrollWidth, it.scrollHeight]") == [1920, 1080], title
        assert all(slide.locator("pre").evaluate_all("all => all.map(it => it.scrollWidth <= it.clientWidth)")), title
        texts = slide.evaluate(TEXTS)
        assert texts and min(one["size"] for one in texts) >= SMALLEST, (title, min(texts, key=lambda one: one["size"]))
        outside = [
            one for one in texts if min(one["left"], one["top"]) < 0 or one["right"] > 1920 or one["bottom"] > 1080
        ]
        assert outside == [], title


@each_deck
def test_axe_finds_nothing_serious_with_all_slides_in_view(opened, name):
    page = opened(name, "?view=print")
    page.add_script_tag(path=install_npm_packages() / "axe-core" / "axe.min.js")
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    serious = [(rule["id"], rule["nodes"][0]["html"]) for rule in found if rule["impact"] in ("serious", "critical")]
    assert serious == []


def test_answers_wait_for_a_key_and_keys_set_the_figure(opened):
    page = opened("temperature_45")
    place = page.evaluate("Reveal.getSlides().findIndex(slide => slide.querySelector('[data-state]'))")
    page.evaluate("place => Reveal.slide(place)", place)
    slide = page.locator("section.present")
    temperature = slide.get_by_role("slider", name="Temperature")
    assert temperature.get_attribute("aria-valuetext") == "1"
    for value in ("0.5", "2", "4", "20"):
        page.keyboard.press("ArrowRight")
        assert temperature.get_attribute("aria-valuetext") == value
    page.keyboard.press("ArrowLeft")
    assert temperature.get_attribute("aria-valuetext") == "4"
    temperature.focus()  # its keys are its own now
    before = page.evaluate("Reveal.getIndices().f")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("Reveal.getIndices().f") == before
    page.evaluate("place => Reveal.slide(place)", place + 1)
    answer = page.locator("section.present .fragment").first
    assert answer.evaluate("it => getComputedStyle(it).visibility") == "hidden"
    page.keyboard.press("PageDown")
    assert answer.evaluate("it => getComputedStyle(it).visibility") == "visible"


def test_hands_are_counted(opened):
    page = opened("labels_45")
    page.evaluate("Reveal.slide(2)")
    counts, bars = page.locator("section.present .vote input"), page.locator("section.present .vote progress")
    for place, hands in enumerate(("12", "3", "0")):
        counts.nth(place).fill(hands)
    assert [bars.nth(place).evaluate("bar => bar.value") for place in range(3)] == [1, 0.25, 0]


@pytest.mark.parametrize("title", ["Which is", "Four cases"])
def test_a_box_for_hands_does_not_trap_the_lecturer(opened, title):
    page = opened("lecture_90")
    find = "title => Reveal.getSlides().findIndex(it => it.querySelector('h2')?.innerText.startsWith(title))"
    place, box = page.evaluate(find, title), page.locator("section.present input").first
    for keys, moves in ((["Enter"], False), (["Escape"], False), (["PageDown"], True), (["Enter", "ArrowRight"], True)):
        page.evaluate("place => Reveal.slide(place)", place)
        box.fill("12")
        before = page.evaluate("Reveal.getIndices()")
        for key in keys:
            page.keyboard.press(key)
        assert page.evaluate("document.activeElement === document.body"), keys
        assert (page.evaluate("Reveal.getIndices()") != before) == moves, keys
        assert not page.evaluate("Reveal.isOverview()"), keys


def test_the_lecturers_notes_open_beside_the_slides_and_stand_on_a_sheet(folder, browser):
    page = browser.new_page()
    page.goto((folder / "lecture_90.html").as_uri())
    page.wait_for_function("window.Reveal?.isReady()")
    with page.expect_popup() as popup:
        page.keyboard.press("s")
    popup.value.get_by_text("hand out paper").wait_for()
    sheet = (folder / "lecture_90_notes.html").read_text(encoding="utf-8")
    deck = teaching.load_deck(SOURCES / "lecture_90.md")
    assert all(slide.clock in sheet and slide.heading in sheet for slide in deck.slides)
    assert deck.slides[-1].start + deck.slides[-1].minutes == deck.minutes == 90
    page.close()


def test_without_scripts_all_slides_stand_below_each_other(folder, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "lecture_90.html").as_uri())
    assert all(title.is_visible() for title in page.locator("section h2").all())
    context.close()


def test_handouts_have_a_page_a_slide_and_no_answer(folder, browser, opened, tmp_path):
    for name in ("labels_45.html", "labels_45_notes.html", "index.html", *(path.name for path in teaching.COPIED)):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    write_exam("a phrase to keep", tmp_path)  # stands in the same folder, and is no deck
    slides = len(teaching.load_deck(SOURCES / "labels_45.md").slides)
    printed = list(write_handouts(browser, tmp_path))
    assert [path.name for path in printed] == ["labels_45_handout.pdf", "labels_45_answers.pdf"]
    for path in printed:
        assert len(re.findall(rb"/Type\s*/Page\b", path.read_bytes())) == slides
    for asked, seen in (("?view=print&handout", "hidden"), ("?view=print", "visible")):
        page = opened("labels_45", asked)
        page.emulate_media(media="print")
        hidden = page.locator(".answer, .fragment").evaluate_all(
            "all => all.map(it => getComputedStyle(it).visibility)"
        )
        assert len(hidden) > 10 and set(hidden) == {seen}


def test_numbers_show_what_the_slides_say():
    assert all(all(shows(one)) for one in teaching.evidence().values())
    found = Comparison.load(recorded("digits") / "comparison.parquet")
    gains = found.each(measured.SOFT, measured.TRUTH, length=3000, images=60)
    assert (gains > 0).all() and len(gains) == 24, "all dots lie on one side"
    accuracy = found.table[found.table["images"] == 60].groupby("teacher saw")["teacher_accuracy"].mean()
    assert accuracy["shifted"] > accuracy["as they are"], "case C has the more accurate teacher"


def test_what_the_slides_compute_is_what_numpy_finds():
    found = dict(measured.computed())
    roots = np.sqrt([0.90, 0.09, 0.01])
    assert found["tempered"] == ", ".join(f"{value:.2f}" for value in roots / roots.sum())
    teacher = torch.as_tensor(measured.recorded_teacher()["teacher_logits"], dtype=torch.float64)
    held = measured.recorded_teacher()
    students = {"untrained": torch.zeros_like(teacher)}
    students |= {name: torch.as_tensor(held[f"{name}_logits"]).double() for name in ("student", "long")}
    ratios = {name: lengths_of(z, teacher, 1.0) / lengths_of(z, teacher, 16.0) for name, z in students.items()}
    assert found["gradient_ratio"] == pytest.approx(ratios)
    assert ratios["untrained"] > ratios["student"] > ratios["long"], "the slide says: for trained students it is less"
    assert found["teacher_images"] == 1200, "as the study's plan says"


def test_the_slide_of_the_guide_shows_what_the_command_prints(kdlearn_here):
    shown = measured.guide_of(measured.CASE)
    _, *words = shown["command"].replace("\\\n", "").split()
    printed = " ".join(kdlearn_here(*words).out.split())
    assert len(shown["parts"]) == 3
    for said, between, sign in shown["parts"]:
        assert f"{said} {between} points {sign}".replace("−", "-") in printed
    assert shown["decision"] in printed


def lengths_of(student: torch.Tensor, teacher: torch.Tensor, T: float) -> float:
    """Mean length of the gradient of KL on the student's logits, by autograd."""
    z = student.clone().requires_grad_()
    torch.nn.functional.kl_div((z / T).log_softmax(1), (teacher / T).softmax(1), reduction="sum").backward()
    return float(z.grad.norm(dim=1).mean())


@pytest.mark.parametrize("T", [1.0, 16.0])
def test_the_notes_tell_the_hard_losss_part_of_the_cats_push(T):
    shown = LossExplorer()
    z, v = (torch.tensor([logits], dtype=torch.float64) for logits in (shown.student_logits, shown.teacher_logits))
    both, soft = (theory.distillation_gradient(z, v, torch.tensor([0]), temperature=T, soft_weight=w) for w in (0.9, 1))
    assert shown.class_names[shown.label] == "cat"
    assert measured.push_of_hard_loss(0.9) == pytest.approx(-float((both - 0.9 * soft)[0, 0]))


def test_numbers_of_the_clinic_stand_out_where_the_slide_says():
    odd = {letter: measured.odd(letter) for letter in "ABCDEFGHIJ"}
    assert odd["C"] == odd["H"] == [], "the slide says that two do not show"
    assert all("first soft loss" in odd[letter] for letter in "BEFGI") and "entropy" in odd["F"]
    assert "hits" in odd["A"] and "repeats" in odd["D"] and "repeats" in odd["J"]
    soft = {letter: of["first soft loss"] for letter, of in measured.first_numbers().items()}
    assert soft["right"] / soft["B"] == pytest.approx(64) and soft["I"] / soft["right"] == pytest.approx(64)
    assert soft["right"] / soft["G"] == pytest.approx(10)


def test_spreads_are_what_pandas_finds():
    rows = Comparison.load(recorded("digits") / "comparison.parquet").table.query("images == 60 and length == 300")
    names = ["replicate", "seed"]
    soft = rows[(rows["teacher saw"] == "shifted") & (rows["temperature"] == 2)].set_index(names)["accuracy"]
    truth = rows[rows["strategy"] == "ground truth"].set_index(names)["accuracy"]
    found = measured.spreads()
    assert found["paired"] == pytest.approx(100 * (soft - truth).std())
    assert found["torn"] == pytest.approx(100 * (soft.var() + truth.var()) ** 0.5)
    assert found["torn"] > 1.2 * found["paired"], "the slide says: farther"


def test_a_deck_whose_minutes_do_not_add_up_is_refused(tmp_path, monkeypatch):
    (tmp_path / "decks").mkdir()
    path = tmp_path / "decks/short.md"
    path.write_text("---\ntitle: Short\nminutes: 5\n---\n# One\n\nNotes, 4 minutes:\n\n- *Say*: this.\n")
    monkeypatch.setattr(teaching, "HERE", tmp_path)
    monkeypatch.setattr(teaching, "numbers", dict)
    with pytest.raises(ValueError, match=r"short.md.*5 minutes.*take 4"):
        teaching.load_deck(path)
    with pytest.raises(ValueError, match="Notes, N minutes"):
        list(teaching.slides_of("# No notes"))
