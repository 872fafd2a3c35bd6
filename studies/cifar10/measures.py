"""What is told of a network's answers on test images: accuracy, calibration, agreement, mistakes that are repeated."""

from collections.abc import Mapping
from math import exp, log

from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn.functional import cross_entropy

import kdlearn
from kdlearn import Dataset

Logits = Mapping[str, Tensor]  # of "validation" and "test", (N, C)


def scaling_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature with the smallest cross-entropy on these rows, after Guo et al. 2017 (arXiv 1706.04599)."""

    def loss(logarithm: float) -> float:
        return float(cross_entropy(logits.double() / exp(logarithm), labels))

    return exp(minimize_scalar(loss, bounds=(log(0.05), log(20)), method="bounded").x)


def repeated(logits: Tensor, others: Tensor, labels: Tensor) -> float:
    """Of another network's wrong answers the share that this one gives too; NaN where the other makes none."""
    wrong = others.argmax(dim=-1) != labels
    same = logits.argmax(dim=-1) == others.argmax(dim=-1)
    return float(same[wrong].double().mean())


def calibration(logits: Logits, data: Dataset) -> dict[str, float]:
    """Before temperature scaling, and after it at the temperature that fits the images held out."""
    labels, temperature = data.test.labels, scaling_temperature(logits["validation"], data.validation.labels)
    found = {"scaling_temperature": temperature}
    for name, one in {"": logits["test"], "scaled_": logits["test"] / temperature}.items():
        found[f"{name}loss"] = float(cross_entropy(one, labels))
        found[f"{name}calibration_error"] = kdlearn.expected_calibration_error(one, labels)
    return found


def measured(logits: Logits, taught: Logits, independent: Logits, data: Dataset) -> dict[str, float]:
    """Of one network, beside the teacher of its pair and the independent student."""
    mine, labels = logits["test"], data.test.labels
    return {
        "accuracy": kdlearn.accuracy(mine, labels),
        "agreement": kdlearn.agreement(mine, taught["test"]),
        "repeats_teacher": repeated(mine, taught["test"], labels),
        "repeats_student": repeated(mine, independent["test"], labels),
        **calibration(logits, data),
    }
