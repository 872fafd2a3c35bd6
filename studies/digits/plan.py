"""Labels or softness: what do a teacher's labels give a small student of handwritten digits, and for how long?

Arms. A student of 2,410 parameters on 60, 240 or all 1,200 images, measured after 100, 300, 1,000 and 3,000 updates:
ground truth, the teacher's hard labels, its soft labels at several temperatures. Two recipes of teacher, those of
`kdlearn demo`: one sees the images as they are for 15 epochs, one sees them shifted by up to a pixel for 45 epochs,
which makes it the more accurate on test images.

Controls. The teacher's hard labels take the softness away. The same entropy, spread evenly over all other classes,
keeps the softness and takes away which classes look alike.

Repetition. 24 replicates, each with a split, two teachers and six seeds of its own; within a replicate all arms of a
seed share images, first weights and order. Replicates 100 to 123: no pilot has used them. Nothing is chosen on these
images: T = 2 and the rate 0.003 were set by pilots on other splits.

Planned, one Holm family, at 3,000 updates, T = 2, 60 images, two-sided, Student's t over the replicates' means:
1. soft labels - hard labels of the same teacher (softness);
2. soft labels - the same entropy, spread evenly (which classes look alike);
3. (soft labels - ground truth) at 3,000 - the same at 300 updates (it grows);
4. (soft labels - ground truth) on 60 images - the same on 240 (it is larger where labels are few);
5. soft labels of the teacher that saw images as they are - soft labels of the other teacher.
All else that is read from this record is exploratory.

A pilot of 16 replicates with teachers of other lengths had shown all five effects. So had two replicates of this plan,
numbered 0 and 1: they measured its speed and are none of the 24. The claims were written down before the 24 replicates
were run: the record confirms them.

Command: `python studies/digits/plan.py [FOLDER]` writes comparison.parquet beside this file; with a folder it goes on
where it was stopped. On one thread of a machine that others used too: 23 minutes, about ten of them
computing (recorded 2026-12-04).
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import kdlearn
from kdcourse.demo import BATCH_SIZE, PLAIN, SHIFTED, STUDENT, teacher
from kdlearn.formulas.intervals import Interval, interval

RECORD = Path(__file__).with_name("comparison.parquet")
REPLICATES, SEEDS, LENGTHS = range(100, 124), range(6), (100, 300, 1000, 3000)
HARD, EVENLY = kdlearn.TeachersHardLabels(), kdlearn.EvenlySpread(2.0)


def soft(*temperatures: float) -> list[kdlearn.Strategy]:
    return [kdlearn.SoftLabels(temperature) for temperature in temperatures]


ARMS = (  # number of images, what the teacher saw, strategies
    (60, "", [kdlearn.GroundTruth()]),
    (60, PLAIN, [HARD, *soft(0.5, 1.0, 2.0, 4.0), EVENLY]),
    (60, SHIFTED, [HARD, *soft(2.0)]),
    (240, "", [kdlearn.GroundTruth()]),
    (240, PLAIN, [*soft(2.0), EVENLY]),
    (1200, "", [kdlearn.GroundTruth()]),
    (1200, PLAIN, [HARD, *soft(0.5, 1.0, 2.0)]),
)


def runs_of(replicate: int, seeds: Iterable[int] = SEEDS, lengths: tuple[int, ...] = LENGTHS) -> Iterator[kdlearn.Run]:
    """A replicate's students, by arm and seed."""
    data = kdlearn.load_digits(replicate)
    teachers = {saw: teacher(data, replicate, saw) for saw in (PLAIN, SHIFTED)}
    for images, saw, strategies in ARMS:
        names = {"images": images, "teacher saw": saw, "teacher": "of the replicate" if saw else ""}
        options: dict[str, Any] = {"replicate": replicate, "batch_size": BATCH_SIZE, "sample": images, "names": names}
        for strategy in strategies:
            for seed in seeds:
                yield kdlearn.Run(data, STUDENT, strategy, teachers.get(saw), lengths, seed, **options)


def carried_out(replicates: Iterable[int] = REPLICATES, **where: Any) -> kdlearn.Comparison:
    """The whole study; `where` as in `kdlearn.study`."""
    runs = [run for replicate in replicates for run in runs_of(replicate)]
    table = kdlearn.study(runs, machine=kdlearn.Machine(threads=1), **where)
    return kdlearn.Comparison(table.drop(columns=["rows", "learning_rate", "parameters", "seconds"]))


def planned(record: kdlearn.Comparison) -> Mapping[str, Interval]:
    """The five planned differences, in points."""

    def arm(strategy: str, images: int = 60, saw: str = PLAIN) -> dict[str, Any]:
        told = {} if strategy == "ground truth" else {"teacher saw": saw}
        temperature = {"temperature": 2.0} if strategy == "soft labels" else {}
        return {"strategy": strategy, "images": images, **told, **temperature}

    def gain(images: int = 60, length: int = 3000) -> Any:
        return record.each(arm("soft labels", images), arm("ground truth", images), length=length)

    return {
        "softness": record.difference(arm("soft labels"), arm(HARD.name)),
        "which classes look alike": record.difference(arm("soft labels"), arm(EVENLY.name)),
        "it grows from 300 to 3,000": interval(gain() - gain(length=300)),
        "60 images, not 240": interval(gain() - gain(images=240)),
        "this teacher, not that of shifted": record.difference(arm("soft labels"), arm("soft labels", saw=SHIFTED)),
    }


if __name__ == "__main__":
    found = carried_out(folder=sys.argv[1] if len(sys.argv) > 1 else None, progress=True)
    found.save(RECORD)
    print(found)
    print(found.planned(planned(found)).to_string(index=False))
