"""What a run's checks find out before training, beyond what a comparison meets."""

from dataclasses import replace

import pytest
import torch
from small import STUDENT, TEACHER, digits, shapes, taught

from kdlearn import (
    Dataset,
    Examples,
    GroundTruth,
    Machine,
    NesterovSGD,
    SoftLabels,
    SoftLabelsAndGroundTruth,
    TruthWhereKnown,
    perceptron,
    study,
)
from kdlearn.studies.checks import Checks
from kdlearn.studies.plan import Plan
from kdlearn.studies.run import Run

DATA = digits()


def loss(logits, labels) -> float:
    """A metric whose name is another column's."""
    return 0.0


def run(**options) -> Run:
    return Run(options.pop("data", DATA), options.pop("network", STUDENT), **options)


REFUSED = {
    "several lengths with a schedule": ({"lengths": (5, 10), "optimizer": NesterovSGD()}, "one length a run"),
    "a length of half an update": ({"lengths": (5.5,)}, "lengths must be whole numbers"),
    "no length": ({"lengths": (0,)}, "lengths must be whole numbers"),
    "a negative seed": ({"seed": -1}, "seed must be a whole number of at least 0"),
    "a metric by the name of another column": ({"metric": loss}, "metric must have a name that is no other column"),
    "no sample": ({"sample": 0}, "sample must be a whole number of at least 1"),
    "no such split": ({"data": replace(DATA, validation=None), "measured_on": "validation"}, "validation split"),
    "nothing to measure by": (
        {"data": replace(DATA, test=DATA.test._replace(labels=None))},
        "labels of test to measure on; they are None",
    ),
    "labels of no row known": (
        {"data": replace(DATA, train=DATA.train._replace(known=torch.zeros(120, dtype=torch.bool)))},
        "labels of train must hold at least one that is known",
    ),
}


@pytest.mark.parametrize("options, words", REFUSED.values(), ids=REFUSED)
def test_what_could_not_be_carried_out_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        Plan([run(**options)], Machine())


def test_checks_are_made_once_for_runs_that_share_a_network_and_a_strategy():
    built = []

    def build():
        built.append(0)
        return STUDENT()

    checks = Checks(Machine())
    for seed in range(20):
        checks.of(run(network=build, seed=seed))
    assert len(built) < 8


def test_a_row_that_is_not_known_may_carry_any_label():
    known = torch.arange(120) < 60
    data = replace(DATA, train=DATA.train._replace(labels=torch.where(known, DATA.train.labels, -1), known=known))
    for strategy in (GroundTruth(), SoftLabels(), TruthWhereKnown(SoftLabels())):
        Plan([run(data=data, strategy=strategy, teacher=taught())], Machine())
    with pytest.raises(ValueError, match="wrap another"):
        Plan([run(data=data, strategy=SoftLabelsAndGroundTruth(), teacher=taught())], Machine())


def test_a_masked_label_may_be_anything():
    data = shapes(dtype=torch.float32)
    mask = torch.arange(40) % 4 > 0
    examples = Examples(data.train.inputs, torch.where(mask, data.train.labels, -100), mask=mask)
    masked = Dataset(examples, examples)
    runs = [Run(masked, lambda: perceptron(4, 5, 3), lengths=(10,), batch_size=8, seed=seed) for seed in range(2)]
    assert study(runs)["loss"].notna().all()


def test_the_plan_alone_decides_the_stacks():
    data = digits()
    teacher = Run(data, TEACHER, lengths=(5,))

    def tasks(plan: Plan) -> list[list[tuple[str, int]]]:
        return [[(task.key, len(task.runs)) for task in level] for level in plan.levels]

    runs = [
        Run(data, STUDENT, strategy, teacher, (5,), seed=seed)
        for strategy in (GroundTruth(), SoftLabels(2.0), SoftLabels(4.0))
        for seed in range(3)
    ]
    one, other = Plan(runs, Machine()), Plan(runs, Machine())
    assert tasks(one) == tasks(other)
    assert [sum(size for _, size in level) for level in tasks(one)] == [4, 6], "ground truth waits for no teacher"
    assert len(one.unique) == 10 and len(Plan([*runs, *runs], Machine()).unique) == 10


def test_same_rows_for_a_run_that_is_asked_for_twice():
    table = study([run(lengths=(5,)), run(lengths=(5,), names={"strategy": "again"})])
    assert table["strategy"].tolist() == ["ground truth", "again"] and table["loss"].nunique() == 1
