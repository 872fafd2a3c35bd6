"""`kdlearn advise`: signs, abstentions with their reason, what to pilot, how often; with a made-up guide."""

import re

import numpy as np
import pytest
from conftest import Command
from scipy import stats

from kdcourse.commands.advise import advice
from kdcourse.guide import Case, Guide

SEEN = {
    "temperature": [1.0, 32.0],
    "gap": [1.0, 40.0],
    "student": [50.0, 97.0],
    "share": [0.0, 0.98],
    "length": [300, 3000],
}
WIDTHS = {part: {"10": 1.0, "100": 2.0} for part in ("labels", "softness", "gain")}
SOFT = {"constant": -1.0, "gap left": 0.5, "gap left, other views": -0.5}
BRIEF = {"log10 of 1,000 / updates, if fewer": -4.0}
WRONG = [
    {"wrong": 0.2, "length": 1000, "gap": 4.0, "labels": [3.0, 0.5], "softness": [-1.0, 0.4], "spread": 1.5},
    {"wrong": 0.4, "length": 1000, "gap": 12.0, "labels": [9.0, 0.6], "softness": [0.1, 0.4], "spread": 6.0},
]
MADE_UP = Guide(
    {
        "labels": {"gap × share without labels": 0.8},
        "softness": SOFT,
        "half_widths": WIDTHS,
        "spread": {"100": 3.0},
        "seen": SEEN,
        "wrong": WRONG,
    }
)
CASE = "advise --labelled 60 --teacher-accuracy 96 --student-accuracy 84"


@pytest.fixture
def made_up(monkeypatch) -> Guide:
    monkeypatch.setattr(Guide, "load", classmethod(lambda cls: MADE_UP))
    return MADE_UP


def told(**case) -> str:
    settings = {"labelled": 60, "unlabelled": 0, "teacher": 96.0, "student": 84.0, "views": "same"}
    return "\n".join(advice(MADE_UP, Case(**{**settings, **case}), None))


def test_the_sum_is_told_with_its_interval_and_sign(made_up, kdlearn_here: Command):
    """By hand: 12 points, no further images, so softness gives -1 + 0.5 · 12 = 5 ± 2."""
    found = kdlearn_here(*CASE.split(), "--teacher-views", "same")
    assert found.code == 0 and "less the student's is 12.0 points" in found.out
    assert re.search(r"its soft labels give\s+\+3\.0 to \+7\.0 points   a gain", found.out)
    assert "Distil: ask the teacher; learn from its soft labels at T = 4." in found.out
    assert "hard labels give" not in found.out and '"unlabelled"' not in found.out


def test_images_without_labels_close_most_of_the_gap_first():
    """80 % of 12 points times the share 0.95; softness gives -1 + 0.5 · 2.88."""
    parts = MADE_UP.parts(Case(60, 1140, 96.0, 84.0, "same"))
    assert parts["labels"].mean == pytest.approx(9.12) and parts["softness"].mean == pytest.approx(0.44)
    assert parts["gain"].mean == pytest.approx(9.56)
    text = " ".join(told(unlabelled=1140).split())
    assert "let the teacher label the 1,140 further images" in text and "the pilot must tell" in text
    assert '"unlabelled": further_images' in text and "expect less" in text and "expect less" not in told()


def test_unknown_views_hold_both_kinds_of_teacher():
    parts = {views: MADE_UP.parts(Case(60, 0, 96.0, 84.0, views))["gain"] for views in ("same", "others", "unknown")}
    assert parts["unknown"].low == pytest.approx(parts["others"].low) == -3
    assert parts["unknown"].high == pytest.approx(parts["same"].high) == 7
    assert "The guide abstains: the interval holds both signs" in told(views="unknown")


@pytest.mark.parametrize(
    "case, reason",
    [
        ({"student": 95.5}, "the teacher's accuracy less the student's is 0.5 points; measured were 1.0 to 40.0"),
        ({"student": 40.0, "teacher": 70.0}, "the student reaches 40.0 % on ground truth"),
        ({"unlabelled": 60_000}, "99.90% of the images are without labels"),
        ({"updates": 100}, "the student trains for 100 updates; measured were 300 to 3,000"),
        ({"updates": 9000}, "the student trains for 9,000 updates"),
        ({"temperature": 0.5}, "T is 0.5; measured were 1 to 32"),
        ({"wrong": 0.1}, "10% of the labels are wrong; measured were 20% to 40%"),
        (
            {"wrong": 0.3, "unlabelled": 60},
            "50% of the images are without labels; where labels are wrong, none such was measured",
        ),
        ({"wrong": 0.3, "updates": 300}, "300 updates; measured were 1,000 to 1,000"),
        ({"wrong": 0.3, "views": "others"}, "the teacher saw other views"),
        ({"wrong": 0.3, "student": 80.0}, "16.0 points; measured were 4.0 to 12.0"),
    ],
)
def test_outside_what_was_seen_it_abstains_with_the_reason(case, reason):
    text = " ".join(told(**case).split())
    assert "The guide abstains" in text and reason in text and "Distil:" not in text and "Pilot first" in text


def test_a_short_training_has_its_term_and_an_untold_length_holds_the_short_and_the_long():
    """By hand: -1 + 0.5 · 12, less 4 log10(1,000 / 500) or 4 log10(1,000 / 300), ± 2; beyond 1,000 nothing changes."""
    guide = Guide({**MADE_UP.fitted, "softness": {**SOFT, **BRIEF}})
    gains = {n: guide.parts(Case(60, 0, 96.0, 84.0, "same", updates=n))["gain"] for n in (500, 1000, 3000, None)}
    assert gains[500].mean == pytest.approx(5 - 4 * np.log10(2)) and gains[500].half_width == pytest.approx(2)
    assert gains[1000] == gains[3000] and gains[3000].mean == pytest.approx(5)
    assert gains[None].low == pytest.approx(3 - 4 * np.log10(10 / 3)) and gains[None].high == pytest.approx(7)


def test_the_pilot_trains_as_long_as_the_student_and_half_as_long(made_up, kdlearn_here: Command):
    found = kdlearn_here(*CASE.split(), "--updates", 900)
    assert "lengths=(450, 900)" in found.out and "if ground truth gains much" in found.out
    assert "lengths=(300, 1000)" in kdlearn_here(*CASE.split()).out


def test_wrong_labels_are_told_as_they_were_measured_and_get_no_interval(made_up, kdlearn_here: Command):
    """Nearest in its gap is the second comparison: a gain of 9 points, by scipy its number of pairs."""
    found = kdlearn_here(*CASE.split(), "--wrong-labels", 30)
    said = " ".join(found.out.split())
    assert "20% wrong, 1,000 updates, gap 4.0: +3.0 ± 0.5; softness beyond, T = 1: -1.0 ± 0.4" in said
    assert "40% wrong, 1,000 updates, gap 12.0: +9.0 ± 0.6; softness beyond, T = 1: +0.1 ± 0.4" in said
    assert "abstains from a number: pilot hard labels first" in said and " to +7.0 points" not in said
    needed = next(n for n in range(2, 30) if stats.t.ppf(0.975, n - 1) * 6 / np.sqrt(n) <= 4.5)
    assert needed > 5 and f"A gain of 9.0 points is seen with {needed} pairs" in said


def test_outside_the_comparisons_of_wrong_labels_none_is_told():
    text = told(wrong=0.1)
    assert "softness beyond" not in text and "points   " not in text and "Pilot first" in text
    assert "is seen with" not in text


def test_a_teacher_that_is_no_better_closes_no_gap():
    text = told(teacher=80.0)
    assert "not better than the student" in text and "Distil:" not in text and "abstains" not in text


def test_labels_that_gain_are_taken_although_softness_may_lose_more():
    """Labels give 0.8 · 0.5 · 5 = 2 ± 1; softness -9 + 0.5 · 3, so that the whole is a loss or either sign."""
    fitted = {**MADE_UP.fitted, "softness": {"constant": -1.5}, "half_widths": {**WIDTHS, "softness": {"100": 3.0}}}
    text = "\n".join(advice(Guide(fitted), Case(60, 60, 96.0, 91.0, "same"), None))
    assert "+1.0 to +3.0 points   a gain" in text and "together                     -0.5 to +1.5" in text
    assert "let the teacher label the 60 further images; learn from its hard labels" in " ".join(text.split())


def test_other_views_are_told_and_piloted():
    assert "views=kdlearn.Views()" in told(views="others") and "Show the student the same views" in told(views="others")
    assert "views=" not in told(views="same")


def test_a_loss_is_said():
    harmful = Guide({**MADE_UP.fitted, "softness": {"constant": -9.0}})
    assert "Do not distil" in "\n".join(advice(harmful, Case(60, 0, 96.0, 84.0, "same"), None))


def test_so_many_pairs_show_it(made_up, kdlearn_here: Command):
    """Independently: the first number whose interval, by scipy, is at most half of the 5 points."""
    widths = [stats.t.ppf(0.975, n - 1) * 3 / np.sqrt(n) for n in range(2, 30)]
    needed = next(n for n, width in enumerate(widths, start=2) if width <= 2.5)
    found = kdlearn_here(*CASE.split(), "--teacher-views", "same", "--budget", 12)
    said = " ".join(found.out.split())
    assert needed > 5 and f"seen with {needed} pairs" in said and f"{3 * needed} students" in said
    assert f"12 students is 4 pairs: ± {widths[2]:.1f} points" in found.out
    assert "no interval at all" in kdlearn_here(*CASE.split(), "--budget", 3).out


def test_without_the_students_accuracy_it_says_how_to_measure_it(kdlearn_here: Command):
    found = kdlearn_here("advise", "--labelled", 500, "--unlabelled", 10000, "--teacher-accuracy", 92)
    assert found.code == 0 and "First measure the student on ground truth alone" in found.out


@pytest.mark.parametrize(
    "words, named",
    [
        ("advise", "--labelled"),
        ("advise --labelled 60", "--teacher-accuracy"),
        (CASE.replace("96", "0.96"), "--teacher-accuracy must be in percent"),
        (CASE.replace("84", "0.84"), "--student-accuracy must be in percent"),
        (CASE.replace("96", "nan"), "--teacher-accuracy"),
        (CASE.replace("96", "101"), "--teacher-accuracy"),
        (CASE.replace("60", "0"), "--labelled"),
        (f"{CASE} --unlabelled -1", "--unlabelled"),
        (f"{CASE} --teacher-views shifted", "--teacher-views must be one of same, others, unknown"),
        (f"{CASE} --temperature 0", "--temperature must be a number above 0"),
        (f"{CASE} --budget 0", "--budget"),
        (f"{CASE} --updates 1", "--updates"),
        (f"{CASE} --wrong-labels -1", "--wrong-labels"),
        (f"{CASE} --wrong-labels 0.3", "--wrong-labels must be in percent"),
    ],
)
def test_bad_words_are_refused_by_name(kdlearn_here: Command, words, named):
    found = kdlearn_here(*words.split())
    assert found.code == 2 and named in found.err and found.err.count("\n") == 1 and not found.out


def test_the_committed_guide_answers_the_books_example():
    """Whatever the coefficients are: finite, and the parts add up."""
    parts = Guide.load().parts(Case(500, 10_000, 92.0, 70.0, "same"))
    assert parts["gain"].mean == pytest.approx(parts["labels"].mean + parts["softness"].mean)
    assert all(np.isfinite(one[:2]).all() and one.half_width >= 0 for one in parts.values())
