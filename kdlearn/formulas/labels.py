"""What a label is: hard (a class index), one-hot, soft (a distribution), smoothed; and how uncertain it is.

Whose label it is must always be said: *ground truth* comes from the data set, *the teacher's hard labels* are its
arg max, *soft labels* are its probabilities. What a function cannot take is a TypeError or ValueError that says why:
wrong dtypes and shapes, no rows, one class, labels out of range, NaN and infinity, a temperature that is not above 0.
"""

import torch
from torch import Tensor

from kdlearn.formulas.arguments import (
    check_distributions,
    check_labels,
    check_logits,
    check_number,
    check_temperature,
    check_weight,
)

DEFAULT_TEMPERATURE = 4.0


def full_precision(values: Tensor) -> Tensor:
    """float16 and bfloat16 as float32, which holds the sums that they cannot; float32 and float64 as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def softmax(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """softmax(logits / T), the largest taken off first: of logits of 10⁴ at T = 0.01 a quotient is rounded too much."""
    return torch.softmax((logits - logits.detach().amax(dim=-1, keepdim=True)) / temperature, dim=-1)


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """Class indices `(...)` int64 as distributions with all their weight on one class.

    Returns:
        `(..., C)` float32.

    >>> one_hot(torch.tensor([2, 0]), num_classes=3)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    check_labels(labels, num_classes)
    # Not torch.nn.functional.one_hot, which cannot run under vmap.
    return (labels.unsqueeze(-1) == torch.arange(num_classes, device=labels.device)).float()


def hard_labels(logits: Tensor) -> Tensor:
    """The arg max of each row of logits `(..., C)`, C at least 2; of equal ones the first.

    Returns:
        Class indices `(...)` int64.

    >>> hard_labels(torch.tensor([[0.1, 2.0, -1.0]]))
    tensor([1])
    """
    check_logits(logits=logits)
    return logits.argmax(dim=-1)


def soft_labels(logits: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
    """softmax(logits / temperature): at a high temperature the small probabilities become visible.

    Source: Hinton, Vinyals, Dean 2015 (arXiv 1503.02531), equation 1.

    Returns:
        Distributions of the logits' shape `(..., C)`, C at least 2; float32 for half precision.

    >>> soft_labels(torch.tensor([[0.0, 1.0, 2.0]]), temperature=2.0)
    tensor([[0.1863, 0.3072, 0.5065]])
    """
    check_logits(logits=logits)
    check_temperature(temperature)
    return softmax(full_precision(logits), temperature)


def logits_from(probabilities: Tensor, eps: float = 1e-6) -> Tensor:
    """log max(p, eps) of distributions `(..., C)`: logits for a teacher that gives probabilities.

    Each row is divided by its sum first. softmax undoes the logarithm, at temperature 1 exactly. Several teachers
    whose logits are there are averaged by `mean_of_teachers`, without an eps.

    `eps`, above 0 and below 1 / C, stands in for a probability of 0, whose logit would be
    minus infinity, and it matters at high temperatures: a class with eps gets eps^(1 / T) of the share of a sure one,
    at 1e-6 and T = 4 a share of 0.03, at 1e-12 one of 0.001. The default is about where probabilities that were rounded
    on their way (float32 beside 1, six decimals) stop to say anything; a teacher's own logits are better, where you can
    have them.

    Returns:
        Logits `(..., C)`, at most 0; float32 for half precision.

    >>> logits_from(torch.tensor([[0.75, 0.25, 0.0]]))
    tensor([[ -0.2877,  -1.3863, -13.8155]])
    """
    check_distributions("probabilities", probabilities)
    num_classes = probabilities.shape[-1]
    if check_number("eps", eps) and not 0 < eps < 1 / num_classes:
        raise ValueError(f"eps must lie above 0 and below 1 / {num_classes}, the share of a class by chance; got {eps}")
    probabilities = full_precision(probabilities)
    return (probabilities / probabilities.sum(dim=-1, keepdim=True)).clamp_min(eps).log()


def standardised_logits(logits: Tensor) -> Tensor:
    """(z - mean) / standard deviation of each row of logits `(..., C)`, C at least 2: only their relations are left.

    Given to a loss for student and teacher alike, it no longer asks the student for the teacher's scale. The deviation
    is over C and not C - 1. Rows whose logits are all equal become 0.
    Source: Sun et al. 2024 (arXiv 2403.01427), algorithm 1. (Their code divides by C - 1, and adds 1e-7.)

    Returns:
        `(..., C)`, rows of mean 0 and deviation 1; float32 for half precision.

    >>> standardised_logits(torch.tensor([[0.0, 5.0, 10.0]]))
    tensor([[-1.2247,  0.0000,  1.2247]])
    """
    check_logits(logits=logits)
    logits = full_precision(logits)
    centred = logits - logits.mean(dim=-1, keepdim=True)
    alike = logits.amax(dim=-1, keepdim=True) == logits.amin(dim=-1, keepdim=True)  # the mean may be a rounding away
    centred = torch.where(alike, 0, centred)
    variance = centred.square().mean(dim=-1, keepdim=True)
    return centred / torch.where(variance > 0, variance, 1).sqrt()


def smooth_labels(labels: Tensor, num_classes: int, smoothing: float | Tensor = 0.1) -> Tensor:
    """(1 - smoothing) · one-hot + smoothing / C: class indices `(...)` int64 with a little even doubt.

    `smoothing` lies in [0, 1] and is spread over all classes, the right one included.
    Source: Szegedy et al. 2016 (arXiv 1512.00567), section 7.

    Returns:
        Distributions `(..., C)` float32.

    >>> smooth_labels(torch.tensor([1]), num_classes=4, smoothing=0.2)
    tensor([[0.0500, 0.8500, 0.0500, 0.0500]])
    """
    check_weight("smoothing", smoothing)
    return (1 - smoothing) * one_hot(labels, num_classes) + smoothing / num_classes


def entropy(probabilities: Tensor) -> Tensor:
    """-Σ p log p of each row, with 0 log 0 = 0: from 0 for one-hot to log C for uniform.

    Rows of `probabilities` `(..., C)` sum to 1. The gradient is infinite at probability 0.

    Returns:
        `(...)` in nats; float32 for half precision.

    >>> entropy(torch.tensor([[0.5, 0.5], [1.0, 0.0]]))
    tensor([0.6931, 0.0000])
    """
    check_distributions("probabilities", probabilities)
    return torch.special.entr(full_precision(probabilities)).sum(dim=-1)


def evenly_spread(probabilities: Tensor, steps: int = 40) -> Tensor:
    """Distributions with the same arg max and entropy, all other classes being equally likely.

    The entropy of (p, (1 - p) / (C - 1), …) falls from log C to 0 as p rises from 1 / C to 1, so p is found by halving,
    in so many `steps`.

    Returns:
        `(..., C)`, as `probabilities`; float32 for half precision.

    >>> evenly_spread(torch.tensor([[0.7, 0.3, 0.0]]))
    tensor([[0.8133, 0.0934, 0.0934]])
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
