"""A larger encoder teaches a smaller one: what do its soft labels give a Transformer of few labelled texts?

The case is one that is often named, a BERT for a teacher and a smaller Transformer for a student, at the size of a
laptop. Both are `kdcourse.TextEncoder`, whose every place sees the whole text; nothing is pre-trained. The task is that
of studies/languages: which of 24 languages is a snippet of 25 characters, of the Universal Declaration of Human Rights?

The teacher, of width 48 and two blocks, has 89,448 parameters and reads all 400 snippets of each language with their
ground truth: 800 updates of 32, rate 0.003. The student, of width 16 and one block, has 14,312, 6.2 times fewer. It
reads 20 snippets of each language, which are a part of the teacher's; the teacher answers on these alone.

Arms, after 200 and 400 updates of 32, which are 13 and 27 epochs: ground truth; the teacher's hard labels; its soft
labels. Control: the same entropy, spread evenly, so that which languages are alike is taken away. All but ground truth
carry over what the teacher read in the other 380 snippets of each language.

Choice. For each arm and length the rate of Adam (0.003 or 0.01) and for the two softened ones T (1, 4 or 16), on
validation snippets of two other splits, each with a teacher of its own, one seed each; a rate at an end of the grid, as
one of two always is, extends it there once, for every arm. So an arm with a T has three times the candidates.

Repetition. Five replicates, each with a teacher of its own seed and a draw of its own of the articles that are held out
for the test. Intervals are Student's t over the five paired differences. They hold for other teachers, seeds and
articles if these are like them, for these languages, this task and these two sizes. Replicates share some of the 31
sections, and what is chosen is chosen on sections that others test on.

Planned, one Holm family of three, two-sided, accuracy after 400 updates:
1. soft labels - ground truth;
2. soft labels - the teacher's hard labels (softness, beside the same teacher's knowledge of more texts);
3. soft labels - the same entropy, spread evenly (which languages are alike).
All else is exploratory. A pilot, one split (901), one seed, on validation, with a teacher of 800 updates that was right
on 64 %: after 400 updates at the rate 0.01 ground truth had 39 %, soft labels at T = 1 53 % and at T = 4 57 %. It set
the teacher's rate and size, and the lengths: ground truth had 40 % after 200 updates. Of 2 and 3 there was none. Its
blocks were torch's, with some more biases, of networks that cannot be stacked; a first run of the study with them was
stopped as too slow, and nothing of it was read.

Data: `KDLEARN_DATA` names the folder, see `kdcourse.load_languages`.
Command: `python studies/encoders/plan.py FOLDER --workers 1` writes comparison.parquet beside this file; it took 55
minutes beside other work on two shared cores of an AMD EPYC without AMX (recorded 2026-11-26), in which it had a core
for a few minutes.
"""

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import typer

import kdcourse
import kdlearn
from kdcourse import TextEncoder
from kdcourse.data.languages import LANGUAGES
from kdlearn import (
    Adam,
    Choice,
    Comparison,
    Dataset,
    EvenlySpread,
    GroundTruth,
    Machine,
    Run,
    SoftLabels,
    Strategy,
    TeachersHardLabels,
)
from kdlearn.formulas.intervals import Interval

RECORD = Path(__file__).with_name("comparison.parquet")
REPLICATES, LENGTHS, BATCH_SIZE, FEW = range(7000, 7005), (200, 400), 32, 20
TEMPERATURES, RATES = (1.0, 4.0, 16.0), (0.003, 0.01)
STUDENT = partial(TextEncoder, len(LANGUAGES))
TEACHER = partial(TextEncoder, len(LANGUAGES), width=48, depth=2)
TEACHER_UPDATES, TEACHER_RATE = 800, 0.003
ARMS: tuple[Strategy, ...] = (GroundTruth(), TeachersHardLabels(), SoftLabels(1.0), EvenlySpread(1.0))
TRUTH, HARD, SOFT, EVENLY = (one.name for one in ARMS)


@cache
def data_of(replicate: int) -> Dataset:
    return kdcourse.load_languages(split=replicate)


def teacher_of(replicate: int, data: Dataset) -> Run:
    options: dict[str, Any] = {"lengths": (TEACHER_UPDATES,), "batch_size": BATCH_SIZE, "replicate": replicate}
    return Run(data, TEACHER, optimizer=Adam(TEACHER_RATE), **options)


def carried_out(**where: Any) -> Comparison:
    """The whole study; `where` as in `kdlearn.compare`."""
    softened = {kind.name: [kind(one) for one in TEMPERATURES] for kind in (SoftLabels, EvenlySpread)}
    return kdlearn.compare(
        STUDENT,
        ARMS,
        data_of,
        teacher=teacher_of,
        replicates=REPLICATES,
        seeds=(0,),
        lengths=LENGTHS,
        choose=Choice(softened, RATES, seeds=(1000,), replicates=2),
        batch_size=BATCH_SIZE,
        sample=FEW * len(LANGUAGES),
        machine=Machine(threads=1),
        **where,
    )


def planned(record: Comparison) -> Mapping[str, Interval]:
    """The three planned differences, in points."""
    return {
        "soft labels": record.difference(SOFT, TRUTH, length=LENGTHS[-1]),
        "softness": record.difference(SOFT, HARD, length=LENGTHS[-1]),
        "which languages are alike": record.difference(SOFT, EVENLY, length=LENGTHS[-1]),
    }


def main(folder: Path, workers: int = 1) -> None:
    """Carry the study out, and tell the planned claims."""
    found = carried_out(folder=folder, workers=workers, progress=True)
    found.save(RECORD)
    print(found)
    print(found.planned(planned(found)).to_string(index=False))


if __name__ == "__main__":
    typer.run(main)
