"""Which labels a strategy reads, against the loss written out."""

import pytest
import torch
import torch.nn.functional as F

from kdlearn.data import Batch, LabelStore
from kdlearn.training.strategies import (
    GroundTruth,
    SmoothedGroundTruth,
    SoftLabels,
    SoftLabelsAndGroundTruth,
    TeachersHardLabels,
    TruthWhereKnown,
)

student, teacher, labels = torch.randn(6, 4), 3 * torch.randn(6, 4), torch.randint(4, (6,))
batch = Batch(torch.zeros(6, 1), labels, teacher)


def soft(temperature: float) -> torch.Tensor:
    log_q, p = F.log_softmax(student / temperature, 1), F.softmax(teacher / temperature, 1)
    return temperature**2 * F.kl_div(log_q, p, reduction="batchmean")


EXPECTED = {
    GroundTruth(): F.cross_entropy(student, labels),
    SmoothedGroundTruth(0.2): F.cross_entropy(student, labels, label_smoothing=0.2),
    TeachersHardLabels(): F.cross_entropy(student, teacher.argmax(1)),
    SoftLabels(2.0): soft(2.0),
    SoftLabelsAndGroundTruth(2.0, 0.7): 0.7 * soft(2.0) + 0.3 * F.cross_entropy(student, labels),
}


@pytest.mark.parametrize("strategy", EXPECTED, ids=lambda strategy: strategy.name)
def test_the_loss(strategy):
    torch.testing.assert_close(strategy(student, batch), EXPECTED[strategy])


@pytest.mark.parametrize("strategy", [TeachersHardLabels(), SoftLabels()], ids=lambda strategy: strategy.name)
def test_a_strategy_for_unlabelled_images_reads_no_ground_truth(strategy):
    assert strategy(student, batch._replace(labels=None)) == strategy(student, batch)


@pytest.mark.parametrize("strategy", [GroundTruth(), SmoothedGroundTruth()], ids=lambda strategy: strategy.name)
def test_a_strategy_without_a_teacher_reads_none(strategy):
    assert strategy(student, batch._replace(teacher_logits=None)) == strategy(student, batch)


@pytest.mark.parametrize("strategy", [GroundTruth(), SoftLabelsAndGroundTruth()], ids=lambda strategy: strategy.name)
def test_what_is_missing_is_named(strategy):
    with pytest.raises(TypeError, match="labels must be a torch tensor; got NoneType"):
        strategy(student, batch._replace(labels=None))
    with pytest.raises(TypeError, match="logits must be a torch tensor; got NoneType"):
        SoftLabels()(student, batch._replace(teacher_logits=None))


def test_teacher_with_a_bfloat16_student():
    torch.testing.assert_close(
        SmoothedGroundTruth()(student.bfloat16(), batch), SmoothedGroundTruth()(student.bfloat16().float(), batch)
    )


@pytest.mark.parametrize("known", [[], [2], [0, 3, 5], list(range(6))])
def test_known_labels_enter_at_temperature_1_whatever_the_others_do(known):
    student_logits, teacher_logits = torch.randn(2, 6, 4, dtype=torch.float64)
    labels = torch.tensor([3, 0, 1, 1, 2, 0])
    store = LabelStore(teacher_logits[None]).knowing(torch.tensor(known, dtype=torch.long), labels[known])
    batch = Batch(torch.zeros(6), None, store.logits[0])
    p, q = (teacher_logits / 4).softmax(dim=1), (student_logits / 4).log_softmax(dim=1)
    hard, soft = -student_logits.log_softmax(dim=1)[range(6), labels], 16 * (p * (p.log() - q)).sum(dim=1)
    rows = [hard[row] if row in known else soft[row] for row in range(6)]
    torch.testing.assert_close(TruthWhereKnown(SoftLabels(4.0))(student_logits, batch), torch.stack(rows).mean())
