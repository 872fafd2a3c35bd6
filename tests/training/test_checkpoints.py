"""State comes back exactly or is refused; a training that was stopped ends with the bits of one that was not."""

import math
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from damage import every_flip, refused_or_the_same
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from kdlearn.networks.basic import seeded
from kdlearn.training.checkpoints import Checkpoint, read_state, write_state

# Any state

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
tensors = st.lists(st.integers(-5, 5), max_size=3).map(torch.tensor) | st.floats().map(torch.tensor)
states = st.recursive(
    scalars | tensors,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(), part, max_size=3),
    max_leaves=12,
)


def identical(one, other) -> bool:
    """In type, order and every bit, NaN included."""
    if isinstance(one, torch.Tensor):
        kind = one.dtype == other.dtype and one.shape == other.shape
        return kind and one.numpy().tobytes() == other.numpy().tobytes()
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return identical(list(one.items()), list(other.items()))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(identical, one, other))
    return one == other or (one != one and other != other)


@given(state=states)
def test_any_nested_state_comes_back_in_type_and_value(state, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "state"
    write_state(path, state, {})
    assert identical(read_state(path, {}), state)


@pytest.mark.parametrize("kind", [np.bool_, np.int8, np.uint64, np.int64, np.float16, np.float32, np.float64, np.str_])
def test_numpys_numbers_become_pythons(tmp_path, kind):
    write_state(tmp_path / "a", {"value": [kind(1)]}, {})
    [found] = read_state(tmp_path / "a", {})["value"]
    assert type(found) in (bool, int, float, str) and found == kind(1)


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(2),
        np.datetime64("2026-01-01"),
        1j,
        b"bytes",
        {1, 2},
        torch.float32,
        Path("a"),
        {(1, 2): 3},
        torch.zeros(1, dtype=torch.complex128),
        len,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_kept_is_refused_before_anything_is_written(tmp_path, value):
    write_state(path := tmp_path / "a", "old", {})
    with pytest.raises(TypeError):
        write_state(path, {"network": torch.zeros(2), "optimizer": [0, value]}, {})
    assert read_state(path, {}) == "old" and list(tmp_path.iterdir()) == [path]


def test_a_flipped_bit_of_a_state_is_noticed_wherever_it_is(tmp_path):
    write_state(path := tmp_path / "a", state := {"rate": 0.1, "3": [torch.tensor([1.0, 2.0]), None]}, {"seed": "1"})
    for content in every_flip(path.read_bytes()):
        path.write_bytes(content)
        refused_or_the_same(lambda: read_state(path, {"seed": "1"}), path, state, identical)


def test_a_state_owns_its_memory(tmp_path):
    """So that the file can be written anew while the state is in use, on Windows too."""
    write_state(tmp_path / "a", torch.zeros(3), {})
    found = read_state(tmp_path / "a", {})
    (tmp_path / "a").write_bytes(b"")
    assert found.tolist() == [0, 0, 0]


# A training


def network(width: int = 6) -> nn.Module:
    """BatchNorm has buffers and dropout draws random numbers: both must come back."""

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(16, width), nn.BatchNorm1d(width), nn.Dropout(), nn.Linear(width, 3))

    return seeded(build, 0)


def two_groups(weights) -> torch.optim.Optimizer:
    first, *others = weights
    return torch.optim.AdamW([{"params": [first], "lr": 0.1}, {"params": others, "lr": 0.02}])


OPTIMIZERS = {
    "SGD": lambda weights: torch.optim.SGD(weights, 0.1, momentum=0.9, nesterov=True),
    "Adam": torch.optim.Adam,
    "two groups": two_groups,
}
STEPS, SETTINGS = 12, {"seed": 0, "learning_rate": 0.1}


class KilledError(Exception):
    pass


def train(model, optimizer, path, killed_after=STEPS, settings=SETTINGS) -> list[float]:
    """A training of twelve steps on made-up data, saved after every third, that starts where its checkpoint stands."""
    inputs = torch.randn(STEPS, 8, 16, generator=torch.Generator().manual_seed(0))
    checkpoint = Checkpoint(path, model, optimizer, settings)
    curve = checkpoint.load()
    for step in range(3 * len(curve), STEPS):
        if step == killed_after:
            raise KilledError
        loss = cross_entropy(model(inputs[step]), torch.arange(8) % 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 3 == 2:
            curve.append({"loss": loss.detach(), "accuracy": np.float64(0.5)})
            checkpoint.save(curve)
    return [point["loss"].item() for point in curve]


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("killed_after", range(STEPS))
def test_a_killed_training_goes_on_and_ends_with_the_same_bits(tmp_path, killed_after, make, device):
    def parts():
        model = network().to(device)
        return model, make(model.parameters())

    torch.manual_seed(5)
    losses = train(*(unbroken := parts()), tmp_path / "unbroken")
    torch.manual_seed(5)
    with pytest.raises(KilledError):
        train(*parts(), tmp_path / "checkpoint", killed_after)
    if killed_after >= 3:
        torch.manual_seed(99)  # another process has other random numbers
    else:
        torch.manual_seed(5)
    assert train(*(resumed := parts()), tmp_path / "checkpoint") == losses
    assert identical(states_of(*resumed), states_of(*unbroken))


def states_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> list:
    values = [*model.state_dict().values(), *(v for s in optimizer.state_dict()["state"].values() for v in s.values())]
    return [value.cpu() if isinstance(value, torch.Tensor) else value for value in values]


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    model = network()
    train(model, torch.optim.Adam(model.parameters()), tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def refused(path: Path, words: str | None, model=None, make=torch.optim.Adam, settings=SETTINGS) -> None:
    """The file is refused with these words; model, optimiser, random numbers and the file stay as they are."""
    model = model or network()
    optimizer, content, random = make(model.parameters()), path.read_bytes(), torch.get_rng_state()
    before = [value.clone() for value in model.state_dict().values()], str(optimizer.state_dict())
    with pytest.raises(ValueError, match=words) as refusal:
        Checkpoint(path, model, optimizer, settings).load()
    assert str(path) in str(refusal.value) and "delete it to make it anew" in str(refusal.value)
    assert identical([list(model.state_dict().values()), str(optimizer.state_dict())], list(before))
    assert torch.equal(random, torch.get_rng_state()) and path.read_bytes() == content


def test_a_checkpoint_cut_or_altered_anywhere_is_refused_and_harms_nothing(checkpoint):
    whole = checkpoint.read_bytes()
    for length in range(0, len(whole), len(whole) // 40):
        checkpoint.write_bytes(whole[:length])
        refused(checkpoint, None)
        checkpoint.write_bytes(whole[:length] + bytes([whole[length] ^ 1 << length % 8]) + whole[length + 1 :])
        refused(checkpoint, None)


def test_every_bit_of_a_small_checkpoint(tmp_path):
    model = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    checkpoint = Checkpoint(path := tmp_path / "a", model, optimizer, "key")
    checkpoint.save([{"epoch": 1}])
    checkpoint.load()
    whole = path.read_bytes()
    for content in list(every_flip(whole))[::17]:  # the random state alone has 5,056 bytes; 17 is prime to 8
        path.write_bytes(content)
        refused(path, None, nn.Linear(1, 1, bias=False), lambda weights: torch.optim.SGD(weights, 0.1), "key")


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"seed": 0, "learning_rate": 0.2}, "learning_rate was 0.1, is now 0.2"),
        ({"seed": 1, "learning_rate": 0.1}, "seed was 0, is now 1"),
        ({"seed": 0}, "learning_rate was 0.1, is now None"),
        ({"seed": "0", "learning_rate": 0.1}, 'seed was 0, is now "0"'),
        ("another", 'key was None, is now "another"'),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused_by_what_differs(checkpoint, settings, words):
    refused(checkpoint, words, settings=settings)


def test_settings_may_be_numpys_numbers_but_nothing_that_prints_otherwise_each_time(checkpoint):
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    Checkpoint(checkpoint, model, optimizer, {"seed": np.int64(0), "learning_rate": np.float64(0.1)}).load()
    for settings in ({"seed": object()}, {"weights of classes": torch.zeros(1)}):
        with pytest.raises(TypeError, match="settings"):
            Checkpoint(checkpoint, model, optimizer, settings).save([])


def test_a_checkpoint_of_another_network_or_optimiser_is_refused(checkpoint):
    refused(checkpoint, r"weights was .*\(6, 16\).*, is now .*\(7, 16\)", network(7))
    refused(checkpoint, r"weights was .*float32.*, is now .*float64", network().double())
    refused(checkpoint, 'was ."Adam", 6., is now ."SGD", 6.', make=lambda weights: torch.optim.SGD(weights, 0.1))
    refused(
        checkpoint,
        'is now ."Adam", 1, 1, ',
        make=lambda weights: torch.optim.Adam([{"params": one} for one in weights]),
    )


def test_nothing_in_a_checkpoint_is_executed(tmp_path):
    class Harm:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "harm"),))

    path = tmp_path / "checkpoint"
    torch.save({"model": Harm()}, path)
    refused(path, None)
    path.write_bytes(pickle.dumps(Harm()))
    refused(path, None)
    assert not (tmp_path / "harm").exists()


def test_a_full_disk_leaves_the_earlier_checkpoint(checkpoint, monkeypatch):
    def full(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise safetensors.SafetensorError("No space left on device")

    before, model = checkpoint.read_bytes(), network()
    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        Checkpoint(checkpoint, model, torch.optim.Adam(model.parameters()), SETTINGS).save([])
    assert checkpoint.read_bytes() == before and list(checkpoint.parent.iterdir()) == [checkpoint]


def test_a_curve_comes_back_or_is_empty(tmp_path):
    model = nn.Linear(1, 1)
    checkpoint = Checkpoint(tmp_path / "a", model, torch.optim.SGD(model.parameters(), 0.1), "")
    assert checkpoint.load() == []
    curve = [{"epoch": 1, "loss": [0.5, math.inf], "pair": [1, None], "values": torch.tensor([0.5, 0.25])}]
    checkpoint.save(curve)
    assert identical(checkpoint.load(), curve)


def test_without_a_path_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = nn.Linear(1, 1)
    checkpoint = Checkpoint(None, model, torch.optim.SGD(model.parameters(), 0.1), "")
    checkpoint.save([{"epoch": 1}])
    assert checkpoint.load() == [] and not list(tmp_path.iterdir())
