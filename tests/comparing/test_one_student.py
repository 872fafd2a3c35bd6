"""`distill`: one student, trained in place by one teacher."""

import copy
import warnings

import pytest
import torch
from small import STUDENT, TEACHER, digits, same_weights
from torch import nn

import kdlearn
from kdlearn import BatchStream, Dataset, GroundTruth, SoftLabels, Views, distill, predict, seeded, train
from kdlearn.training.regression_strategies import TeachersValues

DATA = digits()


def taught(teacher, data=DATA, **options) -> nn.Module:
    student = seeded(STUDENT, 0)
    distill(teacher, student, data, num_epochs=2, batch_size=30, progress=False, **options)
    return student


def test_it_is_training_on_the_teachers_answers():
    teacher, by_hand = seeded(TEACHER, 1), seeded(STUDENT, 0)
    logits = predict(teacher, DATA.inputs("train"))
    stream = BatchStream(DATA.train, 30, seed=0, answers=lambda epoch, rows: {"teacher_logits": logits[rows]})
    train(by_hand, stream, SoftLabels(), num_epochs=2, seed=0, progress=False)
    before = copy.deepcopy(teacher.train())
    assert same_weights(taught(teacher), by_hand)
    assert same_weights(teacher, before) and teacher.training


@pytest.mark.parametrize("kind", ["network", "function", "stored"])
def test_what_a_teacher_may_be(kind):
    teacher = seeded(TEACHER, 1)
    logits = predict(teacher, DATA.inputs("train"))
    given = {"network": teacher, "function": lambda inputs: teacher(inputs), "stored": logits}[kind]
    assert same_weights(taught(given), taught(teacher))


def test_the_training_split_is_enough():
    pair = {"train": (DATA.train.inputs, DATA.train.labels)}
    assert same_weights(taught(seeded(TEACHER, 1), pair), taught(seeded(TEACHER, 1)))


def test_views_are_asked_as_they_are_seen():
    teacher, by_hand = seeded(TEACHER, 1), seeded(STUDENT, 0)
    views = Views(pixels=1, flip=False, border="darkest")
    seen = views.of(DATA)
    told = {"inputs": seen, "answers": lambda epoch, rows: {"teacher_logits": predict(teacher, seen(epoch, rows))}}
    stream = BatchStream(DATA.train, 30, seed=0, **told)
    train(by_hand, stream, SoftLabels(), num_epochs=2, seed=0, progress=False)
    assert same_weights(taught(teacher, views=views), by_hand)


def test_without_a_teacher_by_ground_truth():
    assert not same_weights(taught(None, strategy=GroundTruth()), seeded(STUDENT, 0))


@pytest.mark.parametrize(
    "teacher, options, words",
    [
        (kdlearn.Run(DATA, TEACHER), {}, "compare and study take a Run"),
        (torch.zeros(7, 10), {}, "stored logits must have a row for each"),
        ({"test": torch.zeros(50, 10)}, {}, "stored logits must cover train"),
        (None, {}, "give a teacher"),
        (lambda inputs: torch.zeros(len(inputs), 7), {}, "one for each of the student's outputs"),
        (TEACHER, {}, "call what builds a network"),
        (lambda inputs: torch.randn(len(inputs), 10), {}, "the same answer twice"),
    ],
    ids=["a run", "other rows", "no training rows", "none", "other classes", "a builder", "noise"],
)
def test_what_cannot_teach_is_refused(teacher, options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        taught(teacher, **options)


def test_a_network_does_not_follow_itself():
    network = STUDENT()
    with pytest.raises(ValueError, match="two networks"):
        distill(network, network, DATA)


def test_a_loader_alone_is_the_training_split():
    teacher = seeded(TEACHER, 1)
    rows = torch.utils.data.TensorDataset(DATA.inputs("train"), DATA.train.labels)
    loader = torch.utils.data.DataLoader(rows, batch_size=30)
    assert same_weights(taught(teacher, loader), taught(teacher))


def test_numbers_are_distilled():
    inputs = torch.randn(40, 3)
    examples = kdlearn.Split(inputs, inputs.sum(dim=1, keepdim=True))
    student = seeded(lambda: kdlearn.perceptron(3, 8, 1), 0)
    options = {"strategy": TeachersValues(), "num_epochs": 100, "batch_size": 10, "progress": False}
    curve = distill(lambda inputs: 2 * inputs.sum(dim=1, keepdim=True), student, Dataset(examples, examples), **options)
    assert curve[-1]["loss"] < 0.1 * curve[0]["loss"]
    assert (predict(student, inputs) - 2 * examples.labels).abs().mean() < 0.5


def test_stored_logits_in_another_order_are_warned_of():
    logits = 5 * torch.nn.functional.one_hot(DATA.train.labels, 10).float()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        taught(logits)
    with pytest.warns(UserWarning, match="in the order of the training rows"):
        taught(logits.roll(1, 0))
