"""The atlas: the course's record of when distillation helps."""

from kdlearn.studies.comparison import Comparison
from kdlearn.studies.records import recorded


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
