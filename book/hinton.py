"""What the page on Hinton's MNIST tells in numbers, from studies/mnist."""

from collections.abc import Iterator

from findings import planned_table, record_of
from tables import table

from kdlearn.formulas.intervals import prediction_interval

STUDY = "mnist"
THEIRS = {  # errors on the 10,000 test images, and on its 1,010 threes: Hinton et al. 2015, section 3
    "teacher": (67, None),
    "ground truth": (146, None),
    "hard labels": (None, None),
    "soft labels": (74, None),
    "no threes": (206, 133),
    "no threes, bias chosen": (109, 14),
    "7s and 8s": (4730, None),
    "7s and 8s, bias chosen": (1320, None),
}


def hinton() -> Iterator[str]:
    """A row an arm: our pairs, where one further run would fall, and their run."""
    head = ["trained on", "our errors", "one further run of ours", "their errors", "wrong threes, ours", "theirs"]
    yield from table(head, (arm_row(arm) for arm in THEIRS))


def arm_row(arm: str) -> list[str]:
    rows, (errors, threes) = record_of(STUDY).query("arm == @arm"), THEIRS[arm]
    each = ", ".join(f"{one:,}" for one in rows["errors"])
    further = prediction_interval(rows["errors"])
    between = f"{max(further.low, 0):,.0f} to {further.high:,.0f}"
    ours = f"{rows['errors on threes'].mean():.0f}"
    return [arm, each, between, told(errors), ours, told(threes)]


def told(errors: int | None) -> str:
    return "" if errors is None else f"{errors:,}"


def hinton_planned() -> Iterator[str]:
    yield from planned_table(STUDY, "errors", digits=0)


def hinton_biases() -> Iterator[str]:
    """What was added to the biases, a row a pair."""
    arms = [arm for arm in THEIRS if arm.endswith("bias chosen")]
    shifts = record_of(STUDY).pivot(index="pair", columns="arm", values="shift")[arms]
    rows = ([f"{pair + 1}", *(f"{one:+.1f}" for one in row)] for pair, row in enumerate(shifts.to_numpy()))
    yield from table(["pair", "3, unseen", "7 and 8, alone seen"], rows)
