"""Runs that are carried out together, and the files that a study's tasks share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock

from torch import nn

from kdlearn.data.batches import Inputs
from kdlearn.data.dataset import Dataset
from kdlearn.data.views import Views
from kdlearn.engine.run import Run
from kdlearn.networks.basic import seeded
from kdlearn.networks.weights import load_weights, set_weights
from kdlearn.training.machine import Machine
from kdlearn.training.outputs import predict

ONE_AT_A_TIME = RLock()  # torch's random numbers belong to the process: a second thread would draw from the first's


@dataclass(frozen=True, eq=False)
class Task:
    """Runs that are carried out together, and what they need: all that a worker is told."""

    key: str
    runs: Sequence[Run]
    folder: Path
    machine: Machine
    kept: Mapping[int, str] = field(default_factory=dict)  # place of a run -> name of its weights' file
    answers: Sequence[str | None] = ()  # for each run the name of its teacher's answers
    teachers: Sequence[str | None] = ()  # for each run the name of its teacher's weights, if the teacher is a run
    resumes: bool = True  # whether the folder is kept, so that a checkpoint is of use

    @property
    def stacked(self) -> bool:
        return len(self.runs) > 1

    @property
    def rows_file(self) -> Path:
        return self.folder / "rows" / f"{self.key}.parquet"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoints" / f"{self.key}.safetensors"


def weights_file(folder: Path, name: str) -> Path:
    return folder / "networks" / f"{name}.safetensors"


def answers_file(folder: Path, name: str | None, what: str) -> Path:
    """Of an epoch's views, or of a split as it is."""
    return folder / "answers" / f"{name}-{what}.safetensors"


def trained_network(run: Run, folder: Path, name: str) -> nn.Module:
    """A network of the study, with its weights of this name."""
    network = seeded(run.network, run.own_seed)
    set_weights(network, load_weights(weights_file(folder, name), name))
    return network


def training_inputs(data: Dataset, views: Views | None) -> Inputs:
    """`inputs(epoch, rows)`: what a network takes of the training rows."""
    return views.of(data) if views else lambda epoch, rows: data.inputs("train", rows)


def num_classes_of(run: Run) -> int:
    """As many as the student names."""
    return predict(run.build(), run.data.inputs("train", slice(0, 1))).shape[-1]
