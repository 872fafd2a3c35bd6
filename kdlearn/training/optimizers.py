"""How weights are stepped, and how the step length changes along a training."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import nn


class Recipe(Protocol):
    """An optimiser for a model, and its schedule."""

    learning_rate: float

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer: ...

    def schedule(self, progress: float) -> float:
        """By what the learning rate is multiplied when this share of all steps, in [0, 1), is done."""
        ...


@dataclass(frozen=True)
class Adam:
    """Kingma & Ba 2015 (arXiv 1412.6980), at one learning rate throughout."""

    learning_rate: float = 3e-3

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), lr=self.learning_rate)

    def schedule(self, progress: float) -> float:
        return 1.0


@dataclass(frozen=True)
class NesterovSGD:
    """SGD with Nesterov momentum and a triangular schedule, after Jordan 2024 (arXiv 2404.00498).

    The learning rate climbs from a fifth to its `learning_rate` at 23 % of the way and falls to 7 % at the end.
    The shifts of BatchNorm do not decay, and take steps `shift_factor` times as long.
    """

    learning_rate: float = 0.8
    momentum: float = 0.85
    weight_decay: float = 0.001
    shift_factor: float = 32.0

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        shifts = [norm.bias for norm in norms if norm.bias is not None]
        others = [weight for weight in model.parameters() if not any(weight is shift for shift in shifts)]
        groups = [
            {"params": [weight for weight in others if weight.requires_grad], "weight_decay": self.weight_decay},
            {"params": shifts, "lr": self.learning_rate * self.shift_factor},
        ]
        return torch.optim.SGD(groups, lr=self.learning_rate, momentum=self.momentum, nesterov=True)

    def schedule(self, progress: float) -> float:
        return float(np.interp(progress, (0, 0.23, 1), (0.2, 1, 0.07)))
