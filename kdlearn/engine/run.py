"""A run: everything that decides one trained network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from kdlearn.data.dataset import Dataset, Split, bytes_of, seed_of, stratified_sample
from kdlearn.data.views import Views
from kdlearn.formulas.metrics import accuracy
from kdlearn.networks.basic import seeded
from kdlearn.networks.weights import initialise_from
from kdlearn.training.optimizers import Adam, Optimizer, Recipe, recipe_of
from kdlearn.training.strategies import GroundTruth, Strategy

Metric = Callable[[Tensor, Tensor], float]
Network = Callable[[], nn.Module]


@dataclass(frozen=True, eq=False)
class Run:
    """One network and how it is trained; a teacher is another run, or anything that answers.

    Args:
        data: what it learns from, and is measured on.
        network: builds it, with weights that depend on torch's random numbers alone.
        strategy: which labels, which loss.
        teacher: a run, a network, a callable from inputs to logits, an estimator, stored logits; None if none is asked.
        lengths: numbers of updates at which it is measured; it ends at the last.
        seed: of first weights, sample, order and dropout. Runs of one seed and replicate are paired.
        replicate: counts repetitions that have a teacher, or a split, of their own: their seeds are others.
        optimizer: `Adam()`, or torch's by a function of the parameters.
        batch_size: rows of an update.
        sample: of how many training rows, drawn by the seed, each class in its share; None for all.
        views: what augmentation makes of the rows; None takes them as they are.
        start: first weights where they fit, such as `teacher.state_dict()`; None for random ones.
        answers: how the teacher's logits are stored, "float32" or "float16", or "live" to ask it for every batch.
        metric: `metric(logits, labels)`, a float, of the labels in their own shape, or, where there is a mask, of those
            that count; with `share = True` it is shown in points.
        measured_on: "test" or "validation".
        keep: whether the weights are kept in the study's folder.
        names: further columns of the table, for people.

    >>> from kdlearn import SoftLabels, load_digits, perceptron
    >>> digits = load_digits()
    >>> teacher = Run(digits, lambda: perceptron(64, 64, 10), lengths=(600,))
    >>> student = Run(digits, lambda: perceptron(64, 8, 10), SoftLabels(2.0), teacher)
    >>> student.depth  # one teacher stands behind it; `study` carries both out
    1
    """

    data: Dataset
    network: Network
    strategy: Strategy = GroundTruth()
    teacher: Any = None
    lengths: tuple[int, ...] = (300,)
    seed: int = 0
    replicate: int = 0
    optimizer: Optimizer = Adam()
    batch_size: int = 64
    sample: int | None = None
    views: Views | None = None
    start: Mapping[str, Tensor] | None = None
    answers: str = "float32"
    metric: Metric = accuracy
    measured_on: str = "test"
    keep: bool = False
    names: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def recipe(self) -> Recipe:
        return recipe_of(self.optimizer)

    @property
    def own_seed(self) -> int:
        """Replicate 0 has the seed itself, another replicate an independent one."""
        return self.seed if self.replicate == 0 else seed_of(self.replicate, self.seed)

    @property
    def asks_teacher(self) -> bool:
        return self.strategy.asks_teacher

    @property
    def stores_answers(self) -> bool:
        return self.asks_teacher and self.answers != "live" and not self.strategy.layers

    @property
    def metric_name(self) -> str:
        """The column of the table that holds it."""
        return name_of_metric(self.metric)

    def measure(self, logits: Tensor, labels: Tensor) -> float:
        """By the metric, which may write into what it is given."""
        return float(self.metric(logits.clone(), labels.clone()))

    @property
    def depth(self) -> int:
        """How many teachers stand behind it: they are trained first."""
        return 1 + self.teacher.depth if self.asks_teacher and isinstance(self.teacher, Run) else 0

    @property
    def measured(self) -> Split:
        return getattr(self.data, self.measured_on)

    @cached_property
    def rows(self) -> Tensor:
        """The training rows that it sees: all, those whose ground truth it may read, or a sample of them."""
        train = self.data.train
        known = None if self.asks_teacher else train.labelled
        rows = torch.arange(len(train.inputs)) if known is None else known.cpu().nonzero().flatten()
        if self.sample is None or self.sample == len(rows):
            return rows
        return rows[drawn_rows(bytes(bytes_of(train.labels.cpu()[rows])), self.sample, self.own_seed)]

    @property
    def num_epochs(self) -> int:
        """How often it sees every row, rounded up: so many epochs of views the teacher has to answer."""
        shown = -(-self.lengths[-1] * self.batch_size // len(self.rows))
        return 1 if self.views is None else min(shown, self.views.period or shown)

    def build(self) -> nn.Module:
        """The network with its first weights."""
        network = seeded(self.network, self.own_seed)
        if self.start is not None:
            initialise_from(network, self.start)
        return network


def name_of_metric(metric: Metric) -> str:
    return getattr(metric, "__name__", type(metric).__name__)


@lru_cache(maxsize=1024)  # every strategy of a seed sees the same rows
def drawn_rows(labels: bytes, size: int, seed: int) -> Tensor:
    return stratified_sample(torch.frombuffer(bytearray(labels), dtype=torch.int64), size, seed)
