"""Ten trainings on the digits in which distillation does not help: a slip, unequal arms, or an honest reason.

Notebook 09 shows their curves and numbers under a letter; what is wrong stands here, so read the notebook first.
A right training has 60 labelled images, a teacher of all 1,200, T = 8, and a weight of one half for each loss.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdlearn.data.batches import BatchStream
from kdlearn.data.dataset import Dataset
from kdlearn.data.digits import load_digits
from kdlearn.formulas.labels import entropy, soft_labels
from kdlearn.formulas.losses import distillation_loss
from kdlearn.networks.basic import perceptron, seeded
from kdlearn.training.loop import train
from kdlearn.training.optimizers import Adam
from kdlearn.training.outputs import predict
from kdlearn.training.strategies import GroundTruth

T, FEW, BATCH_SIZE, UPDATES, RATE, EVERY = 8.0, 60, 60, 300, 0.05, 30
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def right(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
    return distillation_loss(student_logits, teacher_logits, labels, temperature=T, soft_weight=0.5)


def ground_truth(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(student_logits, labels)


def divergence(student_logits: Tensor, teacher_logits: Tensor, reduction: str = "batchmean") -> Tensor:
    log_q, p = (student_logits / T).log_softmax(-1), (teacher_logits.detach() / T).softmax(-1)
    return F.kl_div(log_q, p, reduction=reduction)


def averaged_over_classes(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
    each = divergence(student_logits, teacher_logits, reduction="none")
    return 0.5 * T**2 * each.mean() + 0.5 * F.cross_entropy(student_logits, labels)


def without_square(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
    return 0.5 * divergence(student_logits, teacher_logits) + 0.5 * F.cross_entropy(student_logits, labels)


def squared_twice(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
    soft = T**2 * T**2 * divergence(student_logits, teacher_logits)
    return 0.5 * soft + 0.5 * F.cross_entropy(student_logits, labels)


def of_raw_logits(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
    log_q = (student_logits / T).log_softmax(-1)
    soft = -(teacher_logits.detach() / T * log_q).sum(-1).mean()
    return 0.5 * T**2 * soft + 0.5 * F.cross_entropy(student_logits, labels)


@dataclass(frozen=True)
class Case:
    """What one training does otherwise than a right one; `finding` is what names it, None where no instrument does."""

    cause: str
    finding: str | None = None
    loss: Loss = right
    images: int = FEW
    updates: int = UPDATES
    baseline_updates: int = UPDATES
    training_mode: bool = False
    reverse_answers: bool = False
    shift: int = 0
    scale: float = 1.0


CASES = {
    "A": Case("the teacher's answers belong to other rows", "rows-mixed", reverse_answers=True),
    "B": Case("T² is forgotten", "temperature-squared-missing", without_square),
    "C": Case("the labels are enough: 1,200 and not 60", images=1200, updates=900, baseline_updates=900),
    "D": Case("the teacher is in training mode", "teacher-in-training-mode", training_mode=True),
    "E": Case("the loss takes the teacher's logits for probabilities", "no-softmax", of_raw_logits),
    "F": Case("the teacher is so sure that its soft labels are hard ones", "teacher-too-sure", scale=100.0),
    "G": Case("the soft loss is averaged over the classes too", "divided-by-classes", averaged_over_classes),
    "H": Case("the student stopped after 15 updates", updates=15),
    "I": Case("T² is there twice", "temperature-squared-twice", squared_twice),
    "J": Case("teacher and student see other views of an image", "other-views", shift=1),
}
RIGHT, BASELINE = Case("nothing is wrong"), Case("ground truth alone", loss=ground_truth)


class Patient:
    """One training of a case: student, teacher, optimiser, `step(batch)`, and batches of inputs and labels."""

    def __init__(self, case: Case, seed: int = 0, network: Callable[[], nn.Module] | None = None) -> None:
        self.case, self.seed = case, seed
        self.data, teacher = data_of(seed), taught(seed)
        self.teacher: nn.Module = Scaled(copy.deepcopy(teacher), case.scale)
        self.student = seeded(network or partial(perceptron, 64, 32, 10), seed)
        self.optimizer = torch.optim.SGD(self.student.parameters(), lr=RATE, momentum=0.9)

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Without end; 60 images are one batch, always in the same order."""
        inputs, labels = (part[: self.case.images] for part in (self.data.train.inputs, self.data.train.labels))
        generator = torch.Generator().manual_seed(self.seed)
        while True:
            order = torch.randperm(len(inputs), generator=generator)
            for rows in (torch.arange(FEW),) if self.case.images == FEW else order.split(BATCH_SIZE):
                yield inputs[rows], labels[rows]

    @torch.no_grad()
    def answers(self, inputs: Tensor) -> Tensor:
        """What the teacher says in this training."""
        self.teacher.train(self.case.training_mode)
        if self.case.shift:
            inputs = inputs.roll(int(torch.randint(2, ())) * 2 - 1, dims=-1)
        found = self.teacher(inputs)
        return found.flip(0) if self.case.reverse_answers else found

    def step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """One update of the student; its loss."""
        inputs, labels = batch
        loss = self.case.loss(self.student(inputs), self.answers(inputs), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def accuracy(self) -> float:
        """On the test images, in percent."""
        with torch.no_grad():
            hits = self.student(self.data.test.inputs).argmax(-1) == self.data.test.labels
        return 100 * float(hits.float().mean())

    def curve(self, updates: int) -> tuple[list[int], list[float], list[float]]:
        """Numbers of updates, the accuracy at each, and the loss of every update."""
        places, accuracies, losses = [0], [self.accuracy()], []
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            for update, batch in zip(range(1, updates + 1), self.batches(), strict=False):
                losses.append(float(self.step(batch)))
                if update % EVERY == 0 or update == updates:
                    places.append(update)
                    accuracies.append(self.accuracy())
        return places, accuracies, losses


class Scaled(nn.Module):
    """A network whose logits are multiplied, as a classifier by cosines with a scale does it."""

    def __init__(self, network: nn.Module, scale: float) -> None:
        super().__init__()
        self.network, self.scale = network, scale

    def forward(self, inputs: Tensor) -> Tensor:
        return self.scale * self.network(inputs)


@cache
def data_of(seed: int) -> Dataset:
    return load_digits(seed)


def perceptron_with_dropout() -> nn.Module:
    hidden = nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.5)
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(128, 10))


@cache
def taught(seed: int) -> nn.Module:
    """A teacher with dropout and batch statistics, 15 epochs on all 1,200 images."""
    teacher = seeded(perceptron_with_dropout, seed)
    stream = BatchStream(data_of(seed).train, BATCH_SIZE, seed=seed)
    train(teacher, stream, GroundTruth(), num_epochs=15, optimizer=Adam(1e-3), seed=seed, progress=False)
    return teacher.eval()


@dataclass(frozen=True)
class Chart:
    """What is seen of a training: curves of student and baseline, and `numbers`."""

    student: tuple[list[int], list[float], list[float]]
    baseline: tuple[list[int], list[float], list[float]]
    numbers: dict[str, float]

    @property
    def gain(self) -> float:
        """The student's last accuracy over the baseline's, in points."""
        return self.student[1][-1] - self.baseline[1][-1]


def chart(case: Case, seed: int = 0) -> Chart:
    """Train student and baseline of a case, and measure what a reader may see."""
    patient = Patient(case, seed)
    before = numbers_before(patient)
    student = patient.curve(case.updates)
    baseline = baseline_curve(case.images, case.baseline_updates, seed)
    with torch.no_grad():
        inputs = patient.data.train.inputs[:FEW]
        logits = patient.student(inputs)
        same = logits.argmax(-1) == predict(patient.teacher, inputs).argmax(-1)
        last_hard = 0.5 * ground_truth(logits, logits, patient.data.train.labels[:FEW])
    numbers = {
        "student": student[1][-1],
        "baseline": baseline[1][-1],
        "images": case.images,
        "student updates": case.updates,
        "baseline updates": case.baseline_updates,
        **before,
        "last loss": student[2][-1],
        "last hard loss": float(last_hard),
        "agrees": 100 * float(same.float().mean()),
    }
    return Chart(student, baseline, numbers)


@cache
def baseline_curve(images: int, updates: int, seed: int) -> tuple[list[int], list[float], list[float]]:
    """Ground truth alone: the same first weights, images and order."""
    return Patient(Case("", loss=ground_truth, images=images), seed).curve(updates)


def numbers_before(patient: Patient) -> dict[str, float]:
    """Of the first batch: loss, its two parts and its gradient, and two answers of the teacher about it."""
    batch = next(patient.batches())
    with torch.random.fork_rng():
        torch.manual_seed(patient.seed)
        first, second = (patient.answers(batch[0]) for _ in range(2))
    logits = patient.student(batch[0]).detach().requires_grad_()
    loss = patient.case.loss(logits, first, batch[1])
    (gradient,) = torch.autograd.grad(loss, logits)
    even, hard = torch.tensor(10.0).log(), 0.5 * float(ground_truth(logits.detach(), first, batch[1]))
    return {
        "first loss": float(loss.detach()),
        "first soft loss": float(loss.detach()) - hard,
        "first hard loss": hard,
        "gradient": float(gradient.norm()),
        "entropy": 100 * float(entropy(soft_labels(first, T)).mean() / even),
        "repeats": 100 * float((first.argmax(-1) == second.argmax(-1)).float().mean()),
        "hits": 100 * float((first.argmax(-1) == batch[1]).float().mean()),
    }
