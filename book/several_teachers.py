"""What the page on several teachers tells in numbers, from studies/several_teachers."""

from collections.abc import Iterator

from findings import planned_table
from records import plan_of, record_of
from tables import table

STUDY = "several_teachers"


def several_teachers() -> Iterator[str]:
    """A row an arm: what it chose, how often teacher and student are right, and what it gives beyond one teacher."""
    plan = plan_of(STUDY)
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


def several_cut() -> Iterator[str]:
    """At T = 4: what is lost where small probabilities are raised."""
    plan, record = plan_of(STUDY), record_of(STUDY)
    taught = {plan.ONE: plan.ONE, "mean of three, probabilities": str(plan.Arm(plan.ALIKE, plan.PROBABILITIES))}

    def right(arm: str) -> str:
        return f"{100 * record.named(arm)['accuracy'].mean():.1f}"

    def row(told: str, name: str) -> list[str]:
        as_it_is, cut = (f"{name}, {how}" for how in (plan.AS_IT_IS, plan.CUT))
        return [told, right(as_it_is), right(cut), f"{record.difference(cut, as_it_is):+.1f}"]

    yield from table(["teacher, T = 4", "as it is", "cut", "difference"], (row(*one) for one in taught.items()))


def several_planned() -> Iterator[str]:
    yield from planned_table(STUDY)
