"""What the losses' clarity costs: forward and backward against the bare formula in `torch.nn.functional`, one run.

python benchmarks/losses.py
"""

import random
from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor

import kdlearn
from kdlearn.formulas.divergences import cross_entropy, kl, log_softmax

TEMPERATURE, SOFT_WEIGHT = 4.0, 0.9


def bare(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    """As it is written by hand."""
    log_q, p = F.log_softmax(student / TEMPERATURE, dim=1), F.softmax(teacher / TEMPERATURE, dim=1)
    soft = TEMPERATURE**2 * F.kl_div(log_q, p, reduction="batchmean")
    return SOFT_WEIGHT * soft + (1 - SOFT_WEIGHT) * F.cross_entropy(student, labels)


def formula(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    """Ours without its checks."""
    soft = TEMPERATURE**2 * kl(log_softmax(teacher, TEMPERATURE), log_softmax(student, TEMPERATURE))
    return (SOFT_WEIGHT * soft + (1 - SOFT_WEIGHT) * cross_entropy(student, labels)).mean()


def ours(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    return kdlearn.distillation_loss(student, teacher, labels, temperature=TEMPERATURE, soft_weight=SOFT_WEIGHT)


def microseconds(loss: Callable[..., Tensor], *arguments: Tensor) -> float:
    arguments[0].grad = None
    start = perf_counter()
    loss(*arguments).backward()
    return 1e6 * (perf_counter() - start)


def main() -> None:
    torch.manual_seed(0)
    for num_rows, num_classes in ((4096, 100), (128, 10)):
        student = torch.randn(num_rows, num_classes, requires_grad=True)
        teacher, labels = 3 * torch.randn(num_rows, num_classes), torch.randint(num_classes, (num_rows,))
        torch.testing.assert_close(ours(student, teacher, labels), bare(student, teacher, labels))
        times: dict[Callable[..., Tensor], list[float]] = {bare: [], formula: [], ours: []}
        for _ in range(1000):  # in turns, in random order, so that a disturbance meets all
            for loss in random.sample(list(times), k=3):
                times[loss].append(microseconds(loss, student, teacher, labels))
        base, alone, mine = (median(values) for values in times.values())
        told = f"the formula alone {alone / base:.2f}, kdlearn {mine / base:.2f} of it"
        print(f"({num_rows}, {num_classes}): by hand {base:.0f} µs, {told}")


if __name__ == "__main__":
    main()
