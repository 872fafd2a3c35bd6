"""What the page on several teachers tells in numbers, from studies/several_teachers."""

from collections.abc import Iterator

from evidence import STUDIES, script
from findings import planned_table, record_of
from tables import table

STUDY = "several_teachers"


def several_teachers() -> Iterator[str]:
    """A row an arm: what it chose, how often teacher and student are right, and what it gives beyond one teacher."""
    plan = script(STUDIES / STUDY / "plan.py")
    means = {str(arm): [arm.company, words_of(arm)] for arm in plan.arms()}
    arms = {plan.TRUTH: [plan.TRUTH, ""], plan.ONE: [plan.ONE, ""], plan.LONG: [plan.LONG, ""], **means}
    head = ["teachers", "as one", "T", "teacher", "student", "beyond one teacher"]
    yield from table(head, ([*words, *numbers_of(arm, plan.ONE)] for arm, words in arms.items()))


def words_of(arm: object) -> str:
    return str(arm).partition(": ")[2]


def numbers_of(arm: str, one: str) -> list[str]:
    rows = record_of(STUDY).named(arm)
    teacher, student = (100 * rows[name].mean() for name in ("teacher_accuracy", "accuracy"))
    taught = [f"{rows['temperature'].iloc[0]:g}", f"{teacher:.1f}"] if rows["teacher"].iloc[0] else ["", ""]
    beyond = "" if arm == one else f"{record_of(STUDY).difference(arm, one):+.1f}"
    return [*taught, f"{student:.1f}", beyond]


def several_planned() -> Iterator[str]:
    yield from planned_table(STUDY)
