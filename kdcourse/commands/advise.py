"""`kdlearn advise`: should I distil, and how? What the atlas's guide says of a case, and what to pilot first."""

from collections.abc import Iterator, Sequence
from math import inf
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

from typer import Option

from kdlearn.commands.messages import UsageError, say

if TYPE_CHECKING:
    from kdcourse.guide import Case, Guide
    from kdlearn.formulas.intervals import Interval

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
    temperature: Annotated[float, Option(metavar="T", help="of the soft labels")] = 4.0,
    updates: Annotated[
        int | None,
        Option(min=2, metavar="N", help="that the student trains for, about 60 images each", show_default=False),
    ] = None,
    wrong_labels: Annotated[
        float, Option(metavar="PERCENT", help="of the labels that are wrong; the teacher learned them too")
    ] = 0.0,
    budget: Annotated[
        int | None, Option(min=1, metavar="N", help="students that you can train", show_default=False)
    ] = None,
) -> None:
    """Should I distil, and how? A sign with its interval, what to pilot first, how many seeds it takes."""
    from kdcourse.guide import VIEWS, Case, Guide

    check(teacher_accuracy, student_accuracy, temperature, wrong_labels)
    if teacher_views not in VIEWS:
        raise UsageError(f"--teacher-views must be one of {', '.join(VIEWS)}; got {teacher_views}")
    if student_accuracy is None:
        return say(HOW_TO_MEASURE)
    data = labelled, unlabelled, teacher_accuracy, student_accuracy
    case = Case(*data, teacher_views, temperature, updates, wrong_labels / 100)
    say("\n".join(advice(Guide.load(), case, budget)))


def check(teacher: float, student: float | None, temperature: float, wrong: float) -> None:
    """A UsageError that names the option."""
    for name, value in (("--teacher-accuracy", teacher), ("--student-accuracy", student)):
        if value is not None and not 1 < value <= 100:
            raise UsageError(f"{name} must be in percent, above 1 and at most 100; got {value:g}")
    if not 0 < temperature < inf:
        raise UsageError(f"--temperature must be a number above 0; got {temperature:g}")
    if wrong and not 1 <= wrong < 100:
        raise UsageError(f"--wrong-labels must be in percent, 0 or from 1 to below 100; got {wrong:g}")


def advice(guide: "Guide", case: "Case", budget: int | None) -> Iterator[str]:
    """The lines that are told."""
    parts, outside = guide.parts(case), list(guide.outside(case))
    yield f"The gap: the teacher's accuracy less the student's is {case.teacher - case.student:.1f} points."
    if case.wrong:
        yield from comparisons(guide, outside)
    else:
        yield from sums(case, parts)
    yield fill(decision(case, parts, outside), WIDE)
    if case.views == "others":
        yield fill(SAME_VIEWS, WIDE)
    if case.unlabelled and not case.wrong:
        yield fill(NEW_TO_IT, WIDE)
    yield from pilot(case)
    if not (case.wrong and outside):  # of such a case no gain is known
        yield from repetitions(*size_of(guide, case, parts["gain"]), budget)


def sums(case: "Case", parts: "dict[str, Interval]") -> Iterator[str]:
    """What the model says of each part; where no image is without labels there is one part."""
    said = SAID if case.unlabelled else {"gain": "its soft labels give"}
    yield from (f"  {said[part]:<28} {told(parts[part])}" for part in said)


def comparisons(guide: "Guide", outside: Sequence[str]) -> Iterator[str]:
    """What was measured where labels are wrong; nothing if the case is none of that kind."""
    if outside:
        return
    yield fill(COMPARED, WIDE)
    for one in guide.compared:
        about = f"{one['wrong']:.0%} wrong, {one['length']:,} updates, gap {one['gap']:.1f}:"
        yield f"  {about:<37} {one['labels']:+.1f}; softness beyond, T = 1: {one['softness']:+.1f}"


COMPARED = (
    "The guide's sums do not know wrong labels. Measured were students of 1,200 digits, all with labels, whose teacher "
    "learned the same labels. What its hard labels gave over these labels, in points, with 95 % intervals:"
)


def told(one: "Interval") -> str:
    return f"{one.low:+.1f} to {one.high:+.1f} points   {sign_of(one)}"


def sign_of(one: "Interval") -> str:
    return "a gain" if one.low > 0 else "a loss" if one.high < 0 else "either sign"


def decision(case: "Case", parts: "dict[str, Interval]", outside: Sequence[str]) -> str:
    """What to do, where the signs tell; else that they do not."""
    if case.teacher <= case.student:
        return "The teacher is not better than the student: find a better one, or train on ground truth."
    if outside:
        guess = "" if case.wrong else ", and what its sums say is a guess"
        return f"The guide abstains{guess}: {'; '.join(outside)}. The pilot must tell."
    if case.wrong:
        return WRONG
    labels, softness, gain = (sign_of(parts[part]) for part in ("labels", "softness", "gain"))
    if gain == "a loss":
        return "Do not distil: train on ground truth."
    if case.unlabelled and labels == "a gain":
        how = HARD_FIRST if gain == "either sign" else HOW[softness].format(case)
        return f"Distil: let the teacher label the {case.unlabelled:,} further images; {how}."
    if gain == "a gain":
        return f"Distil: ask the teacher; {HOW['a gain'].format(case)}{OF_FURTHER * bool(case.unlabelled)}."
    return "The guide abstains: the interval holds both signs. The pilot must tell."


HOW = {
    "a gain": "learn from its soft labels at T = {0.temperature:g}",
    "a loss": "learn from its hard labels, the arg max",
    "either sign": "whether hard or soft labels are better, the pilot must tell",
}
HARD_FIRST = (
    "learn from its hard labels. With soft ones the interval holds both signs: whether they are better, the pilot "
    "must tell"
)
WRONG = (
    "In each of these cases the teacher's hard labels gave a gain, and softness none beyond. For other data the guide "
    "abstains from a number: pilot hard labels first, with test labels that are right."
)
OF_FURTHER = "; whether the further images help, the pilot must tell"
SAME_VIEWS = (
    "Its teacher saw images that the student does not see, and the atlas's students learned little from such teachers. "
    "Show the student the same views: views= below."
)
NEW_TO_IT = (
    "The teachers that were measured had learned the labels of the further images. On images that are new to yours it "
    "is wrong as often as on the test images: expect less."
)


def pilot(case: "Case") -> Iterator[str]:
    """The first experiment, as code; ground truth is added by itself."""
    further = '"unlabelled": further_images, ' * bool(case.unlabelled)
    views = ", views=kdlearn.Views()" * (case.views == "others")
    lengths = (case.updates // 2, case.updates) if case.updates else (300, 1000)
    yield f"""
Pilot first: a few seeds, your own teacher, student and test images; ground truth is added. Lengths are
numbers of updates{LENGTHS[bool(case.updates)]}

import kdlearn
arms = [kdlearn.TeachersHardLabels(), kdlearn.SoftLabels({case.temperature})]
data = {{"train": (images, labels), {further}"test": (test_images, test_labels)}}
print(kdlearn.compare(student, arms, data, teacher=teacher, seeds=range(5), lengths={lengths}{views}))
"""


LENGTHS = {
    False: ": put in those that you train for.",
    True: "; if ground truth gains much from the first to the second, train longer.",
}


def size_of(guide: "Guide", case: "Case", gain: "Interval") -> tuple[float, float]:
    """The gain to be seen, in points, and the standard deviation of single students' gains."""
    if not case.wrong:
        return max(1.0, abs(gain.mean)), guide.spread(case)
    nearest = min(guide.compared, key=lambda one: abs(one["gap"] - case.columns["gap"]))
    return nearest["labels"].mean, nearest["spread"]


def repetitions(effect: float, spread: float, budget: int | None) -> Iterator[str]:
    """How many pairs of a teacher and a seed show a gain of this size, and what a budget shows."""
    from kdcourse.repetitions import half_width_of, repetitions_for

    needed = max(FEWEST, repetitions_for(effect / 2, spread) or 0)
    yield fill(
        f"How often: the gains of single students had a standard deviation of {spread:.1f} points where they were "
        f"measured. A gain of {effect:.1f} points is seen with {needed} pairs of a teacher and a seed, "
        f"{ARMS * needed} students: ± {half_width_of(needed, spread):.1f} points. With one teacher a pair is a seed, "
        "and what is found holds for this teacher. Hard and soft labels differ by less: the pilot's own interval of "
        "that difference tells how many more pairs would show it.",
        WIDE,
    )
    if budget is not None:
        pairs = budget // ARMS
        shown = f"± {half_width_of(pairs, spread):.1f} points" if pairs > 1 else "no interval at all"
        yield f"Your budget of {budget:,} students is {pairs:,} pair{'s' * (pairs != 1)}: {shown}."
