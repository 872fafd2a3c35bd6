"""Smaller networks at equal bytes: train a small one, prune a large one, store in eight bits, or several of these?

The large network is a perceptron of 64, 128, 128 and 10 units, of 26,122 numbers, on 1,200 digits. Everything starts
from it: it is the teacher of the small ones, and the network that is pruned.

Ways. small: one hidden layer of 8, 16, 32 or 96 units, trained from fresh weights for 150 epochs. pruned: of the large
network's weights the largest half, quarter, tenth or twentieth are kept, over all layers, the others are 0 (Han et al.
2015, arXiv 1506.02626); then it is trained 50 epochs more, its zeros stay 0. Biases are kept.
Labels. Each network learns ground truth, or the large network's soft labels at T = 4 alone.
Stored. Each is stored as float32, and in eight bits: a row's weights are whole numbers from -127 to 127 and one scale;
biases stay float32. Nothing is trained after rounding, and activations are not rounded.
Bytes. Four for each float32 number, one for each whole number. A pruned network also stores where its weights are: a
bit for each place, or a byte for each weight that is kept, whichever is less.

Repetition. 16 replicates, 6000 to 6015, each with a split, with two seeds each; a pair of replicate and seed has a
large network of its own. 60 images a batch, Adam, rate 0.003, or 0.001 after pruning. Nothing is chosen.

Planned, one Holm family of five, two-sided, Student's t over the replicates' means:
1. small, 32 units, eight bits: soft labels - ground truth;
2. pruned to a tenth, eight bits: soft labels - ground truth;
3. small, 96 units, soft labels: eight bits - float32 (what rounding costs);
4. soft labels: small, 96 units, eight bits - small, 32 units, float32, a little larger (fewer bits or fewer units?);
5. soft labels, eight bits: small, 96 units - pruned to a tenth, about as many bytes.
All else is exploratory. Replicate 0, trained for an epoch, tried the code; there was no pilot.

Costs. `latencies()` times one forward pass of one image and of 256 by torch on one thread: a large network, the same
with a tenth of its weights, dense and in a sparse format, and a small one; as ratios to the large one.

Command: `python studies/smaller/plan.py --workers 2` writes comparison.parquet and latencies.json beside this file; it
took 25 minutes of a shared core of an AMD EPYC without AMX (recorded 2026-12-04).
"""

import statistics
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from functools import partial
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import pandas as pd
import torch
import typer
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization, remove_parametrizations

import kdlearn
from kdlearn import Adam, Comparison, Dataset, GroundTruth, SoftLabels, Strategy
from kdlearn.data.files import write_json
from kdlearn.formulas.intervals import Interval

HERE = Path(__file__).parent
RECORD, LATENCIES = HERE / "comparison.parquet", HERE / "latencies.json"
REPLICATES, SEEDS, WIDTHS, KEPT = range(6000, 6016), range(2), (8, 16, 32, 96), (0.5, 0.25, 0.1, 0.05)
LABELS: tuple[Strategy, ...] = (GroundTruth(), SoftLabels(4.0))
LARGE = partial(kdlearn.perceptron, 64, 128, 128, 10)
EPOCHS, AFTER_PRUNING = 150, 50


class Stored(NamedTuple):
    """A network as a file would give it back, and how many bytes the file has."""

    network: nn.Module
    bytes: int


def linear_layers(network: nn.Module) -> list[nn.Linear]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]


def bytes_of_places(weight: Tensor) -> int:
    """Where the weights are that are not 0: nothing if none is 0."""
    kept = int(weight.count_nonzero())
    return 0 if kept == weight.numel() else min(-(-weight.numel() // 8), kept)


def as_float32(network: nn.Module) -> Stored:
    def size(layer: nn.Linear) -> int:
        return 4 * int(layer.weight.count_nonzero()) + 4 * len(layer.bias) + bytes_of_places(layer.weight)

    return Stored(network, sum(map(size, linear_layers(network))))


def in_eight_bits(network: nn.Module) -> Stored:
    """Each row of a weight divided by its scale, rounded, and multiplied again."""
    rounded, size = deepcopy(network), 0
    for layer in linear_layers(rounded):
        size += int(layer.weight.count_nonzero()) + 8 * len(layer.bias) + bytes_of_places(layer.weight)
        scale = layer.weight.detach().abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127
        layer.weight.data = (layer.weight.detach() / scale).round() * scale
    return Stored(rounded, size)


class Mask(nn.Module):
    """Lets through the weights that are kept."""

    kept: Tensor

    def __init__(self, kept: Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", kept)

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.kept


def pruned(network: nn.Module, kept: float) -> nn.Module:
    """A copy of which the largest `kept` share of all weights is left; what follows trains these alone."""
    copy = deepcopy(network)
    layers = linear_layers(copy)
    sizes = torch.cat([layer.weight.detach().abs().flatten() for layer in layers])
    smallest = sizes.topk(round(kept * len(sizes))).values[-1]
    for layer in layers:
        register_parametrization(layer, "weight", Mask(layer.weight.detach().abs() >= smallest))
    return copy


def without_masks(network: nn.Module) -> nn.Module:
    for layer in linear_layers(network):
        remove_parametrizations(layer, "weight")
    return network


def trained(
    network: nn.Module, data: Dataset, strategy: Strategy, teacher: Any, seed: int, num_epochs: int, rate: float
) -> nn.Module:
    options = {"optimizer": Adam(rate), "batch_size": 60, "seed": seed, "progress": False}
    kdlearn.distill(teacher, network, data, strategy=strategy, num_epochs=num_epochs, **options)
    return network.eval()


def networks_of(data: Dataset, seed: int, epochs: int, after: int) -> Iterator[tuple[dict[str, Any], nn.Module]]:
    """Every network of a replicate and seed, with what tells it apart."""
    large = trained(kdlearn.seeded(LARGE, seed), data, LABELS[0], None, seed, epochs, 3e-3)
    yield {"way": "large", "strategy": LABELS[0].name, "width": 128, "kept": 1.0}, large
    for width, strategy in product(WIDTHS, LABELS):
        first = kdlearn.seeded(partial(kdlearn.perceptron, 64, width, 10), seed)
        found = trained(first, data, strategy, large, seed, epochs, 3e-3)
        yield {"way": "small", "strategy": strategy.name, "width": width, "kept": 1.0}, found
    for kept, strategy in product(KEPT, LABELS):
        found = trained(pruned(large, kept), data, strategy, large, seed, after, 1e-3)
        yield {"way": "pruned", "strategy": strategy.name, "width": 128, "kept": kept}, without_masks(found)


def rows_of(replicate: int, epochs: int = EPOCHS, after: int = AFTER_PRUNING) -> list[dict[str, Any]]:
    torch.set_num_threads(1)
    data, rows = kdlearn.load_digits(replicate), []
    for seed in SEEDS:
        about = {"teacher": "of the pair", "replicate": replicate, "seed": seed, "length": epochs}
        for told, network in networks_of(data, seed, epochs, after):
            for name, store in {"float32": as_float32, "eight bits": in_eight_bits}.items():
                stored = store(network)
                right = kdlearn.accuracy(kdlearn.predict(stored.network, data.test.inputs), data.test.labels)
                rows.append({**told, "stored": name, **about, "accuracy": right, "bytes": stored.bytes})
    return rows


def carried_out(replicates: range = REPLICATES, workers: int = 2) -> Comparison:
    with ProcessPoolExecutor(workers) as executor:
        rows = [row for found in executor.map(rows_of, replicates) for row in found]
    return Comparison(pd.DataFrame(rows))


def arm(way: str, strategy: str, stored: str, **size: float) -> dict[str, Any]:
    return {"way": way, "strategy": strategy, "stored": stored, **size}


def planned(record: Comparison) -> Mapping[str, Interval]:
    """The five planned differences, in points."""
    eight, soft, truth = "eight bits", "soft labels", "ground truth"
    best = arm("small", soft, eight, width=96)
    tenth = arm("pruned", soft, eight, kept=0.1)
    pairs = {
        "a small student": (arm("small", soft, eight, width=32), arm("small", truth, eight, width=32)),
        "a pruned network": (tenth, arm("pruned", truth, eight, kept=0.1)),
        "rounding": (best, arm("small", soft, "float32", width=96)),
        "fewer bits, not fewer units": (best, arm("small", soft, "float32", width=32)),
        "small, not pruned": (best, tenth),
    }
    return {name: record.difference(*pair) for name, pair in pairs.items()}


def sparse(network: nn.Module) -> nn.Module:
    """The same, its weights in the format that stores rows and columns of what is not 0."""
    for layer in linear_layers(network):
        layer.weight = nn.Parameter(layer.weight.detach().to_sparse_csr(), requires_grad=False)
    return network


def latencies() -> dict[str, dict[str, float]]:
    """Seconds of a forward pass, as ratios to the large network's, of one image and of 256."""
    torch.set_num_threads(1)
    large = LARGE().eval()
    tenth = without_masks(pruned(large, 0.1))
    networks = {"pruned to a tenth": tenth, "the same, sparse": sparse(deepcopy(tenth))}
    networks["small, 96 units"] = kdlearn.perceptron(64, 96, 10).eval()
    return {name: {str(n): ratio(network, large, n) for n in (1, 256)} for name, network in networks.items()}


def ratio(network: nn.Module, to: nn.Module, batch_size: int) -> float:
    one, other = (latency(each, torch.zeros(1, 8, 8), batch_size, repeats=300) for each in (network, to))
    return round(one / other, 2)


def latency(forward: Callable[[Tensor], Tensor], image: Tensor, batch_size: int, repeats: int = 30) -> float:
    """Seconds of one call on `batch_size` copies of an image `(channels, height, width)`: the median after a warm-up.

    `forward` is a network in `eval()` mode, or any callable that waits until its answer is there.
    """
    images = image.expand(batch_size, *image.shape).contiguous()

    def seconds() -> float:
        start = perf_counter()
        forward(images)
        return perf_counter() - start

    with torch.no_grad():
        return statistics.median([seconds() for _ in range(repeats + 3)][3:])


def main(workers: int = 2) -> None:
    """Carry the study out, and tell the planned claims."""
    found = carried_out(workers=workers)
    found.save(RECORD)
    write_json(LATENCIES, latencies())
    means = found.table.groupby(["way", "stored", "width", "kept", "strategy"], sort=False)[
        ["accuracy", "bytes"]
    ].mean()
    print(means.round(4).to_string())
    print(found.planned(planned(found)).to_string(index=False))


if __name__ == "__main__":
    typer.run(main)
