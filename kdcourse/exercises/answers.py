"""The kinds of answer: a formula with one value on each draw, and what has many right forms but certain properties."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TOLERANCE = 1e-4  # relative; float32 is enough, and so is a constant that was rounded to five digits


class UnansweredError(Exception):
    """The answer is a function that does nothing yet."""


def is_open(value: Any) -> bool:
    """Whether a value is `...` or None, or holds one of them."""
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return value is None or value is ... or any(part is None or part is ... for part in parts)


def value_of(function: Callable, *arguments: Any) -> Any:
    """What the learner's function gives; an `UnansweredError` where it gives nothing yet."""
    value = function(*arguments)
    if is_open(value):
        raise UnansweredError
    return value


def close(found: Any, expected: Any) -> bool:
    """Whether two numbers, arrays or tensors are the same within the tolerance; a shape of (1,) is as good as ()."""
    import torch

    try:
        left, right = (torch.as_tensor(value).detach().double().squeeze() for value in (found, expected))
    except (TypeError, ValueError, RuntimeError):
        return False
    return left.shape == right.shape and torch.allclose(left, right, rtol=TOLERANCE, atol=1e-7, equal_nan=True)


@dataclass(frozen=True)
class Formula:
    """A function that has one right value on each draw, in whatever form it is written.

    `hints` has, for each usual mistake, the hint and the function that makes the mistake. `draws` are arguments.
    """

    right: Callable
    draws: Sequence[tuple]
    hints: Mapping[str, Callable]
    otherwise: str

    def problem(self, answer: Any) -> str | None:
        if not callable(answer):
            return f"Give the function itself, without calling it; this is {short(answer)}"
        values = [value_of(answer, *draw) for draw in self.draws]
        if self.agrees(values, self.right):
            return None
        usual = (hint for hint, mistake in self.hints.items() if self.agrees(values, mistake))
        draw, value = next(
            pair for pair in zip(self.draws, values, strict=True) if not close(pair[1], self.right(*pair[0]))
        )
        return next(usual, f"{self.otherwise} Of {', '.join(map(short, draw))} it makes {short(value)}")

    def agrees(self, values: Sequence[Any], function: Callable) -> bool:
        return all(close(value, function(*draw)) for value, draw in zip(values, self.draws, strict=True))


@dataclass(frozen=True)
class Properties:
    """An answer with many right forms. The first property that it lacks gives the hint.

    `look` measures the answer; `hints` has, for each hint, the property of what was measured that makes it unnecessary.
    """

    look: Callable[[Any], Any]
    hints: Mapping[str, Callable[[Any], bool]]

    def problem(self, answer: Any) -> str | None:
        seen = self.look(answer)
        return next((hint for hint, holds in self.hints.items() if not holds(seen)), None)


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`. `hints` has, for each hint, the range of wrong answers that it is for."""

    low: float
    high: float
    hints: Mapping[str, tuple[float, float]]
    otherwise: str

    def problem(self, answer: Any) -> str | None:
        try:
            number = float(answer)
        except (TypeError, ValueError):
            return f"A number is asked for; this is {short(answer)}"
        if self.low <= number <= self.high:
            return None
        usual = (hint for hint, (low, high) in self.hints.items() if low <= number <= high)
        return next(usual, self.otherwise)


def short(value: Any) -> str:
    """A value in few words; small tensors with their numbers."""
    shape = getattr(value, "shape", None)
    if shape is not None and len(shape) == 1 and shape[0] <= 10:
        return "(" + ", ".join(f"{float(one):.4g}" for one in value) + ")"
    large = shape is not None and len(shape) > 0
    return f"{type(value).__name__} of shape {tuple(shape or ())}" if large else f"{value}"
