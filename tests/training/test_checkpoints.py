"""A training that is stopped anywhere ends with the weights of one that was not; a damaged file is refused."""

import os
import signal
from pathlib import Path

import pytest
import torch
from torch import nn

from kdlearn import GroundTruth, ViewBatches, Views, train
from kdlearn.networks import seeded
from kdlearn.training.checkpoints import load_checkpoint
from kdlearn.training.optimizers import Adam, NesterovSGD


def batches() -> ViewBatches:
    images = torch.randint(256, (20, 1, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return ViewBatches(Views(images, (0.5,), (0.3,), pixels=1), torch.arange(20) % 3, 5, seed=1)


def network(width: int = 6) -> nn.Module:
    """BatchNorm has buffers and dropout draws random numbers: both must come back."""

    def build() -> nn.Module:
        layers = nn.Linear(16, width), nn.BatchNorm1d(width), nn.Dropout(), nn.Linear(width, 3)
        return nn.Sequential(nn.Flatten(), *layers)

    return seeded(build, 0)


SGD = NesterovSGD(0.1)


def run(model, path=None, strategy=None, num_epochs=4, optimizer=SGD, settings="these", **options):
    return train(
        model,
        batches(),
        strategy or GroundTruth(),
        num_epochs=num_epochs,
        optimizer=optimizer,
        checkpoint=path,
        settings=settings,
        progress=False,
        **options,
    )


class KilledError(Exception):
    pass


def stopping_after(steps: int, stop):
    """Ground truth that calls `stop` in its n-th step."""
    left = [steps]

    def strategy(logits, batch):
        left[0] -= 1
        if left[0] == 0:
            stop()
        return GroundTruth()(logits, batch)

    return strategy


def kill():
    raise KilledError


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(*pair) for pair in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize("optimizer", [SGD, Adam()], ids=lambda recipe: type(recipe).__name__)
@pytest.mark.parametrize("steps", range(1, 17))
def test_a_killed_training_goes_on_from_its_last_epoch_and_ends_the_same(tmp_path, steps, optimizer):
    torch.manual_seed(5)
    curve = run(unbroken := network(), optimizer=optimizer)
    torch.manual_seed(5)
    path = tmp_path / "checkpoint"
    with pytest.raises(KilledError):
        run(network(), path, stopping_after(steps, kill), optimizer=optimizer)
    if not path.exists():  # it fell in the first epoch and begins anew, as its caller would
        torch.manual_seed(5)
    assert run(resumed := network(), path, optimizer=optimizer) == curve
    assert same(resumed, unbroken)


@pytest.mark.parametrize("steps", [1, 4, 6, 11])
def test_ctrl_c_finishes_the_step_saves_it_and_stops(tmp_path, steps):
    torch.manual_seed(5)
    curve = run(unbroken := network())
    torch.manual_seed(5)
    interrupt = stopping_after(steps, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        run(network(), tmp_path / "checkpoint", interrupt)
    seen = []
    assert (
        run(resumed := network(), tmp_path / "checkpoint", lambda *pair: seen.append(0) or GroundTruth()(*pair))
        == curve
    )
    assert len(seen) == 16 - steps and same(resumed, unbroken)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_training_that_is_done_is_not_repeated(tmp_path):
    path = tmp_path / "checkpoint"
    curve = run(done := network(), path)
    assert run(again := network(), path, lambda logits, batch: kill()) == curve
    assert same(done, again)


def test_a_checkpoint_cut_anywhere_is_refused_and_harms_nothing(tmp_path):
    path = tmp_path / "checkpoint"
    run(network(), path)
    whole = path.read_bytes()
    for tenth in range(10):
        path.write_bytes(whole[: len(whole) * tenth // 10])
        with pytest.raises(ValueError, match=r"checkpoint is no whole checkpoint; delete it to begin anew"):
            run(model := network(), path)
        assert same(model, network()) and len(path.read_bytes()) == len(whole) * tenth // 10


def test_a_checkpoint_of_another_training_or_model_is_refused(tmp_path):
    path = tmp_path / "checkpoint"
    run(network(), path, settings={"seed": 0, "temperature": 2.0})
    with pytest.raises(ValueError, match=r"belongs to another training: temperature was 2.0, is now 4.0"):
        run(network(), path, settings={"seed": 0, "temperature": 4.0})
    with pytest.raises(ValueError, match=r"its settings were .*, are now None"):
        run(network(), path, settings=None)
    with pytest.raises(ValueError, match="belongs to another model"):
        run(network(width=7), path, settings={"seed": 0, "temperature": 2.0})


def test_nothing_in_a_checkpoint_is_executed(tmp_path):
    class Harm:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "harm"),))

    torch.save({"model": Harm()}, tmp_path / "checkpoint")
    with pytest.raises(ValueError, match="no whole checkpoint"):
        load_checkpoint(tmp_path / "checkpoint", network(), None, None)
    assert not (tmp_path / "harm").exists()


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint"
    run(network(), path, num_epochs=1)
    before = path.read_bytes()

    def full(path, content):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        run(network(), path, num_epochs=2)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_the_triangle_climbs_and_falls():
    factors = [NesterovSGD().schedule(step / 100) for step in range(100)]
    top = factors.index(max(factors))
    assert factors[0] == 0.2 and top == 23 and max(factors) == 1.0
    assert sorted(factors[:top]) == factors[:top] and sorted(factors[top:], reverse=True) == factors[top:]


def test_steps_follow_nesterov_by_hand():
    """Sutskever et al. 2013 as PyTorch writes it, with decay, on one weight; a shift steps further, without decay."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    stepper = NesterovSGD(0.1, momentum=0.5, weight_decay=0.2, shift_factor=3.0).optimizer(model)
    nn.init.constant_(model[0].weight, 2.0)
    weight, velocity = 2.0, 0.0
    for slope in (1.0, -3.0):
        model[0].weight.grad, model[1].bias.grad = torch.tensor([[slope]]), torch.tensor([slope])
        stepper.step()
        gradient = slope + 0.2 * weight
        velocity = 0.5 * velocity + gradient
        weight -= 0.1 * (gradient + 0.5 * velocity)
    assert model[0].weight.item() == pytest.approx(weight)
    assert model[1].bias.item() == pytest.approx(-0.3 * (1.0 + 0.5) - 0.3 * (-3.0 + 0.5 * (0.5 - 3.0)))
