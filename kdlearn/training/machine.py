"""Where and how to compute, decided by what the machine can do and recorded with each result."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Machine:
    """A device, whether layers compute in bfloat16, whether networks are compiled, how many processes share a batch.

    `threads` on a CPU; None takes what torch has set.

    >>> Machine("cpu", threads=1).settings()["threads"]  # compare(..., machine=Machine("cuda")) computes on a GPU
    1
    """

    device: str = "cpu"
    autocast: bool = False
    compiled: bool = False
    processes: int = 1
    threads: int | None = None

    def settings(self) -> dict[str, Any]:
        """What of it decides the bits of a result."""
        kind = self.device.partition(":")[0]
        threads = (self.threads or torch.get_num_threads()) if kind == "cpu" else None
        shared = {"autocast": self.autocast, "compiled": self.compiled, "processes": self.processes}
        around = [torch.get_float32_matmul_precision(), torch.is_autocast_enabled(kind), torch.backends.mkldnn.enabled]
        return {"device": kind, "threads": threads, "torch": around, **shared}

    @contextmanager
    def threading(self) -> Iterator[None]:
        """torch on this machine's number of threads, and afterwards as before."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def place(self, model: nn.Module) -> nn.Module:
        """The model on the device, its filters with their channels last, which convolutions prefer."""
        if self.processes > 1 and self.device.startswith("cuda"):
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        model = model.to(device=torch.device(self.device))
        if any(weight.ndim == 5 for weight in model.parameters()):  # of volumes, which have no such order
            return model
        return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def precision(self) -> AbstractContextManager:
        return torch.autocast(self.device.partition(":")[0], torch.bfloat16, enabled=self.autocast)


def best_machine(device: str | None = None) -> Machine:
    """The fastest device here (cuda, then mps, then cpu) or the one named, with what helps on it.

    bfloat16 is used where the processor computes in it; elsewhere it is slower than float32. On a CPU compiling a
    small network takes longer than it saves (`benchmarks/devices.py`); on CUDA it needs Triton and a C compiler.

    Returns:
        A `Machine`; a device that is not there is a ValueError.

    >>> best_machine("cpu").device
    'cpu'
    """
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as problem:  # torch names no type for a device that is not there
        raise ValueError(f"device must be cuda, mps or cpu, and be there; got {device}") from problem
    if device.startswith("cuda"):
        can_compile = find_spec("triton") is not None and shutil.which("cc") is not None
        return Machine(device, torch.cuda.is_bf16_supported(including_emulation=False), can_compile)
    return Machine(device, autocast=device == "cpu" and cpu_computes_in_bfloat16())


def cpu_computes_in_bfloat16() -> bool:
    """Whether the CPU multiplies in bfloat16, by AMX or AVX-512; unknown, and taken for no, outside Linux."""
    flags = Path("/proc/cpuinfo")
    return flags.exists() and not {"amx_bf16", "avx512_bf16"}.isdisjoint(flags.read_text().split())
