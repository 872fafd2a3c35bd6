"""The one loop: it descends, it repeats, it stops when it must, and it leaves teacher and student in their modes."""

import math
from functools import partial

import pytest
import torch
from small import FitNets, Outputs, same_weights, with_batch_norm, with_dropout
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from kdlearn import (
    Adam,
    Batch,
    BatchStream,
    GroundTruth,
    SmoothedGroundTruth,
    SoftLabels,
    Split,
    Strategy,
    TeachersHardLabels,
    perceptron,
    predict,
    seeded,
    train,
)
from kdlearn.data.batches import Stretches
from kdlearn.training.loop import OneNetwork, as_batch, fit, seeded_numbers
from kdlearn.training.machine import Machine
from kdlearn.training.outputs import captured_outputs, eval_mode, layer_of


def task(size: int = 40) -> Split:
    inputs = torch.randn(size, 4, generator=torch.Generator().manual_seed(0))
    return Split(inputs, (inputs.sum(dim=1) > 0).long())


def student(seed: int = 0) -> nn.Module:
    return seeded(lambda: perceptron(4, 8, 2), seed)


def stream(batch_size: int = 10, seed: int = 0, **options) -> BatchStream:
    return BatchStream(task(), batch_size, seed=seed, **options)


fitted = partial(train, progress=False)


def test_one_epoch_is_adam_by_hand():
    """Against Adam's formula (Kingma & Ba 2015, algorithm 1), for a linear model whose gradient is written out."""
    examples, model = task(), seeded(lambda: perceptron(4, 2), 0)
    weight, bias = (parameter.detach().clone() for parameter in model.parameters())
    fitted(model, stream(40), GroundTruth(), num_epochs=1, optimizer=Adam(0.1))
    inputs = examples.inputs
    surplus = torch.softmax(inputs @ weight.T + bias, dim=1) - nn.functional.one_hot(examples.labels, 2)
    gradient = surplus.T @ inputs / len(inputs)
    torch.testing.assert_close(model[1].weight.detach(), weight - 0.1 * gradient / (gradient.abs() + 1e-8))


def test_the_loss_falls_and_the_curve_says_so():
    model = student()
    curve = fitted(model, stream(), GroundTruth(), num_epochs=30, optimizer=Adam(0.03), evaluate=lambda one: {"b": 1})
    assert [(point["epoch"], point["b"]) for point in curve] == [(epoch, 1) for epoch in range(1, 31)]
    assert curve[-1]["loss"] < 0.3 * curve[0]["loss"]
    assert (predict(model, task().inputs).argmax(1) == task().labels).float().mean() > 0.9


def pairs() -> list:
    return [(batch.inputs, batch.labels) for batch in map(stream(), range(4))]


ITERABLES = {
    "pairs": pairs,
    "lists": lambda: [list(pair) for pair in pairs()],
    "batches": lambda: [Batch(*pair) for pair in pairs()],
    "a loader": lambda: DataLoader(TensorDataset(*map(torch.cat, zip(*pairs(), strict=True))), batch_size=10),
    "an iterator": lambda: iter(pairs()),
    "a loader without a length": lambda: DataLoader(Endless(), batch_size=None),
}


class Endless(IterableDataset):
    def __iter__(self):
        return iter(pairs())


@pytest.mark.parametrize("make", ITERABLES.values(), ids=ITERABLES)
def test_any_iterable_of_batches_or_pairs_will_do(make):
    one, other = student(), student()
    fitted(one, make(), GroundTruth(), num_epochs=1)
    fitted(other, pairs(), GroundTruth(), num_epochs=1)
    assert same_weights(one, other) and not same_weights(one, student())


def with_ignored() -> list:
    return [(inputs, torch.where(torch.arange(10) % 3 > 0, labels, -100)) for inputs, labels in pairs()]


@pytest.mark.parametrize("strategy", [GroundTruth(), SmoothedGroundTruth()], ids=lambda one: one.name)
def test_labels_of_minus_100_teach_nothing(strategy):
    """As a training whose batches lack those rows."""
    one, other, masked = student(), student(), student()
    fitted(one, with_ignored(), strategy, num_epochs=2)
    rest = [(inputs[labels != -100], labels[labels != -100]) for inputs, labels in with_ignored()]
    fitted(other, rest, strategy, num_epochs=2)
    batches = [Batch(inputs, labels, mask=torch.arange(10) > 1) for inputs, labels in with_ignored()]
    fitted(masked, batches, strategy, num_epochs=2)
    for mine, expected in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-5, atol=1e-6)
    assert not same_weights(one, masked)
    assert as_batch(pairs()[0]).mask is None and as_batch(batches[0]).mask.sum() == 5


def test_of_several_processes_every_batch_has_a_mask_since_they_count_labels_together(monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    for batch, counting in zip(map(as_batch, (pairs()[0], with_ignored()[0])), (10, 6), strict=True):
        assert batch.mask.sum() == counting


class WithOutputs(nn.Module):
    """A network that answers as those of transformers do, with an object or a dictionary that holds `logits`."""

    def __init__(self, kind: type) -> None:
        super().__init__()
        self.inner, self.kind = student(), kind

    def forward(self, inputs):
        return self.kind(logits=self.inner(inputs), loss=None)


@pytest.mark.parametrize("kind", [Outputs, dict])
def test_a_student_may_answer_as_those_of_transformers_do(kind):
    one, other = WithOutputs(kind), student()
    for network in (one, other):
        fitted(network, stream(), GroundTruth(), num_epochs=2)
    assert same_weights(one.inner, other) and not same_weights(other, student())
    assert torch.equal(predict(one, task().inputs), predict(other, task().inputs))


def test_an_iterator_is_used_up_after_one_epoch_and_that_is_said():
    with pytest.raises(ValueError, match="batches must give at least one batch an epoch; epoch 2 has none"):
        fitted(student(), iter(pairs()), GroundTruth(), num_epochs=2)
    with pytest.raises(ValueError, match="epoch 1 has none"):
        fitted(student(), [], GroundTruth(), num_epochs=1)


@pytest.mark.parametrize("odd", [torch.zeros(2, 4), (1, 2, 3), {"inputs": 1}])
def test_what_is_no_batch_is_refused(odd):
    with pytest.raises(TypeError, match=r"kdlearn.Batch or pairs \(inputs, labels\)"):
        as_batch(odd)


def by_hand(model: nn.Module, optimizer: torch.optim.Optimizer) -> nn.Module:
    for inputs, labels in pairs() * 3:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    return model


@pytest.mark.parametrize("make", [torch.optim.SGD, partial(torch.optim.AdamW, lr=1e-2), torch.optim.RMSprop])
@pytest.mark.parametrize("made", [False, True])
def test_torchs_optimisers_step_as_in_a_loop_by_hand(make, made):
    expected, model = student(), student()
    by_hand(expected, make(expected.parameters()))
    fitted(model, pairs(), GroundTruth(), num_epochs=3, optimizer=make(model.parameters()) if made else make)
    torch.testing.assert_close(list(model.parameters()), list(expected.parameters()))


def test_an_optimiser_of_another_network_is_refused():
    with pytest.raises(ValueError, match="made for other ones"):
        fitted(student(), pairs(), GroundTruth(), num_epochs=1, optimizer=torch.optim.SGD(student(1).parameters(), 0.1))


@pytest.mark.parametrize("build", [with_dropout, with_batch_norm], ids=lambda build: build.__name__)
def test_a_seed_gives_the_same_bits_whatever_torchs_numbers_are(build):
    examples = Split(torch.randn(30, 64), torch.arange(30) % 10)
    models = [seeded(build, 0) for _ in range(3)]
    for place, model in enumerate(models):
        torch.manual_seed(place)
        before = torch.get_rng_state()
        fitted(model, BatchStream(examples, 10, seed=1), GroundTruth(), num_epochs=3, seed=place // 2)
        assert torch.equal(before, torch.get_rng_state()), "torch's own numbers are left alone"
    assert same_weights(models[0], models[1])
    assert same_weights(models[0], models[2]) == (build is with_batch_norm)


class Failing(Strategy):
    """Not finite from a step on."""

    name, reads = "failing", ("labels",)

    def __init__(self, value: float, after: int) -> None:
        self.value, self.left = value, after

    def __call__(self, student_logits, batch):
        self.left -= 1
        return GroundTruth()(student_logits, batch) * (self.value if self.left < 0 else 1)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("after", [0, 3, 5])
def test_a_loss_that_is_not_finite_stops_with_advice(value, after):
    words = f"not finite in epoch {1 + after // 4}: lower learning_rate=0.003"
    with pytest.raises(FloatingPointError, match=words):
        fitted(student(), pairs(), Failing(value, after), num_epochs=3)


# Modes


def test_trap_a_student_learns_in_train_mode_after_every_evaluation():
    model, modes = seeded(with_dropout, 0), []
    model[3].register_forward_hook(lambda module, inputs, output: modes.append(module.training))
    batches = BatchStream(Split(torch.randn(30, 64), torch.arange(30) % 10), 15, seed=1)
    fitted(model, batches, GroundTruth(), num_epochs=2, evaluate=lambda one: one.eval() and {})
    assert modes == [True] * 4 and model.training and all(module.training for module in model.modules())


TEACHERS = {
    "as it is": lambda network: network,
    "behind a lambda": lambda network: lambda inputs: network(inputs),
    "in a dictionary": lambda network: partial(lambda held, inputs: held["one"][0](inputs), {"one": [network]}),
    "in an object": lambda network: Held(network),
}


class Held:
    def __init__(self, network) -> None:
        self.networks = {"one": network}

    def __call__(self, inputs):
        return self.networks["one"](inputs)


@pytest.mark.parametrize("build", [with_dropout, with_batch_norm], ids=lambda build: build.__name__)
@pytest.mark.parametrize("wrapped", TEACHERS.values(), ids=TEACHERS)
def test_trap_a_teacher_answers_in_eval_mode_without_gradient_and_is_left_as_it_was(wrapped, build):
    network, inputs = seeded(build, 0), torch.randn(20, 64)
    network[1].eval()
    before = {name: values.clone() for name, values in network.state_dict().items()}
    answers = [predict(wrapped(network), inputs, batch_size=size) for size in (20, 7)]
    torch.testing.assert_close(*answers)  # in train mode dropout and the batch's own statistics would differ
    assert not answers[0].requires_grad
    assert [module.training for module in network] == [True, False, True, True, True]
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())
    torch.testing.assert_close(answers[0], network.eval()(inputs).detach())


def test_a_teacher_that_fails_is_left_in_its_mode():
    network = seeded(with_dropout, 0)
    with pytest.raises(RuntimeError), eval_mode():
        network(torch.zeros(3, 5))
    assert all(module.training for module in network.modules())
    network(torch.zeros(3, 64))
    assert network.training, "no hook is left behind"


# Layers and what is trained along


def test_layers_are_heard_in_the_order_of_their_names_and_no_longer():
    network, inputs = student(), torch.randn(3, 4)
    with captured_outputs(network, ["3", "1"]) as heard:
        logits = network(inputs)
    assert torch.equal(heard[0], logits) and torch.equal(heard[1], network[1](inputs))
    network(torch.zeros(3, 4))
    assert torch.equal(heard[0], logits)
    with pytest.raises(ValueError, match=r"'9' is none of 0, 1, 2, 3"):
        layer_of(network, "9")


def with_features(seed: int = 0) -> list[Batch]:
    teacher = seeded(lambda: perceptron(4, 12, 2), 5)
    return [batch._replace(teacher_features=(teacher[:3](batch.inputs).detach(),)) for batch in map(stream(), range(4))]


def test_a_projection_is_trained_along_as_the_seed_decides_and_anew_for_each_training():
    strategy, ends = FitNets(), []
    for seed in (3, 3, 4):
        with seeded_numbers(seed):
            learner = OneNetwork(student(), strategy, Machine(), lambda: with_features()[0])
        start = learner.trained.weight.detach().clone()
        fit(learner, Stretches(lambda update: with_features()[update % 4], [40]), Adam(0.01))
        ends.append((start, learner.trained.weight.detach(), *learner.network.parameters()))
        assert (ends[-1][1] - start).abs().max() > 0.01
    assert all(map(torch.equal, ends[0], ends[1])) and not any(map(torch.equal, ends[0], ends[2]))
    assert vars(strategy) == {}, "a strategy never changes"


def test_teacher_and_student_read_the_same_rows_in_the_same_order():
    teacher = student(seed=5)
    logits = predict(teacher, task().inputs)
    batches = stream(answers=lambda epoch, rows: {"teacher_logits": logits[rows]})
    for batch in batches:
        torch.testing.assert_close(predict(teacher, batch.inputs), batch.teacher_logits)
    for strategy in (SoftLabels(2.0), TeachersHardLabels()):
        curve = fitted(model := student(), batches, strategy, num_epochs=40, optimizer=Adam(0.03))
        assert curve[-1]["loss"] < curve[0]["loss"]
        assert (predict(model, task().inputs).argmax(1) == logits.argmax(1)).float().mean() > 0.9


def test_a_progress_bar_only_when_asked(capsys):
    fitted(student(), stream(20), GroundTruth(), num_epochs=1)
    assert capsys.readouterr() == ("", "")
    train(student(), stream(20), GroundTruth(), num_epochs=1)
    assert "training" in capsys.readouterr().err
