"""State comes back exactly or is refused; a training that was stopped ends with the bits of one that was not."""

import functools
import itertools
import math
import os
import pickle
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import same_weights
from torch import nn

from kdlearn import (
    Adam,
    Batch,
    BatchStream,
    GroundTruth,
    JensenShannon,
    NesterovSGD,
    SoftLabels,
    Split,
    Strategy,
    seeded,
    train,
)
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


def test_a_state_owns_its_memory(tmp_path):
    """So that the file can be written anew while the state is in use, on Windows too."""
    write_state(tmp_path / "a", torch.zeros(3), {})
    found = read_state(tmp_path / "a", {})
    (tmp_path / "a").write_bytes(b"")
    assert found.tolist() == [0, 0, 0]


# A training

EPOCHS, STEPS = 3, 4  # steps an epoch
INPUTS, LABELS = torch.randn(STEPS, 8, 16, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3


def network(width: int = 6) -> nn.Module:
    """BatchNorm has buffers and dropout draws random numbers: both must come back."""

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(16, width), nn.BatchNorm1d(width), nn.Dropout(), nn.Linear(width, 3))

    return seeded(build, 0)


def two_groups(weights) -> torch.optim.Optimizer:
    first, *others = weights
    return torch.optim.AdamW([{"params": [first], "lr": 0.1}, {"params": others, "lr": 0.02}])


OPTIMIZERS = {"a schedule": NesterovSGD(0.1), "Adam": Adam(0.01), "two groups": two_groups}


class KilledError(Exception):
    pass


def kill() -> None:
    raise KilledError


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def trained(path: Path | None, device: str, optimizer, event: int = 0, stop=kill) -> tuple[nn.Module, list, int]:
    """A training that is stopped by one of its events, a batch or an evaluation; and how many events there were."""
    events = itertools.count(1)

    def happen() -> int:
        if (number := next(events)) == event:
            stop()
        return number

    class Batches(list):
        def __iter__(self):
            return (Batch(inputs.to(device), LABELS.to(device)) for inputs in super().__iter__() if happen())

    def evaluate(model: nn.Module) -> dict:
        weight = model[0].weight.sum().item()
        return {"sum": np.float64(weight), "half": np.float32(happen() and 0.5), "good": np.bool_(True)}

    model = network().to(device)
    options = {"evaluate": evaluate, "checkpoint": path, "optimizer": optimizer, "seed": 5, "progress": False}
    curve = train(model, Batches(INPUTS), GroundTruth(), num_epochs=EPOCHS, **options)
    return model, curve, next(events) - 1


unbroken = functools.cache(functools.partial(trained, None))
EVENTS = EPOCHS * (STEPS + 1)
INTERRUPT = pytest.param(interrupt, marks=pytest.mark.skipif(os.name == "nt", reason="no SIGINT for one process"))


@pytest.mark.parametrize("event", range(1, EVENTS + 1))
@pytest.mark.parametrize("stop", [kill, INTERRUPT])
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_however_it_is_stopped_it_goes_on_and_ends_with_the_same_bits(tmp_path, device, optimizer, stop, event):
    path = tmp_path / "checkpoint"
    with pytest.raises(KilledError if stop is kill else KeyboardInterrupt):
        trained(path, device, optimizer, event, stop)
    torch.manual_seed(event)  # another process has other random numbers
    model, curve, count = trained(path, device, optimizer)
    expected, whole, _ = unbroken(device, optimizer)
    assert curve == whole and same_weights(model, expected) and model.training
    assert count == EVENTS - (event - 1) // (STEPS + 1) * (STEPS + 1), "the epochs that were done are not repeated"
    again = trained(path, device, optimizer, 1)[1]
    assert again == whole, "and at the end none is"
    assert [type(value) for value in again[0].values()] == [int, float, float, float, bool]


SETTINGS = {"seed": 0, "learning_rate": 0.1}


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    model(INPUTS[0]).sum().backward()
    optimizer.step()
    Checkpoint(tmp_path / "checkpoint", model, optimizer, SETTINGS).save([{"epoch": 1}])
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


def test_a_checkpoint_that_is_cut_anywhere_is_refused_and_harms_nothing(checkpoint):
    whole = checkpoint.read_bytes()
    for length in range(0, len(whole), len(whole) // 40):
        checkpoint.write_bytes(whole[:length])
        refused(checkpoint, None)


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


class Holding(GroundTruth):
    """A strategy whose settings do not tell what it holds."""

    def __init__(self, otherwise: Strategy, middle: int = 0) -> None:
        self.otherwise, self.numbers = otherwise, torch.arange(2000)
        self.numbers[1000] = middle

    settings = property(lambda self: {})


@pytest.mark.parametrize("other", ["rate", "strategy", "rows", "order", "network", "settings", "within", "numbers"])
def test_a_training_by_anything_else_is_refused_without_being_told(tmp_path, other):
    """The settings that nobody passes are the ones that differ."""
    rows = Split(torch.arange(41 * 16).view(41, 16) % 7 - 3.0, torch.arange(41) % 3)
    stream = functools.partial(BatchStream, rows.take(torch.arange(40)), 20, seed=0)
    given = {"network": network(), "batches": stream(), "strategy": GroundTruth(), "optimizer": Adam(0.01)}
    changed = {
        "rate": {"optimizer": Adam(0.010001)},
        "strategy": {"strategy": SoftLabels(2.0)},
        "rows": {"batches": BatchStream(rows.take(torch.arange(1, 41)), 20, seed=0)},
        "order": {"batches": stream(seed=1)},
        "network": {"network": nn.Sequential(network(), nn.Identity())},
        "settings": {"settings": "those"},
        "within": {"strategy": Holding(JensenShannon(2.0))},
        "numbers": {"strategy": Holding(SoftLabels(2.0), middle=5)},
    }
    if other in ("within", "numbers"):
        given["strategy"] = Holding(SoftLabels(2.0))
    kept = {"num_epochs": 1, "checkpoint": tmp_path / "checkpoint", "progress": False}
    train(**given, **kept)
    content = kept["checkpoint"].read_bytes()
    with pytest.raises(ValueError, match="decided by something else"):
        train(**{**given, **kept, **changed[other]})
    assert kept["checkpoint"].read_bytes() == content


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
