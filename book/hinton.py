"""What the page on Hinton's MNIST tells in numbers, from studies/mnist."""

from collections.abc import Iterator
from typing import Any

from findings import planned_table
from records import plan_of, record_of
from tables import table

from kdcourse.repetitions import prediction_interval

STUDY = "mnist"
THEIRS = {  # errors on the 10,000 test images: Hinton et al. 2015, section 3
    "teacher": 67,
    "ground truth": 146,
    "hard labels": None,
    "soft labels": 74,
    "no threes": 206,
    "no threes, bias chosen": 109,
    "7s and 8s": 4730,
    "7s and 8s, bias chosen": 1320,
}
THREES = {"no threes": 133, "no threes, bias chosen": 14}  # of these errors on the 1,010 threes
BIASES = {"no threes, bias chosen": 3.5, "7s and 8s, bias chosen": -7.6}  # what they added


def hinton() -> Iterator[str]:
    """A row an arm: our pairs, where one further run would fall, and their run."""
    plan = plan_of(STUDY)
    head = ["trained on", *(f"ours, {recipe}" for recipe in plan.RECIPES), "one further run of the last", "theirs"]
    yield from table(head, (arm_row(arm, list(plan.RECIPES)) for arm in THEIRS))


def arm_row(arm: str, recipes: list[str]) -> list[str]:
    each = {recipe: of(recipe, arm)["errors"] for recipe in recipes}
    further = prediction_interval(each[recipes[-1]])
    between = f"{max(further.low, 0):,.0f} to {further.high:,.0f}"
    return [arm, *(", ".join(f"{one:,}" for one in values) for values in each.values()), between, told(THEIRS[arm])]


def of(recipe: str, arm: str) -> Any:
    return record_of(STUDY).query("recipe == @recipe and arm == @arm")


def told(errors: int | None) -> str:
    return "" if errors is None else f"{errors:,}"


def hinton_threes() -> Iterator[str]:
    """Of the student without threes its wrong threes, a row a recipe; and what was added to the biases."""
    unseen, seen = BIASES
    head = ["", *(f"wrong threes, {arm}" for arm in THREES), "added to the 3", "added to 7 and 8, alone seen"]
    rows = []
    for recipe in plan_of(STUDY).RECIPES:
        threes = (f"{of(recipe, arm)['errors on threes'].mean():.0f}" for arm in THREES)
        rows.append([recipe, *threes, *(f"{of(recipe, arm)['shift'].mean():+.1f}" for arm in (unseen, seen))])
    theirs = ["theirs", *(f"{one}" for one in THREES.values()), *(f"{one:+.1f}" for one in BIASES.values())]
    yield from table(head, [*rows, theirs])


def hinton_planned() -> Iterator[str]:
    yield from planned_table(STUDY, "errors", digits=0)
