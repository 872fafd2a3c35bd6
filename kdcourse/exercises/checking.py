"""`check("04.2", answer)`: the same call in every version of a notebook."""

import importlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kdcourse.exercises.answers import UnansweredError, is_open

RIGHT, WRONG, OPEN = "right", "to mend", "open"
outcomes: dict[str, str] = {}  # what the last check of each exercise found, since Python was started


class Exercise(Protocol):
    """What counts as an answer. `hints` holds what the usual wrong answers are told."""

    @property
    def hints(self) -> Mapping[str, Any]: ...

    def problem(self, answer: Any) -> str | None:
        """What is wrong with the answer, as a hint; None if it is right."""
        ...


@dataclass(frozen=True, repr=False)
class Verdict:
    """What a check found. It is true if the answer is right, and it shows as a sentence.

    A wrong answer is told and not raised. The hint is easier to read than a traceback, and *Run All* goes on to the
    next exercise. Where an answer is graded, `assert verdict, verdict` raises.
    """

    name: str
    outcome: str
    message: str

    def __bool__(self) -> bool:
        return self.outcome == RIGHT

    def __repr__(self) -> str:
        return self.message


def check(name: str, answer: Any) -> Verdict:
    """Judge the answer to an exercise by its properties, on draws of the check's own.

    Args:
        name: notebook and exercise, such as `"04.2"`.
        answer: a value or a function, as the exercise asks. `...` and None are no answer yet, and neither is a
            function that returns one of them.

    Returns:
        A `Verdict`, which shows as a sentence, with the count of the notebook's exercises.

    Raises:
        ValueError: no exercise has this name. What the answer's own code raises is passed on.

    >>> check("04.1", ...)  # doctest: +ELLIPSIS
    04.1 is not answered yet. Notebook 04: ... right, ... to mend, ... open.
    """
    exercise = exercise_named(name)
    try:
        hint = None if is_open(answer) else exercise.problem(answer)
        outcome = OPEN if is_open(answer) else WRONG if hint else RIGHT
    except UnansweredError:
        hint, outcome = None, OPEN
    outcomes[name] = outcome
    told = {RIGHT: "is right", OPEN: "is not answered yet", WRONG: f"is not right yet. {hint}"}[outcome]
    return Verdict(name, outcome, f"{name} {sentence(told)} {tally(chapter_of(name))}")


def sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def tally(chapter: str) -> str:
    """How many of a notebook's exercises are right, wrong and open, in words."""
    found = Counter(outcomes.get(name, OPEN) for name in exercises_of(chapter))
    return f"Notebook {chapter}: " + ", ".join(f"{found[outcome]} {outcome}" for outcome in (RIGHT, WRONG, OPEN)) + "."


def chapter_of(name: str) -> str:
    return name.partition(".")[0]


def chapters() -> list[str]:
    """The notebooks that have checks, such as `["00", "02", "04"]`."""
    return sorted(path.stem.removeprefix("checks_") for path in Path(__file__).parent.glob("checks_*.py"))


def exercises_of(chapter: str) -> Mapping[str, Exercise]:
    return importlib.import_module(f"kdcourse.exercises.checks_{chapter}").EXERCISES


def exercise_named(name: str) -> Exercise:
    chapter = chapter_of(name)
    names = list(exercises_of(chapter)) if chapter in chapters() else [f"{one}.1" for one in chapters()]
    if name not in names:
        raise ValueError(f"no exercise is called {name!r}; there are {', '.join(names)}")
    return exercises_of(chapter)[name]
