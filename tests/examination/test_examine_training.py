"""`examine_training` names what was planted in a training, and leaves a right one alone and as it was."""

import copy
import functools

import numpy as np
import pytest
import torch
from small import Outputs, digits
from test_wrong_losses import WRONG
from torch import nn

import kdlearn
from kdlearn.examination.findings import ADVICE
from kdlearn.networks.weights import weights_hash

ROWS = 40


def with_dropout():
    hidden = nn.Linear(64, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.3)
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(24, 10))


@functools.cache
def taught():
    data = digits(train=600, test=120)
    teacher = kdlearn.seeded(functools.partial(kdlearn.perceptron, 64, 32, 10), 0)
    batches = kdlearn.BatchStream(data.train, 40, seed=0)
    kdlearn.train(teacher, batches, kdlearn.GroundTruth(), num_epochs=12, progress=False)
    return data.test, teacher


class Loop:
    """A training as people write it, each slip of which can be switched on."""

    logits_of = staticmethod(lambda outputs: outputs)

    def __init__(self, **slips):
        self.slips = slips
        self.test, teacher = taught()
        self.student = kdlearn.seeded(with_dropout, 1)
        self.teacher = kdlearn.seeded(with_dropout, 2) if slips.get("training_teacher") else copy.deepcopy(teacher)
        for last in list(self.teacher.parameters())[-2:]:
            last.data *= slips.get("scale", 1)
        if slips.get("exchanged"):
            self.student, self.teacher = self.teacher, self.student
        learned = self.teacher if slips.get("wrong_optimiser") else self.student
        self.optimizer = torch.optim.Adam(learned.parameters(), lr=0.003)
        self.student.train(not slips.get("eval_student"))
        self.teacher.train(bool(slips.get("training_teacher")))

    def step(self, batch):
        inputs, labels = batch
        views = {"shuffled": inputs.flip(0), "noisy": inputs + 0.1 * torch.randn_like(inputs)}
        with torch.no_grad():
            teacher_logits = self.teacher(views.get(self.slips.get("inputs"), inputs))
        if self.slips.get("shuffled_answers"):
            teacher_logits = teacher_logits[torch.tensor(np.random.permutation(len(inputs)))]
        weights = {"temperature": 4.0, "soft_weight": self.slips.get("soft_weight", 0.9)}
        loss = kdlearn.distillation_loss(self.logits_of(self.student(inputs)), teacher_logits, labels, **weights)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    @property
    def loader(self):
        return list(zip(self.test.inputs.split(ROWS), self.test.labels.split(ROWS), strict=True))

    def report(self):
        return kdlearn.examine_training(
            self.student, self.teacher, self.loader, train_step=self.step, curve=self.slips.get("curve", [1.0] * 12),
            baseline=kdlearn.seeded(with_dropout, self.slips.get("baseline_seed", 1)),
        )  # fmt: skip


def test_a_right_training_has_nothing_odd_and_stays_as_it_was():
    loop = Loop()
    before = [weights_hash(one) for one in (loop.student, loop.teacher)]
    numbers = torch.get_rng_state(), np.random.get_state()[1].copy()
    report = loop.report()
    assert report.findings == () and "Nothing odd" in str(report)
    assert [weights_hash(one) for one in (loop.student, loop.teacher)] == before
    assert loop.student.training and not loop.teacher.training
    assert torch.equal(numbers[0], torch.get_rng_state()) and (numbers[1] == np.random.get_state()[1]).all()
    assert report.figures["teacher's accuracy"] > 0.8 > report.figures["student's accuracy"]


UNTAUGHT = "teacher-almost-even teacher-not-better"
PLANTED = {  # a slip, and all that is named for it
    "teacher-in-training-mode": ({"training_teacher": True}, f"teacher-in-training-mode teacher-changes {UNTAUGHT}"),
    "eval() left on": ({"eval_student": True}, "student-in-eval-mode"),
    "another network's weights": ({"wrong_optimiser": True}, "student-unchanged"),
    "noise for one": ({"inputs": "noisy"}, "other-views"),
    "rows shuffled for one": ({"inputs": "shuffled"}, "rows-mixed"),
    "answers shuffled": ({"shuffled_answers": True}, "rows-mixed"),
    "almost no soft loss": ({"soft_weight": 0.01}, "soft-loss-negligible"),
    "logits times 1,000": ({"scale": 1e3}, "teacher-too-sure"),
    "logits by 1,000": ({"scale": 1e-3}, "teacher-almost-even"),
    "student and teacher exchanged": ({"exchanged": True}, f"other-first-weights {UNTAUGHT}"),
    "another start": ({"baseline_seed": 5}, "other-first-weights"),
    "ended early": ({"curve": [1 / step for step in range(1, 17)]}, "still-falling"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_slip_is_named(name):
    slips, names = PLANTED[name]
    assert set(Loop(**slips).report().names) == set(names.split())


def test_what_is_shuffled_is_told():
    for slips, words in (({"inputs": "shuffled"}, "another place"), ({"shuffled_answers": True}, "row of the student")):
        (finding,) = Loop(**slips).report().findings
        assert finding.measured >= 0.5 and words in finding.sentence


class Answering(nn.Module):
    """A network that answers with outputs, as those of transformers do."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, inputs):
        return Outputs(self.network(inputs))


def test_a_student_may_answer_with_outputs():
    loop = Loop(inputs="noisy")
    expected, inner = loop.report(), loop.student
    loop.student = Answering(inner)
    loop.logits_of = lambda outputs: outputs.logits
    found = loop.report()
    assert set(found.names) - {"other-first-weights"} == {"other-views"}  # the baseline's weights have other names
    assert found.figures == expected.figures


def test_the_ratio_of_gradients_is_that_of_the_losses():
    loop = Loop(soft_weight=0.3)
    found = loop.report().figures["soft gradient over hard"]
    inputs, labels = loop.loader[0]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        logits = loop.student(inputs).detach().requires_grad_()
    soft = 0.3 * kdlearn.soft_label_loss(logits, loop.teacher(inputs), 4.0)
    hard = 0.7 * kdlearn.hard_label_loss(logits, labels)
    by_hand = [torch.autograd.grad(part, logits)[0].norm() for part in (soft, hard)]
    assert found == pytest.approx(float(by_hand[0] / by_hand[1]), rel=0.01)


def test_every_name_is_planted_in_a_loss_or_in_a_training():
    planted = {name for table in (WRONG, PLANTED) for case in table.values() for name in case[1].split()}
    assert planted == set(ADVICE)
    for advice in ADVICE.values():
        assert set(advice) - {"may_be_meant"} == {"effect", "remedy"}
        assert advice["effect"].endswith(".") and advice["remedy"].endswith(".")
