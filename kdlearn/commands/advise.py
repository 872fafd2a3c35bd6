"""`kdlearn advise`: should I distil, and how? What the atlas's guide says of a case, and what to pilot first."""

from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

from typer import Option

from kdlearn.commands.words import WrongWordsError, say

if TYPE_CHECKING:
    from kdlearn.formulas.intervals import Interval
    from kdlearn.studies.guide import Case, Guide

ARMS = 3  # of the pilot: ground truth, hard labels, soft labels
FEWEST, WIDE = 5, 100  # pairs, fewer of which tell more as dots; letters a line
SAID = {"labels": "its hard labels give", "softness": "their softness gives beyond", "gain": "together"}
HOW_TO_MEASURE = """\
First measure the student on ground truth alone, on images that it does not learn from:

import kdlearn
data = {"train": (images, labels), "test": (test_images, test_labels)}
print(kdlearn.compare(student, [kdlearn.GroundTruth()], data, seeds=range(5), lengths=(1000,)))

student is a function that builds one. Then: kdlearn advise … --student-accuracy PERCENT"""


def advise(
    labelled: Annotated[int, Option(min=1, metavar="N", help="images whose ground truth is known")],
    teacher_accuracy: Annotated[float, Option(metavar="PERCENT", help="on test images of your task")],
    unlabelled: Annotated[int, Option(min=0, metavar="N", help="further images, which the teacher can label")] = 0,
    student_accuracy: Annotated[
        float | None, Option(metavar="PERCENT", help="trained on ground truth alone", show_default=False)
    ] = None,
    teacher_views: Annotated[
        str,
        Option(
            metavar="VIEWS",
            help="same: the student sees images as its teacher saw them; others: the teacher alone saw them shifted, "
            "cropped or turned; or unknown",
        ),
    ] = "unknown",
    temperature: Annotated[float, Option(metavar="T", help="of the soft labels, 1 to 32")] = 4.0,
    budget: Annotated[
        int | None, Option(min=1, metavar="N", help="students that you can train", show_default=False)
    ] = None,
) -> None:
    """Should I distil, and how? A sign with its interval, what to pilot first, how many seeds it takes."""
    from kdlearn.studies.guide import VIEWS, Case, Guide

    check(teacher_accuracy, student_accuracy, temperature)
    if teacher_views not in VIEWS:
        raise WrongWordsError(f"--teacher-views must be one of {', '.join(VIEWS)}; got {teacher_views}")
    if student_accuracy is None:
        return say(HOW_TO_MEASURE)
    case = Case(labelled, unlabelled, teacher_accuracy, student_accuracy, teacher_views, temperature)
    say("\n".join(advice(Guide.load(), case, budget)))


def check(teacher: float, student: float | None, temperature: float) -> None:
    """A WrongWordsError that names the option."""
    for name, value in (("--teacher-accuracy", teacher), ("--student-accuracy", student)):
        if value is not None and not 1 < value <= 100:
            raise WrongWordsError(f"{name} must be in percent, above 1 and at most 100; got {value:g}")
    if not 1 <= temperature <= 32:
        raise WrongWordsError(f"--temperature must lie in 1 to 32, which the atlas has measured; got {temperature:g}")


def advice(guide: "Guide", case: "Case", budget: int | None) -> Iterator[str]:
    """The lines that are told."""
    parts = guide.parts(case)
    yield f"The gap: the teacher's accuracy less the student's is {case.teacher - case.student:.1f} points."
    yield from sums(case, parts)
    yield fill(decision(case, parts, list(guide.outside(case))), WIDE)
    if case.views == "others":
        yield fill(SAME_VIEWS, WIDE)
    yield from pilot(case)
    yield from repetitions(guide, case, parts["gain"], budget)


def sums(case: "Case", parts: "dict[str, Interval]") -> Iterator[str]:
    """What the model says of each part; where no image is without labels there is one part."""
    said = SAID if case.unlabelled else {"gain": "its soft labels give"}
    yield from (f"  {said[part]:<28} {told(parts[part])}" for part in said)


def told(one: "Interval") -> str:
    return f"{one.low:+.1f} to {one.high:+.1f} points   {sign_of(one)}"


def sign_of(one: "Interval") -> str:
    return "a gain" if one.low > 0 else "a loss" if one.high < 0 else "either sign"


def decision(case: "Case", parts: "dict[str, Interval]", outside: Sequence[str]) -> str:
    """What to do, where the signs tell; else that they do not."""
    if case.teacher <= case.student:
        return "The teacher is not better than the student: find a better one, or train on ground truth."
    if outside:
        return f"The guide abstains, and what its sums say is a guess: {'; '.join(outside)}. The pilot must tell."
    labels, softness, gain = (sign_of(parts[part]) for part in ("labels", "softness", "gain"))
    if gain == "a loss":
        return "Do not distil: train on ground truth."
    if case.unlabelled and labels == "a gain":
        return f"Distil: let the teacher label the {case.unlabelled:,} further images; {HOW[softness].format(case)}."
    if gain == "a gain":
        return f"Distil: ask the teacher; {HOW['a gain'].format(case)}{OF_FURTHER * bool(case.unlabelled)}."
    return "The guide abstains: the interval holds both signs. The pilot must tell."


HOW = {
    "a gain": "learn from its soft labels at T = {0.temperature:g}",
    "a loss": "learn from its hard labels, the arg max",
    "either sign": "whether hard or soft labels are better, the pilot must tell",
}
OF_FURTHER = "; whether the further images help, the pilot must tell"
SAME_VIEWS = (
    "Its teacher saw images that the student does not see, and the atlas's students learned little from such teachers. "
    "Show the student the same views: views= below."
)


def pilot(case: "Case") -> Iterator[str]:
    """The first experiment, as code; ground truth is added by itself."""
    further = '"unlabelled": further_images, ' * bool(case.unlabelled)
    views = ", views=kdlearn.Views()" * (case.views == "others")
    yield f"""
Pilot first: a few seeds, your own teacher, student and test images; ground truth is added. Lengths are
numbers of updates: put in those that you train for.

import kdlearn
arms = [kdlearn.TeachersHardLabels(), kdlearn.SoftLabels({case.temperature})]
data = {{"train": (images, labels), {further}"test": (test_images, test_labels)}}
print(kdlearn.compare(student, arms, data, teacher=teacher, seeds=range(5), lengths=(300, 1000){views}))
"""


def repetitions(guide: "Guide", case: "Case", gain: "Interval", budget: int | None) -> Iterator[str]:
    """How many pairs of a teacher and a seed show a gain like the middle of the interval, and what a budget shows."""
    from kdlearn.formulas.intervals import half_width_of, repetitions_for

    spread, effect = guide.spread(case), max(1.0, abs(gain.mean))
    needed = max(FEWEST, repetitions_for(effect / 2, spread) or 0)
    yield fill(
        f"How often: the gains of single students had a standard deviation of {spread:.1f} points in the atlas. "
        f"A gain of {effect:.1f} points is seen with {needed} pairs of a teacher and a seed, {ARMS * needed} students: "
        f"± {half_width_of(needed, spread):.1f} points. With one teacher a pair is a seed, and what is found holds for "
        "this teacher.",
        WIDE,
    )
    if budget is not None:
        pairs = budget // ARMS
        shown = f"± {half_width_of(pairs, spread):.1f} points" if pairs > 1 else "no interval at all"
        yield f"Your budget of {budget:,} students is {pairs:,} pair{'s' * (pairs != 1)}: {shown}."
