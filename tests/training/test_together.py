"""Many networks trained as one are the networks trained alone; what does not fit goes alone."""

from dataclasses import replace

import pytest
import torch
from small import Branching, FitNets, Power, Scaled, in_float64, shapes
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from kdlearn import (
    Adam,
    Batch,
    BatchStream,
    Dataset,
    DecoupledLabels,
    EvenlySpread,
    GroundTruth,
    JensenShannon,
    LogitMatching,
    NesterovSGD,
    ReverseDivergence,
    SmoothedGroundTruth,
    SoftLabels,
    SoftLabelsAndGroundTruth,
    StandardisedSoftLabels,
    TeachersHardLabels,
    TruthWhereKnown,
    Views,
    perceptron,
    predict,
    seeded,
    train,
)
from kdlearn.data.batches import Stretches
from kdlearn.training.answers import StoredAnswers
from kdlearn.training.loop import fit
from kdlearn.training.optimizers import recipe_of
from kdlearn.training.strategies import Strategy
from kdlearn.training.together import (
    Stack,
    can_be_stacked,
    groups_of,
    kind_of,
    streams_of,
)
from kdlearn.training.token_strategies import SkewedDivergence, SkewedReverseDivergence, TeachersSampledLabels, TopK

UPDATES, SIZE = 300, 8
MIXED = [
    GroundTruth(),
    GroundTruth(),
    SmoothedGroundTruth(0.1),
    SmoothedGroundTruth(0.3),
    TeachersHardLabels(),
    SoftLabels(1.0),
    SoftLabels(4.0),
    SoftLabels(20.0),
    SoftLabelsAndGroundTruth(2.0, 0.9),
    SoftLabelsAndGroundTruth(8.0, 0.5),
    EvenlySpread(1.0),
    EvenlySpread(3.0),
    DecoupledLabels(2.0, 1.0, 8.0),
    LogitMatching(),
    StandardisedSoftLabels(2.0),
    ReverseDivergence(2.0),
    JensenShannon(2.0, 0.3),
    Power(0.8),
    Power(1.1),
    Scaled(1),
    Scaled(2.5),
    TruthWhereKnown(SoftLabels(2.0)),
    TruthWhereKnown(SoftLabels(4.0)),
    TruthWhereKnown(EvenlySpread(2.0)),
    SkewedDivergence(2.0, 0.3),
    SkewedReverseDivergence(2.0, 0.3),
    TopK(3.0, 2, "bucket"),
    TopK(1.0, 1, "nothing"),
]


def double_answers(data: Dataset, seed: int) -> StoredAnswers:
    """A teacher's logits, with one tensor for each teacher and data set."""
    return StoredAnswers([3 * predict(seeded(in_float64, seed), data.train.inputs).float()])


def students_of(strategies: list[Strategy]) -> tuple[list[BatchStream], list[StoredAnswers]]:
    """Each with a seed, sample and teacher of its own; two data sets, as replicates have."""
    known = torch.arange(40) % 3 > 0
    data = [shapes(seed=seed) for seed in range(2)]
    data = [replace(one, train=one.train._replace(labelled=known)) for one in data]
    told = {(which, seed): double_answers(data[which], seed) for which in range(2) for seed in range(3)}
    answers = [told[place % 2, place % 3] for place in range(len(strategies))]
    rows = [torch.randperm(40, generator=torch.Generator().manual_seed(place))[:23] for place in range(len(strategies))]
    return [
        BatchStream(data[place % 2].train, SIZE, seed=place, rows=rows[place], answers=answers[place])
        for place in range(len(strategies))
    ], answers


def together(networks: list[nn.Module], strategies: list[Strategy], streams, answers, recipe, made=False) -> list:
    stack = Stack(networks, strategies)
    batches = streams_of(streams, stack.groups, answers, made=made)
    curve = fit(stack, Stretches(batches, [100, UPDATES]), recipe)
    stack.whole.hand_back(networks)
    return curve


def alone(network: nn.Module, strategy: Strategy, stream: BatchStream, recipe) -> list:
    class Updates:
        def __len__(self) -> int:
            return UPDATES

        def __iter__(self):
            return map(stream, range(UPDATES))

    return train(network, Updates(), strategy, num_epochs=1, optimizer=recipe, progress=False)


def farthest(one: nn.Module, other: nn.Module) -> float:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


def frozen() -> nn.Module:
    network = perceptron(4, 6, 5, 3).double()
    network[1].requires_grad_(False)
    return network


def convolutions() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3)).double()


def with_views(strategies: list[Strategy]) -> tuple[list[BatchStream], list[StoredAnswers]]:
    """Images of which each student has views of its own, for which its teacher answers."""
    images = torch.randn(20, 1, 6, 6, dtype=torch.float64)
    data = replace(shapes(20), train=shapes(20).train._replace(inputs=images))
    teacher, rows = seeded(convolutions, 9), torch.arange(20)
    streams, answers = [], []
    for seed in range(len(strategies)):
        view = Views(pixels=1, seed=seed).of(data)
        answers.append(StoredAnswers([predict(teacher, view(epoch, rows)).float() for epoch in range(120)]))
        streams.append(BatchStream(data.train, SIZE, seed=seed, inputs=view, answers=answers[seed]))
    return streams, answers


CASES = {
    "Adam": (in_float64, MIXED, students_of, Adam(3e-3)),
    "SGD": (in_float64, MIXED[3:8], students_of, NesterovSGD(0.05)),
    "frozen layers": (frozen, MIXED[4:6], students_of, Adam()),
    "views": (convolutions, MIXED[4:8], with_views, Adam()),
}
RELEASE = {"Adam": pytest.mark.release}


@pytest.mark.parametrize(
    "build, strategies, students, recipe",
    [pytest.param(*case, id=name, marks=RELEASE.get(name, ())) for name, case in CASES.items()],
)
def test_a_stack_is_training_alone(build, strategies, students, recipe):
    """Mixed strategies, temperatures, weights, samples, teachers and replicates, in float64."""
    streams, answers = students(strategies)
    networks = [seeded(build, seed) for seed in range(len(strategies))]
    curve = together(networks, strategies, streams, answers, recipe, made=students is with_views)
    for seed, strategy in list(enumerate(strategies))[1::2]:  # of pairs the second: its numbers are its own
        other, start = seeded(build, seed), seeded(build, seed)
        own = alone(other, strategy, streams[seed], recipe)
        assert farthest(other, start) > 1e-2, "it must have learned"
        assert farthest(networks[seed], other) < 1e-8, strategy
        weights = zip(networks[seed].parameters(), start.parameters(), strict=True)
        assert all(begin.requires_grad or torch.equal(one, begin) for one, begin in weights)
        weighted = (100 * curve[0]["loss"][seed] + 200 * curve[1]["loss"][seed]) / 300
        assert weighted == pytest.approx(own[0]["loss"], rel=1e-8)
    settings = [value for strategy in strategies for value in vars(strategy).values()]
    assert not any(isinstance(value, Tensor) for value in settings), "a strategy stays as it was"


@pytest.mark.parametrize("updates", [[0, 1, 2, 31, 32, 33, 64], [70, 3, 200, 4]])
def test_the_table_gives_batch_for_batch_what_the_streams_give(updates):
    streams, answers = students_of(MIXED)
    groups = list(groups_of(MIXED, torch.zeros(1, dtype=torch.float64)))
    table, plain = (streams_of(streams, groups, answers, made=made) for made in (False, True))
    for update in updates:
        found, expected = (pytree.tree_flatten(made(update)) for made in (table, plain))
        assert found[1] == expected[1] and len(found[0]) > 20
        assert all(torch.equal(one, other) for one, other in zip(found[0], expected[0], strict=True))


def test_a_stack_hears_evaluation_and_training_mode():
    class Doubled(nn.Linear):
        def forward(self, inputs: Tensor) -> Tensor:
            return super().forward(inputs) * (2 if self.training else 1)

    network = Doubled(4, 3)
    stack, inputs = Stack([network], [GroundTruth()]), torch.randn(1, 5, 4)
    assert torch.allclose(stack.whole.train()(inputs), 2 * stack.whole.eval()(inputs))


def stacks(build, strategy: Strategy, recipe=Adam, inputs: int = 4) -> bool:
    known = torch.tensor([True, False, True, True])
    batch = Batch(torch.randn(4, inputs), torch.tensor([0, 1, 2, 1]), torch.randn(4, 3), known)
    return can_be_stacked([build(), build()], strategy, recipe_of(recipe() if recipe is Adam else recipe), batch)


def small() -> nn.Module:
    return perceptron(4, 6, 3)


@pytest.mark.parametrize("strategy", {type(one): one for one in MIXED}.values(), ids=lambda one: one.name)
def test_every_strategy_of_the_package_and_plain_ones_of_ones_own_stack(strategy):
    assert stacks(small, strategy)


class Reading(Strategy):
    """What it does with the batch decides whether it stacks."""

    name, reads = "reading", ("labels",)

    def __init__(self, what: str) -> None:
        self.what = what

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return student_logits.mean(-1) + getattr(batch, self.what).float().flatten(1).mean(-1)


class Functional(nn.Module):
    """Dropout that is no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return nn.functional.dropout(self.linear(inputs), 0.5, self.training)


ALONE = {
    "a decision by a value": (small, Branching(), Adam()),
    "the inputs": (small, Reading("inputs"), Adam()),
    "a field that it did not say": (small, Reading("teacher_logits"), Adam()),
    "layers and a projection": (small, FitNets(), Adam()),
    "BatchNorm": (lambda: nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), GroundTruth(), Adam()),
    "dropout": (lambda: nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.1)), GroundTruth(), Adam()),
    "dropout as a function": (Functional, GroundTruth(), Adam()),
    "a large network": (lambda: perceptron(4, 1000, 600, 3), GroundTruth(), Adam()),
    "drawn labels": (small, TeachersSampledLabels(), Adam()),
    "a drawn tail": (small, TopK(1.0, 1, "sampled"), Adam()),
    "an optimiser of whole matrices": (small, GroundTruth(), torch.optim.LBFGS),
}


@pytest.mark.parametrize("build, strategy, recipe", ALONE.values(), ids=ALONE)
def test_what_cannot_be_stacked_goes_alone(build, strategy, recipe):
    assert not stacks(build, strategy, recipe)


@pytest.mark.parametrize("recipe", [torch.optim.SGD, torch.optim.RMSprop, NesterovSGD()], ids=str)
def test_optimisers_of_single_weights_stack(recipe):
    assert stacks(small, GroundTruth(), recipe)


class Weighted(Strategy):
    """A tensor among the settings."""

    name, reads = "weighted", ("labels",)

    def __init__(self, weights: list[float]) -> None:
        self.weights = torch.tensor(weights)

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        return nn.functional.cross_entropy(student_logits, batch.labels, self.weights, reduction="none")


def powers_of(exponent: float) -> type[Strategy]:
    """Classes of one name that are not the same."""

    class Shaped(Power):
        def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
            return (student_logits - batch.teacher_logits).abs().pow(exponent).mean(dim=-1)

    return Shaped


APART = [
    (TruthWhereKnown(SoftLabels(2.0)), TruthWhereKnown(EvenlySpread(2.0))),
    (TruthWhereKnown(SoftLabels(2.0)), TruthWhereKnown(SoftLabels(2.0000001))),
    (Weighted([0.4, 1.0, 1.0]), Weighted([0.40001, 1.0, 1.0])),
    (powers_of(1.0)(1.0), powers_of(2.0)(1.0)),
    (Reading("labels"), Reading("labelled")),
]


@pytest.mark.parametrize("one, other", APART)
def test_strategies_that_differ_by_more_than_numbers_are_groups_of_their_own(one, other):
    assert len(list(groups_of([one, other], torch.zeros(1)))) == 2


def test_strategies_that_differ_by_numbers_are_one_group():
    assert kind_of(SoftLabels(1.0)) == kind_of(SoftLabels(7)) != kind_of(EvenlySpread(1.0))
    (group,) = groups_of([Scaled(1), Scaled(2.5)], torch.zeros(1, dtype=torch.float64))
    assert group.numbers["scale"].tolist() == [1, 2.5] and group.place == slice(0, 2) and group.strategy.scale == 1
    assert len(list(groups_of(MIXED, torch.zeros(1)))) == 20


def test_networks_with_buffers_are_refused():
    with pytest.raises(ValueError, match=r"no buffers, such as BatchNorm's; got 0.running_mean"):
        Stack([nn.Sequential(nn.BatchNorm1d(2))], [GroundTruth()])
