"""Several processes on one training, as `torchrun` starts them: each computes its share of every batch.

Gradients are averaged by DistributedDataParallel, so that equal shares step as one process would on the whole batch,
whatever a mask leaves out of either. BatchNorm uses each process's own statistics, except on CUDA, where SyncBatchNorm
pools them; losses on relations of rows see those of a process.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from kdlearn.training.machine import Machine


@contextmanager
def joined(machine: Machine) -> Iterator[Machine]:
    """The machine as this process's part of what `torchrun` started; outside of `torchrun` as it is."""
    if "LOCAL_RANK" not in os.environ:
        yield machine
        return
    on_cuda = machine.device.startswith("cuda")
    if on_cuda:
        machine = replace(machine, device=f"cuda:{os.environ['LOCAL_RANK']}")
        torch.cuda.set_device(machine.device)
    distributed.init_process_group("nccl" if on_cuda else "gloo")
    try:
        yield replace(machine, processes=distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def rows_of_this_process() -> slice:
    """Those rows of each batch that this process computes."""
    if not distributed.is_initialized():
        return slice(None)
    return slice(distributed.get_rank(), None, distributed.get_world_size())


def labels_a_process(mask: Tensor) -> Tensor:
    """How many labels count, as a mean over the processes: by it a sum is divided whose gradients will be averaged."""
    if not distributed.is_initialized():
        return mask.sum().clamp_min(1)
    count = mask.sum().float()
    distributed.all_reduce(count)
    return count.clamp_min(1) / distributed.get_world_size()


def forward_of(model: nn.Module, machine: Machine) -> Callable[[Tensor], Tensor]:
    """How a training calls the model: through the gradients' average where processes share it, compiled if that helps.

    The model itself stays as it is, so that its weights have the same names however it was trained.
    """
    shared = DistributedDataParallel(model) if machine.processes > 1 else model
    return torch.compile(shared) if machine.compiled else shared
