"""Strategies on features: what they add, what is trained along with them, and a whole comparison by them."""

from functools import partial

import pytest
import torch
from small import digits
from torch import nn

import kdlearn
from kdlearn import (
    AttentionTransfer,
    Batch,
    Contrastive,
    GroundTruth,
    Hint,
    Relational,
    Run,
    SimilarityPreserving,
    SoftLabels,
)
from kdlearn.engine.plan import Plan
from kdlearn.formulas import features
from kdlearn.training.loop import OneNetwork, update
from kdlearn.training.machine import Machine
from kdlearn.training.strategy import mean_loss

GENERATOR = torch.Generator().manual_seed(4)
STUDENT_LAYER, TEACHER_LAYER = torch.randn(2, 6, 3, 2, 2, generator=GENERATOR, dtype=torch.float64)
LOGITS, TOLD = torch.randn(2, 6, 4, generator=GENERATOR, dtype=torch.float64)
BATCH = Batch(torch.zeros(6, 1), torch.arange(6) % 4, TOLD)
HEARD = BATCH._replace(student_features=(STUDENT_LAYER,), teacher_features=(TEACHER_LAYER,))
FLAT = HEARD._replace(teacher_features=(torch.zeros(6, 5),))


def distances_and_angles(student: torch.Tensor, teacher: torch.Tensor, **options: str) -> torch.Tensor:
    angles = features.relational_angle_loss(student, teacher, **options)
    return features.relational_distance_loss(student, teacher, **options) + 3.0 * angles


KINDS = {
    Hint: features.hint_loss,
    AttentionTransfer: features.attention_transfer_loss,
    SimilarityPreserving: features.similarity_preserving_loss,
    Contrastive: features.contrastive_loss,
    partial(Relational, angle_weight=3.0): distances_and_angles,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("beside", [GroundTruth(), SoftLabels(3.0)], ids=lambda one: one.name)
def test_a_weight_times_the_features_is_added_to_each_row(kind, beside):
    expected = beside(LOGITS, BATCH) + 2.5 * KINDS[kind](STUDENT_LAYER, TEACHER_LAYER, reduction="none")
    strategy = kind("1", "2", beside=beside, feature_weight=2.5)
    torch.testing.assert_close(strategy(LOGITS, HEARD), expected)
    torch.testing.assert_close(mean_loss(strategy, LOGITS, HEARD), expected.mean())


def test_of_a_sequence_each_label_gets_its_row_s_value():
    logits, told = (one.view(3, 2, 4) for one in (LOGITS, TOLD))
    batch = HEARD._replace(
        teacher_logits=told, student_features=(STUDENT_LAYER[:3],), teacher_features=(TEACHER_LAYER[:3],)
    )
    added = Hint("1", "2")(logits, batch) - SoftLabels()(logits, batch)
    rows = features.hint_loss(STUDENT_LAYER[:3], TEACHER_LAYER[:3], reduction="none")
    torch.testing.assert_close(added, rows[:, None].expand(3, 2))


def test_names_and_settings_tell_them_apart():
    one, other = Hint("1", "2", SoftLabels(4.0)), Contrastive("1", "2", GroundTruth(), feature_weight=2.0)
    assert (one.name, other.name) == ("soft labels + hint", "ground truth + contrast")
    assert one.settings == {"temperature": 4.0, "student_layer": "1", "teacher_layer": "2", "feature_weight": 1.0}
    assert one.reads == ("teacher_logits", "teacher_features") and other.reads == ("labels", "teacher_features")


def convolutional(width: int) -> nn.Module:
    return kdlearn.small_convnet(width)


@pytest.mark.parametrize(("layers", "kind"), [(("0", "0"), nn.Conv2d), (("5", "5"), nn.Linear)])
def test_the_projection_is_trained_along(layers, kind):
    inputs, teacher = torch.randn(5, 1, 8, 8, generator=GENERATOR), convolutional(6)
    heard = teacher[: int(layers[1]) + 1](inputs).detach()
    batch = Batch(inputs, torch.arange(5), teacher_logits=torch.zeros(5, 10), teacher_features=(heard,))
    learner = OneNetwork(convolutional(2), Hint(*layers, GroundTruth()), Machine(), lambda: batch)
    before = learner.trained.weight.detach().clone()
    update(learner, batch, torch.optim.SGD(learner.whole.parameters(), 0.1))
    assert isinstance(learner.trained, kind) and not torch.equal(learner.trained.weight, before)


EVERY = {
    "hint": Hint("2", "8"),
    "attention": AttentionTransfer("0", "0"),
    "relations": Relational("6", "8"),
    "similarities": SimilarityPreserving("2", "8"),
    "contrast": Contrastive("2", "8"),
}


@pytest.mark.parametrize("name", EVERY)
def test_a_comparison_by_it_is_carried_out_and_comes_back_the_same(name):
    data, teacher = digits(), kdlearn.seeded(partial(convolutional, 3), 1)
    student, strategy = partial(convolutional, 2), EVERY[name]
    if name in ("hint", "similarities", "contrast"):
        student = partial(kdlearn.perceptron, 64, 8, 10)
    options = {"teacher": teacher, "seeds": range(2), "lengths": (3,), "batch_size": 20}
    tables = [kdlearn.compare(student, {name: strategy}, data, **options).table for _ in range(2)]
    measured = [table[table["strategy"] == name] for table in tables]
    assert len(measured[0]) == 2 and measured[0]["loss"].tolist() == measured[1]["loss"].tolist()
    assert measured[0]["feature_weight"].unique().tolist() == [1.0]
    assert measured[0]["parameters"].nunique() == 1, "what is trained along is no part of the student"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Hint("1", "2", feature_weight=-1.0), "feature_weight must lie in"),
        (lambda: Relational("1", "2", angle_weight=-1.0), "angle_weight must lie in"),
        (lambda: Contrastive("1", "2", contrast_temperature=0.0)(LOGITS, HEARD), "temperature must be above 0"),
        (lambda: Hint("1", "2")(LOGITS, HEARD._replace(mask=torch.ones(6, dtype=torch.bool))), "has a mask"),
        (lambda: Hint("1", "2").prepare(FLAT), "layers must both give"),
        (lambda: Hint("1", "2", beside=Hint("1", "2")), "beside must be a strategy without layers"),
    ],
)
def test_what_cannot_be_is_refused(make, said):
    with pytest.raises((ValueError, TypeError), match=said):
        make()


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (Hint("0", "2"), r"layers must both give features.*got \(64, 2, 8, 8\) and \(64, 3, 4, 4\)"),
        (AttentionTransfer("0", "2"), r"same places; got \(8, 8\) and \(4, 4\)"),
        (AttentionTransfer("0", "8"), r"teacher_features must have shape|shape \(N, channels, places …\)"),
        (Contrastive("0", "8"), "layers must both give features"),
    ],
)
@pytest.mark.parametrize("as_run", [True, False])
def test_layers_that_do_not_fit_are_refused_before_anything_is_trained(strategy, said, as_run):
    data, build = digits(), partial(convolutional, 3)
    teacher = Run(data, build) if as_run else build()
    with pytest.raises(ValueError, match=said):
        Plan([Run(data, partial(convolutional, 2), strategy, teacher)], Machine())
