"""What a run's checks find out before training, beyond what a comparison meets."""

from dataclasses import replace

import pytest
import torch
from small import STUDENT, TEACHER, Power, digits, same_weights, shapes, taught, with_batch_norm

from kdlearn import (
    Dataset,
    DecoupledLabels,
    GroundTruth,
    Machine,
    NesterovSGD,
    SoftLabels,
    Split,
    Strategy,
    TruthWhereKnown,
    accuracy,
    perceptron,
    study,
)
from kdlearn.engine.checks import Checks
from kdlearn.engine.plan import Plan
from kdlearn.engine.run import Run

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
    "a metric by the name of another column": ({"metric": loss}, "may be called 'loss'"),
    "no sample": ({"sample": 0}, "sample must be a whole number of at least 1"),
    "no such split": ({"data": replace(DATA, validation=None), "measured_on": "validation"}, "validation split"),
    "nothing to measure by": (
        {"data": replace(DATA, test=DATA.test._replace(labels=None))},
        "labels of test to measure on; they are None",
    ),
    "labels of no row known": (
        {"data": replace(DATA, train=DATA.train._replace(labelled=torch.zeros(120, dtype=torch.bool)))},
        "labels of train must hold at least one that is known",
    ),
}


@pytest.mark.parametrize("options, words", REFUSED.values(), ids=REFUSED)
def test_what_could_not_be_carried_out_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        Plan([run(**options)], Machine())


class Held(Strategy):
    """Own attributes that a class may declare too, a module, and a number."""

    def __init__(self, layer=None, weight=1.0):
        self.name, self.reads, self.layer, self.weight = "held", ("teacher_logits",), layer, weight

    def __call__(self, student_logits, batch):
        found = student_logits if self.layer is None else self.layer(student_logits)
        return self.weight * (found - batch.teacher_logits).square().sum(dim=-1)


def test_weights_that_a_strategy_holds_and_nothing_trains_are_refused():
    layer = torch.nn.Linear(10, 10)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"let prepare.* make them"):
            Plan([run(strategy=Held(layer), teacher=taught())], Machine())
    Plan([run(strategy=Held(layer.requires_grad_(False)), teacher=taught())], Machine())


def test_what_a_class_may_declare_is_no_setting_of_an_object():
    assert Held(weight=2.0).settings == {"layer": None, "weight": 2.0}


def test_a_setting_may_not_have_the_name_of_a_column_that_a_run_adds():
    """As tuning adds its candidates."""
    with pytest.raises(ValueError, match="may be called 'weight'"):
        Plan([run(strategy=Held(), teacher=taught(), names={"weight": 1.0})], Machine())


def test_a_function_that_is_no_static_method_is_told_of():
    def difference(student_logits, teacher_logits, reduction="none"):
        return (student_logits - teacher_logits).sum(dim=-1)

    class Declared(Strategy):
        name, reads, loss = "declared", ("teacher_logits",), difference

    with pytest.raises(ValueError, match=r"loss = staticmethod\(function\)"):
        Plan([run(strategy=Declared(), teacher=taught())], Machine())


def test_checks_are_made_once_for_runs_that_share_a_network_and_a_strategy():
    built = []

    def build():
        built.append(0)
        return STUDENT()

    checks = Checks(Machine())
    for seed in range(20):
        checks.of(run(network=build, seed=seed))
    assert len(built) < 8


class Octets(Power):
    """Of neighbours in a batch, eight each."""

    def __call__(self, student_logits, batch):
        return super().__call__(student_logits.view(-1, 8, 10).flatten(0, 1), batch)


def test_an_update_is_tried_with_as_many_rows_as_a_batch_has():
    few = digits(train=20)
    assert len(study([run(data=few, strategy=Octets(0.8), teacher=taught(), lengths=(3,), batch_size=32)])) == 1
    with pytest.raises(ValueError, match=r"'power'.* fails in its first update"):
        Plan([run(strategy=Octets(0.8), teacher=taught(), batch_size=30)], Machine())
    with pytest.raises(ValueError, match=r"'ground truth' fails in its first update: .*more than 1 value"):
        Plan([run(network=with_batch_norm, batch_size=1)], Machine())


def test_a_trial_leaves_no_trace():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    checks, asked = (
        Checks(Machine()),
        run(network=with_batch_norm, strategy=SoftLabels(2.0), teacher=(teacher := taught())),
    )
    checks.of(asked)
    assert torch.equal(torch.rand(2), expected), "torch's random numbers go on as before"
    assert same_weights(checks.network(asked), asked.build()) and same_weights(teacher, taught())


def test_a_row_that_is_not_known_may_carry_any_label():
    known = torch.arange(120) < 60
    data = replace(DATA, train=DATA.train._replace(labels=torch.where(known, DATA.train.labels, -1), labelled=known))
    for strategy in (GroundTruth(), SoftLabels(), TruthWhereKnown(SoftLabels())):
        Plan([run(data=data, strategy=strategy, teacher=taught())], Machine())
    with pytest.raises(ValueError, match="wrap another"):
        Plan([run(data=data, strategy=DecoupledLabels(), teacher=taught())], Machine())


def test_a_masked_label_may_be_anything():
    data = shapes(dtype=torch.float32)
    mask = torch.arange(40) % 4 > 0
    examples = Split(data.train.inputs, torch.where(mask, data.train.labels, -100), mask=mask)
    masked, without = Dataset(examples, examples), Dataset(*[examples._replace(mask=None)] * 2)
    of_both = []
    for found in (masked, without):  # -100 needs no mask: neither in the training nor in what is measured
        runs = [Run(found, lambda: perceptron(4, 5, 3), lengths=(10,), batch_size=8, seed=seed) for seed in range(2)]
        of_both.append(study(runs)[["loss", "accuracy"]])
    assert of_both[0].notna().all(axis=None) and of_both[0].equals(of_both[1])


def test_a_batch_of_which_no_label_counts_teaches_nothing_alone_and_in_a_stack():
    data, mask = shapes(dtype=torch.float32), torch.arange(40) < 3
    masked = Dataset(data.train._replace(mask=mask), data.test)
    runs = [Run(masked, lambda: perceptron(4, 5, 3), lengths=(10,), batch_size=2, seed=seed) for seed in range(2)]
    together = study(runs)["loss"]
    alone = [study([one])["loss"].item() for one in runs]
    assert together.tolist() == pytest.approx(alone, abs=1e-6)


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


class Warming(Power):
    """Counts its calls, as a schedule may."""

    def __init__(self) -> None:
        super().__init__(0.8)
        self.step = 0

    def __call__(self, student_logits, batch):
        self.step += 1
        return super().__call__(student_logits, batch) * min(1.0, self.step / 200)


def test_a_strategy_that_changes_itself_is_refused():
    with pytest.raises(ValueError, match="must stay as it is when it is called"):
        Plan([run(strategy=Warming(), teacher=taught())], Machine())


def test_labels_of_another_length_than_the_inputs_are_refused():
    data = digits()
    short = replace(data, test=data.test._replace(labels=data.test.labels[:7]))
    with pytest.raises(ValueError, match="test must have a label for each of 50 inputs; got 7"):
        Plan([run(data=short)], Machine())


@pytest.mark.parametrize(
    "labels, way", [(lambda found: found - 1, "unlabelled"), (lambda found: found + 1, r"labels - 1 makes them so")]
)
def test_labels_out_of_reach_are_refused_with_a_way_out(labels, way):
    data = digits()
    with pytest.raises(ValueError, match=way):
        Plan([run(data=replace(data, train=data.train._replace(labels=labels(data.train.labels))))], Machine())


@pytest.mark.parametrize("name", ["temperature", "rows", "learning_rate"])
def test_a_metric_may_not_be_called_like_a_column(name):
    def metric(logits, labels):
        return accuracy(logits, labels)

    metric.__name__ = name
    with pytest.raises(ValueError, match=name):
        study([run(strategy=SoftLabels(2.0), teacher=taught(), metric=metric)])
