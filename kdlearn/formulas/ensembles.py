"""Several teachers as one: the mean of their probabilities or of their logits, with equal or other weights."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from kdlearn.formulas.arguments import check_logits
from kdlearn.formulas.labels import full_precision

Of = Literal["probabilities", "logits"]
Weights = Sequence[float] | Literal["confidence"] | None


def mean_of_teachers(logits: Sequence[Tensor], *, of: Of = "probabilities", weights: Weights = None) -> Tensor:
    """What several teachers say together, as logits.

    The mean of probabilities, Σ w_k p_k, gives a class what any teacher gives it: it is doubtful where they disagree.
    The mean of logits, Σ w_k z_k, multiplies: its probabilities are Π p_k^w_k, divided by their sum, and a class that
    one teacher rules out is out. Teachers whose logits have another scale count for more in it. At a temperature above
    1 the loss softens the mean, which of probabilities is not the mean of softened ones.

    Args:
        logits: of each teacher `(..., C)`, before softmax, all of one shape.
        of: "probabilities" or "logits".
        weights: a number for each teacher, at least 0, such as its accuracy on validation; None for equal ones;
            "confidence" weighs teacher and row by `confidence`. They are divided by their sum.

    Returns:
        Logits `(..., C)` without a gradient; float32 for half precision. Of probabilities they are their logarithms.

    Raises:
        ValueError: no teachers, other shapes, weights that are negative or all 0, another `of`.

    >>> teachers = [torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[0.0, 2.0, 0.0]])]
    >>> mean_of_teachers(teachers).softmax(dim=-1)
    tensor([[0.4467, 0.4467, 0.1065]])
    >>> mean_of_teachers(teachers, of="logits", weights=[3.0, 1.0])
    tensor([[1.5000, 0.5000, 0.0000]])
    """
    if of not in ("probabilities", "logits"):
        raise ValueError(f"of must be 'probabilities' or 'logits'; got {of!r}")
    if not logits:
        raise ValueError("logits must hold those of at least one teacher; got none")
    check_logits(**{f"logits[{place}]": one for place, one in enumerate(logits)})
    stacked = torch.stack([full_precision(one.detach()) for one in logits])
    shares = shares_of(weights, stacked)
    if of == "logits":
        return (shares * stacked).sum(dim=0)
    return (shares.log() + stacked.log_softmax(dim=-1)).logsumexp(dim=0)


def confidence(logits: Tensor) -> Tensor:
    """1 - entropy / log C of each row: 0 for a teacher without any idea, 1 for one without any doubt.

    It is the teacher's own word. One that is sure and wrong counts the more.

    Returns:
        `(...)` for logits `(..., C)`; float32 for half precision.

    >>> confidence(torch.tensor([[0.0, 0.0], [9.0, 0.0]]))
    tensor([0.0000, 0.9982])
    """
    check_logits(logits=logits)
    probabilities = full_precision(logits).softmax(dim=-1)
    return 1 - torch.special.entr(probabilities).sum(dim=-1) / math.log(logits.shape[-1])


def shares_of(weights: Weights, stacked: Tensor) -> Tensor:
    """Of `(K, ..., C)` logits the share of each teacher, with as many dimensions."""
    if isinstance(weights, str):
        if weights != "confidence":
            raise ValueError(f"weights must be numbers, None or 'confidence'; got {weights!r}")
        found = confidence(stacked).unsqueeze(-1).clamp_min(torch.finfo(stacked.dtype).eps)
        return found / found.sum(dim=0)
    given = [1.0] * len(stacked) if weights is None else list(weights)
    if len(given) != len(stacked) or any(not 0 <= one < math.inf for one in given) or not sum(given):
        raise ValueError(
            f"weights must be a number of at least 0 for each of {len(stacked)} teachers, not all 0; got {given}"
        )
    return stacked.new_tensor([one / sum(given) for one in given]).reshape(-1, *[1] * (stacked.ndim - 1))


@dataclass(frozen=True)
class SeveralTeachers:
    """A teacher that asks others, for `compare` and `distill`: `mean_of_teachers` of what they say.

    Args:
        teachers: networks, or callables from inputs to logits; they answer in `eval()` mode.
        of, weights: as in `mean_of_teachers`.

    Runs that are to be trained first are asked by `trained_logits`, whose answers on a split `mean_of_teachers` takes.

    >>> from kdlearn import perceptron
    >>> together = SeveralTeachers([perceptron(64, 16, 10), perceptron(64, 32, 10)], weights=[0.92, 0.95])
    >>> together(torch.zeros(5, 64)).shape
    torch.Size([5, 10])
    """

    teachers: Sequence[Callable[[Tensor], Any]]
    of: Of = "probabilities"
    weights: Weights = None

    def __call__(self, inputs: Tensor) -> Tensor:
        return mean_of_teachers([teacher(inputs) for teacher in self.teachers], of=self.of, weights=self.weights)
