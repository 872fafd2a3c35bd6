"""What do several teachers give a student beyond one; which mean, and do weights help?

A student of 2,410 parameters, `perceptron(64, 32, 10)`, learns 60 images of the digits by soft labels alone, 300
updates. In the atlas, from 300 to 1,000 updates, ground truth and soft labels at T = 4 changed by less than a tenth of
a point; at T = 1 students were still learning. A teacher is `small_convnet()` on 1,200 images, 300 updates of 60, as
there.

Companies, of three teachers each. alike: three of this recipe that differ by their seed. one is sure: two of them, and
one that learned 20 images, for 100 updates; it is wrong about every fifth image and rarely in doubt. one is in doubt:
two of them, and one that had 20 updates of all images; it is about as often wrong and mostly in doubt.

As one teacher. The mean of probabilities; of logits; of alike ones also the mean of probabilities that are softened
before, which is the sum of a loss for each teacher. Weights: equal; of logits also the accuracy on 197 validation
images, or confidence, row by row; or all weight for the best on validation.

Controls. One teacher, the first; one teacher that cost as many updates as three, 900.

Equal tuning. Each arm has T = 1, 2, 4 and 8 at two shared learning rates, ground truth the rates alone; scored on
validation, by four other replicates and two other seeds; a choice at the end of the rates extends them for all.

Repetition. Replicates 8000 to 8015, each with a split, teachers and two seeds of its own.

Planned, one Holm family of five, two-sided, Student's t over the replicates' means:
1. alike, mean of logits - one teacher (what several give);
2. alike: mean of logits - mean of probabilities (which mean);
3. alike, mean of logits - one teacher of as many updates (at equal cost);
4. mean of logits: weights by validation - equal ones, the mean of the two companies with a poor member;
5. mean of logits: weights by confidence - equal ones, likewise.
All else is exploratory.

Before it ran. The atlas has shown that at T = 4 a student of five teachers' mean of probabilities was 2.3 points below
that of one, and at T = 1 0.8 above: 2 was expected to be positive. It has also shown one teacher of 900 updates 0.2
below one of 300. The poor members' recipes were set on replicates 0 and 1 by their own accuracies, without students.
Replicates 0 and 1, with students of 5 updates, tried the code. There was no other pilot. While the teachers were
trained, before any student was, 1,000 updates were cut to 300, three rates to two, and weights for the mean of
probabilities were left out, for the time it would take.

After it was read: the atlas's five teachers, told above, went through `logits_from`, which raises a probability below
1e-6 to it. Is this why they taught less than one? `cut` was added, exploratory: students at T = 4 and the rate 0.003 of
one teacher and of the mean of probabilities of three alike, as they are and with this cut.

Command: `python studies/several_teachers/plan.py FOLDER --workers 1` writes comparison.parquet beside this file; it
took about five minutes of computing, on a busy core of an AMD EPYC without AMX (recorded 2026-11-26).
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import typer
from torch import Tensor

import kdlearn
from kdlearn import Adam, Choice, Comparison, GroundTruth, Run, SoftLabels, Strategy, mean_of_teachers
from kdlearn.comparing.question import Question
from kdlearn.comparing.tuning import choose_settings
from kdlearn.formulas.intervals import Interval, interval
from kdlearn.formulas.labels import logits_from

sys.path.append(str(Path(__file__).parents[1] / "atlas"))
from teachers import BATCH_SIZE, convnet, digits

RECORD = Path(__file__).with_name("comparison.parquet")
REPLICATES, SEEDS, LENGTHS, IMAGES = range(8000, 8016), range(2), (300,), 60
TUNING, TEMPERATURES, RATES = 4, (1.0, 2.0, 4.0, 8.0), (3e-3, 1e-2)
STUDENT = partial(kdlearn.perceptron, 64, 32, 10)
TRUTH, ONE, LONG = "ground truth", "one teacher", "one teacher, 900 updates"
ALIKE, SURE, IN_DOUBT = "alike", "one is sure", "one is in doubt"
MEMBERS = {ALIKE: (0, 1, 2), SURE: (0, 1, 3), IN_DOUBT: (0, 1, 4)}  # places among a replicate's teachers
WEIGHTS = ("equal", "validation", "confidence")
AS_IT_IS, CUT = "T = 4, as it is", "T = 4, cut"
PROBABILITIES, LOGITS, SOFTENED, BEST = "probabilities", "logits", "softened probabilities", "best on validation"
Logits = Mapping[str, Tensor]


def teachers(replicate: int) -> list[Run]:
    """Three alike, one of 20 images, one of 20 updates, one of 900."""
    data = digits(replicate)
    alike = [run for seed in range(3) for run in convnet(data, replicate, seed=seed)]
    others = ({"sample": 20, "lengths": (100,)}, {"lengths": (20,)}, {"lengths": (900,)})
    return alike + [run for seed, one in enumerate(others, 3) for run in convnet(data, replicate, seed=seed, **one)]


@dataclass(frozen=True)
class Arm:
    """Which teachers, and how they become one."""

    company: str
    of: str
    weights: str = WEIGHTS[0]

    def __str__(self) -> str:
        return f"{self.company}: {self.of}" + f", by {self.weights}" * (self.weights != WEIGHTS[0])

    def told(self, answers: Sequence[Logits], right: Sequence[float], temperature: float) -> Logits:
        """What its company says, of the `answers` of all of a replicate's teachers and their validation accuracies."""
        places = MEMBERS[self.company]
        together = self.mean(temperature, [right[place] for place in places])
        return {split: together([answers[place][split] for place in places]) for split in answers[0]}

    def mean(self, temperature: float, right: Sequence[float]) -> Callable[[Sequence[Tensor]], Tensor]:
        if self.of == BEST:
            return lambda logits: logits[max(range(len(right)), key=right.__getitem__)]
        if self.of == SOFTENED:
            return lambda logits: temperature * mean_of_teachers([one / temperature for one in logits])
        weights: Any = {"equal": None, "validation": right, "confidence": "confidence"}[self.weights]
        return partial(mean_of_teachers, of=self.of, weights=weights)


def arms() -> Iterator[Arm]:
    yield from (Arm(ALIKE, of) for of in (PROBABILITIES, SOFTENED, LOGITS, BEST))
    for company in (SURE, IN_DOUBT):
        yield from (Arm(company, of) for of in (PROBABILITIES, BEST))
        yield from (Arm(company, LOGITS, weights) for weights in WEIGHTS)


def teachers_of(answers: Sequence[Logits], replicate: int) -> Mapping[str, Callable[[float], Logits]]:
    """For each arm what it tells a student of a temperature; of any two students it is the same object."""
    labels = digits(replicate).validation.labels
    right = [kdlearn.accuracy(one["validation"], labels) for one in answers]
    mixed = {str(arm): cache(partial(arm.told, answers, right)) for arm in arms()}
    return {ONE: lambda temperature: answers[0], LONG: lambda temperature: answers[-1], **mixed}


def tuning_of(replicates: Iterable[int]) -> range:
    """As `kdlearn.compare` takes them: those that follow."""
    return range(max(replicates) + 1, max(replicates) + 1 + TUNING)


def told_of(replicates: Sequence[int], folder: Any, where: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """`teachers_of` each replicate, once its teachers are trained."""
    runs = {replicate: teachers(replicate) for replicate in replicates}
    found = iter(kdlearn.trained_logits([run for some in runs.values() for run in some], folder, **where))
    return {replicate: teachers_of([next(found) for _ in some], replicate) for replicate, some in runs.items()}


class Students(Question):
    """As in `kdlearn.compare`, but each arm has a teacher of its own."""

    def runs_of(self, name: str, strategy: Strategy, *how: Any, **options: Any) -> Iterator[Run]:
        for run in super().runs_of(name, strategy, *how, **options):
            taught = run.teacher[name](strategy.settings["temperature"]) if run.asks_teacher else None
            yield replace(run, teacher=taught)


def carried_out(
    replicates: Iterable[int] = REPLICATES,
    lengths: tuple[int, ...] = LENGTHS,
    rates: Sequence[float] = RATES,
    **where: Any,
) -> Comparison:
    """The whole study; nothing is chosen where there are no rates. `where` as in `kdlearn.study`, `folder` too."""
    replicates, where = list(replicates), {"machine": kdlearn.Machine(threads=1), **where}
    folder = where.pop("folder", None)
    told = told_of([*replicates, *(tuning_of(replicates) if rates else ())], folder, where)
    names = [ONE, LONG, *map(str, arms())]
    students = Students(
        STUDENT, {TRUTH: GroundTruth(), **dict.fromkeys(names, SoftLabels(2.0))}, digits,
        lambda replicate, data: told[replicate], SEEDS, lengths, replicates, TRUTH, kdlearn.accuracy, Adam(3e-3),
        BATCH_SIZE, IMAGES, None, "float32",
    )  # fmt: skip
    candidates = {name: [SoftLabels(temperature) for temperature in TEMPERATURES] for name in names}
    choice = Choice(candidates, rates, replicates=TUNING)
    chosen, scores = choose_settings(students, choice, folder, where) if rates else (None, None)
    table = kdlearn.study(list(students.runs(chosen)), folder, **where)
    return Comparison(table.drop(columns=["rows", "parameters", "seconds"]), scores=scores)


def cut(logits: Logits) -> Logits:
    """Probabilities below 1e-6 are raised to it."""
    return {split: logits_from(one.softmax(dim=-1)) for split, one in logits.items()}


def cut_or_not(told: Mapping[int, Mapping[str, Any]], **where: Any) -> pd.DataFrame:
    """Exploratory, added after the record was read: what the cut does at T = 4."""
    runs, ways = [], {AS_IT_IS: dict, CUT: cut}
    shared = {"strategy": SoftLabels(4.0), "lengths": LENGTHS, "optimizer": Adam(3e-3)}
    shared |= {"batch_size": BATCH_SIZE, "sample": IMAGES}
    for (replicate, taught), name, how in product(told.items(), (ONE, str(Arm(ALIKE, PROBABILITIES))), ways):
        own = {"teacher": ways[how](taught[name](4.0)), "replicate": replicate}
        own["names"] = {"strategy": f"{name}, {how}", "teacher": "of the replicate"}
        runs += [Run(digits(replicate), STUDENT, seed=seed, **own, **shared) for seed in SEEDS]
    return kdlearn.study(runs, **where)


def planned(record: Comparison) -> Mapping[str, Interval]:
    """The five planned differences, in points."""
    together = str(Arm(ALIKE, LOGITS))

    def weighted(weights: str) -> Interval:
        companies = [
            record.each(str(Arm(company, LOGITS, weights)), str(Arm(company, LOGITS))) for company in (SURE, IN_DOUBT)
        ]
        return interval(sum(companies) / len(companies))

    return {
        "three teachers, not one": record.difference(together, ONE),
        "logits, not probabilities": record.difference(together, str(Arm(ALIKE, PROBABILITIES))),
        "three teachers, not one of their cost": record.difference(together, LONG),
        "weights by validation": weighted("validation"),
        "weights by confidence": weighted("confidence"),
    }


def main(folder: Path, workers: int = 1) -> None:
    """Carry the study out, and tell the planned claims."""
    found = carried_out(folder=folder, workers=workers, progress=True)
    told = told_of([*REPLICATES, *tuning_of(REPLICATES)], folder, {"workers": workers})  # trained before
    beside = cut_or_not({one: told[one] for one in REPLICATES}, folder=folder, workers=workers)
    found = replace(found, table=pd.concat([found.table, beside], ignore_index=True)[list(found.table)])
    found.save(RECORD)
    print(found)
    print(found.planned(planned(found)).to_string(index=False))


if __name__ == "__main__":
    typer.run(main)
