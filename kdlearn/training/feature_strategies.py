"""Strategies that add a loss on features to another strategy: a layer of the student is compared with the teacher's.

`kdlearn.formulas.features` holds the losses. The teacher must be a torch network, or a run, whose layer can be heard;
it is asked about every batch anew. Batches with a `mask` are refused: a row's features have no single labels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from kdlearn.data.batches import Batch
from kdlearn.formulas import features
from kdlearn.formulas.arguments import check_weight
from kdlearn.formulas.labels import full_precision
from kdlearn.training.strategies import SoftLabels
from kdlearn.training.strategy import Strategy


@dataclass(frozen=True)
class FeatureStrategy(Strategy):
    """What strategies on features share: `beside(…) + feature_weight · a loss of each row's features`.

    Args:
        student_layer, teacher_layer: names of the layers, as in `network.named_modules()`.
        beside: the strategy that the features come beside; `GroundTruth()` leaves the teacher's logits out.
        feature_weight: at least 0. At 0 the features change nothing.
    """

    student_layer: str
    teacher_layer: str
    beside: Strategy = SoftLabels()
    feature_weight: float = 1.0
    what: ClassVar[str] = "features"
    feature_loss: ClassVar[Callable[..., Tensor]]

    def __post_init__(self) -> None:
        check_weight("feature_weight", self.feature_weight, highest=float("inf"))
        if self.beside.layers:
            raise TypeError(f"beside must be a strategy without layers; got {self.beside.name!r}, which has some")
        name, reads = f"{self.beside.name} + {self.what}", (*self.beside.reads, "teacher_features")
        vars(self).update(name=name, reads=reads, layers=((self.student_layer, self.teacher_layer),))

    @property
    def settings(self) -> dict[str, Any]:
        own = super().settings
        return own.pop("beside").settings | own

    def __call__(self, student_logits: Tensor, batch: Batch) -> Tensor:
        if batch.mask is not None:
            raise ValueError(f"strategy {self.name!r} compares whole rows; the batch has a mask: leave it out")
        values = self.beside(student_logits, batch)
        [student], [teacher] = batch.student_features, batch.teacher_features
        if batch.trained is not None:
            student = batch.trained(full_precision(student))
        of_rows = self.feature_values(student, teacher)
        return values + self.feature_weight * of_rows.reshape(-1, *[1] * (values.ndim - 1))

    def feature_values(self, student: Tensor, teacher: Tensor) -> Tensor:
        """One value a row, `(N,)`: those of the declared loss."""
        return self.feature_loss(student, teacher, reduction="none")


def projection(student: Tensor, teacher: Tensor) -> nn.Module:
    """What brings the student's features to the teacher's shape: a linear layer, or one at each place of an image."""
    if student.ndim == 2 == teacher.ndim:
        return nn.Linear(student.shape[1], teacher.shape[1], device=student.device)
    if student.ndim == 4 == teacher.ndim and student.shape[2:] == teacher.shape[2:]:
        return nn.Conv2d(student.shape[1], teacher.shape[1], kernel_size=1, device=student.device)
    raise ValueError(
        "layers must both give features (N, D), or (N, channels, height, width) of one height and width, so that a "
        f"projection makes them alike; got {tuple(student.shape)} and {tuple(teacher.shape)}. Name layers that do, "
        "such as those after a Flatten"
    )


class Projected(FeatureStrategy):
    """With a projection of the student's features that is trained along, and thrown away afterwards."""

    def prepare(self, example: Batch) -> nn.Module:
        [student], [teacher] = example.student_features, example.teacher_features
        return projection(student, teacher)


class Hint(Projected):
    """FitNets' hint: a projection of the student's layer is to say what the teacher's layer says. See `hint_loss`.

    Source: Romero et al. 2015 (arXiv 1412.6550). There the hint trains the student's lower half first, and soft labels
    all of it afterwards; here both are trained at once.

    >>> strategy = Hint("2", "4", beside=SoftLabels(2.0), feature_weight=3.0)
    >>> strategy.name, strategy.layers
    ('soft labels + hint', (('2', '4'),))
    """

    what = "hint"
    feature_loss = staticmethod(features.hint_loss)


class AttentionTransfer(FeatureStrategy):
    """The student is to be active at the places where the teacher is. See `attention_transfer_loss`.

    Source: Zagoruyko & Komodakis 2017 (arXiv 1612.03928), of one pair of layers.

    >>> AttentionTransfer("1", "4").name  # layers of convolutions, whose maps have one size
    'soft labels + attention'
    """

    what = "attention"
    feature_loss = staticmethod(features.attention_transfer_loss)


@dataclass(frozen=True)
class Relational(FeatureStrategy):
    """Distances and angles between the rows of a batch, `distance + angle_weight · angle`, are to be the teacher's.

    See `relational_distance_loss` and `relational_angle_loss`.
    Source: Park et al. 2019 (arXiv 1904.05068), whose angles weigh twice as much as distances.

    >>> Relational("3", "7", feature_weight=10.0).settings["angle_weight"]
    2.0
    """

    angle_weight: float = 2.0
    what = "relations"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weight("angle_weight", self.angle_weight, highest=float("inf"))

    def feature_values(self, student: Tensor, teacher: Tensor) -> Tensor:
        distances = features.relational_distance_loss(student, teacher, reduction="none")
        if self.angle_weight == 0:  # angles take N times as long
            return distances
        return distances + self.angle_weight * features.relational_angle_loss(student, teacher, reduction="none")


class SimilarityPreserving(FeatureStrategy):
    """Rows that are alike for the teacher are to be alike for the student. See `similarity_preserving_loss`.

    Source: Tung & Mori 2019 (arXiv 1907.09682).

    >>> SimilarityPreserving("3", "7").name
    'soft labels + similarities'
    """

    what = "similarities"
    feature_loss = staticmethod(features.similarity_preserving_loss)


@dataclass(frozen=True)
class Contrastive(Projected):
    """A projection of the student's row is to be nearest to the teacher's same row. See `contrastive_loss`.

    Source: Tian et al. 2020 (arXiv 1910.10699) in its simplest form: the negatives are the other rows of the batch.

    >>> Contrastive("3", "7", contrast_temperature=0.2).name
    'soft labels + contrast'
    """

    contrast_temperature: float = 0.1
    what = "contrast"

    def feature_values(self, student: Tensor, teacher: Tensor) -> Tensor:
        return features.contrastive_loss(student, teacher, self.contrast_temperature, reduction="none")
