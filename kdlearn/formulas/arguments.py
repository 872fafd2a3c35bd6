"""What the labels and losses cannot take, said in words: the argument, what was expected, what came, what to do."""

import math
from numbers import Real

import torch
from torch import Tensor


def values_can_be_read(tensor: Tensor) -> bool:
    """Whether looking at the values is cheap and allowed: not on an accelerator, in a compiler or in `torch.func`."""
    return (
        not torch.compiler.is_compiling()
        and tensor.device.type == "cpu"
        and type(tensor) in (Tensor, torch.nn.Parameter)
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    )


def sum_is_finite(values: Tensor) -> bool:
    """The cheapest look at all values: one NaN or infinity makes the sum so. A sum can also overflow by itself."""
    return math.isfinite(values.detach().sum())


def check_tensor(name: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch tensor; got {type(value).__name__}. torch.as_tensor({name}) makes one")


def check_matrix(name: str, values: Tensor) -> None:
    """Refuse what is not a floating `(N, C)` tensor with at least one row and one class."""
    check_tensor(name, values)
    shape = tuple(values.shape)
    if not values.is_floating_point():
        raise TypeError(f"{name} must be floating point; got {values.dtype}. {name}.float() converts it")
    if values.ndim != 2:
        raise ValueError(f"{name} must have shape (N, C), one row an example; got {shape}")
    if 0 in shape:
        raise ValueError(f"{name} must hold at least one row and one class; got an empty batch of shape {shape}")


def check_shapes(**named_logits: Tensor) -> None:
    """Refuse logits that are not floating and `(N, C)`, or whose shapes differ."""
    for name, logits in named_logits.items():
        check_matrix(name, logits)
    if len({logits.shape for logits in named_logits.values()}) > 1:
        shapes = " and ".join(f"{name} {tuple(logits.shape)}" for name, logits in named_logits.items())
        raise ValueError(f"{shapes} must have the same shape")


def check_logits(**named_logits: Tensor) -> None:
    """Refuse logits that are not floating, finite and `(N, C)`, or whose shapes differ."""
    check_shapes(**named_logits)
    for name, logits in named_logits.items():
        if values_can_be_read(logits) and not sum_is_finite(logits):
            rows = (~logits.isfinite()).any(dim=1).nonzero().flatten().tolist()
            if rows:
                raise ValueError(f"{name} must be finite; row {rows[0]} holds NaN or infinity ({len(rows)} such rows)")


def check_result(result: Tensor, **named_logits: Tensor) -> None:
    """Refuse NaN and infinity in logits, where they always reach the result, whose fewer values cost less to read."""
    if values_can_be_read(result) and not sum_is_finite(result):
        check_logits(**named_logits)


def check_labels(labels: Tensor, num_classes: int, num_rows: int | None = None) -> None:
    """Refuse labels that are not `(N,)` int64 class indices from 0 to `num_classes` - 1."""
    check_tensor("labels", labels)
    if labels.dtype != torch.int64:
        raise TypeError(f"labels must be int64 class indices; got {labels.dtype}. labels.long() converts whole numbers")
    if labels.ndim != 1 or len(labels) == 0:
        raise ValueError(f"labels must have shape (N,) with at least one label; got {tuple(labels.shape)}")
    if num_rows is not None and len(labels) != num_rows:
        raise ValueError(f"labels must hold one class index a row of logits, {num_rows} in all; got {len(labels)}")
    if values_can_be_read(labels):
        lowest, highest = (int(value) for value in labels.aminmax())
        if lowest < 0 or highest >= num_classes:
            raise ValueError(f"labels must lie in 0 … {num_classes - 1}; they reach from {lowest} to {highest}")


def check_distributions(name: str, probabilities: Tensor) -> None:
    """Refuse rows that are not probabilities: negative, NaN, or a sum more than 0.01 away from 1 (half precision)."""
    check_matrix(name, probabilities)
    if values_can_be_read(probabilities):
        lowest, total = probabilities.detach().double().amin(dim=1), probabilities.detach().double().sum(dim=1)
        wrong = (~((lowest >= 0) & ((total - 1).abs() < 0.01))).nonzero().flatten().tolist()
        if wrong:
            raise ValueError(
                f"{name} must be distributions: no value below 0, each row sums to 1; row {wrong[0]} has minimum "
                f"{lowest[wrong[0]]:.3g} and sum {total[wrong[0]]:.3g}. soft_labels(logits) makes such rows"
            )


def check_weight(name: str, weight: float, highest: float = 1.0) -> None:
    """Refuse what is no finite number in [0, `highest`]."""
    check_number(name, weight)
    if not (0 <= weight <= highest and weight < math.inf):
        raise ValueError(f"{name} must lie in [0, {highest:g}]; got {weight}")


def check_temperature(temperature: float) -> None:
    """Refuse what is no positive, finite number."""
    check_number("temperature", temperature)
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be above 0 and finite; got {temperature}")


def check_number(name: str, value: object) -> None:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number; got {type(value).__name__}")
