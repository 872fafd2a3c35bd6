"""The one loop: it descends, it repeats, it leaves teachers alone, and together is the same as one by one."""

import math

import pytest
import torch
from torch import nn

from kdlearn import (
    GroundTruth,
    SoftLabels,
    TeachersHardLabels,
    perceptron,
    predict,
    small_convnet,
    train,
    train_together,
)
from kdlearn.data import Batch, Batches, Examples
from kdlearn.networks import seeded
from kdlearn.training.optimizers import Adam


def task(size: int = 40) -> Examples:
    images = torch.randn(size, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    return Examples(images, (images.sum(dim=(1, 2, 3)) > 0).long())


def student(seed: int = 0) -> nn.Module:
    return seeded(lambda: perceptron(4, 8, 2), seed)


def test_one_epoch_is_adam_by_hand():
    """Against Adam's formula (Kingma & Ba 2015, algorithm 1), for a linear model whose gradient is written out."""
    examples, model = task(), seeded(lambda: perceptron(4, 2), 0)
    weight, bias = (parameter.detach().clone() for parameter in model.parameters())
    train(model, Batches(examples, 40, seed=0), GroundTruth(), num_epochs=1, optimizer=Adam(0.1), progress=False)
    inputs = examples.images.flatten(1)
    surplus = torch.softmax(inputs @ weight.T + bias, dim=1) - nn.functional.one_hot(examples.labels, 2)
    gradient = surplus.T @ inputs / len(inputs)
    torch.testing.assert_close(model[1].weight.detach(), weight - 0.1 * gradient / (gradient.abs() + 1e-8))


def test_the_loss_falls_and_the_curve_says_so():
    model = student()
    curve = train(
        model,
        Batches(task(), 10, seed=0),
        GroundTruth(),
        num_epochs=30,
        optimizer=Adam(0.03),
        evaluate=lambda model: {"mode": model.training},
        progress=False,
    )
    assert [point["epoch"] for point in curve] == list(range(1, 31))
    assert curve[-1]["loss"] < 0.3 * curve[0]["loss"]
    assert (predict(model, task().images).argmax(1) == task().labels).float().mean() > 0.9


def test_the_same_seeds_give_the_same_weights():
    models = [student(), student()]
    for model in models:
        train(model, Batches(task(), 7, seed=3), GroundTruth(), num_epochs=3, progress=False)
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("strategy", [GroundTruth(), TeachersHardLabels(), SoftLabels(2.0)], ids=lambda s: s.name)
def test_training_together_is_training_one_by_one(strategy):
    teacher_logits = torch.randn(40, 2, generator=torch.Generator().manual_seed(1))

    def batches(seed: int) -> Batches:
        return Batches(task(), 10, seed=seed, teacher_logits=teacher_logits)

    together, alone = ([student(seed) for seed in range(3)] for _ in range(2))
    curve = train_together(together, [batches(seed) for seed in range(3)], strategy, num_epochs=5, progress=False)
    curves = [train(model, batches(seed), strategy, num_epochs=5, progress=False) for seed, model in enumerate(alone)]
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(predict(one, task().images), predict(other, task().images), rtol=1e-4, atol=1e-5)
    assert curve[-1]["loss"] == pytest.approx([own[-1]["loss"] for own in curves], rel=1e-4)


def test_convolutions_train_together_too():
    images = torch.randn(20, 1, 8, 8)
    examples = Examples(images, torch.arange(20) % 3)
    together, alone = ([seeded(lambda: small_convnet(2, 3), seed) for seed in range(2)] for _ in range(2))
    train_together(
        together, [Batches(examples, 10, seed=s) for s in range(2)], GroundTruth(), num_epochs=2, progress=False
    )
    for seed, model in enumerate(alone):
        train(model, Batches(examples, 10, seed=seed), GroundTruth(), num_epochs=2, progress=False)
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(predict(one, images), predict(other, images), rtol=1e-3, atol=1e-4)


def test_networks_with_buffers_do_not_train_together():
    networks = [nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.BatchNorm1d(2)) for _ in range(2)]
    with pytest.raises(ValueError, match=r"no buffers, such as BatchNorm's; got 2.running_mean"):
        train_together(networks, [Batches(task(), 10, seed=0)] * 2, GroundTruth(), num_epochs=1)


def test_any_iterable_of_batches_will_do():
    examples = task()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*examples), batch_size=10)
    batches = [Batch(images, labels) for images, labels in loader]
    assert len(train(student(), batches, GroundTruth(), num_epochs=2, progress=False)) == 2


def test_a_loss_that_is_not_finite_stops_with_advice():
    with pytest.raises(FloatingPointError, match=r"not finite in epoch 1; lower learning_rate=0.003"):
        train(student(), [Batch(torch.zeros(2, 4))], lambda logits, batch: logits.sum() * math.nan, num_epochs=3)


def with_state() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))


def test_trap_a_teacher_is_asked_in_eval_mode_without_gradient_and_left_as_it_was():
    teacher = with_state()
    teacher[3].eval()
    before = {name: values.clone() for name, values in teacher.state_dict().items()}
    logits = [predict(teacher, task().images, batch_size=size) for size in (40, 7)]
    assert not logits[0].requires_grad
    torch.testing.assert_close(*logits)  # in train mode dropout and the batch's own statistics would differ
    assert [module.training for module in teacher] == [True, True, True, False, True]
    for name, values in teacher.state_dict().items():
        assert torch.equal(values, before[name])


def test_trap_a_student_learns_in_train_mode_after_every_evaluation():
    model, modes = with_state(), []
    model[3].register_forward_hook(lambda module, inputs, output: modes.append(module.training))

    def evaluate(model: nn.Module) -> dict[str, float]:
        model.eval()  # and forgets to put it back
        return {}

    train(model, Batches(task(), 20, seed=0), GroundTruth(), num_epochs=2, evaluate=evaluate, progress=False)
    assert modes == [True] * 4 and model.training


def test_trap_teacher_and_student_read_the_same_images_in_the_same_order():
    teacher = student(seed=5)
    logits = predict(teacher, task().images)
    for batch in Batches(task(), 7, seed=0, teacher_logits=logits):
        torch.testing.assert_close(predict(teacher, batch.images), batch.teacher_logits)


def test_a_progress_bar_only_when_asked(capsys):
    train(student(), Batches(task(), 20, seed=0), GroundTruth(), num_epochs=1, progress=False)
    assert capsys.readouterr() == ("", "")
    train(student(), Batches(task(), 20, seed=0), GroundTruth(), num_epochs=1)
    assert "training" in capsys.readouterr().err
