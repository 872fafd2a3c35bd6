"""What can be found out before anything is trained or written: settings and data are looked at, an update is tried."""

import copy
import math
from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral

import numpy as np
import torch
from torch import Tensor, nn

from kdlearn.data.batches import Batch
from kdlearn.data.dataset import Dataset, Split, logits_shape
from kdlearn.data.views import Views
from kdlearn.engine.once import Once
from kdlearn.engine.run import Run
from kdlearn.engine.trial import built, estimates_numbers, first_batch, num_classes, try_update, way_for_numbers
from kdlearn.networks.basic import seeded
from kdlearn.training.answers import DTYPES, StoredTeacher
from kdlearn.training.machine import Machine
from kdlearn.training.together import can_be_stacked

NAMES = {"strategy", "teacher"}  # columns that a run may name itself
NUMBERS = {"replicate", "seed", "length", "loss", "agreement", "parameters", "seconds", "place", "key", "rows"}
COLUMNS = NAMES | NUMBERS | {"learning_rate", "value_a", "value_b"}


class Checks:
    """Checks of runs, those that share a network, data or a strategy once."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.alone = replace(machine, compiled=False, processes=1)  # on which an update is tried
        self.once = Once()

    def of(self, run: Run) -> None:
        """A ValueError or TypeError that says what to do, for a run that could not be carried out."""
        check_settings(run)
        check_columns(run)
        self.once(("data", id(run.data), run.measured_on), lambda: check_data(run))
        check_sample(run)
        classes = self.num_classes(run)
        self.once(("labels", id(run.data), classes), lambda: check_reach(run, classes))
        metric = "metric", id(run.data), run.measured_on, id(run.metric), classes
        self.once(metric, lambda: check_metric(run, classes))
        if isinstance(run.teacher, Run) and run.asks_teacher and (taught := self.num_classes(run.teacher)) != classes:
            raise ValueError(f"teacher and student must name the same classes; they name {taught} and {classes}")
        self.once(self.name("update", run), lambda: try_update(run, self.network(run), self.batch(run), self.alone))

    def network(self, run: Run) -> nn.Module:
        """Built once for all runs that build the same; its weights are left as they are."""
        name = "network", id(run.network), id(run.start)
        return self.once(name, lambda: self.machine.place(built(run)))

    def num_classes(self, run: Run) -> int:
        name = "classes", id(run.network), id(run.start), id(run.data), run.batch_size
        return self.once(name, lambda: num_classes(self.network(run), run, self.alone))

    def batch(self, run: Run) -> Batch:
        return first_batch(run, self.num_classes(run), self.alone)

    def name(self, what: str, run: Run) -> tuple:
        # A teacher run of another data set of the same shape has the same layers and classes.
        taught = id(run.teacher.network) if isinstance(run.teacher, Run) else id(run.teacher)
        strategy = (type(run.strategy), repr(vars(run.strategy)), run.strategy.layers)
        shape = (run.data.train.inputs.shape[1:], run.data.train.inputs.dtype, run.data.class_names, run.batch_size)
        settings = repr(run.recipe.settings())
        return what, id(run.network), strategy, shape, run.views, settings, taught, id(run.start)

    def can_be_stacked(self, run: Run) -> bool:
        if self.machine.autocast or self.machine.compiled or self.machine.processes > 1:
            return False
        if run.asks_teacher and not run.stores_answers:
            return False
        return self.once(self.name("stack", run), lambda: self.stacks(run))

    def stacks(self, run: Run) -> bool:
        """Networks that cannot be copied, and hooks on weights, which a stack does not have, are left alone."""
        one = self.network(run)
        name = "another", id(run.network)
        other = self.once(name, lambda: self.machine.place(seeded(run.network, run.own_seed + 1)))
        if any(weight._backward_hooks or weight._post_accumulate_grad_hooks for weight in one.parameters()):
            return False
        try:
            pair = copy.deepcopy([one, other])
        except Exception:
            return False
        return can_be_stacked(pair, run.strategy, run.recipe, self.batch(run))


def check_settings(run: Run) -> None:
    if not isinstance(run.data, Dataset):
        raise TypeError(f"data of a Run must be a kdlearn.Dataset; got {type(run.data).__name__}: see compare")
    if not isinstance(run.views, Views | None):
        raise TypeError(f"views must be kdlearn.Views(...) or None; got {run.views!r}")
    whole = all(isinstance(length, Integral) and length >= 1 for length in run.lengths)
    if not whole or not run.lengths or list(run.lengths) != sorted(set(run.lengths)):
        raise ValueError(f"lengths must be whole numbers of updates, at least 1, rising; got {run.lengths}")
    for name, lowest in (("seed", 0), ("replicate", 0), ("batch_size", 1), ("sample", 1)):
        value = getattr(run, name)
        if value is not None and (not isinstance(value, Integral) or value < lowest):
            raise ValueError(f"{name} must be a whole number of at least {lowest}; got {value!r}")
    if run.answers not in (*DTYPES, "live"):
        raise ValueError(f"answers must be one of {', '.join(DTYPES)} and live; got {run.answers!r}")
    name, reads = run.strategy.name, run.strategy.reads
    if not isinstance(reads, tuple) or not set(reads) <= set(Batch._fields):
        raise ValueError(f"reads of strategy {name!r} must be a tuple of {', '.join(Batch._fields)}; got {reads!r}")
    if isinstance(run.teacher, Tensor | np.ndarray | Mapping | StoredTeacher) and (run.views or run.answers == "live"):
        raise ValueError("stored logits are of the rows as they are: give no views, and do not ask live")
    if run.asks_teacher and run.teacher is None:
        raise ValueError(f"strategy {name!r} reads a teacher's answers: give a teacher")
    if len(run.lengths) > 1 and not run.recipe.constant:
        raise ValueError("an optimiser whose learning rate changes has one length a run; compare makes one for each")


def check_columns(run: Run) -> None:
    """What a run names itself is no other column's name, so that none is written over."""
    mine = {run.metric_name, f"teacher_{run.metric_name}"}
    settings, names = {*run.strategy.settings}, {*run.names} - NAMES
    taken = COLUMNS | mine | {"score"}  # tuning scores by the metric
    if clash := sorted(((settings | names) & taken) | (settings & names) | (mine & COLUMNS)):
        raise ValueError(f"no setting, name or metric may be called {clash[0]!r}, a column of the table: rename it")


def check_data(run: Run) -> None:
    """Labels are there where they are read or measured, and inputs are finite."""
    if run.measured is None or len(run.measured.inputs) == 0:
        raise ValueError(f"data must have a {run.measured_on} split to measure on; it has none")
    if run.measured.labels is None:
        raise ValueError(f"data must have labels of {run.measured_on} to measure on; they are None")
    for name, part in run.data.splits():
        if part.labels is not None and len(part.labels) != len(part.inputs):
            raise ValueError(f"{name} must have a label for each of {len(part.inputs)} inputs; got {len(part.labels)}")
        if part.labels is not None and labels_of(part).numel() == 0:
            raise ValueError(f"labels of {name} must hold at least one that is known and counts; got none")
        if part.inputs.is_floating_point() and not bool(part.inputs.isfinite().all()):
            raise ValueError(f"inputs of {name} must be finite; they hold NaN or infinity")


def check_sample(run: Run) -> None:
    train, strategy = run.data.train, run.strategy
    reads_every_label = "labels" in strategy.reads and "labelled" not in strategy.reads and run.asks_teacher
    if reads_every_label and train.labelled is not None and not bool(train.labelled.all()):
        way = "wrap another one in TruthWhereKnown(...)"
        raise ValueError(f"strategy {strategy.name!r} reads the ground truth of every row, which is not known: {way}")
    if run.sample is None:
        return
    if train.labels is None or estimates_numbers(run):
        raise ValueError("sample draws by classes, and labels are none: give a Dataset of fewer training rows")
    there = train.labels if train.labelled is None or run.asks_teacher else train.labels[train.labelled]
    classes = len(there.unique())
    if not classes <= run.sample <= len(there):
        raise ValueError(f"sample must lie in {classes} … {len(there)}, a row a class at least; got {run.sample}")


def check_metric(run: Run, classes: int) -> None:
    """A metric gives a finite number for logits of the measured rows, here drawn."""
    labels = labels_of(run.measured).cpu()
    drawn = torch.randn(logits_shape(labels, classes), generator=torch.Generator().manual_seed(0))
    name, way = f"metric {run.metric_name!r}", way_for_numbers(run)
    try:
        value = run.measure(drawn, labels)
    except Exception as problem:
        raise ValueError(f"{name} must give a number for logits and labels: {problem}. {way}".rstrip()) from problem
    if not math.isfinite(value):
        raise ValueError(f"{name} must give a finite number; it gave {value} for logits that were drawn")


def labels_of(part: Split) -> Tensor:
    """Those that are known and that a mask does not leave out."""
    known = part if part.labelled is None else part.take(part.labelled)
    return known.labels if known.mask is None else known.labels[known.mask]


def check_reach(run: Run, classes: int) -> None:
    """Every label that is known and counts is one that the network can say."""
    for name, part in run.data.splits():
        if part.labels is None:
            continue
        labels = labels_of(part)
        lowest, highest = labels.min().item(), labels.max().item()
        if estimates_numbers(run) and not (labels.is_floating_point() and math.isfinite(highest - lowest)):
            raise ValueError(f"labels of {name} must be finite numbers, as those that are measured; they are not")
        if not estimates_numbers(run) and (labels.dtype != torch.int64 or lowest < 0 or highest >= classes):
            reach = f"{labels.dtype} from {lowest} to {highest}{way_to_classes(lowest, highest, classes)}"
            raise ValueError(f"labels of {name} must be int64 in 0 … {classes - 1}, the network's classes; got {reach}")


def way_to_classes(lowest: float, highest: float, classes: int) -> str:
    if lowest < 0:
        return '. Rows whose label is not known stand in the entry "unlabelled" of a mapping, as inputs alone'
    return ". labels - 1 makes them so" if (lowest, highest) == (1, classes) else ""
