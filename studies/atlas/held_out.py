"""Spoken digits: what the guide is tested on, and has not seen.

The Free Spoken Digit Dataset (`kdcourse.load_spoken_digits`), spectrograms pooled to 16 bands and 16 frames. Each of
eight replicates (2000 to 2007) draws 2,000 recordings to train, 500 to validate, 500 to test: the speakers are known.
As on MNIST in the atlas the teacher is a perceptron of 512 units, on all 2,000, 1,000 updates; the student is one of 32
units, on 60, 240 or all 2,000 recordings, 1,000 updates at rate 0.003. Ground truth, hard labels, soft labels at T = 2
and T = 4; three seeds. Nothing is chosen, and no claim was planned: what the guide predicts from the atlas alone stands
beside these means in the book.

Command: `python studies/atlas/held_out.py FOLDER` writes held_out.parquet beside this file, in five minutes on a core.
The recordings lie in the folder of the variable KDLEARN_DATA.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
import typer
from grids import HARD, KEPT, TRUTH, students
from teachers import BATCH_SIZE
from torch.nn.functional import avg_pool2d

import kdcourse
import kdlearn
from kdlearn import Comparison, Dataset, Run, SoftLabels, Split
from kdlearn.data.dataset import generator_of

RECORD = Path(__file__).with_name("held_out.parquet")
GRID, REPLICATES, SEEDS, SIZES, TRAINED, HELD = "spoken digits", range(2000, 2008), range(3), (60, 240, 2000), 2000, 500


@cache
def everything() -> Split:
    """All 3,000 recordings `(3000, 1, 16, 16)`."""
    whole = kdcourse.load_spoken_digits(held_out=None)
    parts = [part for _, part in whole.splits()]
    inputs = avg_pool2d(torch.cat([part.inputs for part in parts]), (2, 4))
    return Split((inputs - inputs.mean()) / inputs.std(), torch.cat([part.labels for part in parts]))


@cache
def spoken(replicate: int) -> Dataset:
    """A replicate's own split."""
    rows = torch.randperm(len(everything().labels), generator=generator_of(replicate))
    train, validation, test = rows[:TRAINED], rows[TRAINED:-HELD], rows[-HELD:]
    parts = {"train": train, "validation": validation, "test": test}
    drawn = {name: everything().take(some) for name, some in parts.items()}
    return Dataset(**drawn, class_names=tuple("0123456789"), name=GRID)


def teacher(replicate: int) -> Run:
    network, options = partial(kdlearn.perceptron, 256, 512, 10), {"optimizer": kdlearn.Adam(1e-3)}
    return Run(spoken(replicate), network, lengths=(1000,), replicate=replicate, batch_size=BATCH_SIZE, **options)


def runs_of(replicates: Iterable[int], **where: Any) -> Iterator[Run]:
    """The students, after their teachers are trained."""
    replicates, strategies = list(replicates), (TRUTH, HARD, SoftLabels(2.0), SoftLabels(4.0))
    taught = kdlearn.trained_logits([teacher(one) for one in replicates], **where)
    for one, logits in zip(replicates, taught, strict=True):
        for images in SIZES:
            yield from students(GRID, spoken(one), strategies, logits, one, SEEDS, images=images)


def carried_out(replicates: Iterable[int] = REPLICATES, **where: Any) -> Comparison:
    table = kdlearn.study(list(runs_of(replicates, **where)), **where)
    return Comparison(table.reindex(columns=KEPT))


def main(folder: Path, workers: int = 1) -> None:
    """Carry it out, and tell what was found."""
    found = carried_out(folder=folder, workers=workers, progress=True)
    found.save(RECORD)
    for images in SIZES:
        print(f"{images} recordings", replace(found, table=found.table[found.table["images"] == images]), sep="\n")


if __name__ == "__main__":
    typer.run(main)
