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

TEMPERATURE, SOFT_WEIGHT = 4.0, 0.9


def bare(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    log_q, log_p = (F.log_softmax(logits / TEMPERATURE, dim=1) for logits in (student, teacher))
    soft = F.kl_div(log_q, log_p, log_target=True, reduction="batchmean") * TEMPERATURE**2
    return SOFT_WEIGHT * soft + (1 - SOFT_WEIGHT) * F.cross_entropy(student, labels)


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
        times = {bare: [], ours: []}
        for _ in range(1000):  # in turns, in random order, so that a disturbance meets both
            for loss in random.sample(list(times), k=2):
                times[loss].append(microseconds(loss, student, teacher, labels))
        base, mine = (median(values) for values in times.values())
        print(f"({num_rows}, {num_classes}): bare {base:.0f} µs, kdlearn {mine:.0f} µs, ratio {mine / base:.2f}")


if __name__ == "__main__":
    main()
