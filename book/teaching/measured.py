"""What the slides ask for and show, read from records or computed by the package's formulas."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import torch

import kdlearn
from kdcourse import clinic, theory
from kdcourse.claims import record
from kdcourse.commands.advise import SAID, decision, sign_of
from kdcourse.commands.start import notebooks_folder
from kdcourse.figures import LossExplorer
from kdcourse.guide import SAME, Case, Guide

TRUTH, PLAIN = {"strategy": "ground truth"}, {"teacher saw": "as they are"}
SOFT = {"strategy": "soft labels", "temperature": 2.0, **PLAIN}
UNTRAINED = "untrained"  # all its logits are 0
TEMPERATURES = 2.0 ** np.arange(0, 6)
CASE = Case(labelled=500, unlabelled=10_000, teacher=92.0, student=70.0, views=SAME)  # as on the guide's page
SHOWN = {"first soft loss": ".2f", "gradient": ".2f", "entropy": ".0f", "hits": ".0f", "repeats": ".0f"}


def recorded_teacher() -> dict[str, np.ndarray]:
    """A teacher's and two students' logits on test images of the digits, images and labels, as in the notebooks."""
    with np.load(notebooks_folder() / "digits_logits.npz") as file:
        return {name: file[name] for name in ("teacher_logits", "student_logits", "long_logits", "labels", "images")}


def misread() -> int:
    """Of the images that the teacher names wrongly, the one whose two best classes are closest."""
    held = recorded_teacher()
    best = np.sort(held["teacher_logits"], axis=1)
    wrong = held["teacher_logits"].argmax(axis=1) != held["labels"]
    return int(np.where(wrong, best[:, -1] - best[:, -2], np.inf).argmin())


def example() -> dict[str, str]:
    """The three labels of that image, in words."""
    held, place = recorded_teacher(), misread()
    soft = kdlearn.soft_labels(torch.as_tensor(held["teacher_logits"][[place]]))[0]
    named = [f"{float(soft[k]):.2f} for {int(k)}" for k in soft.argsort(descending=True)[:3]]
    truth, hard = int(held["labels"][place]), int(soft.argmax())
    return {"truth": str(truth), "hard": str(hard), "soft": ", ".join([*named, "…"])}


def gradient_lengths(student: str = UNTRAINED) -> np.ndarray:
    """Length of the gradient of KL, without T², by temperature: the mean over the recorded teacher's test images."""
    held = recorded_teacher()
    teacher = torch.as_tensor(held["teacher_logits"], dtype=torch.float64)
    logits = torch.zeros_like(teacher) if student == UNTRAINED else torch.as_tensor(held[f"{student}_logits"]).double()
    slopes = [theory.soft_label_gradient(logits, teacher, T) / T**2 for T in TEMPERATURES]
    return np.array([float(slope.norm(dim=1).mean()) for slope in slopes])


def gradient_ratio(student: str) -> float:
    """How many times smaller that gradient is at T = 16 than at T = 1."""
    found = gradient_lengths(student)
    return found[0] / found[list(TEMPERATURES).index(16)]


def push_of_hard_loss(soft_weight: float) -> float:
    """On the ground truth's logit in the first state of the figure of the loss: the same at each temperature."""
    shown = LossExplorer()
    student = torch.tensor(shown.student_logits).softmax(dim=0)
    return (1 - soft_weight) * (1 - float(student[shown.label]))


def pairs_of_each() -> tuple[np.ndarray, np.ndarray]:
    """Accuracies on soft labels and on ground truth, in percent, a row a teacher, a column a seed."""
    found = record("digits", "comparison.parquet")
    pairs = found.differences(SOFT | {"teacher saw": "shifted"}, TRUTH, 300, {"images": 60})
    rows = pairs.sort_values(["replicate", "seed"])
    soft, truth = (100 * rows[f"value_{side}"].to_numpy().reshape(24, 6) for side in "ab")
    return soft, truth


def gains_of_each() -> np.ndarray:
    """A row a teacher, a column a seed: the harder case of notebook 00b, in points."""
    return pairs_of_each()[0] - pairs_of_each()[1]


def spreads() -> dict[str, float]:
    """Standard deviation of the gain in points, within pairs and between students of unrelated seeds."""
    soft, truth = pairs_of_each()
    return {"paired": (soft - truth).std(ddof=1), "torn": np.hypot(soft.std(ddof=1), truth.std(ddof=1))}


@cache
def first_numbers() -> dict[str, dict[str, float]]:
    """Of a right training and of each of the clinic's, by letter: what is seen before the first update."""
    cases = {"right": clinic.RIGHT, **clinic.CASES}
    found = {letter: clinic.numbers_before(clinic.Patient(case)) for letter, case in cases.items()}
    return {letter: {name: of[name] for name in SHOWN} for letter, of in found.items()}


def odd(letter: str) -> list[str]:
    """The rows in which it stands out: a loss half or twice as large, a share 5 points off, any repeat missed."""
    mine, right = first_numbers()[letter], first_numbers()["right"]
    away = {name: abs(mine[name] - right[name]) for name in SHOWN}
    told = ["first soft loss"] if not 0.5 < mine["first soft loss"] / right["first soft loss"] < 2 else []
    return told + [name for name, least in (("entropy", 5), ("hits", 5), ("repeats", 1)) if away[name] >= least]


def shown_numbers() -> dict[str, dict[str, str]]:
    """`first_numbers` as the slide prints them."""
    return {
        letter: {name: format(of[name], form).replace("-", "−") for name, form in SHOWN.items()}
        for letter, of in first_numbers().items()
    }


def guide_of(case: Case) -> dict[str, Any]:
    """How to ask for this case on the command line, what the guide says of each part, and what it advises."""
    guide = Guide.load()
    told = {SAID[name]: part for name, part in guide.parts(case).items()}
    command = (
        f"kdlearn advise --labelled {case.labelled} --unlabelled {case.unlabelled} \\\n"
        f"    --teacher-accuracy {case.teacher:g} --student-accuracy {case.student:g} --teacher-views {case.views}"
    )
    parts = [(said, f"{one.low:+.1f} to {one.high:+.1f}".replace("-", "−"), sign_of(one)) for said, one in told.items()]
    return {"command": command, "parts": parts, "decision": decision(case, guide.parts(case), [*guide.outside(case)])}


def computed() -> Iterator[tuple[str, Any]]:
    """What the slides' small tasks ask for."""
    yield "example", example()
    yield "spreads", spreads()
    yield "five_looks", 1 - 0.95**5
    yield "guide", guide_of(CASE)
    numbers = shown_numbers()
    yield "first_numbers", numbers
    yield "odd", {one: ", ".join(f"{name} {numbers[one][name]}" for name in odd(one)) for one in clinic.CASES}
    yield "causes", {letter: case.cause for letter, case in clinic.CASES.items()}
    yield "gradient_ratio", {student: gradient_ratio(student) for student in (UNTRAINED, "student", "long")}
    yield "teacher_images", len(kdlearn.load_digits().train.labels)
    yield (
        "tempered",
        ", ".join(f"{p:.2f}" for p in kdlearn.soft_labels(torch.tensor([[0.90, 0.09, 0.01]]).log(), 2.0)[0]),
    )
