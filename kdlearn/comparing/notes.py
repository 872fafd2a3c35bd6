"""What a reader of a comparison needs to know and would not ask."""

from collections.abc import Iterator, Mapping

import pandas as pd

from kdlearn.comparing.chosen import Candidate, Chosen
from kdlearn.comparing.comparison import FEW, Comparison
from kdlearn.comparing.pairing import paired

SHORT_TRAINING = 200  # updates
ROUNDING = 1e-4  # nats
STILL_RISING = 0.5  # points that doubling the length must not add to the reference


def notes_of(
    comparison: Comparison, chosen: Chosen | None = None, sign: int | None = 1, one_answer: float = 0.0
) -> Iterator[str]:
    """What is odd about a comparison.

    `sign` is 1 where more of the metric is better, -1 where less is, None where nobody said; `one_answer` the accuracy
    of the same answer to all, 0 where that is not the metric.
    """
    yield from about_missing(comparison)
    yield from about_one_answer(comparison, one_answer)
    yield from about_teachers(comparison, sign)
    yield from about_seeds(comparison)
    yield from about_length(comparison)
    yield from about_choices(chosen.best if chosen else {})
    for arm in chosen.at_the_end if chosen else ():
        yield f"the choice for {arm} lies at the end of its grid: a wider grid may choose otherwise."
    for arm in chosen.undecided if chosen else ():
        yield f"all candidates for {arm} scored alike on validation: nothing was chosen, and one was taken by rule."


def about_choices(best: Mapping[tuple[str, int], Candidate]) -> Iterator[str]:
    """What was chosen, a sentence a length."""
    for length in dict.fromkeys(length for _, length in best):
        found = "; ".join(f"{name}: {one.told}" for (name, at), one in best.items() if at == length)
        yield f"chosen on validation for {length:,} updates: {found}."


def about_missing(comparison: Comparison) -> Iterator[str]:
    """Arms of which some runs have no number: they diverged, or the metric has none."""
    for arm, rows in comparison.table.groupby(comparison.labels, sort=False):
        if diverged := int(rows["loss"].isna().sum()):
            yield f"{diverged} of {len(rows)} rows of {arm} are of trainings that diverged: try a smaller rate."
        if missing := int(rows.loc[rows["loss"].notna(), comparison.metric].isna().sum()):
            yield f"{comparison.metric} is NaN in {missing} of {len(rows)} rows of {arm}, so it has no mean there."


def about_one_answer(comparison: Comparison, one_answer: float) -> Iterator[str]:
    """Arms with students that ended no better than if they had not looked at the inputs."""
    last = at_the_end(comparison)
    for arm, rows in last.groupby(comparison.labels[last.index], sort=False):
        if few := int((rows[comparison.metric] <= one_answer).sum()):
            share = f"{100 * one_answer:.1f} %"
            yield f"{few} of {len(rows)} students of {arm} are no better than one answer to all, right for {share}."


def at_the_end(comparison: Comparison) -> pd.DataFrame:
    """The rows of the largest length."""
    return comparison.table[comparison.table["length"] == comparison.lengths[-1]]


def about_teachers(comparison: Comparison, sign: int | None) -> Iterator[str]:
    table = comparison.table
    taught = table[table["teacher"] != ""]
    replicates, teachers = table["replicate"].nunique(), taught["teacher"].nunique()
    if 1 < replicates < FEW:
        yield f"only {replicates} replicates: too few for an interval to be trusted; look at each of them."
    if replicates == 1 and teachers == 1:
        yield "one teacher: the intervals say what holds for this teacher on these data, not for teachers in general."
    if 1 < teachers < FEW:
        yield f"only {teachers} teachers: intervals over so few are wide and rest on their being alike."
    if taught.empty:
        return
    yield from about_labels(comparison)
    own = comparison.scale * taught[f"teacher_{comparison.metric}"].mean()
    if pd.isna(own):  # stored logits that do not cover what is measured on
        return
    yield f"the teacher's own {comparison.metric}: {own:.{comparison.digits}f}."
    last = at_the_end(comparison)
    alone = comparison.scale * last.loc[last["strategy"] == comparison.baseline, comparison.metric].mean()
    if sign is not None and sign * own <= sign * alone:
        yield (
            f"the teacher ({own:.{comparison.digits}f}) is no better than the student by {comparison.baseline} "
            f"({alone:.{comparison.digits}f})."
        )


def about_labels(comparison: Comparison) -> Iterator[str]:
    """An arm whose students end like the reference's, in their loss too, was taught by the same labels."""
    for row in comparison.arms():
        gain = row["difference"]
        if gain is not None and gain.mean == gain.half_width == 0 and same_loss(comparison, row["arm"]):
            same = "on these rows, with these settings, they are the same labels"
            yield f"{row['arm']} and {comparison.baseline} never differ: {same}."


def same_loss(comparison: Comparison, arm: str) -> bool:
    """Whether the losses of an arm and of the reference are equal in every pair, but for rounding."""
    rows, others = (comparison.rows_of(one, None, {}) for one in (arm, comparison.baseline))
    pairs = paired(rows, others, "loss")
    return bool((pairs["value_a"] - pairs["value_b"]).abs().max() < ROUNDING)


def about_seeds(comparison: Comparison) -> Iterator[str]:
    """How few repetitions there are, where nothing but the seed repeats."""
    seeds = comparison.table["seed"].nunique()
    if comparison.table["replicate"].nunique() == 1 and seeds < FEW:
        few = (
            "one seed: nothing is said about luck"
            if seeds == 1
            else f"only {seeds} seeds: an interval over them is wide"
        )
        yield f"{few}; more seeds tell more."


def about_length(comparison: Comparison) -> Iterator[str]:
    """Whether the reference has been trained for long enough to be compared with."""
    last = comparison.lengths[-1]
    rows = comparison.table[comparison.table["strategy"] == comparison.baseline]
    means = rows.groupby("length")[comparison.metric].mean() * comparison.scale
    half = [length for length in comparison.lengths if length <= last / 2]
    if half and comparison.share and means[last] - means[half[-1]] >= STILL_RISING:
        gain = means[last] - means[half[-1]]
        yield (
            f"{comparison.baseline} still gained {gain:.1f} points between {half[-1]:,} and {last:,} updates: what is "
            f"found holds up to {last:,} updates."
        )
    elif not half and last < SHORT_TRAINING:
        yield f"only {last:,} updates: what is found may be about the beginning of a training."
