"""Runs carried out: a stack of small networks as one, or one network; trained, measured, kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from kdlearn.data.batches import Inputs, Stream, Stretches
from kdlearn.data.dataset import Dataset, Examples
from kdlearn.data.files import read_table, read_tensors, write_table
from kdlearn.engine.run import Run
from kdlearn.formulas.metrics import agreement
from kdlearn.networks.basic import seeded
from kdlearn.networks.costs import count_parameters
from kdlearn.networks.weights import are_finite, load_weights, save_weights, set_weights
from kdlearn.training.answers import LiveAnswers, StoredAnswers, teacher_of
from kdlearn.training.loop import Learner, OneNetwork, fit, seeded_numbers
from kdlearn.training.machine import Machine
from kdlearn.training.outputs import predict
from kdlearn.training.processes import rows_of_this_process
from kdlearn.training.together import Stack, StackedNetworks, streams_of

NO_SCORES = (float("nan"),) * 3
MIN_STRETCH = 100  # updates between two checkpoints, at least


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


def carry_out(task: Task) -> pd.DataFrame:
    """A row for each run and length; what is kept already is read."""
    if task.rows_file.exists() and all(weights_file(task.folder, name).exists() for name in task.kept.values()):
        return read_table(task.rows_file, task.key)
    with task.machine.threading():
        table = pd.DataFrame(Carrying(task).rows())
    write_table(task.rows_file, table, task.key)
    checkpoint_of(task).unlink(missing_ok=True)
    return table


def checkpoint_of(task: Task) -> Path:
    return task.folder / "checkpoints" / f"{task.key}.safetensors"


class Carrying:
    """One task under way."""

    def __init__(self, task: Task) -> None:
        self.task, self.runs, self.machine = task, task.runs, task.machine
        self.tables: dict[Any, Any] = {}  # what several runs share, made once
        self.teachers = [self.teacher(place) for place in range(len(self.runs))]
        self.answers = [self.answers_of(place) for place in range(len(self.runs))]
        self.streams = [self.stream(place) for place in range(len(self.runs))]
        self.networks = [self.machine.place(run.build()) for run in self.runs]
        self.clock = perf_counter()
        self.measured: list[dict[str, Any]] = []

    def rows(self) -> list[dict[str, Any]]:
        """Train, measuring at each length, and keep the weights that are asked for.

        What diverges has no numbers from there on, and stops nothing but itself, unless its weights are asked for.
        """
        try:
            curve = self.trained()
        except FloatingPointError:
            if self.task.kept:
                raise
            return [*self.measured, *self.without_numbers()]
        return [row for point in curve for row in point.get("rows", [])]

    def trained(self) -> list[dict[str, Any]]:
        first = self.runs[0]
        ends = ends_of(first, len(self.streams[0]))
        with seeded_numbers(first.own_seed):  # of what a strategy prepares, and of dropout
            learner, batches = self.stack() if self.task.stacked else self.single()
            curve = fit(
                learner,
                Stretches(batches, ends),
                first.recipe,
                measure=lambda network, stretch: self.measure(network, ends[stretch - 1]),
                checkpoint=checkpoint_of(self.task) if self.task.resumes else None,
                settings=self.task.key,
            )
        self.keep(learner.whole)
        return curve

    def without_numbers(self) -> list[dict[str, Any]]:
        """Rows for the lengths that were not reached, as if all logits were NaN."""
        done = {row["length"] for row in self.measured}
        left = [length for length in self.runs[0].lengths if length not in done]
        return [
            self.row(place, torch.tensor(torch.nan)) | self.about(length)
            for length in left
            for place in range(len(self.runs))
        ]

    def single(self) -> tuple[Learner, Callable[[int], Any]]:
        stream, strategy = self.streams[0], self.runs[0].strategy
        return OneNetwork(self.networks[0], strategy, self.machine, lambda: stream(0)), stream

    def stack(self) -> tuple[Any, Callable[[int], Any]]:
        stack = Stack(self.networks, [run.strategy for run in self.runs])
        stack.whole.to(self.machine.device)
        return stack, streams_of(self.streams, stack.groups, self.answers, made=self.runs[0].views is not None)

    def keep(self, whole: nn.Module) -> None:
        if isinstance(whole, StackedNetworks):
            whole.hand_back(self.networks)
        for place, name in self.task.kept.items():
            if not are_finite(self.networks[place]):
                raise FloatingPointError(f"a network that is kept diverged: lower {self.runs[place].recipe.settings()}")
            save_weights(weights_file(self.task.folder, name), self.networks[place], name)

    def shared(self, name: Any, make: Callable[[], Any]) -> Any:
        if name not in self.tables:
            self.tables[name] = make()
        return self.tables[name]

    def data(self, run: Run) -> Dataset:
        return self.shared(("data", id(run.data)), lambda: run.data.to(self.machine.device))

    def examples(self, run: Run) -> Examples:
        """The training examples; as a network takes them, where no views are made of them."""
        data = self.data(run)
        if run.views is not None:
            return data.train
        return self.shared(("examples", id(run.data)), lambda: data.train._replace(inputs=data.inputs("train")))

    def inputs(self, run: Run) -> Inputs:
        views = run.views
        if views is not None:
            return self.shared(("views", id(run.data), views), lambda: views.of(self.data(run)))
        examples = self.examples(run)
        return lambda epoch, rows: examples.inputs[rows]

    def stream(self, place: int) -> Stream:
        run, answers = self.runs[place], self.answers[place]
        options = {"rows": run.rows, "inputs": self.inputs(run), "answers": answers, "share": rows_of_this_process()}
        return Stream(self.examples(run), run.batch_size, seed=run.own_seed, **options)

    def teacher(self, place: int) -> Any:
        """What answers live; None where stored answers are read."""
        run, name = self.runs[place], self.task.teachers[place]
        if not run.asks_teacher or run.stores_answers:
            return None
        if name is None:
            return teacher_of(run.teacher, run.data, num_classes_of(run))
        return self.shared(("teacher", name), lambda: self.machine.place(network_of(run.teacher, self.task, name)))

    def answers_of(self, place: int) -> StoredAnswers | LiveAnswers | None:
        run, name = self.runs[place], self.task.answers[place]
        if not run.asks_teacher:
            return None
        if not run.stores_answers:
            layers = [teacher for _, teacher in run.strategy.layers]
            return LiveAnswers(self.teachers[place], self.inputs(run), layers, self.machine)
        return self.shared(("answers", name, run.num_epochs), lambda: self.read_answers(name, run.num_epochs))

    def read_answers(self, name: Any, num_epochs: int) -> StoredAnswers:
        device = self.machine.device
        files = [answers_file(self.task.folder, name, str(epoch)) for epoch in range(num_epochs)]
        return StoredAnswers([read_tensors(file, file.stem)["logits"].to(device) for file in files])

    @torch.no_grad()
    def measure(self, whole: nn.Module, update: int) -> dict[str, Any]:
        """The rows of this update, if it is one of the lengths."""
        if update not in self.runs[0].lengths:
            return {}
        logits = self.stacked_logits(whole) if self.task.stacked else self.single_logits()
        rows = [self.row(place, values) | self.about(update) for place, values in enumerate(logits)]
        self.measured += rows
        return {"rows": rows}

    def about(self, update: int) -> dict[str, Any]:
        seconds = (perf_counter() - self.clock) / len(self.runs)
        return {"length": update, "parameters": count_parameters(self.networks[0]), "seconds": seconds}

    def single_logits(self) -> list[Tensor]:
        inputs = self.data(self.runs[0]).inputs(self.runs[0].measured_on)
        return [predict(self.networks[0], inputs, machine=self.machine).cpu()]

    def stacked_logits(self, whole: nn.Module) -> Tensor:
        """`(S, N, C)`, as many rows at a time as a batch has, so that memory stays that of training."""
        inputs = [self.shared(("test", id(run.data)), lambda run=run: self.measured_inputs(run)) for run in self.runs]
        size = max(self.runs[0].batch_size, 100)
        whole.eval()
        parts = range(0, len(inputs[0]), size)
        return torch.cat([whole(torch.stack([one[at : at + size] for one in inputs])) for at in parts], dim=1).cpu()

    def measured_inputs(self, run: Run) -> Tensor:
        return self.data(run).inputs(run.measured_on)

    def row(self, place: int, logits: Tensor) -> dict[str, Any]:
        """What is measured: the metric, the loss, and how often student and teacher agree on a class."""
        run, told = self.runs[place], self.told(place)
        mine = self.scores(run, logits, told) if logits.isfinite().all() else NO_SCORES
        names = ("place", run.metric_name, "loss", "agreement", f"teacher_{run.metric_name}")
        return dict(zip(names, (place, *mine, self.teachers_score(place, told)), strict=True))

    def scores(self, run: Run, logits: Tensor, told: Tensor | None) -> tuple[float, float, float]:
        """The metric, the loss, and the agreement with the teacher."""
        labels, mask = run.measured.labels.cpu(), run.measured.mask
        counted = slice(None) if mask is None else mask.cpu()
        logits, labels = logits[counted], labels[counted]
        classes = not labels.is_floating_point()
        loss = cross_entropy(logits.flatten(0, -2), labels.flatten()) if classes else mse_loss(logits, labels)
        agrees = agreement(logits, told[counted]) if told is not None and classes else float("nan")
        return float(run.metric(logits, labels)), float(loss), agrees

    def teachers_score(self, place: int, told: Tensor | None) -> float:
        if told is None:
            return float("nan")
        run = self.runs[place]
        counted = slice(None) if run.measured.mask is None else run.measured.mask.cpu()
        logits, labels = told[counted], run.measured.labels.cpu()[counted]
        name = ("score", self.task.answers[place], id(run.data), id(run.metric))
        return self.shared(name, lambda: float(run.metric(logits, labels)))

    def told(self, place: int) -> Tensor | None:
        """The teacher's logits of what is measured on."""
        run, name = self.runs[place], self.task.answers[place]
        if name is None:
            return None
        file = answers_file(self.task.folder, name, run.measured_on)
        return self.shared(file, lambda: read_tensors(file, file.stem)["logits"].float() if file.exists() else None)


def ends_of(run: Run, epoch: int) -> list[int]:
    """Where a training is measured or kept: at its lengths, and once an epoch or more rarely."""
    last = run.lengths[-1]
    return sorted({*run.lengths, *range(max(epoch, MIN_STRETCH), last, max(epoch, MIN_STRETCH))})


def network_of(run: Any, task: Task, name: str) -> nn.Module:
    """A trained network of the study."""
    network = seeded(run.network, run.own_seed)
    set_weights(network, load_weights(weights_file(task.folder, name), name))
    return network


def weights_file(folder: Path, name: str) -> Path:
    return folder / "networks" / f"{name}.safetensors"


def answers_file(folder: Path, name: str, what: str) -> Path:
    """Of an epoch's views, or of a split as it is."""
    return folder / "answers" / f"{name}-{what}.safetensors"


def num_classes_of(run: Run) -> int:
    """As many as the student names."""
    network = run.build().eval()
    with torch.no_grad():
        return network(run.data.inputs("train", slice(0, 1))).shape[-1]
