"""Whether what is about to be read fits into this machine's memory."""

import math
import os
from contextlib import suppress
from pathlib import Path


def available_memory() -> float:
    """Bytes: what Linux says a program can get; elsewhere all there is; infinite where the system does not tell."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf


def check_memory(needed: int) -> None:
    if needed > (available := available_memory()):
        raise ValueError(
            f"the inputs need {needed / 2**30:.3g} GiB of memory, {available / 2**30:.3g} GiB are free. "
            "kdlearn.train takes any iterable of Batch: make one that reads from the disk, or make the inputs smaller"
        )
