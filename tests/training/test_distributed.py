"""Two processes that share every batch end with the weights of one; a study that they share is written once."""

import os
import re
from pathlib import Path

import pytest
import torch
from conftest import kdlearn_command
from torch import multiprocessing, nn

from kdlearn import ViewBatches, Views, train
from kdlearn.data import load_images
from kdlearn.networks import load_weights, save_weights, seeded
from kdlearn.studies import collect
from kdlearn.training.machine import Machine
from kdlearn.training.optimizers import NesterovSGD
from kdlearn.training.processes import joined, rank, share
from kdlearn.training.strategies import GroundTruth


def views() -> Views:
    images = torch.randint(256, (22, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return Views(images, (0.5,), (0.3,), pixels=1)


def trained(machine: Machine) -> nn.Module:
    """Without BatchNorm; three epochs of three batches, the last of which is smaller."""
    model = seeded(lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)), 0)
    batches = ViewBatches(views(), torch.arange(22) % 3, 8, seed=1, share=share())
    train(model, batches, GroundTruth(), num_epochs=3, optimizer=NesterovSGD(0.05), machine=machine, progress=False)
    return model


def one_of_two(process: int, folder: Path) -> None:
    store = f"file://{folder / 'meeting'}"
    os.environ["LOCAL_RANK"] = str(process)
    original = torch.distributed.init_process_group
    torch.distributed.init_process_group = lambda backend: original(backend, store, rank=process, world_size=2)
    torch.set_num_threads(1)
    with joined(Machine()) as machine:
        assert machine.processes == 2 and rank() == process
        save_weights(folder / f"{process}.safetensors", trained(machine))


def test_two_processes_step_as_one_would_on_the_whole_batch(tmp_path):
    multiprocessing.spawn(one_of_two, (tmp_path,), nprocs=2)
    alone, begin = trained(Machine()).state_dict(), seeded(lambda: nn.Conv2d(1, 4, 3), 0).weight
    assert (alone["0.weight"] - begin).abs().max() > 1e-2, "the steps must be seen"
    for process in (0, 1):
        for name, weight in load_weights(tmp_path / f"{process}.safetensors").items():
            torch.testing.assert_close(weight, alone[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("size", "last"), [(7, 1), (12, 10), (9, 4)])
def test_batches_that_cannot_be_shared_evenly_are_refused(size, last):
    words = f"3 processes can share evenly; got batches of {size} and the last of {last} images"
    with pytest.raises(ValueError, match=words):
        ViewBatches(views(), None, size, seed=0, share=slice(0, None, 3))


def test_one_study_by_two_processes(pictures, tmp_path):
    """Each file is written once, the table is printed once."""
    load_images(pictures)
    launcher = "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"
    words = "--preset", "tiny", "--seeds", 1, "--strategies", "ground-truth", "soft", "--quiet"
    process = kdlearn_command("distill", pictures, "--out", tmp_path, *words, launcher=launcher)
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert len(re.findall("the teacher is airbench", printed)) == 1 and printed.count("soft labels, T = 2") == 1
    runs = collect([tmp_path])
    assert [run["machine"]["processes"] for run in runs] == [2, 2] and len({run["weights_sha256"] for run in runs}) == 2
    files = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    each = ["curve.json", "predictions.safetensors", "result.json", "weights.safetensors"]
    assert files == sorted([".lock", "settings.json", "epoch-000.safetensors", "epoch-001.safetensors", *each * 3])
