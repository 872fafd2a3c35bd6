"""Claims on trial: what a text says, the verdict, the evidence that a reader can look up, and the corrected statement.

A file of claims is YAML. Its statements hold no number of ours: each stands in a record, the evidence says where, and
its name in braces, such as `{softness:+.1f}`, is replaced by what is read there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import exp
from pathlib import Path
from typing import Any

import pandas as pd

from kdcourse.records import recorded
from kdlearn.comparing.comparison import Comparison
from kdlearn.comparing.pairing import REPEATED, interval_of, values_of
from kdlearn.data.files import read_json
from kdlearn.formulas.intervals import Interval

VERDICTS = ("right", "right under conditions", "unsupported", "wrong", "cannot run")


class Factor(Interval):
    """An interval of logarithms, shown as the factor that it means, with its bounds, in figures alone."""

    def __format__(self, spec: str) -> str:
        low, mean, high = (format(exp(value), spec) for value in (self.low, self.mean, self.high))
        return f"{mean} ({low}–{high})"


@dataclass(frozen=True)
class Claim:
    """One statement of the text on trial.

    `section` and `quotation` say where it stands, `evidence` is a list of mappings with a `kind`: "proof", "run" or
    "source". `corrected` holds the corrected statement by language.
    """

    id: str
    section: str
    group: str
    quotation: str
    translation: str
    verdict: str
    evidence: Sequence[Mapping[str, Any]]
    corrected: Mapping[str, str]

    @property
    def figures(self) -> dict[str, Any]:
        """What is read from records, by the names that the statements use."""
        return {one["name"]: figure(one) for one in self.evidence if "name" in one}

    def statement(self, language: str = "en") -> str:
        """The corrected statement with its numbers.

        >>> len(load_claims()[0].statement("zh")) > 10
        True
        """
        return self.corrected[language].format(**self.figures)


def load_claims(path: Path | None = None) -> list[Claim]:
    """All claims of a file, in its order; by default those on the article that this course grew from.

    Raises:
        TypeError: a claim lacks a field, or has one that is not known.

    >>> {claim.verdict for claim in load_claims()} <= set(VERDICTS)
    True
    """
    return [Claim(**fields) for fields in load_trial(path)["claims"]]


def load_trial(path: Path | None = None) -> dict[str, Any]:
    """The whole file: the text on trial, the claims, and what else it holds."""
    import yaml  # the course and the book bring it; nothing else of the package needs it

    return yaml.safe_load((path or recorded("article") / "claims.yaml").read_text(encoding="utf-8"))


def count_verdicts(claims: Sequence[Claim]) -> pd.DataFrame:
    """A row a group, a column a verdict, and the sums."""
    found = pd.crosstab([claim.group for claim in claims], [claim.verdict for claim in claims])
    groups = list(dict.fromkeys(claim.group for claim in claims))
    table = found.reindex(index=groups, columns=list(VERDICTS), fill_value=0)
    table.loc["all"] = table.sum()
    return table.assign(all=table.sum(axis=1)).rename_axis(index=None, columns=None)


def figure(evidence: Mapping[str, Any]) -> Any:
    """The interval, or the plain number, that a piece of evidence of the kind "run" speaks of."""
    folder, _, name = evidence["record"].partition("/")
    if name.endswith(".json"):
        return number(recorded(folder) / name, evidence["value"])
    found, unit = measured(record(folder, name), evidence), evidence.get("unit")
    if unit in ("number", "mean"):
        return found.mean
    return Factor(*found) if unit == "factor" else found


def number(path: Path, keys: Sequence[str]) -> Any:
    found = read_json(path)
    for key in keys:
        found = found[key]
    return found


@cache
def record(folder: str, name: str) -> Comparison:
    return Comparison.load(recorded(folder) / name)


def measured(comparison: Comparison, evidence: Mapping[str, Any]) -> Interval:
    """The mean of a measure over the rows of an arm, or the paired difference to another arm, with its interval.

    `unit`: "points" of a share; their "mean" alone, where runs are too few for an interval; a plain "number"; or
    "factor", the power of e of a difference of logarithms.
    """
    unit = evidence.get("unit", "points")
    measure = evidence.get("measure", comparison.metric)
    columns = [*comparison.settings, *REPEATED, "length", measure]
    asked = replace(comparison, table=comparison.table[columns], metric=measure, share=unit in ("points", "mean"))
    if "minus" in evidence:
        return asked.difference(evidence["of"], evidence["minus"], length=evidence["length"])
    rows = asked.rows_of(evidence["of"], evidence["length"], {})
    return interval_of(values_of(rows, measure, asked.scale))


def repetition(evidence: Mapping[str, Any]) -> tuple[int, int]:
    """How many teachers, each with its split, and how many seeds with each stand behind an interval.

    Raises:
        ValueError: nothing in the record is the arm, at this length.

    >>> claim = next(claim for claim in load_claims() if claim.id == "stable-by-hard-labels")
    >>> repetition(claim.evidence[0])
    (24, 4)
    """
    folder, _, name = evidence["record"].partition("/")
    rows = record(folder, name).rows_of(evidence["of"], evidence["length"], {})
    return rows["replicate"].nunique(), int(rows.groupby("replicate")["seed"].nunique().max())


def shows(evidence: Mapping[str, Any]) -> Iterator[bool]:
    """Whether the interval lies where the evidence says: `shows: {above: 0}`, `below` or `holds`."""
    found = figure(evidence)
    for where, bound in evidence.get("shows", {}).items():
        inside = found.low <= bound <= found.high
        yield {"above": found.low > bound, "below": found.high < bound, "holds": inside}[where]
