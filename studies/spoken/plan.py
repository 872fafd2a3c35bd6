"""Spoken digits: does a teacher help a student a hundred times smaller to understand somebody it has never heard?

Arms. `spoken_student()`, of 4,700 parameters, on 100 recordings or on all 2,250 of five speakers, after 300 and 1,000
updates: ground truth, the teacher's hard labels, its soft labels at T = 2 and 4. The teacher is
`spoken_teacher()`, of 618,000 parameters, on all 2,250. All are tested on the 500 recordings of the sixth speaker.

Control. The same entropy at T = 2, spread evenly over all other digits: the softness stays, which digits sound alike is
taken away.

Repetition. Each of the six speakers is left out once. A replicate is a speaker, with a teacher of its own and two
seeds: six dots, and t with 5 degrees of freedom. What is found holds for other speakers of this kind of recording, if
six are like the others. Nothing is chosen: T = 2 and the rate 0.003 are those of studies/digits.

Planned, one Holm family of four, at 1,000 updates, T = 2, two-sided, Student's t over the six speakers:
1. on 100 recordings: soft labels - ground truth;
2. on 100 recordings: soft labels - hard labels of the same teacher (softness);
3. on 100 recordings: soft labels - the same entropy, spread evenly (which digits sound alike);
4. on all recordings: soft labels - ground truth.
All else is exploratory. The first speaker, with a teacher and students of 2 and 3 updates, tried the code; there was no
pilot. Three seeds, 3,000 updates and 20 epochs of the teacher were planned; before anything was run they were cut to
fit the machine, and the student was made faster, by convolutions at every second place.

Data: `KDLEARN_DATA` names the folder, see `kdcourse.load_spoken_digits`.
Command: `python studies/spoken/plan.py FOLDER --workers 2` writes comparison.parquet beside this file.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import typer

import kdcourse
import kdlearn
from kdcourse.data.spoken import SPEAKERS
from kdlearn import Dataset, EvenlySpread, GroundTruth, Run, SoftLabels, TeachersHardLabels
from kdlearn.formulas.intervals import Interval

REPEATED = "6 speakers left out, each with a teacher of its own and 2 seeds"
RECORD = Path(__file__).with_name("comparison.parquet")
SEEDS, LENGTHS, FEW, BATCH_SIZE, RATE = range(2), (300, 1000), 100, 64, 3e-3
HARD, SOFT, EVENLY = TeachersHardLabels(), SoftLabels(2.0), EvenlySpread(2.0)


@cache
def spoken(replicate: int) -> Dataset:
    return kdcourse.load_spoken_digits(held_out=SPEAKERS[replicate])


def teacher(replicate: int, num_updates: int = 350) -> Run:
    """10 epochs of ground truth."""
    options = {"optimizer": kdlearn.Adam(1e-3), "batch_size": BATCH_SIZE}
    return Run(spoken(replicate), kdcourse.spoken_teacher, lengths=(num_updates,), replicate=replicate, **options)


def runs_of(
    replicate: int, seeds: Iterable[int] = SEEDS, lengths: tuple[int, ...] = LENGTHS, num_updates: int = 350
) -> Iterator[Run]:
    """The students of one speaker left out, by recordings, arm and seed."""
    data, taught = spoken(replicate), teacher(replicate, num_updates)
    for recordings in (FEW, len(data.train.labels)):
        for strategy in (GroundTruth(), HARD, SOFT, SoftLabels(4.0), EVENLY):
            asks = strategy.asks_teacher
            names = {"left out": SPEAKERS[replicate], "recordings": recordings}
            names |= {"teacher": "of the replicate" if asks else ""}
            options: dict[str, Any] = {"optimizer": kdlearn.Adam(RATE), "batch_size": BATCH_SIZE, "sample": recordings}
            for seed in seeds:
                of_teacher = taught if asks else None
                yield Run(
                    data,
                    kdcourse.spoken_student,
                    strategy,
                    of_teacher,
                    lengths,
                    seed,
                    replicate,
                    names=names,
                    **options,
                )


def carried_out(
    replicates: Iterable[int] = range(len(SPEAKERS)),
    seeds: Iterable[int] = SEEDS,
    lengths: tuple[int, ...] = LENGTHS,
    num_updates: int = 350,
    **where: Any,
) -> kdlearn.Comparison:
    """The whole study; `where` as in `kdlearn.study`."""
    runs = [run for one in replicates for run in runs_of(one, seeds, lengths, num_updates)]
    table = kdlearn.study(runs, **where)
    front = table.drop(columns=["rows", "learning_rate", "parameters", "seconds", "left out"])
    return kdlearn.Comparison(front)


def planned(record: kdlearn.Comparison) -> Mapping[str, Interval]:
    """The four planned differences, in points."""

    def arm(strategy: str, recordings: int = FEW) -> dict[str, Any]:
        temperature = {} if strategy in (GroundTruth.name, HARD.name) else {"temperature": 2.0}
        return {"strategy": strategy, "recordings": recordings, **temperature}

    whole = int(record.table["recordings"].max())
    return {
        "soft labels": record.difference(arm(SOFT.name), arm(GroundTruth.name)),
        "softness": record.difference(arm(SOFT.name), arm(HARD.name)),
        "which digits sound alike": record.difference(arm(SOFT.name), arm(EVENLY.name)),
        "soft labels on all recordings": record.difference(arm(SOFT.name, whole), arm(GroundTruth.name, whole)),
    }


def main(folder: Path, workers: int = 2) -> None:
    """Carry the study out, and tell the planned claims."""
    found = carried_out(folder=folder, workers=workers, progress=True)
    found.save(RECORD)
    print(found)
    print(found.planned(planned(found)).to_string(index=False))


if __name__ == "__main__":
    typer.run(main)
