"""The first distillation: what do a teacher's labels give a small student of handwritten digits, and is it softness?

Each replicate has a split and a teacher of its own. On 60 labelled images only the kind of label changes; on all 1,200
images the teacher also hands out labels that the student never had. Planned: soft labels at T = 2 against ground truth,
and against the teacher's hard labels, on the 60 images.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from kdlearn.comparing.arms import Arm
from kdlearn.comparing.comparison import Comparison
from kdlearn.comparing.notes import notes_of
from kdlearn.data.dataset import Dataset
from kdlearn.data.digits import load_digits
from kdlearn.data.views import Views
from kdlearn.engine.run import Run
from kdlearn.engine.study import study
from kdlearn.networks.basic import perceptron, small_convnet
from kdlearn.training.machine import Machine
from kdlearn.training.optimizers import Adam
from kdlearn.training.strategies import EvenlySpread, GroundTruth, SoftLabels, Strategy, TeachersHardLabels

BATCH_SIZE, FEW, ALL, NUM_UPDATES = 60, 60, 1200, 300
PLAIN, SHIFTED = "as they are", "shifted"
UPDATES_OF = {PLAIN: 300, SHIFTED: 900}  # 15 and 45 epochs: the teacher of shifted images is to be the more accurate
TRUTH = {"strategy": GroundTruth.name, "images": FEW}
HARD = {"strategy": TeachersHardLabels.name, "images": FEW}
SOFT = {"strategy": SoftLabels.name, "images": FEW, "temperature": 2.0, "teacher saw": PLAIN}
ALL_HARD, ALL_SOFT = HARD | {"images": ALL}, SOFT | {"images": ALL}
OTHER_TEACHER = SOFT | {"teacher saw": SHIFTED}
STUDENT = partial(perceptron, 64, 32, 10)


def teacher(data: Dataset, replicate: int, saw: str = PLAIN) -> Run:
    """A small convolutional network on ground truth, of images as they are or each shifted by up to one pixel."""
    views = Views(pixels=1, flip=False, seed=replicate, border="darkest") if saw == SHIFTED else None
    options = {"optimizer": Adam(1e-3), "batch_size": BATCH_SIZE, "views": views}
    return Run(data, small_convnet, lengths=(UPDATES_OF[saw],), replicate=replicate, **options)


def runs_of(replicate: int, num_seeds: int) -> Iterator[Run]:
    """A replicate's students, by arm and seed."""
    data = load_digits(replicate)
    teachers = {saw: teacher(data, replicate, saw) for saw in UPDATES_OF}
    for strategy, images, saw in arms():
        for seed in range(num_seeds):
            names = {"images": images, "teacher saw": saw, "teacher": "of the replicate" if saw else ""}
            options: dict[str, Any] = {"seed": seed, "replicate": replicate, "batch_size": BATCH_SIZE, "names": names}
            sample = None if images == ALL else images
            yield Run(data, STUDENT, strategy, teachers.get(saw), (NUM_UPDATES,), sample=sample, **options)


def arms() -> Iterator[tuple[Strategy, int, str]]:
    """Strategy, number of images, and what the teacher saw."""
    yield GroundTruth(), FEW, ""
    for strategy in (TeachersHardLabels(), SoftLabels(2.0), SoftLabels(4.0), EvenlySpread(2.0)):
        yield strategy, FEW, PLAIN
    yield SoftLabels(2.0), FEW, SHIFTED
    for strategy in (TeachersHardLabels(), SoftLabels(2.0)):
        yield strategy, ALL, PLAIN


def demo(replicates: int = 10, seeds: int = 10, *, progress: bool = False, **where: Any) -> Comparison:
    """The whole study; `where` as in `study`."""
    runs = [run for replicate in range(replicates) for run in runs_of(replicate, seeds)]
    # Two processes would start more slowly than they train: one, on all cores.
    table = study(runs, machine=where.pop("machine", Machine()), progress=progress, **where)
    comparison = Comparison(table.drop(columns=["rows", "learning_rate"]), baseline=GroundTruth.name)
    notes = [note for note in notes_of(comparison) if "teacher" not in note]
    return Comparison(comparison.table, baseline=GroundTruth.name, notes=tuple(notes))


def finding(comparison: Comparison) -> str:
    """What was found, in one sentence: how much is labels, and how much is their softness."""

    def gain(a: Arm, b: Arm) -> str:
        found = comparison.difference(a, b)
        return f"{found:+.1f} points" + ("" if found.excludes_zero else " (not distinguishable from 0)")

    return (
        f"On the same {FEW} images soft labels at T = 2 change the student's accuracy by {gain(SOFT, TRUTH)} against "
        f"ground truth: {gain(HARD, TRUTH)} by being the teacher's, {gain(SOFT, HARD)} by being soft. On all {ALL:,} "
        f"images, which the teacher labels, the change is {gain(ALL_SOFT, TRUTH)}: {gain(ALL_HARD, TRUTH)} by the "
        f"labels, {gain(ALL_SOFT, ALL_HARD)} by their softness. A teacher of shifted images "
        f"({accuracy_of_teacher(comparison, SHIFTED)} % right, the other {accuracy_of_teacher(comparison, PLAIN)} %) "
        f"changes the accuracy on the {FEW} images by {gain(OTHER_TEACHER, TRUTH)}."
    )


def accuracy_of_teacher(comparison: Comparison, saw: str) -> str:
    """In percent, the mean over the replicates."""
    taught = comparison.table[comparison.table["teacher saw"] == saw]
    return f"{100 * taught['teacher_accuracy'].mean():.1f}"
