"""What was found: the questions of findings.yaml, answered from the records; no number is typed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from records import claims, path_of, record_of
from tables import table

from kdlearn.formulas.intervals import Interval, interval

HEAD = ("question", "answer", "difference", "repeated", "what others tell", "do we agree?")
WITHOUT_SIGN = {0: "others disagree", "not asked": "not asked elsewhere"}


@dataclass(frozen=True)
class Finding:
    """Whether `more` gives more than `less`: what the record says, and what is `expected` (0: others disagree)."""

    question: str
    more: str
    less: str
    found: Interval
    literature: str
    expected: int | str
    planned: bool = False
    over: str = "replicates"
    unit: str = "points"
    digits: int = 1
    lower: str = ""  # what a smaller value is better of, such as the loss
    front: str = ""
    often: str = ""  # where an interval is over two things at once

    @property
    def sign(self) -> int:
        """Of the difference; 0 where the interval holds 0. A planned claim that Holm leaves unconfirmed is 0 too."""
        clear = self.found.p_value < 0.05
        return (1 if self.found.mean > 0 else -1) if clear else 0

    @property
    def answer(self) -> str:
        if self.sign and self.lower:
            word, than = ("No", "higher") if self.sign > 0 else ("Yes", "lower")
            return f"{word}: with {self.more} {self.lower} was {than} than with {self.less}."
        if self.sign > 0:
            return f"Yes: {self.more} gave more than {self.less}."
        if self.sign < 0:
            return f"No: {self.more} gave less than {self.less}."
        how = "Not confirmed" if self.planned else "Not seen"
        return f"{how}: between {self.more} and {self.less}, {self.allowed} are possible."

    @property
    def allowed(self) -> str:
        return f"{self.found.low:+.{self.digits}f} to {self.found.high:+.{self.digits}f} {self.unit}"

    @property
    def agreement(self) -> str:
        if self.expected in WITHOUT_SIGN:
            return WITHOUT_SIGN[self.expected]
        if self.expected == "nothing":
            return "no" if self.sign else "yes"
        return {self.expected: "yes", -self.expected: "no", 0: "not seen here"}[self.sign]

    @property
    def told(self) -> str:
        return f"{self.found:+.{self.digits}f} {self.unit}"

    @property
    def row(self) -> list[str]:
        often = self.often or f"{self.found.degrees_of_freedom + 1:.0f} {self.over}"
        often += self.planned * ", planned"
        return [self.question, self.answer, self.told, often, self.literature, self.agreement]


def topics() -> Iterator[tuple[str, list[Finding]]]:
    """All that is recorded."""
    for topic in yaml.safe_load(Path(__file__).with_name("findings.yaml").read_text(encoding="utf-8")):
        if findings := [finding(one) for one in topic["findings"] if is_recorded(one)]:
            yield topic["topic"], findings


def is_recorded(one: Mapping[str, Any]) -> bool:
    """Whether there are rows for both sides: a study may record one grid after the other."""
    if not path_of(one["record"]).exists() or "claim" in one:
        return path_of(one["record"]).exists()
    rows = record_of(one["record"]).table
    return all((rows[list(side)] == list(side.values())).all(axis=1).any() for side in (one["of"], one["minus"]))


def finding(one: Mapping[str, Any]) -> Finding:
    words = {name: one[name] for name in Finding.__dataclass_fields__ if name in one}
    if "claim" in one:
        return Finding(**words, found=claims(one["record"])[one["claim"]], planned=True)
    return Finding(**words, found=difference(one["record"], one["of"], one["minus"], one["length"]))


def difference(record: str, of: Mapping[str, Any], minus: Mapping[str, Any], length: int | list[int]) -> Interval:
    """At a length, or of two lengths the change."""
    comparison = record_of(record)
    if isinstance(length, int):
        return comparison.difference(of, minus, length=length)
    late, early = (comparison.each(of, minus, length=one) for one in length)
    return interval(late - early)


def planned_table(study: str, unit: str = "points", digits: int = 1) -> Iterator[str]:
    """A row a planned difference."""
    rows = ([name, f"{one:+.{digits}f}", f"{one.p_value:.2g}"] for name, one in claims(study).items())
    yield from table(["planned", unit, "p, by Holm"], rows)


def found() -> Iterator[str]:
    for topic, findings in topics():
        yield f"## {topic}\n"
        yield from table(HEAD, (one.row for one in findings))
        yield ""


def front() -> Iterator[str]:
    """The README's lines."""
    for _, findings in topics():
        yield from (f"- {one.told}: {one.front}" for one in findings if one.front)
