"""What the guide predicts beside what was measured: other lengths, other data sets; and wrong labels, as measured.

The model is that of `guide.py`, which says how it was fitted. Nothing here was used to fit it, and `longest` alone
decides something: up to which length the guide answers.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

import kdlearn
from kdcourse.guide import GAIN, LABELS, SAME, SOFTNESS, WRONG, Case, Guide
from kdlearn import Comparison
from kdlearn.formulas.intervals import interval

STUDIES = Path(__file__).parents[1]
UNSEEN = ("atlas/held_out", "cifar10/recorded", "cifar10/pairs")
TRUTH, HARD, SOFT = kdlearn.GroundTruth.name, kdlearn.TeachersHardLabels.name, kdlearn.SoftLabels.name


def by_length(guide: Guide, record: Comparison) -> Iterator[dict[str, Any]]:
    """Each arm of soft labels of grids A and long, at each length: its case, what is predicted, what was measured."""
    for grid in ("A labels", "long"):
        rows = record.table[(record.table["grid"] == grid) & (record.table["strategy"] == SOFT)]
        arms = rows[["images", "temperature", "length"]].drop_duplicates().sort_values(["images", "temperature"])
        for images, temperature, length in arms.itertuples(index=False):
            of_size = {"grid": grid, "images": images}
            sides = {**of_size, "strategy": SOFT, "temperature": temperature}, {**of_size, "strategy": TRUTH}
            accuracies = accuracies_of(record, *sides, length)
            case = Case(int(images), 0, *accuracies, views=SAME, temperature=temperature, updates=int(length))
            both = {"predicted": guide.parts(case)[GAIN], "measured": record.difference(*sides, length=length)}
            yield {"grid": grid, "case": case, **both}


def accuracies_of(record: Comparison, taught: Mapping[str, Any], truth: Mapping[str, Any], length: int) -> list[float]:
    """Of an arm's teacher, and of the students on ground truth, in percent."""
    teacher = record.rows_of(taught, length, {})["teacher_accuracy"].mean()
    return [float(100 * one) for one in (teacher, record.rows_of(truth, length, {})["accuracy"].mean())]


def longest(guide: Guide, record: Comparison, fitted_to: int) -> int:
    """Up to which length every gain lies in the predicted interval; a shorter miss ends it."""
    found = fitted_to
    for one in sorted(by_length(guide, record), key=lambda one: one["case"].updates):
        if one["case"].updates > fitted_to:
            if not one["predicted"].low <= one["measured"].mean <= one["predicted"].high:
                return found
            found = one["case"].updates
    return found


Place = tuple[Comparison, float, int, Mapping[str, Any]]  # a record, the share of wrong labels, a length, which rows


def wrong_places(atlas: Comparison, article: Comparison) -> list[Place]:
    """Where wrong labels were measured, by share and length."""
    places: list[Place] = [(atlas, share, 1000, {"grid": "E wrong labels", "wrong": share}) for share in (0.2, 0.4)]
    places += [(article, 0.3, length, {"data": "30 % wrong labels"}) for length in (300, 3000)]
    return sorted(places, key=lambda place: place[1:3])


def wrong_labels(atlas: Comparison, article: Comparison) -> list[dict[str, Any]]:
    """What was measured there."""
    return [measured_wrong(*place) for place in wrong_places(atlas, article)]


def measured_wrong(record: Comparison, share: float, length: int, where: Mapping[str, Any]) -> dict[str, Any]:
    """The gap, the two parts, each a mean and a half width, and the standard deviation of single students' gains."""
    truth, hard = {**where, "strategy": TRUTH}, {**where, "strategy": HARD}
    soft = {**where, "strategy": SOFT, "temperature": 1.0}
    teacher, student = accuracies_of(record, hard, truth, length)
    pairs = {LABELS: (hard, truth), SOFTNESS: (soft, hard)}
    parts = {part: list(record.difference(*both, length=length)[:2]) for part, both in pairs.items()}
    single = record.differences(hard, truth, length, {})["value"].std()
    return {WRONG: share, "length": length, "gap": teacher - student, **parts, "spread": float(single)}


def unseen(guide: Guide, atlas: Comparison) -> list[dict[str, Any]]:
    """Three data sets: a row a case, with what is predicted and what was measured of labels, softness and gain."""
    spoken, photographs, pairs = (Comparison.load(STUDIES / f"{name}.parquet") for name in UNSEEN)
    mnist = Comparison(atlas.table[atlas.table["grid"] == "MNIST"])
    few, further = ((60, 60), (240, 240)), ((2000, 2000), (60, 2000))
    rows = [tested(guide, "MNIST", mnist, *sizes, where={"images": sizes[1]}) for sizes in few if len(mnist.table)]
    rows += [tested(guide, "spoken digits", spoken, *sizes, where={"images": sizes[1]}) for sizes in (*few, *further)]
    for labelled in (500, 5000):
        rows.append(tested(guide, "CIFAR-10", photographs, labelled, 50_000, where={"labelled": labelled}))
    return [*rows, *(of_pairs(guide, pairs.table, images) for images in (5000, 45_000))]


def of_pairs(guide: Guide, runs: pd.DataFrame, images: int) -> dict[str, Any]:
    """Photographs that all have labels, T = 2: 45,000 after nine epochs, 5,000 each arm at the length that it chose."""
    students = runs[(runs["role"] == "student") & (runs["images"] == images)]
    students = students[(students["epochs"] == 9) | (images == 5000)]
    scores = 100 * students.pivot(index="replicate", columns="strategy", values="accuracy")
    teacher, updates = 100 * runs.loc[runs["role"] == "teacher", "accuracy"].mean(), int(students["length"].max())
    case = Case(images, 0, teacher, scores[TRUTH].mean(), views=SAME, temperature=2.0, updates=updates)
    sides = {LABELS: (HARD, TRUTH), SOFTNESS: (SOFT, HARD), GAIN: (SOFT, TRUTH)}
    measured = {part: interval(scores[one] - scores[other]) for part, (one, other) in sides.items()}
    return {"data": "CIFAR-10", "case": case, "predicted": guide.parts(case), "measured": measured}


def tested(
    guide: Guide, data: str, record: Comparison, labelled: int, images: int, where: dict[str, int]
) -> dict[str, Any]:
    """One case at T = 4: students on ground truth of `labelled` images, taught ones on those that `where` names."""
    length, known = min(record.lengths), dict.fromkeys(where, labelled)
    truth, hard = {"strategy": TRUTH, **known}, {"strategy": HARD, **where}
    soft = {"strategy": SOFT, "temperature": 4.0, **where}
    accuracies = accuracies_of(record, soft, truth, length)
    case = Case(labelled, images - labelled, *accuracies, views=SAME, updates=length)
    sides = {LABELS: (hard, truth), SOFTNESS: (soft, hard), GAIN: (soft, truth)}
    measured = {part: record.difference(*both, length=length) for part, both in sides.items()}
    return {"data": data, "case": case, "predicted": guide.parts(case), "measured": measured}
