"""The distilled student as it would be used: exported, run by ONNX Runtime, and quantised to int8.

One student, so a single run: that of soft labels, 9 epochs, of one pair of plan.py. `torch.export` writes it with its
graph, `torch.onnx.export` as ONNX. ONNX Runtime's static quantisation gives weights (for each channel) and activations
eight bits; their ranges come from 500 training images (Jacob et al. 2018, arXiv 1712.05877). Each form is measured on
the 10,000 test images: accuracy, how often its answer is the one that PyTorch gives in float32, bytes of its file, and
milliseconds on one thread for a batch of 1 and of 256 images. The median of 30 calls, in turns; on a machine that does
other work they mean little beside each other and nothing alone.

Command: `python studies/cifar10/exported.py FOLDER`, with the folder that plan.py carried a pair out in, writes
exported.json beside this file. It needs `pip install onnx onnxruntime onnxscript`.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import onnxruntime
import plan
import torch
import typer
from onnxruntime.quantization import CalibrationDataReader, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from students import SOFT, Setting, photographs, runs_of
from torch import Tensor, nn

import kdlearn
from kdcourse.records import provenance
from kdlearn import Dataset, Run
from kdlearn.data.files import write_json
from kdlearn.networks.costs import count_parameters

RECORD = Path(__file__).with_name("exported.json")
SIZES, REPEATS, RANGES = (1, 256), 30, 500
Answering = Callable[[Tensor], Tensor]  # images (N, channels, height, width) -> logits (N, C)


class Images(CalibrationDataReader):
    """Batches from which the ranges of activations are read."""

    def __init__(self, images: Tensor) -> None:
        self.batches = iter([{"images": part.numpy()} for part in images.split(100)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.batches, None)


def in_onnx_runtime(path: Path) -> Answering:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def forms(network: nn.Module, ranges: Tensor, folder: Path) -> Iterator[tuple[str, Path, Answering]]:
    """Each form of the network by name: its file, and what answers."""
    dynamic, example = ({0: torch.export.Dim("batch", min=1, max=4096)},), (ranges[:2].clone(),)  # kept in the file
    program = torch.export.export(network, example, dynamic_shapes=dynamic)
    torch.export.save(program, exported := folder / "student.pt2")
    yield "torch.export", exported, program.module()
    named = {"input_names": ["images"], "output_names": ["logits"], "dynamic_shapes": dynamic}
    torch.onnx.export(network, example, whole := folder / "student.onnx", external_data=False, **named)
    yield "ONNX Runtime", whole, in_onnx_runtime(whole)
    quant_pre_process(whole, prepared := folder / "prepared.onnx", skip_symbolic_shape=True)
    quantize_static(prepared, small := folder / "student-int8.onnx", Images(ranges), per_channel=True)
    yield "ONNX Runtime, int8", small, in_onnx_runtime(small)


def milliseconds(answering: Mapping[str, Answering], images: Tensor) -> dict[str, float]:
    """The median of each, in turns."""
    took: dict[str, list[float]] = {name: [] for name in answering}
    for _ in range(REPEATS):
        for name, answer in answering.items():
            start = perf_counter()
            answer(images)
            took[name].append(1000 * (perf_counter() - start))
    return {name: median(times) for name, times in took.items()}


@torch.no_grad()
def told_of(network: nn.Module, data: Dataset) -> list[dict[str, Any]]:
    """A row for each form, PyTorch's own first."""
    rows = torch.randperm(len(data.train.labels), generator=torch.Generator().manual_seed(0))[:RANGES]
    test, network = data.inputs("test"), network.eval()
    with tempfile.TemporaryDirectory() as folder:
        found = list(forms(network, data.inputs("train", rows), Path(folder)))
        answering: dict[str, Answering] = {"PyTorch": network} | {name: answer for name, _, answer in found}
        sizes = {name: path.stat().st_size for name, path, _ in found}
        logits = {name: torch.cat([answer(part) for part in test.split(256)]) for name, answer in answering.items()}
        took = {size: milliseconds(answering, test[:size].clone()) for size in SIZES}
    return [
        {
            "form": name,
            "bytes": sizes.get(name),
            "accuracy": kdlearn.accuracy(mine, data.test.labels),
            "agreement": kdlearn.agreement(mine, logits["PyTorch"]),
            "milliseconds": {str(size): took[size][name] for size in SIZES},
        }
        for name, mine in logits.items()
    ]


def student(setting: Setting, runs: Sequence[Run]) -> Run:
    """That of soft labels on all images, of the middle length."""
    asked = {"images": setting.whole, "epochs": setting.lengths[1], "role": "student"}
    [found] = [run for run in runs if run.strategy.name == SOFT and asked.items() <= run.names.items()]
    return found


def main(folder: Path, pair: int = 0) -> None:
    """Measure every form of the student of a pair, and write what was found."""
    torch.set_num_threads(1)
    setting = photographs()
    where = {"folder": folder, "workers": 1, "machine": plan.MACHINE}
    runs = list(runs_of(setting, pair, plan.tuned(plan.HERE, setting, plan.RATES, where)))
    [network] = kdlearn.trained_networks([student(setting, runs)], **where)
    told = {"pair": pair, "parameters": count_parameters(network), "forms": told_of(network, setting.data)}
    write_json(RECORD, {**told, "data": setting.data.key, "provenance": provenance()})
    print(told)


if __name__ == "__main__":
    typer.run(main)
