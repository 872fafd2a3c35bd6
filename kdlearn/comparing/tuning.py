"""Choosing on validation, with the same number of updates and tuning seeds for every arm."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from kdlearn.comparing.chosen import Candidate, Chosen
from kdlearn.comparing.question import Question
from kdlearn.engine.run import Run
from kdlearn.engine.study import study
from kdlearn.formulas.metrics import direction_of
from kdlearn.training.optimizers import Optimizer, recipe_of
from kdlearn.training.strategies import GroundTruth, Strategy


@dataclass(frozen=True)
class Choice:
    """What is tried for each arm.

    Of candidates within a standard error of the best the one of the smaller learning rate is taken, then of the
    temperature nearest 1, then of the smaller weight decay, then the one that was named first.

    Args:
        candidates: for each arm's name the strategies to choose from; an arm that is not named has its own alone.
        learning_rates: shared by all arms; empty keeps the optimiser's own.
        weight_decays: likewise.
        seeds: of tuning; none of the reported ones.
        replicates: how many replicates tuning has, where the comparison has any; other ones than the reported.

    >>> from kdlearn import SoftLabels
    >>> temperatures = [SoftLabels(T) for T in (1.0, 2.0, 4.0)]
    >>> choose = Choice({"soft labels": temperatures}, learning_rates=(1e-3, 3e-3))  # for compare(..., choose=choose)
    >>> len(choose.candidates["soft labels"]) * len(choose.learning_rates)  # the other arms have two candidates each
    6
    """

    candidates: Mapping[str, Sequence[Strategy]]
    learning_rates: Sequence[float] = ()
    seeds: Sequence[int] = (1000, 1001)
    replicates: int = 4
    weight_decays: Sequence[float] = ()


def choose_settings(
    question: Question, choice: Choice, folder: str | Path | None, where: Mapping[str, Any]
) -> tuple[Chosen, pd.DataFrame]:
    """The best candidate of each arm and length on validation, and every score.

    A choice at the end of the grid of rates extends it once, for every arm.
    """
    check_choice(question, choice)
    grid = {name: list(candidates_of(question, choice, name)) for name in question.strategies}
    scores = score(question, choice, grid, folder, where)
    best = dict(best_of(question, grid, scores))
    further = extended(grid, decided(best, grid, scores))
    if further:
        more = score(question, choice, further, folder, where, begin={name: len(some) for name, some in grid.items()})
        scores = pd.concat([scores, more], ignore_index=True)
        grid = {name: [*grid[name], *further[name]] for name in grid}
        best = dict(best_of(question, grid, scores))
    clear = decided(best, grid, scores)
    ends = [told(cell) for cell, picked in clear.items() if at_end(grid[cell[0]], picked)]
    return Chosen(best, ends, [told(cell) for cell in best if cell not in clear]), scores


def told(cell: tuple[str, int]) -> str:
    name, length = cell
    return f"{name} at {length:,} updates"


def check_choice(question: Question, choice: Choice) -> None:
    names = list(question.strategies)
    if odd := set(choice.candidates) - set(names):
        raise ValueError(f"choose must name strategies of the comparison, {names}; got {sorted(odd)}")
    if several := [name for name, given in question.strategies.items() if len(given) > 1]:
        raise ValueError(f"with choose every strategy needs a name of its own, by a mapping; {several[0]!r} is several")
    taught = [one for one in choice.candidates.get(GroundTruth.name, ()) if one.asks_teacher]
    if taught:
        raise ValueError(f"{GroundTruth.name!r} is the name of learning without a teacher; {taught[0]!r} asks one")
    if both := set(choice.seeds) & set(question.seeds):
        raise ValueError(f"seeds of tuning must not be reported ones; both hold {sorted(both)}")
    if direction_of(question.metric) is None:
        way = f"set {question.metric_name}.smaller_is_better to True or False"
        raise ValueError(f"choose must know whether more of the metric is better: {way}")
    if question.data(question.replicates[0]).validation is None:
        raise ValueError("choose scores on validation, and data has none: give a validation split")


def candidates_of(question: Question, choice: Choice, name: str) -> Iterator[Candidate]:
    strategies = choice.candidates.get(name) or question.strategies[name]
    for optimizer in optimizers_of(question.optimizer, choice):
        yield from (Candidate(strategy, optimizer) for strategy in strategies)


def optimizers_of(optimizer: Optimizer, choice: Choice) -> list[Optimizer]:
    """The optimiser at each rate and weight decay that are to be tried."""
    found = [optimizer]
    for name, values in (("learning_rate", choice.learning_rates), ("weight_decay", choice.weight_decays)):
        if values and not hasattr(optimizer, name):
            way = "need Adam() or NesterovSGD() for an optimizer"
            raise TypeError(f"{name}s {way}; got {type(optimizer).__name__}")
        found = [changed(one, name, value) for one in found for value in values] if values else found
    return found


def changed(optimizer: Any, name: str, value: float) -> Optimizer:
    return replace(optimizer, **{name: value})


def score(
    question: Question,
    choice: Choice,
    grid: Mapping[str, Sequence[Candidate]],
    folder: str | Path | None,
    where: Mapping[str, Any],
    begin: Mapping[str, int] = MappingProxyType({}),
) -> pd.DataFrame:
    """A row for each candidate (its number in the grid), length, teacher, replicate and seed: `score` on validation."""
    runs = [
        replace(run, names={**run.names, "candidate": number, **decay_of(choice, one)})
        for name, some in grid.items()
        for number, one in enumerate(some, begin.get(name, 0))
        for run in tuning_runs(question, choice, name, one)
    ]
    table = study(runs, folder, **where)
    return table.rename(columns={question.metric_name: "score"})


def decay_of(choice: Choice, candidate: Candidate) -> dict[str, float]:
    """A column of its own, where weight decays are tried."""
    return {"weight_decay": candidate.weight_decay} if choice.weight_decays else {}


def tuning_runs(question: Question, choice: Choice, name: str, candidate: Candidate) -> Iterator[Run]:
    options: dict[str, Any] = {"measured_on": "validation", "seeds": list(choice.seeds)}
    if question.given_replicates is not None:
        first = max(question.replicates) + 1
        options["replicates"] = range(first, first + choice.replicates)
    lengths = question.stretches() if recipe_of(candidate.optimizer).constant else [(n,) for n in question.lengths]
    yield from question.runs_of(name, candidate.strategy, candidate.optimizer, lengths, **options)


def decided(
    best: Mapping[tuple[str, int], Candidate], grid: Mapping[str, Sequence[Candidate]], scores: pd.DataFrame
) -> dict[tuple[str, int], Candidate]:
    """Of the best those that the scores chose: where all of several candidates scored alike, they made none."""

    def alike(name: str, length: int) -> bool:
        found = [scores_of(number, name, length, scores) for number in range(len(grid[name]))]
        return len(found) > 1 and all(np.array_equal(found[0], one, equal_nan=True) for one in found)

    return {cell: one for cell, one in best.items() if not alike(*cell)}


def best_of(
    question: Question, grid: Mapping[str, Sequence[Candidate]], scores: pd.DataFrame
) -> Iterator[tuple[tuple[str, int], Candidate]]:
    for name, candidates in grid.items():
        for length in question.lengths:
            sign = direction_of(question.metric) or 1
            found = [(one, sign * scores_of(number, name, length, scores)) for number, one in enumerate(candidates)]
            yield (name, length), best(found)


def scores_of(candidate: int, name: str, length: int, scores: pd.DataFrame) -> np.ndarray:
    rows = scores[(scores["strategy"] == name) & (scores["length"] == length) & (scores["candidate"] == candidate)]
    return rows.sort_values(["replicate", "teacher", "seed"])["score"].to_numpy()


def best(found: Sequence[tuple[Candidate, np.ndarray]]) -> Candidate:
    """The highest mean; of those within one paired standard error of it the smaller rate, then T nearest 1.

    A candidate of which a score is NaN is not taken, if there is another.
    """
    found = [one for one in found if not np.isnan(one[1]).any()] or found
    top, highest = max(found, key=lambda one: one[1].mean())

    def ties(values: np.ndarray) -> bool:
        gaps = highest - values
        return gaps.mean() <= (gaps.std(ddof=1) / np.sqrt(len(gaps)) if len(gaps) > 1 else 0)

    return min((one for one, values in found if one is top or ties(values)), key=Candidate.tie)


def extended(
    grid: Mapping[str, Sequence[Candidate]], chosen: Mapping[tuple[str, int], Candidate]
) -> dict[str, list[Candidate]]:
    """The candidates that one more rate brings, at the end where a choice lies; none if no choice lies at an end."""
    rates = sorted({one.learning_rate for some in grid.values() for one in some})
    if len(rates) < 2:
        return {}
    picked = {one.learning_rate for one in chosen.values()}
    further = [rates[0] ** 2 / rates[1]] * (rates[0] in picked) + [rates[-1] ** 2 / rates[-2]] * (rates[-1] in picked)
    return {name: at_rates(some, further) for name, some in grid.items()} if further else {}


def at_rates(candidates: Sequence[Candidate], rates: Sequence[float]) -> list[Candidate]:
    """The candidates of one rate of the grid, whichever, at other rates."""
    first = candidates[0].learning_rate
    same = [one for one in candidates if one.learning_rate == first]
    return [replace(one, optimizer=changed(one.optimizer, "learning_rate", rate)) for rate in rates for one in same]


def at_end(candidates: Sequence[Candidate], picked: Candidate) -> bool:
    """Whether a choice lies at the end of a grid of numbers."""
    grids = {name: sorted({one.numbers[name] for one in candidates if name in one.numbers}) for name in picked.numbers}
    return any(len(grid) > 1 and picked.numbers[name] in (grid[0], grid[-1]) for name, grid in grids.items())
