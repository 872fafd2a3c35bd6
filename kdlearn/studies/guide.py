"""Should I distil, and how? What the additive model of the atlas says of a reader's own case, and where it abstains.

The gain over ground truth has two parts, each a sum of a few terms: what the teacher's hard labels give, and what their
softness gives beyond them. `studies/atlas/guide.py` fits the coefficients to the atlas and writes guide.json.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kdlearn.data.files import read_json
from kdlearn.formulas.intervals import Interval

FITTED = Path(__file__).with_name("guide.json")
SAME, OTHERS, UNKNOWN = "same", "others", "unknown"
VIEWS = (SAME, OTHERS, UNKNOWN)
LABELS, SOFTNESS, GAIN = "labels", "softness", "gain"
CONSTANT = "constant"

Columns = Mapping[str, Any]
TERMS: Mapping[str, Mapping[str, Callable[[Columns], Any]]] = {
    LABELS: {"gap × share without labels": lambda case: case["gap"] * case["share"]},
    SOFTNESS: {
        CONSTANT: lambda case: 1.0 + 0.0 * case["left"],
        "gap left": lambda case: case["left"],
        "gap left, T < 2": lambda case: case["left"] * (case["temperature"] < 2),
        "gap left, 2 ≤ T < 4": lambda case: case["left"] * ((case["temperature"] >= 2) & (case["temperature"] < 4)),
        "gap left, other views": lambda case: case["left"] * case["others"],
    },
}


@dataclass(frozen=True)
class Case:
    """A reader's own case; accuracies in percent, the student's on ground truth of the labelled images alone.

    `views`: "same" where the student sees images as its teacher saw them, "others" where only the teacher saw them
    shifted, cropped or turned, else "unknown".

    >>> Case(labelled=500, unlabelled=9500, teacher=92.0, student=70.0).columns["share"]
    0.95
    """

    labelled: int
    unlabelled: int
    teacher: float
    student: float
    views: str = UNKNOWN
    temperature: float = 4.0

    @property
    def columns(self) -> dict[str, float]:
        """What the terms read: gap in points, share of the images without labels, the student, and the labels' kind."""
        share = self.unlabelled / (self.labelled + self.unlabelled)
        kind = {"temperature": self.temperature, "others": float(self.views == OTHERS)}
        return {"gap": self.teacher - self.student, "share": share, "student": self.student, **kind}


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
        if case.views == UNKNOWN:
            both = [self.parts(replace(case, views=views)) for views in (SAME, OTHERS)]
            return {part: around(*(one[part] for one in both)) for part in both[0]}
        means = self.means(case.columns)
        return {part: Interval(mean, self.half_width(part, case)) for part, mean in means.items()}

    def half_width(self, part: str, case: Case) -> float:
        """Of the interval for a new group; the labels' part of no further images is 0."""
        if part == LABELS and not case.unlabelled:
            return 0.0
        return at_gap(self.fitted["half_widths"][part], case.columns["gap"])

    def spread(self, case: Case) -> float:
        """Standard deviation, in points, of the gain of one student of one teacher on one split."""
        return at_gap(self.fitted["spread"], case.columns["gap"])

    def __str__(self) -> str:
        """Both sums, a line each."""
        return "\n".join(f"{part} = {' '.join(self.printed(part))}" for part in (LABELS, SOFTNESS))

    def printed(self, part: str) -> Iterator[str]:
        for name, size in self.fitted[part].items():
            yield f"{size:+.2f}" if name == CONSTANT else f"{size:+.2f} × ({name})"

    def outside(self, case: Case) -> Iterator[str]:
        """What of the case the atlas has not seen."""
        columns = case.columns
        for name, said in SAID.items():
            low, high = self.fitted["seen"][name]
            if not low <= columns[name] <= high:
                yield said.format(columns[name], low, high)


SAID = {
    "gap": "the teacher's accuracy less the student's is {:.1f} points; the atlas has seen {:.1f} to {:.1f}",
    "student": "the student reaches {:.1f} % on ground truth; in the atlas it reached {:.1f} to {:.1f} %",
    "share": "{:.2%} of the images are without labels; the atlas has seen {:.0%} to {:.2%}",
}


def around(*intervals: Interval) -> Interval:
    """The smallest interval that holds these."""
    low, high = min(one.low for one in intervals), max(one.high for one in intervals)
    return Interval((low + high) / 2, (high - low) / 2)


def at_gap(steps: Mapping[str, float], gap: float) -> float:
    """The value of the first step whose upper end is not below the gap; of the last beyond all."""
    return next((value for end, value in steps.items() if gap <= float(end)), list(steps.values())[-1])
