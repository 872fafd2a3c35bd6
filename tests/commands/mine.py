"""A user's own module: strategies and networks, some of which cannot be used."""

from dataclasses import dataclass

from torch import nn

import kdlearn


@dataclass(frozen=True)
class Distance(kdlearn.Strategy):
    """How far the probabilities lie apart."""

    temperature: float = 3.0
    name = "own distance"
    reads = ("teacher_logits",)

    def __call__(self, student_logits, batch):
        student, teacher = (logits / self.temperature for logits in (student_logits, batch.teacher_logits))
        return (student.softmax(-1) - teacher.softmax(-1)).abs().sum(dim=-1)


farther = Distance(5.0)


class Mean(kdlearn.Strategy):
    name, reads = "one value", ("labels",)

    def __call__(self, student_logits, batch):
        return student_logits.mean()


class Broken(kdlearn.Strategy):
    name, reads = "broken", ("labels",)

    def __call__(self, student_logits, batch):
        return student_logits.no_such_thing


class Nameless(kdlearn.Strategy):
    reads = ("labels",)


class TwiceTheName(kdlearn.GroundTruth):
    pass


class Needs(kdlearn.GroundTruth):
    def __init__(self, number):
        self.number = number


def small(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, num_classes))


trained = small(3)


def of_seven(num_classes):
    return small(7)


def of_one(num_classes):
    return small(1)


def for_others(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(5, num_classes))


def failing(num_classes):
    raise RuntimeError("out of \x1b[31mluck")


def no_network(num_classes):
    return 3


def takes_nothing():
    return small(3)


number = 3


def dict_of_losses(student_logits, teacher_logits):
    return {"soft": (student_logits - teacher_logits).square().mean()}


def odd_loss(student_logits, teacher_logits, labels):
    soft = kdlearn.soft_label_loss(student_logits, teacher_logits, 4.0) / student_logits.shape[-1]
    return 0.9 * soft + 0.1 * kdlearn.hard_label_loss(student_logits, labels)


class RightLoss:
    def __call__(self, student_logits, teacher_logits):
        return kdlearn.soft_label_loss(student_logits, teacher_logits, 4.0)


class NeedsNumber(RightLoss):
    def __init__(self, number):
        self.number = number
