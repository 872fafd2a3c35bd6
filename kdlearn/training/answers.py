"""Labelling the views: the teacher answers once, and every student reads its answers."""

from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from tqdm.auto import tqdm

from kdlearn.data import LabelStore, Views
from kdlearn.data.files import replacing
from kdlearn.training.loop import predict
from kdlearn.training.machine import Machine

DTYPES = {"float32": torch.float32, "float16": torch.float16}


def label_views(
    teacher: Callable[[Tensor], Tensor],
    views: Views,
    num_epochs: int,
    *,
    batch_size: int = 1000,
    dtype: str = "float32",
    folder: Path | None = None,
    origin: Mapping[str, Any] | None = None,
    machine: Machine = Machine(),
    progress: bool = True,
) -> LabelStore:
    """The teacher's logits of all views of `num_epochs` epochs: what each student would ask it again, asked once.

    Args:
        teacher: a network, asked in `eval()` mode, or any callable from images to logits `(N, C)`.
        batch_size: in float32 the logits equal the teacher's own on the same batches bit for bit, on others within
            rounding.
        dtype: "float32", or "float16" for half the space and three digits.
        folder: keeps a file an epoch, so that labelling goes on where it was stopped.
        origin: whose labels they are, such as the hashes of the teacher and of the data set; with the recipe of the
            views it is written beside the logits, and a file of another origin is a ValueError.
        progress: whether to show a bar.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}; got {dtype}")
    origin = {name: str(value) for name, value in {**(origin or {}), **views.recipe(), "dtype": dtype}.items()}
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)

    def label(epoch: int) -> Tensor:
        path = folder / f"epoch-{epoch:03}.safetensors" if folder is not None else None
        if path is not None and path.exists():
            return read_labels(path, origin)
        rows, start = torch.arange(len(views), device=views.mean.device).split(batch_size), perf_counter()
        logits = torch.cat([predict(teacher, views(epoch, part), batch_size, machine) for part in rows])
        return keep_labels(path, logits.to(DTYPES[dtype]), {**origin, "seconds": f"{perf_counter() - start:.2f}"})

    epochs = tqdm(range(num_epochs), desc="teacher labels the views", unit="epoch", disable=not progress)
    return LabelStore(torch.stack([label(epoch) for epoch in epochs]).to(views.mean.device))


def keep_labels(path: Path | None, logits: Tensor, metadata: dict[str, str]) -> Tensor:
    if path is not None:
        with replacing(path) as temporary:
            temporary.write_bytes(save({"logits": logits.cpu().contiguous()}, metadata=metadata))
    return logits


def labelling_seconds(folder: Path) -> float:
    """How long the teacher took for all labels of a folder."""
    metadata = [safe_open(path, framework="pt").metadata() for path in sorted(folder.glob("epoch-*.safetensors"))]
    return sum(float(found["seconds"]) for found in metadata)


def read_labels(path: Path, origin: Mapping[str, str]) -> Tensor:
    """The logits of a file, refused if anything that decides them differs."""
    try:
        with safe_open(path, framework="pt") as file:
            found, logits = file.metadata() or {}, file.get_tensor("logits")
    except SafetensorError as problem:
        raise ValueError(f"{path} is no whole file of labels; delete it, and they are made anew") from problem
    for name in {**found, **origin}.keys() - {"seconds"}:
        if found.get(name) != origin.get(name):
            raise ValueError(f"{path} holds labels for {name} = {found.get(name)}, not {origin.get(name)}; delete it")
    return logits
