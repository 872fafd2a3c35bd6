"""The open exercise, on data of the learner's own: whatever came out is right, if the comparison can tell it."""

from types import SimpleNamespace
from typing import Any

from kdcourse.exercises.answers import Properties

GAIN = "Hand over what `kdlearn.compare` returns, with all its arms, and not a difference of it"
FEW = "Fewer than five runs of each arm make no interval. Take `seeds=range(10)`"


def of_your_own(control: str) -> Properties:
    """A `Comparison` of ground truth, the arm `control` and one more, with five runs of each or more."""
    missing = f"There is no arm `{control}`, so nothing tells what the other arm is due to"
    return Properties(
        seen,
        {
            GAIN: lambda found: found.is_comparison,
            missing: lambda found: any(control in name for name in found.runs),  # a name that says more is one too
            f"Beside ground truth and `{control}` one more kind of label is wanted": lambda found: len(found.runs) > 2,
            FEW: lambda found: min(found.runs.values()) >= 5,
        },
    )


def seen(answer: Any) -> SimpleNamespace:
    from kdlearn.comparing.comparison import Comparison

    is_comparison = isinstance(answer, Comparison)
    repeated = answer.table[["strategy", "replicate", "seed"]].drop_duplicates() if is_comparison else None
    runs = {} if repeated is None else repeated.groupby("strategy").size().to_dict()
    return SimpleNamespace(is_comparison=is_comparison, runs=runs)
