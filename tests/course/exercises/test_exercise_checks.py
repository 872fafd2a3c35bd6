"""Every check: the right answer in two other forms passes, the usual wrong ones get a hint each, and `...` is open."""

import importlib

import pytest

from kdcourse.exercises import check, checking
from kdcourse.exercises.checking import chapters, exercise_named, exercises_of

ANSWERS = {
    name: answers
    for chapter in chapters()
    for name, answers in importlib.import_module(f"answers_{chapter}").ANSWERS.items()
}
NAMES = [name for chapter in chapters() for name in exercises_of(chapter)]
each_exercise = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def nothing_checked_yet(monkeypatch):
    monkeypatch.setattr(checking, "outcomes", {})


def test_every_exercise_has_answers_here():
    assert list(ANSWERS) == NAMES
    assert all(len(answers["right"]) >= 2 and len(answers["wrong"]) >= 3 for answers in ANSWERS.values())


@each_exercise
def test_the_right_answer_passes_in_whatever_form(name):
    for answer in ANSWERS[name]["right"]:
        assert check(name, answer), check(name, answer)


@each_exercise
def test_usual_wrong_answers_get_a_hint_each(name):
    verdicts = [check(name, answer) for answer in ANSWERS[name]["wrong"]]
    assert not any(verdicts) and all(verdict.outcome == "to mend" for verdict in verdicts)
    assert len({verdict.message for verdict in verdicts}) == len(verdicts), "a hint each"
    named = [hint for hint in exercise_named(name).hints for verdict in verdicts if hint.rstrip(".") in verdict.message]
    assert len(named) >= 3, "\n".join(map(str, verdicts))


@each_exercise
def test_what_is_not_answered_is_said_and_raises_nothing(name):
    for answer in (..., None, lambda *arguments: ..., lambda *arguments: None):
        if callable(answer) and not callable(ANSWERS[name]["right"][0]):
            continue
        verdict = check(name, answer)
        assert not verdict and verdict.outcome == "open" and "is not answered yet" in repr(verdict)


def test_exercises_are_counted():
    assert repr(check("04.3", 0)).endswith("Notebook 04: 1 right, 0 to mend, 5 open.")
    assert repr(check("04.3", 6)).endswith("Notebook 04: 0 right, 1 to mend, 5 open.")
    assert repr(check("04.1", ...)).endswith("Notebook 04: 0 right, 1 to mend, 5 open.")
    assert repr(check("00.3", 10)).endswith("Notebook 00: 1 right, 0 to mend, 4 open.")


@pytest.mark.parametrize("name", ["04.9", "4.1", "99.1", "nothing"])
def test_an_unknown_exercise_is_refused_with_what_there_is(name):
    with pytest.raises(ValueError, match=r"no exercise is called .*; there are 0\d\.\d"):
        check(name, 1)


def test_what_the_answers_own_code_raises_is_passed_on():
    with pytest.raises(ZeroDivisionError):
        check("04.5", lambda factor: 1 / 0)


@pytest.mark.parametrize("answer", [4, "ten", [1, 2]])
def test_what_is_of_another_kind_is_told(answer):
    assert "Give the function itself" in check("04.5", answer).message
    assert answer == 4 or "A number is asked for" in check("04.3", answer).message


def test_a_verdict_can_grade():
    with pytest.raises(AssertionError, match="not right yet"):
        verdict = check("04.3", 6)
        assert verdict, verdict
