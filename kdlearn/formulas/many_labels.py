"""Many labels at once: each class is a question of its own, with the answers no (0) and yes (1).

A yes-or-no logit z is the two classes (0, z), since softmax((0, z)) = (1 - sigmoid(z), sigmoid(z)). So labels `(N, C)`
of 0 and 1 with logits `(N, C, 2)` are what a sequence of labels is, and every loss and strategy of this package takes
them as they stand: `SoftLabelsAndGroundTruth` of a network that ends in `YesOrNo()` is `binary_distillation_loss`.
"""

import torch
from torch import Tensor

from kdlearn.formulas.arguments import check_labels, check_logits, check_rows
from kdlearn.formulas.losses import distillation_loss
from kdlearn.formulas.metrics import share
from kdlearn.formulas.preparation import Reduction

__all__ = ["binary_distillation_loss", "label_f1", "mean_average_precision", "mean_label_f1", "yes_or_no"]


def yes_or_no(logits: Tensor) -> Tensor:
    """The logits z of questions, `(…)`, as logits of two classes: (0, z).

    Returns:
        `(…, 2)`, no first and yes second.

    >>> yes_or_no(torch.tensor([[2.0, -1.0]])).softmax(dim=-1)[..., 1]  # sigmoid of the logits
    tensor([[0.8808, 0.2689]])
    """
    return torch.stack((torch.zeros_like(logits), logits), dim=-1)


def binary_distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float | Tensor = 4.0,
    soft_weight: float | Tensor = 0.9,
    reduction: Reduction = "mean",
    mask: Tensor | None = None,
) -> Tensor:
    """soft_weight · T² · KL(Bernoulli(p) ‖ Bernoulli(q)) + (1 - soft_weight) · binary cross-entropy, for each label.

    With logits z of the student and v of the teacher, p = sigmoid(v / T) and q = sigmoid(z / T), the slope of the KL in
    z is (q - p) / T. At a high T sigmoid(x) is 1/2 + x / 4, so that q - p is (z - v) / (4 T). So the slope falls as
    1 / T², and the factor T² keeps its size, as for many classes. The limit of T² · KL is (z - v)² / 8.

    Args:
        student_logits, teacher_logits: `(N, C)` before the sigmoid, floating point, one a question.
        labels: `(N, C)` int64, 0 for no and 1 for yes.
        temperature: above 0; it acts on the soft loss alone.
        soft_weight: in [0, 1].
        reduction: "mean" over all labels, or "none".
        mask: boolean, of the labels' shape: which labels count.

    Returns:
        A scalar; one value a label, `(N, C)`, for `reduction="none"`.

    Raises:
        ValueError, TypeError: as in `distillation_loss`.

    >>> teacher, student, labels = torch.tensor([[4.0, -4.0]]), torch.zeros(1, 2), torch.tensor([[1, 0]])
    >>> binary_distillation_loss(student, teacher, labels, temperature=100.0, soft_weight=1.0)  # (0 - 4)² / 8
    tensor(1.9994)
    """
    for name, logits in {"student_logits": student_logits, "teacher_logits": teacher_logits}.items():
        check_rows(name, logits)
    student, teacher = yes_or_no(student_logits), yes_or_no(teacher_logits)
    options = {"temperature": temperature, "soft_weight": soft_weight, "reduction": reduction, "mask": mask}
    return distillation_loss(student, teacher, labels, **options)


@share
def mean_average_precision(logits: Tensor, labels: Tensor) -> float:
    """How well each class's rows are ranked before the others, averaged over the classes that occur.

    The average precision of a class is the mean, over the rows that have it, of the share of such rows among all that
    are ranked at least as high; rows are ranked by the difference of both logits. Chance gives the class's share.

    Returns:
        A float in [0, 1], of logits `(N, C, 2)` and labels `(N, C)` int64 of 0 and 1.

    >>> logits = yes_or_no(torch.tensor([[3.0], [2.0], [1.0]]))
    >>> mean_average_precision(logits, torch.tensor([[1], [0], [1]])) == (1 / 1 + 2 / 3) / 2
    True
    """
    scores, answers = scores_of(logits, labels)
    found = [average_precision(*one) for one in zip(scores.T, answers.T, strict=True) if one[1].any()]
    if not found:
        raise ValueError("labels must say yes at least once: without a row that has a class nothing can be ranked")
    return sum(found) / len(found)


def average_precision(scores: Tensor, answers: Tensor) -> float:
    """Of one class: over its rows, the mean share of its rows among those whose score is as high."""
    wanted = scores[answers]
    return (at_least(wanted, wanted) / at_least(scores, wanted)).double().mean().item()


def at_least(values: Tensor, thresholds: Tensor) -> Tensor:
    """For each threshold how many values are as high, float64."""
    below = torch.searchsorted(values.sort().values, thresholds.contiguous())
    return (len(values) - below).double()


def label_f1(logits: Tensor, labels: Tensor) -> Tensor:
    """2 · hits / (labelled + predicted) of each class, where yes is what has the larger logit; 0 where there is none.

    Returns:
        `(C,)` float64, of logits `(N, C, 2)` and labels `(N, C)` int64 of 0 and 1.

    >>> logits = yes_or_no(torch.tensor([[3.0, -1.0], [2.0, -1.0]]))
    >>> label_f1(logits, torch.tensor([[1, 1], [0, 0]]))  # 2 · 1 / (1 + 2), and a class that is never found
    tensor([0.6667, 0.0000], dtype=torch.float64)
    """
    scores, answers = scores_of(logits, labels)
    said = scores > 0
    hits, counted = (said & answers).sum(dim=0).double(), (said.sum(dim=0) + answers.sum(dim=0)).double()
    return 2 * hits / counted.clamp_min(1)


@share
def mean_label_f1(logits: Tensor, labels: Tensor) -> float:
    """The mean of `label_f1` over the classes: rare classes count as much as common ones.

    Returns:
        A float in [0, 1], of logits `(N, C, 2)` and labels `(N, C)` int64 of 0 and 1.

    >>> logits = yes_or_no(torch.tensor([[3.0, -1.0], [2.0, -1.0]]))
    >>> f"{mean_label_f1(logits, torch.tensor([[1, 1], [0, 0]])):.3f}"
    '0.333'
    """
    return label_f1(logits, labels).mean().item()


def scores_of(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """How much yes outweighs no, and which answers are yes, `(N, C)` each."""
    check_logits(logits=logits)
    if logits.ndim != 3 or logits.shape[-1] != 2:
        raise ValueError(
            f"logits must have shape (N, C, 2), no and yes of each class; got {tuple(logits.shape)}. A network that "
            "ends in kdlearn.YesOrNo() gives such, and kdlearn.yes_or_no(logits) makes them of (N, C)"
        )
    check_labels(labels, num_classes=2, shape=logits.shape[:-1])
    return logits[..., 1] - logits[..., 0], labels.bool()
