"""What a label is: hard (a class index), one-hot, soft (a distribution), smoothed; and how uncertain it is.

Whose label it is must always be said: *ground truth* comes from the data set, *the teacher's hard labels* are its
arg max, *soft labels* are its probabilities. What a function cannot take is a TypeError or ValueError that says why:
wrong dtypes and shapes, no rows, labels out of range, NaN and infinity, a temperature that is not above 0.
"""

import torch
from torch import Tensor

from kdlearn.formulas.arguments import check_distributions, check_labels, check_logits, check_temperature, check_weight


def full_precision(values: Tensor) -> Tensor:
    """float16 and bfloat16 as float32, which holds the sums that they cannot; float32 and float64 as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def log_soft_labels(logits: Tensor, temperature: float) -> Tensor:
    """log softmax(logits / temperature): exact where a probability itself would round to 0."""
    return torch.log_softmax(full_precision(logits) / temperature, dim=-1)


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """Class indices `(N,)` int64 as distributions `(N, C)` float32 with all their weight on one class.

    >>> one_hot(torch.tensor([2, 0]), num_classes=3)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    check_labels(labels, num_classes)
    # Not torch.nn.functional.one_hot, which cannot run under vmap.
    return (labels.unsqueeze(-1) == torch.arange(num_classes, device=labels.device)).float()


def hard_labels(logits: Tensor) -> Tensor:
    """The arg max `(N,)` int64 of each row of logits `(N, C)`; of equal ones the first.

    >>> hard_labels(torch.tensor([[0.1, 2.0, -1.0]]))
    tensor([1])
    """
    check_logits(logits=logits)
    return logits.argmax(dim=-1)


def soft_labels(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """softmax(logits / temperature), `(N, C)`: at a high temperature the small probabilities become visible.

    float32 for half-precision logits. Source: Hinton, Vinyals, Dean 2015 (arXiv 1503.02531), equation 1.

    >>> soft_labels(torch.tensor([[0.0, 1.0, 2.0]]), temperature=2.0)
    tensor([[0.1863, 0.3072, 0.5065]])
    """
    check_logits(logits=logits)
    check_temperature(temperature)
    return log_soft_labels(logits, temperature).exp()


def smooth_labels(labels: Tensor, num_classes: int, smoothing: float = 0.1) -> Tensor:
    """(1 - smoothing) · one-hot + smoothing / C, `(N, C)` float32: ground truth with the same little doubt everywhere.

    `smoothing` lies in [0, 1] and is spread over all classes, the right one included.
    Source: Szegedy et al. 2016 (arXiv 1512.00567), section 7.

    >>> smooth_labels(torch.tensor([1]), num_classes=4, smoothing=0.2)
    tensor([[0.0500, 0.8500, 0.0500, 0.0500]])
    """
    check_weight("smoothing", smoothing)
    return (1 - smoothing) * one_hot(labels, num_classes) + smoothing / num_classes


def entropy(probabilities: Tensor) -> Tensor:
    """-Σ p log p of each row, `(N,)` in nats, with 0 log 0 = 0: from 0 for one-hot to log C for uniform.

    Rows of `probabilities` `(N, C)` sum to 1. float32 for half precision. The gradient is infinite at probability 0.

    >>> entropy(torch.tensor([[0.5, 0.5], [1.0, 0.0]]))
    tensor([0.6931, 0.0000])
    """
    check_distributions("probabilities", probabilities)
    return torch.special.entr(full_precision(probabilities)).sum(dim=-1)


def evenly_spread(probabilities: Tensor, steps: int = 40) -> Tensor:
    """Distributions `(..., C)` with the same arg max and entropy, all other classes being equally likely.

    The entropy of (p, (1 - p) / (C - 1), …) falls from log C to 0 as p rises from 1 / C to 1, so p is found by halving.

    >>> evenly_spread(torch.tensor([[0.7, 0.3, 0.0]]))
    tensor([[0.7974, 0.1013, 0.1013]])
    """
    check_distributions("probabilities", probabilities)
    values = full_precision(probabilities)
    num_classes, wanted = values.shape[-1], torch.special.entr(values).sum(dim=-1, keepdim=True)
    low, high = torch.full_like(wanted, 1 / num_classes), torch.ones_like(wanted)
    for _ in range(steps):
        middle = (low + high) / 2
        rest = (1 - middle) / (num_classes - 1)
        doubtful = torch.special.entr(middle) + (num_classes - 1) * torch.special.entr(rest) > wanted
        low, high = torch.where(doubtful, middle, low), torch.where(doubtful, high, middle)
    largest = values.argmax(dim=-1, keepdim=True) == torch.arange(num_classes, device=values.device)
    return torch.where(largest, low, (1 - low) / (num_classes - 1))
