"""Every check: a right answer in another form passes, each usual wrong one gets its own hint, and `...` is open."""

from collections.abc import Iterator
from typing import Any

import pytest
from answers_to_formulas import RIGHT
from answers_with_properties import ANSWERS

from kdcourse.exercises import check, checking
from kdcourse.exercises.answers import Formula, Number
from kdcourse.exercises.checking import chapters, exercise_named, exercises_of

NAMES = [name for chapter in chapters() for name in exercises_of(chapter)]
each_exercise = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def nothing_checked_yet(monkeypatch):
    monkeypatch.setattr(checking, "outcomes", {})


def right_answers(name: str) -> list[Any]:
    exercise = exercise_named(name)
    if isinstance(exercise, Number):
        return [exercise.low, exercise.high]
    return [RIGHT[name]] if isinstance(exercise, Formula) else ANSWERS[name].right


def wrong_answers(name: str) -> Iterator[tuple[str, Any]]:
    """Each hint, and an answer that makes the mistake that it is for."""
    exercise = exercise_named(name)
    if isinstance(exercise, Number):
        yield from ((hint, (low + high) / 2) for hint, (low, high) in exercise.hints.items())
        yield exercise.otherwise, 1e9
    elif isinstance(exercise, Formula):
        yield from exercise.hints.items()
        yield exercise.otherwise, lambda *draw: 987_654.0
    else:
        yield from zip(exercise.hints, ANSWERS[name].wrong, strict=True)


@each_exercise
def test_the_right_answer_passes_in_another_form(name):
    for answer in right_answers(name):
        assert check(name, answer), check(name, answer)


@each_exercise
def test_each_hint_is_given_to_the_answer_that_it_is_for(name):
    for hint, answer in wrong_answers(name):
        verdict = check(name, answer)
        assert verdict.outcome == "to mend" and hint in verdict.message, f"{hint}: {verdict}"


@each_exercise
def test_what_is_not_answered_is_said_and_raises_nothing(name):
    functions = [lambda *draw: ..., lambda *draw: None] if callable(right_answers(name)[0]) else []
    for answer in (..., None, *functions):
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
