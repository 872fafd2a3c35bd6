"""Should I distil, and how? What the additive model of the atlas says of a reader's own case, and where it abstains.

The gain over ground truth has two parts, each a sum of a few terms: what the teacher's hard labels give, and what their
softness gives beyond them. `studies/atlas/guide.py` fits the coefficients to the atlas and writes guide.json.

Of wrong labels the records hold a few comparisons on one data set, and no model can be fitted to them: they are told as
they were measured.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from kdlearn.data.files import read_json
from kdlearn.formulas.intervals import Interval

FITTED = Path(__file__).with_name("guide.json")
SAME, OTHERS, UNKNOWN = "same", "others", "unknown"
VIEWS = (SAME, OTHERS, UNKNOWN)
LABELS, SOFTNESS, GAIN = "labels", "softness", "gain"
CONSTANT, WRONG = "constant", "wrong"

Columns = Mapping[str, Any]
TERMS: Mapping[str, Mapping[str, Callable[[Columns], Any]]] = {
    LABELS: {"gap × share without labels": lambda case: case["gap"] * case["share"]},
    SOFTNESS: {
        CONSTANT: lambda case: 1.0 + 0.0 * case["left"],
        "gap left": lambda case: case["left"],
        "gap left, T < 2": lambda case: case["left"] * (case["temperature"] < 2),
        "gap left, 2 ≤ T < 4": lambda case: case["left"] * ((case["temperature"] >= 2) & (case["temperature"] < 4)),
        "gap left, other views": lambda case: case["left"] * case["others"],
        "log10 of 1,000 / updates, if fewer": lambda case: np.log10(1000 / np.minimum(case["length"], 1000)),
    },
}


@dataclass(frozen=True)
class Case:
    """A reader's own case; accuracies in percent, the student's on ground truth of the labelled images alone.

    `views`: "same" where the student sees images as its teacher saw them, "others" where only the teacher saw them
    shifted, cropped or turned, else "unknown". `updates`: how long the student trains; None where it is not known.
    `wrong`: the share of the labels that are wrong, which the teacher learned too.

    >>> Case(labelled=500, unlabelled=9500, teacher=92.0, student=70.0).columns["share"]
    0.95
    """

    labelled: int
    unlabelled: int
    teacher: float
    student: float
    views: str = UNKNOWN
    temperature: float = 4.0
    updates: int | None = None
    wrong: float = 0.0

    def __post_init__(self) -> None:
        if self.views not in VIEWS:
            raise ValueError(f"views must be one of {', '.join(VIEWS)}; got {self.views!r}")

    @property
    def columns(self) -> dict[str, float]:
        """What the terms read: gap in points, share of the images without labels, the student, and the labels' kind."""
        share = self.unlabelled / (self.labelled + self.unlabelled)
        kind = {"temperature": self.temperature, "others": float(self.views == OTHERS), WRONG: self.wrong}
        told = {} if self.updates is None else {"length": self.updates}
        return {"gap": self.teacher - self.student, "share": share, "student": self.student, **kind, **told}


@dataclass(frozen=True)
class Guide:
    """The fitted model: `parts` of a case in points, `outside` for why it abstains, `spread` of single gains."""

    fitted: Mapping[str, Any]

    @classmethod
    def load(cls) -> "Guide":
        """The one that the atlas gave."""
        return cls(read_json(FITTED))

    def means(self, columns: Columns) -> dict[str, Any]:
        """Labels, softness and the whole gain, of one case or of columns of many."""
        labels = self.sum_of(LABELS, columns)
        softness = self.sum_of(SOFTNESS, {**columns, "left": columns["gap"] - labels})
        return {LABELS: labels, SOFTNESS: softness, GAIN: labels + softness}

    def sum_of(self, part: str, columns: Columns) -> Any:
        """The terms of a part, each times its coefficient."""
        return sum(size * TERMS[part][name](columns) for name, size in self.fitted[part].items())

    def parts(self, case: Case) -> dict[str, Interval]:
        """The same of a case, each with the interval of the mean gain in a group that the model has not seen."""
        means = [self.means(one.columns) for one in self.all_told(case)]
        widths = {part: self.half_width(part, case) for part in (LABELS, SOFTNESS, GAIN)}
        return {part: around(*(Interval(one[part], width) for one in means)) for part, width in widths.items()}

    def all_told(self, case: Case) -> Iterator[Case]:
        """The case; where views or updates are not told, one with each end of what they may be."""
        views = (SAME, OTHERS) if case.views == UNKNOWN else (case.views,)
        updates = self.fitted["seen"]["length"] if case.updates is None else (case.updates,)
        yield from (replace(case, views=one, updates=another) for one, another in product(views, updates))

    def half_width(self, part: str, case: Case) -> float:
        """Of the interval for a new group; the labels' part of no further images is 0."""
        if part == LABELS and not case.unlabelled:
            return 0.0
        return at_gap(self.fitted["half_widths"][part], case.columns["gap"])

    def spread(self, case: Case) -> float:
        """Standard deviation, in points, of the gain of one student of one teacher on one split."""
        return at_gap(self.fitted["spread"], case.columns["gap"])

    @property
    def compared(self) -> list[Mapping[str, Any]]:
        """Of wrong labels each share and length that was measured: the gap, the parts as intervals, the spread."""
        return [{**one, **{part: Interval(*one[part]) for part in (LABELS, SOFTNESS)}} for one in self.fitted[WRONG]]

    def __str__(self) -> str:
        """Both sums, a line each."""
        return "\n".join(f"{part} = {' '.join(self.printed(part))}" for part in (LABELS, SOFTNESS))

    def printed(self, part: str) -> Iterator[str]:
        for name, size in self.fitted[part].items():
            yield f"{size:+.2f}" if name == CONSTANT else f"{size:+.2f} × ({name})"

    def outside(self, case: Case) -> Iterator[str]:
        """What of the case has not been seen."""
        for name, (low, high) in (self.seen_wrong if case.wrong else self.fitted["seen"]).items():
            value = case.columns.get(name, low)  # what is not told is within
            if not low <= value <= high:
                said = ALL_LABELLED if name == "share" and case.wrong else SAID[name]
                yield said.format(value, low, high)

    @property
    def seen_wrong(self) -> dict[str, tuple[float, float]]:
        """Between which values the comparisons of wrong labels lie; all images were labelled, with the same views."""
        columns = {name: [one[name] for one in self.fitted[WRONG]] for name in ("gap", WRONG, "length")}
        ends = {name: (min(values), max(values)) for name, values in columns.items()}
        return {**ends, "share": (0.0, 0.0), "others": (0.0, 0.0)}


ALL_LABELLED = "{:.0%} of the images are without labels; where labels are wrong, none such was measured"
SAID = {
    "gap": "the teacher's accuracy less the student's is {:.1f} points; measured were {:.1f} to {:.1f}",
    "student": "the student reaches {:.1f} % on ground truth; measured were {:.1f} to {:.1f} %",
    "share": "{:.2%} of the images are without labels; measured were {:.0%} to {:.2%}",
    "temperature": "T is {:g}; measured were {:g} to {:g}",
    "length": "the student trains for {:,} updates; measured were {:,} to {:,}",
    WRONG: "{:.0%} of the labels are wrong; measured were {:.0%} to {:.0%}",
    "others": "the teacher saw other views; where labels are wrong, none such was measured",
}


def around(*intervals: Interval) -> Interval:
    """The smallest interval that holds these."""
    low, high = min(one.low for one in intervals), max(one.high for one in intervals)
    return Interval((low + high) / 2, (high - low) / 2)


def at_gap(steps: Mapping[str, float], gap: float) -> float:
    """The value of the first step whose upper end is not below the gap; of the last beyond all."""
    return next((value for end, value in steps.items() if gap <= float(end)), list(steps.values())[-1])
