"""An exam from a phrase that the lecturer keeps: the same phrase makes the same sheet and the same answers.

Numbers are drawn; answers are computed by kdlearn's formulas. Keep the phrase long: whoever guesses it has the answers.

`python book/teaching/exam.py PHRASE [FOLDER]` writes exam.html and exam_answers.html.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Annotated, NamedTuple

import torch
import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from scipy import stats

import kdlearn
from kdcourse import theory

PAGES = Path(__file__).parent / "pages"


class Question(NamedTuple):
    """`topic` names the notebook that teaches it."""

    topic: str
    points: int
    text: str
    answer: str


def softened(draw: Random) -> Question:
    v, T = logits(draw), draw.choice((2, 3, 4))
    at_one, at_T = (kdlearn.soft_labels(row(v), t)[0] for t in (1.0, float(T)))
    text = f"A teacher's logits are v = {listed(v)}. Compute its soft labels at T = 1 and at T = {T}, and their order."
    order = "The order of the classes is the same: all logits are divided by one number."
    return Question("02", 3, text, f"T = 1: {listed(at_one, '.4g')}; T = {T}: {listed(at_T, '.4g')}. {order}")


def soft_loss(draw: Random) -> Question:
    v, z, T = logits(draw), logits(draw), draw.choice((2, 4))
    found = kdlearn.soft_label_loss(row(z), row(v), temperature=float(T))
    text = f"Teacher v = {listed(v)}, student z = {listed(z)}. Compute T² · KL(teacher ‖ student) at T = {T}, in nats."
    return Question("03", 3, text, f"{float(found):.3f}")


def gradient(draw: Random) -> Question:
    v, z, T, w, y = logits(draw), logits(draw), draw.choice((2, 4)), draw.choice((0.5, 0.8, 0.9)), draw.randrange(3)
    found = theory.distillation_gradient(row(z), row(v), torch.tensor([y]), temperature=float(T), soft_weight=w)[0]
    text = (
        f"Teacher v = {listed(v)}, student z = {listed(z)}, ground truth: class {y} (counted from 0), T = {T}, soft "
        f"weight w = {w:g}. The loss is w · T² · KL(teacher ‖ student) + (1 − w) · cross-entropy. Compute its gradient "
        "on z."
    )
    return Question("03", 4, text, f"{listed(found)}: w · T · (q(T) − p(T)) + (1 − w) · (q(1) − one-hot)")


def forgotten_square(draw: Random) -> Question:
    T, w = draw.choice((2, 3, 4, 5, 8)), draw.choice((0.5, 0.75, 0.9))
    same = (w / T**2) / (w / T**2 + 1 - w)
    text = (
        f"A loss forgets T² at T = {T}; its soft weight is {w:g}, the hard loss gets the rest. Which soft weight of a "
        "right loss has the same balance of both parts?"
    )
    return Question("09", 3, text, f"{same:.4f}: (w/T²) / (w/T² + 1 − w)")


def smoothed(draw: Random) -> Question:
    C, y, share = draw.choice((4, 5, 8)), draw.randrange(4), draw.choice((0.1, 0.2, 0.3))
    found = kdlearn.smooth_labels(torch.tensor([y]), C, share)[0]
    others = float(found[(y + 1) % C])
    text = (
        f"Smooth the label of class {y} among C = {C} classes by ε = {share:g}. Which probabilities do class {y} and "
        "each other class get? What does a teacher's soft label hold that this one does not?"
    )
    said = "All other classes get the same: it does not say which of them look alike."
    return Question("01", 3, text, f"{float(found[y]):.4g} and {others:.4g}. {said}")


def paired(draw: Random) -> Question:
    truth = [round(draw.uniform(84, 88), 1) for _ in range(5)]
    taught = [round(value + draw.gauss(1.2, 1.2), 1) for value in truth]
    found = kdlearn.paired_difference(taught, truth)
    text = (
        f"Accuracies in % of five pairs, a pair a teacher. Soft labels: {listed(taught, '.1f')}. Ground truth: "
        f"{listed(truth, '.1f')}. Give the mean difference with its 95 % interval; Student's factor for five values is "
        f"{stats.t.ppf(0.975, 4):.3f}. What may be said?"
    )
    said = "0 lies outside: a gain" if found.low > 0 else "0 is not below the interval: no gain is shown"
    return Question(
        "00b", 4, text, f"{found:+.3f} points. {said}, over teachers of this kind, on these data, with this student."
    )


WORDS = (
    Question(
        "00",
        3,
        "Three labels of one image are called “hard label” or “soft label”. Name each, and say whose it is.",
        "One point each: ground truth, the data set's; the teacher's hard label, its arg max; its soft label.",
    ),
    Question(
        "04",
        4,
        "Soft labels beat ground truth by 3 points. Name two controls, and say what each takes away.",
        "The teacher's hard labels take the softness away (2). The same entropy, spread evenly, takes away which "
        "classes look alike (2).",
    ),
    Question(
        "04",
        3,
        "A gain is reported after 300 updates. Why may its sign be another one after 3,000?",
        "Both arms still change, at different speeds (2). The sign at one length says nothing about another (1).",
    ),
    Question(
        "09",
        3,
        "Distillation does not help. Name three things to look at, in order.",
        "Three of these in order, a point each: both arms treated alike; the teacher better than the student on unseen "
        "data; the loss examined; one update examined; anything left to gain.",
    ),
    Question(
        "08",
        3,
        "“We distilled once and gained 1.5 points, because soft labels carry dark knowledge.” Name three gaps.",
        "A point each: one run, no interval; no control behind “because”; no student without a teacher, equally tuned.",
    ),
)
NUMBERS: tuple[Callable[[Random], Question], ...] = (softened, soft_loss, gradient, forgotten_square, smoothed, paired)


def exam(phrase: str) -> list[Question]:
    """Six questions with numbers and two with words, the same for the same phrase.

    >>> exam("a phrase that nobody guesses") == exam("a phrase that nobody guesses")
    True
    """
    draw = Random(phrase)
    return [*(make(draw) for make in NUMBERS), *draw.sample(WORDS, 2)]


def logits(draw: Random) -> list[int]:
    """Three different whole numbers."""
    return draw.sample(range(-2, 4), 3)


def row(values: Sequence[int]) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


def listed(values: Sequence[float] | torch.Tensor, form: str = ".3f") -> str:
    """`(2, −1, 0)`; what is no `int` in this form."""
    numbers = [str(value) if isinstance(value, int) else format(float(value), form) for value in values]
    return f"({', '.join(numbers)})".replace("-", "−")


def write_exam(phrase: str, folder: Path) -> None:
    """The sheet, on which no answer stands, and the lecturer's key."""
    folder.mkdir(parents=True, exist_ok=True)
    page = Environment(loader=FileSystemLoader(PAGES), undefined=StrictUndefined, autoescape=True).get_template(
        "exam.html"
    )
    for name, with_answers in (("exam", False), ("exam_answers", True)):
        text = page.render(questions=exam(phrase), with_answers=with_answers)
        (folder / f"{name}.html").write_text(text, encoding="utf-8")


def main(phrase: str, folder: Annotated[Path, typer.Argument()] = Path(__file__).parent / "_build") -> None:
    if len(phrase) < 8:
        raise typer.BadParameter("PHRASE must have 8 characters or more, which students cannot guess")
    write_exam(phrase, folder)
    print(folder / "exam.html", folder / "exam_answers.html", sep="\n")


if __name__ == "__main__":
    typer.run(main)
