"""`examine_training` names what was planted in a training, and leaves a right one alone and as it was."""

import functools

import numpy as np
import pytest
import torch
from small import digits
from torch import nn

import kdlearn
from kdlearn.networks.weights import weights_hash

ROWS = 40


def with_dropout():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.3), nn.Linear(24, 10)
    )


@functools.cache
def taught():
    data = digits(train=600, test=120)
    teacher = kdlearn.seeded(functools.partial(kdlearn.perceptron, 64, 32, 10), 0)
    batches = kdlearn.Stream(data.train, 40, seed=0)
    kdlearn.train(teacher, batches, kdlearn.GroundTruth(), num_epochs=12, progress=False)
    return data, teacher


class Loop:
    """A training as people write it, each slip of which can be switched on."""

    def __init__(self, **slips):
        self.slips = slips
        self.data, teacher = taught()
        self.student = kdlearn.seeded(with_dropout, 1)
        self.teacher = kdlearn.seeded(with_dropout, 2) if slips.get("training_teacher") else teacher
        learned = self.teacher if slips.get("wrong_optimiser") else self.student
        self.optimizer = torch.optim.Adam(learned.parameters(), lr=0.003)
        self.student.train(not slips.get("eval_student"))
        self.teacher.train(bool(slips.get("training_teacher")))

    def loader(self):
        test = self.data.test
        return [(test.inputs[start : start + ROWS], test.labels[start : start + ROWS]) for start in (0, ROWS, 2 * ROWS)]

    def step(self, batch):
        inputs, labels = batch
        views = {"shuffled": inputs.flip(0), "noisy": inputs + 0.1 * torch.randn_like(inputs)}
        with torch.no_grad():
            teacher_logits = self.teacher(views.get(self.slips.get("inputs"), inputs))
        if self.slips.get("shuffled_answers"):
            teacher_logits = teacher_logits[torch.tensor(np.random.permutation(len(inputs)))]
        weights = {"temperature": 4.0, "soft_weight": self.slips.get("soft_weight", 0.9)}
        loss = kdlearn.distillation_loss(self.student(inputs), teacher_logits, labels, **weights)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def report(self, **options):
        return kdlearn.examine_training(self.student, self.teacher, self.loader(), train_step=self.step, **options)


def test_a_right_training_has_nothing_odd_and_stays_as_it_was():
    loop = Loop()
    before = [weights_hash(one) for one in (loop.student, loop.teacher)]
    numbers = torch.get_rng_state(), np.random.get_state()[1].copy()
    report = loop.report(curve=[1.0] * 12, baseline=kdlearn.seeded(with_dropout, 1))
    assert report.findings == () and "Nothing odd" in str(report)
    assert [weights_hash(one) for one in (loop.student, loop.teacher)] == before
    assert loop.student.training and not loop.teacher.training
    assert torch.equal(numbers[0], torch.get_rng_state()) and (numbers[1] == np.random.get_state()[1]).all()
    assert report.figures["teacher's accuracy"] > 0.8 > report.figures["student's accuracy"]


PLANTED = {
    "teacher-in-training-mode": {"training_teacher": True},
    "teacher-changes": {"training_teacher": True},
    "student-in-eval-mode": {"eval_student": True},
    "student-unchanged": {"wrong_optimiser": True},
    "other-views": {"inputs": "noisy"},
    "rows-mixed": {"inputs": "shuffled"},
    "soft-loss-negligible": {"soft_weight": 0.01},
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_slip_is_named(name):
    assert name in Loop(**PLANTED[name]).report().names


def test_answers_that_reach_another_row_are_found_though_the_inputs_agree():
    report = Loop(shuffled_answers=True).report()
    (finding,) = (one for one in report.findings if one.name == "rows-mixed")
    assert finding.measured >= 0.5 and "another row of the student" in finding.sentence


def test_the_ratio_of_gradients_is_that_of_the_losses():
    loop = Loop(soft_weight=0.3)
    found = loop.report().figures["soft gradient over hard"]
    inputs, labels = loop.loader()[0]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        logits = loop.student(inputs).detach().requires_grad_()
    soft = 0.3 * kdlearn.soft_label_loss(logits, loop.teacher(inputs), 4.0)
    hard = 0.7 * kdlearn.hard_label_loss(logits, labels)
    by_hand = [torch.autograd.grad(part, logits)[0].norm() for part in (soft, hard)]
    assert found == pytest.approx(float(by_hand[0] / by_hand[1]), rel=0.01)


class Scaled(nn.Module):
    def __init__(self, network, scale):
        super().__init__()
        self.network, self.scale = network, scale

    def forward(self, inputs):
        return self.scale * self.network(inputs)


@pytest.mark.parametrize("scale, name", [(1e3, "teacher-too-sure"), (1e-3, "teacher-almost-even")])
def test_a_teacher_that_says_one_class_or_all_of_them(scale, name):
    loop = Loop()
    report = kdlearn.examine_training(loop.student, Scaled(loop.teacher, scale), loop.loader())
    assert name in report.names and report.figures["teacher's accuracy"] > 0.8


def test_a_teacher_that_is_no_better():
    loop = Loop()
    report = kdlearn.examine_training(loop.teacher, loop.student.eval(), loop.loader())
    assert "teacher-not-better" in report.names and report.figures["teacher's accuracy"] < 0.4


def test_a_curve_that_falls_and_other_first_weights():
    loop = Loop()
    report = loop.report(curve=[1 / step for step in range(1, 17)], baseline=kdlearn.seeded(with_dropout, 5))
    assert report.names == ("other-first-weights", "still-falling")
