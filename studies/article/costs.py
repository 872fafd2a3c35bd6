"""What hard and soft labels cost: bytes to keep, seconds to make, seconds to learn from.

The digits' teacher and student of `kdlearn demo` on all 1,200 images, one thread; each time is the median of seven
turns in which the kinds take part one after the other. Seconds are this machine's: the course quotes their ratios.

Command: `python studies/article/costs.py` writes costs.json beside this file, in a minute.
"""

from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

import kdlearn
from kdcourse.demo import BATCH_SIZE, STUDENT
from kdcourse.records import provenance
from kdlearn.data.files import write_json
from kdlearn.training.answers import LiveAnswers, StoredAnswers

RECORD, TURNS, EPOCHS = Path(__file__).with_name("costs.json"), 7, 5


def seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def bytes_a_label(logits: Tensor) -> dict[str, int]:
    """Of one label as it is kept: a class index in a byte, ten probabilities in two or in four bytes each."""
    hard = kdlearn.hard_labels(logits).to(torch.uint8)
    kept = {"hard": hard, "soft_float16": logits.half(), "soft_float32": logits.float()}
    return {name: values.nbytes // len(values) for name, values in kept.items()}


def makers(teacher: torch.nn.Module, images: Tensor) -> dict[str, Callable[[], object]]:
    """Making labels of all images; both begin with the same forward pass."""
    return {
        "forward": lambda: kdlearn.predict(teacher, images),
        "hard": lambda: kdlearn.hard_labels(kdlearn.predict(teacher, images)),
        "soft": lambda: kdlearn.soft_labels(kdlearn.predict(teacher, images), 2.0),
    }


def learners(data: kdlearn.Dataset, teacher: torch.nn.Module, logits: Tensor) -> dict[str, Callable[[], object]]:
    """Five epochs of a student, by where its labels come from."""
    stored = StoredAnswers([logits])
    live = LiveAnswers(teacher, lambda epoch, rows: data.train.inputs[rows], [], kdlearn.Machine(threads=1))
    kinds = {
        "ground truth": (kdlearn.GroundTruth(), None),
        "hard, stored": (kdlearn.TeachersHardLabels(), stored),
        "soft, stored": (kdlearn.SoftLabels(2.0), stored),
        "soft, asked anew": (kdlearn.SoftLabels(2.0), live),
    }

    def learning(strategy: kdlearn.Strategy, answers: object) -> Callable[[], object]:
        stream = kdlearn.BatchStream(data.train, BATCH_SIZE, seed=0, answers=answers)
        return lambda: kdlearn.train(STUDENT(), stream, strategy, num_epochs=EPOCHS, progress=False)

    return {name: learning(*kind) for name, kind in kinds.items()}


def ratios(works: dict[str, Callable[[], object]], to: str) -> dict[str, float]:
    """Median seconds of each, divided by those of one of them."""
    turns = [{name: seconds(work) for name, work in works.items()} for _ in range(TURNS)]
    medians = {name: median(turn[name] for turn in turns) for name in works}
    return {name: round(value / medians[to], 3) for name, value in medians.items()}


def costs() -> dict[str, object]:
    torch.set_num_threads(1)
    data, teacher = kdlearn.load_digits(), kdlearn.seeded(kdlearn.small_convnet, 0)
    logits = kdlearn.predict(teacher, data.train.inputs)
    return {
        "bytes_a_label": bytes_a_label(logits),
        "making": ratios(makers(teacher, data.train.inputs), "hard"),
        "learning": ratios(learners(data, teacher, logits), "hard, stored"),
        "provenance": provenance(),
    }


if __name__ == "__main__":
    write_json(RECORD, costs())
