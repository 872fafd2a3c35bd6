"""The atlas: the course's record of when distillation helps."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kdcourse.records import recorded
from kdlearn.comparing.comparison import Comparison


def load_atlas() -> Comparison:
    """The record of `studies/atlas`: a row for each student and length, over 80 replicates with teachers of their own.

    Columns: `grid`, `images` (how many are labelled), `wrong` (share of wrong labels), `teacher`, `kind` (of teacher),
    `control`, `width`, `strategy`, `temperature`, `soft_weight`, `learning_rate`, `replicate`, `seed`, `length`
    (updates), `accuracy` and `agreement` (with the teacher's arg max) as shares, `loss` in nats, `teacher_accuracy`.

    Returns:
        A `Comparison` whose `difference` gives an interval of two arms, in points; say `grid` and `length`.

    Source: `studies/atlas/plan.py` says what was planned, tuned and run; the book tells each column.

    >>> record = load_atlas()
    >>> soft = {"grid": "C controls", "control": "the teacher's", "images": 60}
    >>> found = record.difference(soft, {**soft, "control": "class mean"}, length=1000)
    >>> found.low > 0  # it matters what this image looks like
    True
    """
    return Comparison.load(recorded("atlas") / "atlas.parquet")


def planned_differences(record: Comparison) -> Mapping[str, pd.Series]:
    """The five differences that `studies/atlas/plan.py` planned, by the claim's name: points, a value a replicate.

    Their intervals are one family, which `record.planned` corrects by Holm's procedure.
    """
    hard_labels, both = "teacher's hard labels", "soft labels + ground truth"

    def arm(grid: str, strategy: str, **told: Any) -> dict[str, Any]:
        return {"grid": grid, "strategy": strategy, **told}

    def softness(images: int) -> pd.Series:
        sides = (
            arm("A labels", "soft labels", temperature=4.0, images=images),
            arm("A labels", hard_labels, images=images),
        )
        return record.each(*sides, length=3000)

    def hotter(width: int) -> pd.Series:
        alone = {"soft_weight": 1.0, "width": width}
        sides = [arm("D temperature and weight", both, temperature=at, **alone) for at in (16.0, 4.0)]
        return record.each(*sides, length=1000)

    small, shifted = (arm("B teachers", "soft labels", temperature=4.0, kind=of) for of in ("small", "shifted, long"))
    whole, mean = (
        arm("C controls", "soft labels", images=60, control=name) for name in ("the teacher's", "class mean")
    )
    soft, hard = (
        arm("E wrong labels", "soft labels", temperature=4.0, wrong=0.4),
        arm("E wrong labels", hard_labels, wrong=0.4),
    )
    return {
        "softness gives more on 20 images than on 240": softness(20) - softness(240),
        "a less accurate teacher teaches better": record.each(small, shifted, length=1000),
        "what this image looks like": record.each(whole, mean, length=1000),
        "a larger student profits from a higher temperature": hotter(128) - hotter(8),
        "softness with 40 % wrong labels": record.each(soft, hard, length=1000),
    }
