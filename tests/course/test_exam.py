"""The exam: the same phrase, the same sheet; each answer is what numpy finds from the numbers in the question."""

import re
import sys

import numpy as np
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

sys.path.insert(0, str(ROOT / "book/teaching"))
import exam

KEYS_RULE = re.search(r"Numbers within [^<]+? are right", (exam.PAGES / "exam.html").read_text(encoding="utf-8"))[0]
phrases = st.text(min_size=8, max_size=20)
three_hundred = settings(max_examples=300)


def numbers(text: str) -> list[float]:
    return [float(found.replace("−", "-")) for found in re.findall(r"[−-]?\d+(?:\.\d+)?", text)]


def vectors(text: str) -> list[np.ndarray]:
    return [np.array(numbers(inside)) for inside in re.findall(r"\(([^()]*,[^()]*)\)", text)]


def value(name: str, text: str) -> float:
    return numbers(re.findall(rf"{name} = ([\d.]+)", text)[-1])[0]


def assert_right(told: object, exact: object) -> None:
    """Whoever writes the exact answer is right by the rule that stands on the key."""
    percent, least = numbers(KEYS_RULE)[:2]
    told, exact = np.asarray(told), np.asarray(exact)
    assert (abs(exact - told) <= np.maximum(percent / 100 * abs(told), least)).all(), (told, exact)


def q_p(text: str, T: float) -> tuple[np.ndarray, np.ndarray]:
    v, z = vectors(text)[:2]
    return special.softmax(z / T), special.softmax(v / T)


@given(phrases)
def test_a_phrase_decides_everything(phrase):
    assert exam.exam(phrase) == exam.exam(phrase)
    assert [question.text for question in exam.exam(phrase)] != [question.text for question in exam.exam(phrase + "!")]


@three_hundred
@given(phrases)
def test_soft_labels_loss_and_gradient(phrase):
    soft, loss, gradient = exam.exam(phrase)[:3]
    (v,), T = vectors(soft.text), value("T", soft.text)
    for found, t in zip(vectors(soft.answer), (1, T), strict=True):
        assert_right(found, special.softmax(v / t))
    T = value("T", loss.text)
    q, p = q_p(loss.text, T)
    assert_right(numbers(loss.answer)[0], T**2 * special.rel_entr(p, q).sum())
    T, w, y = value("T", gradient.text), value("w", gradient.text), int(numbers(gradient.text.split("class")[1])[0])
    (q, p), (q_at_one, _) = q_p(gradient.text, T), q_p(gradient.text, 1)
    mine = w * T * (q - p) + (1 - w) * (q_at_one - np.eye(3)[y])
    assert_right(vectors(gradient.answer)[0], mine)


@three_hundred
@given(phrases)
def test_weight_smoothing_and_interval(phrase):
    weight, smooth, pairs = exam.exam(phrase)[3:6]
    T, w, same = value("T", weight.text), numbers(weight.text.split("soft weight is")[1])[0], numbers(weight.answer)[0]
    assert_right(same, w / (w + T**2 * (1 - w)))
    C, share, (mine, others) = value("C", smooth.text), value("ε", smooth.text), numbers(smooth.answer)[:2]
    assert_right([mine, others], [1 - share + share / C, share / C])
    np.testing.assert_allclose([mine, others], [1 - share + share / C, share / C], rtol=1e-3)
    taught, truth = vectors(pairs.text)
    test, (mean, half_width) = stats.ttest_rel(taught, truth), numbers(pairs.answer)[:2]
    low, high = test.confidence_interval(0.95)
    assert_right([mean, half_width], [(low + high) / 2, (high - low) / 2])
    assert ("0 lies outside: a gain" in pairs.answer) == (low > 0)


def test_no_answer_stands_on_the_sheet(tmp_path):
    exam.write_exam("a phrase to keep", tmp_path)
    sheet, key = ((tmp_path / f"{name}.html").read_text(encoding="utf-8") for name in ("exam", "exam_answers"))
    assert "a phrase to keep" not in sheet + key and 'class="answer"' not in sheet
    assert key.count('class="answer"') == len(exam.exam("a phrase to keep")) == 8
    assert sum(question.points for question in exam.exam("a phrase to keep")) >= 26
