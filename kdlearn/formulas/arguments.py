"""What the labels and losses cannot take, said in words: the argument, what was expected, what came, what to do."""

import math
import warnings
from collections.abc import Sequence
from numbers import Real

import torch
from torch import Tensor

IGNORED = -100  # the label that does not count, as torch's cross_entropy and the libraries built on it write it


class LooksLikeProbabilities(UserWarning):
    """Teacher logits whose rows are all at least 0 and sum to 1: softmax of a softmax is almost uniform."""


def values_can_be_read(tensor: Tensor) -> bool:
    """Whether looking at the values is cheap and allowed: not on an accelerator, in a compiler or in `torch.func`."""
    return (
        not torch.compiler.is_compiling()
        and tensor.device.type == "cpu"
        and type(tensor) in (Tensor, torch.nn.Parameter)
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)  # type: ignore[attr-defined]
    )


def sum_is_finite(values: Tensor) -> bool:
    """The cheapest look at all values: one NaN or infinity makes the sum so. A sum can also overflow by itself."""
    return math.isfinite(values.detach().sum())


def check_tensor(name: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch tensor; got {type(value).__name__}. torch.as_tensor({name}) makes one")


def check_rows(name: str, values: Tensor) -> None:
    """Refuse what is not a floating `(..., C)` tensor with a leading dimension, at least one row and one class."""
    check_tensor(name, values)
    shape = tuple(values.shape)
    if not values.is_floating_point():
        raise TypeError(f"{name} must be floating point; got {values.dtype}. {name}.float() converts it")
    if len(shape) < 2:
        raise ValueError(
            f"{name} must have shape (N, C) or (..., C), one row an example; got {shape}. "
            f"{name}.unsqueeze(0) makes one row of it"
        )
    if 0 in shape:
        raise ValueError(f"{name} must hold at least one row and one class; got an empty batch of shape {shape}")


def check_shapes(**named_logits: Tensor) -> None:
    """Refuse logits that are not floating and `(..., C)` with at least two classes, or whose shapes differ."""
    for name, logits in named_logits.items():
        check_rows(name, logits)
        if logits.shape[-1] < 2:
            raise ValueError(
                f"{name} must have at least two classes, since one has no softmax; got shape {tuple(logits.shape)}. "
                "A yes-or-no logit z is the two classes (0, z)"
            )
    if len({logits.shape for logits in named_logits.values()}) > 1:
        shapes = " and ".join(f"{name} {tuple(logits.shape)}" for name, logits in named_logits.items())
        raise ValueError(f"{shapes} must have the same shape")


def check_logits(**named_logits: Tensor) -> None:
    """Refuse logits that are not floating, finite and `(..., C)`, or whose shapes differ."""
    check_shapes(**named_logits)
    check_finite(**named_logits)


def check_finite(**named_logits: Tensor) -> None:
    for name, logits in named_logits.items():
        if values_can_be_read(logits) and not sum_is_finite(logits):
            rows = (~logits.isfinite()).any(dim=-1).nonzero()
            if len(rows):
                raise ValueError(
                    f"{name} must be finite; row {place(rows[0])} holds NaN or infinity ({len(rows)} such rows). "
                    "mask leaves rows out"
                )


def place(index: Tensor) -> str:
    """2, or (2, 5) where rows have two numbers."""
    return str(tuple(index.tolist())) if len(index) > 1 else str(int(index))


def check_result(result: Tensor, **named_logits: Tensor) -> None:
    """Refuse NaN and infinity in logits, where they always reach the result, whose fewer values cost less to read."""
    if values_can_be_read(result) and not sum_is_finite(result):
        check_logits(**named_logits)


def warn_of_probabilities(teacher_logits: Tensor, mask: Tensor | None) -> None:
    """Warn where every row that is not masked looks like a distribution; most logits are told by the first few rows."""
    if not values_can_be_read(teacher_logits) or (
        mask is None and teacher_logits[(0,) * (teacher_logits.ndim - 1)].amin() < 0
    ):
        return
    rows = teacher_logits.detach().flatten(0, -2)
    if mask is not None:
        rows = rows[mask.flatten()]
    whole = next((one for one in (1, 100) if are_distributions(rows[:4] / one) and are_distributions(rows / one)), None)
    if whole == 1 or (whole and bool(((rows > 0).sum(dim=-1) > 1).any())):  # a logit of 100 alone is no percentage
        warnings.warn(
            f"teacher_logits look like probabilities: rows are at least 0 and sum to {whole}. A loss takes the softmax "
            "of what it gets, and that of probabilities is almost uniform. kdlearn.logits_from(probabilities) gives "
            "logits",
            LooksLikeProbabilities,
            stacklevel=4,
        )


def are_distributions(rows: Tensor) -> bool:
    return len(rows) > 0 and bool(rows.amin() >= 0) and bool((rows.float().sum(dim=-1) - 1).abs().amax() < 1e-2)


def check_labels(labels: Tensor, num_classes: int, shape: Sequence[int] | None = None) -> None:
    """Refuse labels that are not int64 class indices from 0 to `num_classes` - 1, in the `shape` where it is given."""
    check_indices("labels", labels, shape)
    check_reach("labels", reach(labels), num_classes)


def check_indices(name: str, labels: Tensor, shape: Sequence[int] | None = None) -> None:
    """Refuse what is no int64 tensor with at least one label, in the `shape` where it is given."""
    check_tensor(name, labels)
    if labels.dtype != torch.int64:
        raise TypeError(f"{name} must be int64 class indices; got {labels.dtype}. {name}.long() converts whole numbers")
    if shape is not None and tuple(labels.shape) != tuple(shape):
        raise ValueError(f"{name} must hold class indices of shape {tuple(shape)}; got {tuple(labels.shape)}")
    if labels.ndim == 0 or labels.numel() == 0:
        raise ValueError(f"{name} must have shape (N,) or (...) with at least one label; got {tuple(labels.shape)}")


def reach(labels: Tensor) -> tuple[int, int] | None:
    """The lowest label and the highest; None where values are not read."""
    if not values_can_be_read(labels):
        return None
    lowest, highest = labels.aminmax()
    return int(lowest), int(highest)


def check_reach(name: str, found: tuple[int, int] | None, num_classes: int) -> None:
    if found is not None and not 0 <= found[0] <= found[1] < num_classes:
        raise ValueError(f"{name} must lie in 0 … {num_classes - 1}; they reach from {found[0]} to {found[1]}")


def check_mask(mask: Tensor, shape: Sequence[int]) -> None:
    """Refuse what is no boolean tensor of the labels' shape."""
    check_tensor("mask", mask)
    if mask.dtype != torch.bool:
        raise TypeError(f"mask must be boolean, True for labels that count; got {mask.dtype}. mask.bool() converts it")
    if tuple(mask.shape) != tuple(shape):
        raise ValueError(f"mask must have the labels' shape {tuple(shape)}; got {tuple(mask.shape)}")


def check_reduction(reduction: str) -> None:
    if reduction not in ("mean", "none"):
        raise ValueError(f"reduction must be 'mean' or 'none', one value a label; got {reduction!r}")


def check_distributions(name: str, probabilities: Tensor) -> None:
    """Refuse rows that are not probabilities: negative, NaN, or a sum more than 0.01 away from 1 (half precision)."""
    check_rows(name, probabilities)
    if values_can_be_read(probabilities):
        lowest, total = probabilities.detach().double().amin(dim=-1), probabilities.detach().double().sum(dim=-1)
        wrong = (~((lowest >= 0) & ((total - 1).abs() < 0.01))).nonzero()
        if len(wrong):
            first = tuple(wrong[0])
            raise ValueError(
                f"{name} must be distributions: no value below 0, each row sums to 1; row {place(wrong[0])} has "
                f"minimum {lowest[first]:.3g} and sum {total[first]:.3g}. soft_labels(logits) makes such rows"
            )


def check_weight(name: str, weight: float | Tensor, highest: float = 1.0) -> None:
    """Refuse what is no finite number in [0, `highest`]."""
    if check_number(name, weight) and not (0 <= weight <= highest and weight < math.inf):
        raise ValueError(f"{name} must lie in [0, {highest:g}]; got {weight}")


def check_temperature(temperature: float | Tensor) -> None:
    """Refuse what is no positive, finite number, and a tensor that wants a gradient: the losses give it none."""
    if check_number("temperature", temperature) and not (temperature > 0 and temperature * temperature < math.inf):
        raise ValueError(f"temperature must be above 0 and finite; got {temperature}")
    if isinstance(temperature, Tensor) and temperature.requires_grad:
        raise ValueError("temperature must not require a gradient, since none would reach it. temperature.detach()")


def check_number(name: str, value: object) -> bool:
    """Refuse what is neither a number nor a tensor without dimensions; whether its value can be read."""
    if isinstance(value, Tensor):
        if value.ndim or value.dtype == torch.bool or value.is_complex():
            raise TypeError(
                f"{name} must be a number or a tensor without dimensions; got {value.dtype} of shape "
                f"{tuple(value.shape)}"
            )
        return values_can_be_read(value)
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number; got {type(value).__name__}")
    return True
