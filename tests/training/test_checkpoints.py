"""State comes back exactly or is refused; a training that was stopped ends with the bits of one that was not."""

import math
import os
import pickle
import signal
import threading
from collections import OrderedDict, namedtuple
from enum import IntEnum
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

from kdlearn.data.files import write_tensors
from kdlearn.networks.basic import seeded
from kdlearn.training.checkpoints import (
    Position,
    interrupts_noted,
    load_checkpoint,
    load_state,
    save_checkpoint,
    save_state,
)

# Any state

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
tensors = st.lists(st.integers(-5, 5), max_size=3).map(torch.tensor) | st.floats().map(torch.tensor)
states = st.recursive(
    scalars | tensors,
    lambda part: (
        st.lists(part, max_size=3)
        | st.lists(part, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.integers() | st.none() | st.booleans(), part, max_size=3)
    ),
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
    save_state(path, state, "")
    assert identical(load_state(path, ""), state)


def test_names_that_look_alike_stay_apart(tmp_path):
    one, two, three = torch.zeros(1), torch.ones(1), torch.full((1,), 2.0)
    state = {0: one, "0": two, "a": {"b": three}, "a.b": one, "['a']": two, "tensor": "0 state", "list": (1,)}
    save_state(tmp_path / "a", state, "")
    assert identical(load_state(tmp_path / "a", ""), state)


@pytest.mark.parametrize("kind", [np.bool_, np.int8, np.uint64, np.int64, np.float16, np.float32, np.float64, np.str_])
def test_numpys_numbers_become_pythons(tmp_path, kind):
    save_state(tmp_path / "a", {"value": [kind(1)], kind(1): 2}, "")
    found = load_state(tmp_path / "a", "")
    assert type(found["value"][0]) in (bool, int, float, str) and found["value"][0] == kind(1)
    assert identical(found, {"value": [kind(1).item()], kind(1).item(): 2})


class Colour(IntEnum):
    RED = 1


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(2),
        np.datetime64("2026-01-01T00:00:00.000000000"),
        np.timedelta64(1, "ns"),
        np.longdouble(1) if np.dtype(np.longdouble).itemsize > 8 else 1j,
        np.complex64(1),
        1j,
        b"bytes",
        {1, 2},
        Colour.RED,
        namedtuple("Pair", "a b")(1, 2),
        torch.float32,
        Path("a"),
        {(1, 2): 3},
        {torch.zeros(1): 3},
        torch.zeros(1, dtype=torch.complex128),
        len,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_kept_is_named_before_anything_is_written(tmp_path, value):
    save_state(path := tmp_path / "a", "old", "")
    with pytest.raises(TypeError, match=r"state\['optimizer'\]\[1\]"):
        save_state(path, {"network": torch.zeros(2), "optimizer": (0, value)}, "")
    assert load_state(path, "") == "old" and list(tmp_path.iterdir()) == [path]


def test_a_flipped_bit_of_a_state_is_noticed_wherever_it_is(tmp_path):
    save_state(path := tmp_path / "a", state := {"rate": 0.1, 3: (torch.tensor([1.0, 2.0]), None)}, {"seed": "1"})
    for content in every_flip(path.read_bytes()):
        path.write_bytes(content)
        refused_or_the_same(lambda: load_state(path, {"seed": "1"}), path, state, identical)


def test_tensors_alone_are_no_state(tmp_path):
    write_tensors(tmp_path / "a", {"weight": torch.zeros(1)}, "")
    with pytest.raises(ValueError, match="a holds tensors but no state; delete it"):
        load_state(tmp_path / "a", "")


def test_a_state_owns_its_memory(tmp_path):
    """So that the file can be written anew while the state is in use, on Windows too."""
    save_state(tmp_path / "a", torch.zeros(3), "")
    found = load_state(tmp_path / "a", "")
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
    position = load_checkpoint(path, model, optimizer, settings) if path.exists() else Position()
    for step in range(3 * position.epoch, STEPS):
        if step == killed_after:
            raise KilledError
        loss = cross_entropy(model(inputs[step]), torch.arange(8) % 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        position.losses.append(loss.detach())
        if step % 3 == 2:
            position.epoch += 1
            position.curve.append({"epoch": position.epoch, "accuracy": np.float64(0.5)})
            save_checkpoint(path, model, optimizer, position, settings)
    return torch.stack(position.losses).tolist()


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
        load_checkpoint(path, model, optimizer, settings)
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
    save_checkpoint(path := tmp_path / "a", model, optimizer, Position(3, [torch.ones(())], [{"epoch": 1}]), "key")
    load_checkpoint(path, model, optimizer, "key")
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
        (None, "it was .*, is now null"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused_by_what_differs(checkpoint, settings, words):
    refused(checkpoint, words, settings=settings)


def test_settings_may_be_numpys_numbers_but_nothing_that_prints_otherwise_each_time(checkpoint):
    model = network()
    load_checkpoint(
        checkpoint, model, torch.optim.Adam(model.parameters()), {"seed": np.int64(0), "learning_rate": np.float64(0.1)}
    )
    for settings in ({"seed": object()}, {"weights": torch.zeros(1)}, object()):
        with pytest.raises(TypeError, match="settings"):
            save_checkpoint(checkpoint, model, torch.optim.Adam(model.parameters()), Position(), settings)


def test_a_checkpoint_of_another_network_or_optimiser_is_refused(checkpoint):
    refused(checkpoint, "belongs to another network", network(7))
    refused(checkpoint, "belongs to another network", network().double())
    refused(checkpoint, "optimiser Adam, not SGD", make=lambda weights: torch.optim.SGD(weights, 0.1))
    refused(
        checkpoint, "another optimiser", make=lambda weights: torch.optim.Adam([{"params": one} for one in weights])
    )


def test_another_files_content_under_the_name_is_refused(checkpoint):
    for state in ({"network": network().state_dict()}, [1, 2]):
        save_state(checkpoint, state, {"seed": "0", "learning_rate": "0.1"})
        refused(checkpoint, "holds no checkpoint")
    write_tensors(checkpoint, network().state_dict(), {"seed": "0", "learning_rate": "0.1"})
    refused(checkpoint, "tensors but no state")


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
        save_checkpoint(checkpoint, model, torch.optim.Adam(model.parameters()), Position(), SETTINGS)
    assert checkpoint.read_bytes() == before and list(checkpoint.parent.iterdir()) == [checkpoint]


def test_a_position_and_an_ordered_dictionary_come_back(tmp_path):
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    curve = [{"epoch": 1, "loss": [0.5, math.inf], "pair": (1, None)}, OrderedDict(epoch=2)]
    save_checkpoint(tmp_path / "a", model, optimizer, Position(2, [torch.tensor([0.5, 0.25])], curve), None)
    found = load_checkpoint(tmp_path / "a", model, optimizer, None)
    assert identical(
        vars(found), {"epoch": 2, "losses": [torch.tensor([0.5, 0.25])], "curve": [curve[0], {"epoch": 2}]}
    )


# Ctrl-C


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_is_noted_and_the_block_goes_on_until_it_looks():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_noted() as noted:
        assert not noted.is_set()
        interrupt()
        done.append(noted.is_set())
        raise KeyboardInterrupt
    assert done == [True] and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_ctrl_c_at_which_nobody_looks_is_not_lost():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_noted():
        interrupt()
        done.append("the last evaluation")
    assert done and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_ctrl_c_and_with_another_error_nothing_is_raised_in_its_place():
    with interrupts_noted() as noted:
        pass
    assert not noted.is_set()
    with pytest.raises(ZeroDivisionError), interrupts_noted():
        interrupt()
        1 / 0  # noqa: B018


def test_in_a_thread_the_event_stays_unset():
    found = []

    def work() -> None:
        with interrupts_noted() as noted:
            found.append(noted.is_set())

    (thread := threading.Thread(target=work)).start()
    thread.join()
    assert found == [False]
