"""Runs carried out: a stack of small networks as one, or one network; trained, measured, kept."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from kdlearn.data.batches import Stretches
from kdlearn.data.files import read_table, write_table
from kdlearn.engine.materials import Materials
from kdlearn.engine.once import Once
from kdlearn.engine.run import Run
from kdlearn.engine.tasks import ONE_AT_A_TIME, Task, weights_file
from kdlearn.formulas.intervals import of_rows
from kdlearn.formulas.metrics import accuracy, agreement, hits
from kdlearn.networks.costs import count_parameters
from kdlearn.networks.weights import are_finite, load_weights, save_weights
from kdlearn.training.loop import Learner, OneNetwork, fit, seeded_numbers
from kdlearn.training.outputs import predict
from kdlearn.training.together import Stack, StackedNetworks, streams_of

MIN_STRETCH = 100  # updates between two checkpoints, at least
NO_NUMBER = float("nan")


def execute(task: Task) -> pd.DataFrame:
    """A row for each run and length; what is kept already is read."""
    weights = {name: weights_file(task.folder, name) for name in task.kept.values()}
    if task.rows_file.exists() and all(file.exists() for file in weights.values()):
        for name, file in weights.items():
            load_weights(file, name)  # one that is damaged is refused
        return read_table(task.rows_file, task.key)
    with ONE_AT_A_TIME, task.machine.threading():
        table = pd.DataFrame(TaskRunner(task).rows())
    write_table(task.rows_file, table, task.key)
    task.checkpoint.unlink(missing_ok=True)
    return table


class Scores:
    """What is measured of a run's logits, of the labels that count."""

    def __init__(self, run: Run, teacher_logits: Tensor | None) -> None:
        mask = run.measured.mask
        self.run, self.counted = run, slice(None) if mask is None else mask.cpu()
        self.labels = run.measured.labels.cpu()[self.counted]
        self.teacher_logits = None if teacher_logits is None else teacher_logits[self.counted]
        self.teacher = NO_NUMBER if self.teacher_logits is None else run.measure(self.teacher_logits, self.labels)

    def of(self, logits: Tensor) -> dict[str, float]:
        """By the table's columns; NaN of a student whose logits are not finite."""
        found = self.of_finite(logits[self.counted]) if logits.isfinite().all() else (NO_NUMBER,) * 3
        names = (self.run.metric_name, "loss", "agreement", f"teacher_{self.run.metric_name}")
        return dict(zip(names, (*found, self.teacher), strict=True))

    def of_finite(self, logits: Tensor) -> tuple[float, float, float]:
        classes = not self.labels.is_floating_point()
        loss = cross_entropy(logits.flatten(0, -2), self.labels.flatten()) if classes else mse_loss(logits, self.labels)
        agrees = agreement(logits, self.teacher_logits) if classes and self.teacher_logits is not None else NO_NUMBER
        return self.run.measure(logits, self.labels), float(loss), agrees

    def of_rows(self, logits: Tensor) -> dict[str, str]:
        """A digit a row, 1 if it is right, where that is what the metric averages: of a text rows would be tokens."""
        if self.run.metric is not accuracy or self.run.measured.labels.ndim > 1:
            return {}
        right = hits(logits[self.counted], self.labels).int().tolist() if logits.isfinite().all() else []
        return {of_rows(self.run.metric_name): "".join(map(str, right))}


class TaskRunner:
    """One task under way."""

    def __init__(self, task: Task) -> None:
        self.task, self.runs, self.machine = task, task.runs, task.machine
        self.materials = Materials(task)
        places = range(len(self.runs))
        self.answers = [self.materials.answers(place) for place in places]
        self.streams = [self.materials.stream(run, told) for run, told in zip(self.runs, self.answers, strict=True)]
        self.networks = [self.machine.place(run.build()) for run in self.runs]
        self.once = Once()
        self.scores = [self.scores_of(place) for place in places]
        self.resumed, self.clock = task.resumes and task.checkpoint.exists(), perf_counter()
        self.measured: list[dict[str, Any]] = []

    def scores_of(self, place: int) -> Scores:
        run = self.runs[place]
        name = self.task.answers[place], id(run.data), run.measured_on, id(run.metric)
        return self.once(name, lambda: Scores(run, self.materials.test_logits(place)))

    def rows(self) -> list[dict[str, Any]]:
        """Train, measuring at each length, and keep the weights that are asked for.

        What diverges has no numbers from there on, and stops nothing but itself, unless its weights are asked for.
        """
        try:
            curve = self.trained()
        except FloatingPointError:
            if self.task.kept:
                raise
            if self.resumed:  # what was measured before is lost with the training
                self.task.checkpoint.unlink()
                return TaskRunner(self.task).rows()
            return [*self.measured, *self.rows_without_numbers()]
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
                checkpoint=self.task.checkpoint if self.task.resumes else None,
                settings=self.task.key,
            )
        self.keep(learner.whole)
        return curve

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

    @torch.no_grad()
    def measure(self, whole: nn.Module, update: int) -> dict[str, Any]:
        """The rows of this update, if it is one of the lengths."""
        if update not in self.runs[0].lengths:
            return {}
        rows = self.rows_of(self.stacked_logits(whole) if self.task.stacked else self.single_logits(), update)
        self.measured += rows
        return {"rows": rows}

    def rows_of(self, logits: Any, update: int) -> list[dict[str, Any]]:
        seconds = (perf_counter() - self.clock) / len(self.runs)
        about = {"length": update, "parameters": count_parameters(self.networks[0]), "seconds": seconds}
        pairs = zip(self.scores, logits, strict=True)
        found = [{**scores.of(one), **about, **scores.of_rows(one)} for scores, one in pairs]
        return [{"place": place, **row} for place, row in enumerate(found)]

    def rows_without_numbers(self) -> list[dict[str, Any]]:
        """Rows for the lengths that were not reached, as if all logits were NaN."""
        left = self.runs[0].lengths[len(self.measured) // len(self.runs) :]
        return [row for length in left for row in self.rows_of([torch.tensor(torch.nan)] * len(self.runs), length)]

    def single_logits(self) -> list[Tensor]:
        return [predict(self.networks[0], self.materials.test_inputs(self.runs[0]), machine=self.machine).cpu()]

    def stacked_logits(self, whole: nn.Module) -> Tensor:
        """`(S, N, C)`, as many rows at a time as a batch has, so that memory stays that of training."""
        size = max(self.runs[0].batch_size, 100)
        distinct = {run.data: run for run in self.runs}
        inputs = {data: self.materials.test_inputs(run).split(size) for data, run in distinct.items()}
        whole.eval()
        parts = zip(*(inputs[run.data] for run in self.runs), strict=True)
        return torch.cat([whole(torch.stack(part)) for part in parts], dim=1).cpu()


def ends_of(run: Run, epoch: int) -> list[int]:
    """Where a training is measured or kept: at its lengths, and once an epoch or more rarely."""
    last = run.lengths[-1]
    return sorted({*run.lengths, *range(max(epoch, MIN_STRETCH), last, max(epoch, MIN_STRETCH))})
