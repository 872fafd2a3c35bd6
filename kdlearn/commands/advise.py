"""`kdlearn advise`: should I distil, and how? What the atlas's guide says of a case, and what to pilot first."""

from collections.abc import Iterator
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
    outside, parts = list(guide.outside(case)), guide.parts(case)
    yield f"The gap: the teacher's accuracy less the student's is {case.teacher - case.student:.1f} points."
    if outside:
        yield fill(f"The guide abstains: {'; '.join(outside)}. Pilot all the same: nothing else can tell.", WIDE)
    else:
        yield from (f"  {SAID[part]:<28} {told(one)}" for part, one in parts.items() if any(one[:2]))
        yield decision(case, parts)
    yield from pilot(case)
    yield from repetitions(guide, case, None if outside else parts, budget)


def told(one: "Interval") -> str:
    return f"{one.low:+.1f} to {one.high:+.1f} points   {sign_of(one)}"


def sign_of(one: "Interval") -> str:
    return "a gain" if one.low > 0 else "a loss" if one.high < 0 else "either sign"


def decision(case: "Case", parts: "dict[str, Interval]") -> str:
    """What to do, where the signs tell; else that they do not."""
    gain, softness = sign_of(parts["gain"]), sign_of(parts["softness"])
    if gain == "a loss":
        return "Do not distil: train on ground truth."
    if gain == "either sign":
        return "The guide abstains: the interval holds both signs. The pilot must tell."
    labels = f"let the teacher label the {case.unlabelled:,} further images" if case.unlabelled else "ask the teacher"
    how = {
        "a gain": f"learn from its soft labels at T = {case.temperature:g}",
        "a loss": "learn from its hard labels, the arg max",
        "either sign": "whether hard or soft labels are better, the pilot must tell",
    }
    return f"Distil: {labels}; {how[softness]}."


def pilot(case: "Case") -> Iterator[str]:
    """The first experiment, as code."""
    further = '"unlabelled": further_images, ' * bool(case.unlabelled)
    yield f"""
Pilot first: a few seeds, your own teacher, student and test images.

import kdlearn
arms = [kdlearn.TeachersHardLabels(), kdlearn.SoftLabels({case.temperature})]
data = {{"train": (images, labels), {further}"test": (test_images, test_labels)}}
print(kdlearn.compare(student, arms, data, teacher=teacher, seeds=range(5), lengths=(300, 1000)))
"""


def repetitions(guide: "Guide", case: "Case", parts: "dict[str, Interval] | None", budget: int | None) -> Iterator[str]:
    """How many pairs of a teacher and a seed show the gain, and what the budget shows."""
    from kdlearn.formulas.intervals import half_width_of, repetitions_for

    spread, gain = guide.spread(case), parts["gain"] if parts else None
    clear = gain is not None and sign_of(gain) != "either sign"
    effect = abs(gain.mean) if gain is not None and clear else 1.0
    needed = max(FEWEST, repetitions_for(effect / 2, spread) or 0)
    what, students = "The predicted gain" if clear else "A gain", f"{ARMS * needed} students"
    yield fill(
        f"How often: the gains of single students had a standard deviation of {spread:.1f} points in the atlas. "
        f"{what} of {effect:.1f} points is seen with {needed} pairs of a teacher and a seed, {students}: their "
        f"interval is ± {effect / 2:.1f} or less. With one teacher it speaks of this teacher alone.",
        WIDE,
    )
    if budget is not None:
        pairs = budget // ARMS
        shown = f"± {half_width_of(pairs, spread):.1f} points" if pairs > 1 else "no interval at all"
        yield f"Your budget of {budget} students is {pairs} pairs: {shown}."
