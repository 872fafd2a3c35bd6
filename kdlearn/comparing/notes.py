"""What a reader of a comparison needs to know and would not ask."""

from collections.abc import Iterator, Mapping

import pandas as pd

from kdlearn.comparing.chosen import Candidate, Chosen
from kdlearn.comparing.comparison import FEW, Comparison
from kdlearn.comparing.pairing import REPEATED, paired, values_of
from kdlearn.comparing.printed import own_score

SHORT_TRAINING = 200  # updates
ROUNDING = 1e-4  # nats
STILL_RISING = 0.5  # points that doubling the length must not add to the reference, or take from an arm
MANY_ARMS = 10


def notes_of(
    comparison: Comparison, chosen: Chosen | None = None, sign: int | None = 1, one_answer: float = 0.0
) -> Iterator[str]:
    """What is odd about a comparison.

    `sign` is 1 where more of the metric is better, -1 where less is, None where nobody said; `one_answer` the accuracy
    of the same answer to all, 0 where that is not the metric.
    """
    yield from about_missing(comparison)
    yield from about_one_answer(comparison, one_answer)
    yield from about_repetitions(comparison)
    yield from about_teachers(comparison, sign)
    yield from about_labels(comparison)
    yield from about_candidates(comparison.scores)
    for arm in chosen.at_the_end if chosen else ():
        yield f"the choice for {arm} lies at the end of its grid: a wider grid may choose otherwise."
    for arm in chosen.undecided if chosen else ():
        yield f"all candidates for {arm} scored alike on validation: nothing was chosen, and one was taken by rule."
    yield from about_many_arms(comparison)
    yield from about_fall(comparison, sign)
    yield from about_seeds(comparison)
    yield from about_length(comparison, sign)
    yield from about_choices(chosen.best if chosen else {})


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
        if few := int((rows[comparison.metric] <= one_answer).sum()) * (one_answer > 0):
            share = f"{100 * one_answer:.1f} %"
            yield f"{few} of {len(rows)} students of {arm} are no better than one answer to all, right for {share}."


def at_the_end(comparison: Comparison) -> pd.DataFrame:
    """The rows of the largest length."""
    return comparison.table[comparison.table["length"] == comparison.lengths[-1]]


def about_repetitions(comparison: Comparison) -> Iterator[str]:
    """Replicates or teachers that are the same ones repeat nothing, and make an interval too narrow."""
    for name in ("replicate", "teacher"):
        rows = comparison.table[comparison.table[name] != ""]
        others = [one for one in (*comparison.settings, *REPEATED, "length") if one != name]
        measured = rows.groupby(others, dropna=False)[[comparison.metric, "loss"]]
        if rows[name].nunique() > 1 and (measured.nunique(dropna=False) == 1).all(axis=None):
            yield f"every {name} gives the same numbers: they are one and the same, and the intervals are too narrow."


def about_teachers(comparison: Comparison, sign: int | None) -> Iterator[str]:
    replicates = comparison.table["replicate"].nunique()
    teachers = comparison.table["teacher"].replace("", pd.NA).nunique()
    if 1 < replicates < FEW:
        yield f"only {replicates} replicates: too few for an interval to be trusted; look at each of them."
    if 1 < teachers < FEW:
        yield f"only {teachers} teachers: intervals over so few are wide and rest on their being alike."
    own, last = own_score(comparison), at_the_end(comparison)
    alone = comparison.scale * last.loc[last["strategy"] == comparison.baseline, comparison.metric].mean()
    if sign is not None and sign * own <= sign * alone:
        yield (
            f"the teacher ({own:.{comparison.digits}f}) is no better than the student by {comparison.baseline} "
            f"({alone:.{comparison.digits}f})."
        )


def about_candidates(scores: pd.DataFrame | None) -> Iterator[str]:
    """Where some arms alone had something to choose from, a part of their gain is the choice."""
    tried = pd.Series(dtype=int) if scores is None else scores.groupby("strategy")["candidate"].nunique()
    if (tried == 1).any() and (tried > 1).any():
        names = ", ".join(tried.index[tried == 1])
        yield f"nothing was chosen for {names}, but for other arms: a part of a difference may be the choice alone."


def about_many_arms(comparison: Comparison) -> Iterator[str]:
    if (number := len(comparison.arms())) >= MANY_ARMS:
        yield f"{number} arms were read on one test: the best owes a part to luck; choose= scores them on validation."


def about_fall(comparison: Comparison, sign: int | None) -> Iterator[str]:
    """Arms that were better after fewer updates."""
    for arm, rows in comparison.table.groupby(comparison.labels, sort=False):
        means = (sign or 0) * comparison.scale * rows.groupby("length")[comparison.metric].mean()
        if comparison.share and means.max() - means.iloc[-1] >= STILL_RISING:
            best, last = means.idxmax(), means.index[-1]
            yield f"{arm} got worse by {means.max() - means.iloc[-1]:.1f} points between {best:,} and {last:,} updates."


def about_labels(comparison: Comparison) -> Iterator[str]:
    """An arm whose students end like the reference's, in their loss too, was taught by the same labels."""
    for row in comparison.arms():
        gain = row["difference"]
        if gain is not None and gain.mean == gain.half_width == 0 and same_loss(comparison, row["arm"]):
            same = "on these rows, with these settings, they are the same labels"
            yield f"{row['arm']} and {comparison.baseline} never differ: {same}."


def same_loss(comparison: Comparison, arm: str) -> bool:
    """Whether the losses of an arm and of the reference are equal in every pair, but for rounding."""
    rows, others = (values_of(comparison.rows_of(one, None, {}), "loss") for one in (arm, comparison.baseline))
    return bool(paired(rows, others)["value"].abs().max() < ROUNDING)


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


def about_length(comparison: Comparison, sign: int | None) -> Iterator[str]:
    """Whether the reference has been trained for long enough to be compared with."""
    last = comparison.lengths[-1]
    rows = comparison.table[comparison.table["strategy"] == comparison.baseline]
    means = rows.groupby("length")[comparison.metric].mean() * comparison.scale * (sign or 0)
    half = [length for length in comparison.lengths if length <= last / 2]
    if half and comparison.share and means[last] - means[half[-1]] >= STILL_RISING:
        gain = means[last] - means[half[-1]]
        yield (
            f"{comparison.baseline} still gained {gain:.1f} points between {half[-1]:,} and {last:,} updates: what is "
            f"found holds up to {last:,} updates."
        )
    elif not half and last < SHORT_TRAINING:
        yield f"only {last:,} updates: what is found may be about the beginning of a training."
