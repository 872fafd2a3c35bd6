"""Two processes that share every batch end with the weights of one."""

import os
from pathlib import Path

import pytest
import torch
from torch import multiprocessing, nn

from kdlearn import BatchStream, Dataset, GroundTruth, Machine, NesterovSGD, Split, Views, seeded, train
from kdlearn.networks.weights import load_weights, save_weights
from kdlearn.training.processes import joined, rows_of_this_process


def build() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))


def trained(machine: Machine) -> nn.Module:
    """Without BatchNorm; three epochs of three batches, which straddle them; half of each is masked unevenly."""
    images = torch.randint(256, (22, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    mask = torch.rand(22, generator=torch.Generator().manual_seed(1)) < 0.5
    examples = Split(images, torch.arange(22) % 3, mask=mask)
    views = Views(pixels=1).of(Dataset(examples, examples, normalise=lambda pixels: pixels.float() / 128 - 1))
    batches = BatchStream(examples, 8, seed=1, inputs=views, share=rows_of_this_process())
    model = seeded(build, 0)
    train(model, batches, GroundTruth(), num_epochs=3, optimizer=NesterovSGD(0.05), machine=machine, progress=False)
    return model


def one_of_two(process: int, folder: Path) -> None:
    store = f"file://{folder / 'meeting'}"
    os.environ["LOCAL_RANK"] = str(process)
    original = torch.distributed.init_process_group
    torch.distributed.init_process_group = lambda backend: original(backend, store, rank=process, world_size=2)
    torch.set_num_threads(1)
    with joined(Machine()) as machine:
        assert machine.processes == 2 and rows_of_this_process() == slice(process, None, 2)
        save_weights(folder / f"{process}.safetensors", trained(machine))


@pytest.mark.release
def test_two_processes_step_as_one_would_on_the_whole_batch(tmp_path):
    multiprocessing.spawn(one_of_two, (tmp_path,), nprocs=2)
    alone, begin = trained(Machine()).state_dict(), seeded(build, 0).state_dict()
    assert (alone["0.weight"] - begin["0.weight"]).abs().max() > 1e-2, "the steps must be seen"
    for process in (0, 1):
        for name, weight in load_weights(tmp_path / f"{process}.safetensors").items():
            torch.testing.assert_close(weight, alone[name], rtol=0, atol=1e-5)


def test_outside_of_torchrun_a_machine_is_as_it_is():
    with joined(Machine()) as machine:
        assert machine == Machine() and rows_of_this_process() == slice(None)
