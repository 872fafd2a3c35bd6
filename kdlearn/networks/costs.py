"""What a network costs."""

import copy

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(model: nn.Module) -> int:
    """How many numbers the parameters hold, frozen ones included; buffers, such as BatchNorm's statistics, are not.

    Returns:
        A whole number.

    >>> count_parameters(nn.Linear(64, 10)) == 64 * 10 + 10
    True
    """
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(model: nn.Module, image: Tensor) -> int:
    """Multiply-accumulate operations of one forward pass of one image `(channels, height, width)`.

    Of convolutions and matrix products, as published counts are; often called FLOPs there, though each is two.

    Returns:
        A whole number; the model is left as it was.

    >>> count_macs(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), torch.zeros(1, 8, 8)) == 64 * 10
    True
    """
    untouched = copy.deepcopy(model).eval()  # a pass in training mode would change BatchNorm's statistics
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        untouched(image.unsqueeze(0))
    return counter.get_total_flops() // 2
