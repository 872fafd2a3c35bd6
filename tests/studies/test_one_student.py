"""`distill`: one student, trained in place by one teacher."""

import copy

import pytest
import torch
from small import STUDENT, TEACHER, digits, same_weights
from torch import nn

import kdlearn
from kdlearn import GroundTruth, SoftLabels, Stream, Views, distill, predict, seeded, train

DATA = digits()


def taught(teacher, data=DATA, **options) -> nn.Module:
    student = seeded(STUDENT, 0)
    distill(teacher, student, data, num_epochs=2, batch_size=30, progress=False, **options)
    return student


def test_it_is_training_on_the_teachers_answers():
    teacher, by_hand = seeded(TEACHER, 1), seeded(STUDENT, 0)
    logits = predict(teacher, DATA.inputs("train"))
    stream = Stream(DATA.train, 30, seed=0, answers=lambda epoch, rows: {"teacher_logits": logits[rows]})
    train(by_hand, stream, SoftLabels(2.0), num_epochs=2, seed=0, progress=False)
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
    views = Views(pixels=1, flip=False, border="darkest")
    other = taught(seeded(TEACHER, 1), views=views)
    assert not same_weights(other, taught(seeded(TEACHER, 1)))
    assert same_weights(other, taught(seeded(TEACHER, 1), views=views))


def test_without_a_teacher_by_ground_truth():
    assert not same_weights(taught(None, strategy=GroundTruth()), seeded(STUDENT, 0))


@pytest.mark.parametrize(
    "teacher, options, words",
    [
        (kdlearn.Run(DATA, TEACHER), {}, "compare and study take a Run"),
        (torch.zeros(7, 10), {}, "stored logits must have a row for each"),
        ({"test": torch.zeros(50, 10)}, {}, "stored logits must cover train"),
        (None, {}, "give a teacher"),
        (lambda inputs: torch.zeros(len(inputs), 7), {"strategy": SoftLabels(2.0)}, "shape"),
    ],
    ids=["a run", "other rows", "no training rows", "none", "other classes"],
)
def test_what_cannot_teach_is_refused(teacher, options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        taught(teacher, **options)
