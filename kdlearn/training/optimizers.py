"""How weights are stepped, and how the step length changes along a training."""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from kdlearn.formulas.arguments import check_number


@dataclass(frozen=True)
class Recipe:
    """An optimiser for a network, and its schedule.

    `constant`: the learning rate stays the same, so that a training can be read at several lengths. `elementwise`: each
    weight is stepped by its own gradients alone, so that many networks can be stepped as one.
    """

    constant: ClassVar[bool] = True
    elementwise: ClassVar[bool] = False

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        raise NotImplementedError

    def schedule(self, progress: float, updates: int = 0) -> float:
        """The learning rate's factor when this share, in [0, 1), of so many updates is done (0: nobody knows)."""
        return 1.0

    def settings(self) -> dict[str, Any]:
        """What decides it, as plain values."""
        return {"optimizer": type(self).__name__, **asdict(self)}


Optimizer = Recipe | Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer] | torch.optim.Optimizer


@dataclass(frozen=True)
class Adam(Recipe):
    """Kingma & Ba 2015 (arXiv 1412.6980), at one learning rate throughout; without `weight_decay` if it is 0.

    Weight decay is decoupled from the gradient (Loshchilov & Hutter 2019, arXiv 1711.05101).

    >>> Adam(1e-3).optimizer(nn.Linear(64, 10)).param_groups[0]["lr"]
    0.001
    """

    learning_rate: float = 3e-3
    weight_decay: float = 0.0
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_rates(self)

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        fused = all(weight.device.type in ("cpu", "cuda") for weight in weights)
        return torch.optim.AdamW(weights, lr=self.learning_rate, weight_decay=self.weight_decay, fused=fused)


@dataclass(frozen=True)
class NesterovSGD(Recipe):
    """SGD with Nesterov momentum and a triangular schedule, after Jordan 2024 (arXiv 2404.00498).

    The learning rate climbs from a fifth to its `learning_rate` at 23 % of the way and falls to 7 % at the end.
    The shifts of BatchNorm do not decay, and take steps `shift_factor` times as long.

    >>> [round(NesterovSGD().schedule(progress), 2) for progress in (0, 0.23, 0.99)]
    [0.2, 1.0, 0.08]
    """

    learning_rate: float = 0.8
    momentum: float = 0.85
    weight_decay: float = 0.001
    shift_factor: float = 32.0
    constant: ClassVar[bool] = False
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_rates(self)

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        shifts = [norm.bias for norm in norms if norm.bias is not None]
        others = [weight for weight in network.parameters() if not any(weight is shift for shift in shifts)]
        groups = [
            {"params": [weight for weight in others if weight.requires_grad], "weight_decay": self.weight_decay},
            {"params": shifts, "lr": self.learning_rate * self.shift_factor},
        ]
        return torch.optim.SGD(groups, lr=self.learning_rate, momentum=self.momentum, nesterov=True)

    def schedule(self, progress: float, updates: int = 0) -> float:
        return float(np.interp(progress, (0, 0.23, 1), (0.2, 1, 0.07)))


ELEMENTWISE = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.Adagrad)
UNDECIDING = ("foreach", "fused", "initial_lr", "params")  # options that change no number, or are no option


@dataclass(frozen=True)
class TorchOptimizer(Recipe):
    """torch's own, made by a function of the parameters, at a constant learning rate."""

    build: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        made = self.build(weight for weight in network.parameters() if weight.requires_grad)
        if {weight for group in made.param_groups for weight in group["params"]}.isdisjoint(network.parameters()):
            raise ValueError(
                "optimizer must step the weights of this network; it was made for other ones. "
                "functools.partial(torch.optim.SGD, lr=0.1) makes one when they are there"
            )
        return made

    @property
    def example(self) -> torch.optim.Optimizer:
        """Made for a matrix and a vector, which some functions treat differently."""
        return self.build([nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(2))])

    @property
    def elementwise(self) -> bool:
        """Not where groups or hooks tell weights apart: in a stack all have another shape, and one norm for all."""
        made = self.example
        hooks = (*made._optimizer_step_pre_hooks.values(), *made._optimizer_step_post_hooks.values())
        return type(made) in ELEMENTWISE and len(made.param_groups) == 1 and not hooks

    def settings(self) -> dict[str, Any]:
        """The class and every option, wherever the function took them from."""
        made = self.example
        groups = [{name: one for name, one in group.items() if name not in UNDECIDING} for group in made.param_groups]
        name, rate = f"{type(made).__module__}.{type(made).__qualname__}", float(groups[0].pop("lr", math.nan))
        others = {"groups": groups[1:]} if groups[1:] else {}
        return {"optimizer": name, "learning_rate": rate} | groups[0] | others


@dataclass(frozen=True)
class Scheduled(Recipe):
    """An optimiser whose learning rate follows any of torch's schedules, or one of your own.

    Args:
        base: of a constant rate, `Adam()` or torch's by a function of the parameters.
        schedule_of: `schedule_of(optimizer, updates)` gives the scheduler, which is stepped after every update, of
            which the training has so many. It may change the rate alone, of all weights alike.

    >>> cosine = torch.optim.lr_scheduler.CosineAnnealingLR
    >>> [round(Scheduled(Adam(), cosine).schedule(progress, updates=300), 2) for progress in (0, 0.5, 0.99)]
    [1.0, 0.5, 0.0]
    """

    base: Optimizer
    schedule_of: Callable[[torch.optim.Optimizer, int], Any]
    constant: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not recipe_of(self.base).constant:
            raise ValueError(f"Scheduled needs an optimizer of a constant rate, such as Adam(); got {self.base}")

    @property
    def elementwise(self) -> bool:
        return recipe_of(self.base).elementwise

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        return recipe_of(self.base).optimizer(network)

    def settings(self) -> dict[str, Any]:
        return {**recipe_of(self.base).settings(), "schedule": getattr(self.schedule_of, "__name__", "a function")}

    def schedule(self, progress: float, updates: int = 0) -> float:
        if not updates:
            raise ValueError("a schedule needs batches of a known length: give a list, a DataLoader or a BatchStream")
        return factors_of(self, updates)[round(progress * updates)]


@lru_cache(maxsize=16)
def factors_of(scheduled: Scheduled, updates: int) -> list[float]:
    """By what a schedule multiplies the learning rate at each update."""
    stepper = scheduled.optimizer(nn.Linear(1, 1))
    [group, *_], first, factors = stepper.param_groups, stepper.param_groups[0]["lr"], []
    scheduler = scheduled.schedule_of(stepper, updates)
    others = {name: value for name, value in group.items() if name not in ("params", "lr")}
    for _ in range(updates):
        factors.append(group["lr"] / first)
        stepper.step()
        scheduler.step()
    if changed := [name for name, value in others.items() if group[name] != value]:
        told = f"a schedule may change the learning rate alone; this one changes {', '.join(changed)} too"
        raise ValueError(f"{told}, which cycle_momentum=False of torch's OneCycleLR and CyclicLR prevents")
    return factors


def recipe_of(optimizer: Optimizer) -> Recipe:
    """Ours as it is; torch's by a function of the parameters, or as one that was made for the network."""
    if isinstance(optimizer, Recipe):
        return optimizer
    if isinstance(optimizer, torch.optim.Optimizer):
        return TorchOptimizer(lambda weights: optimizer)
    if callable(optimizer):
        return TorchOptimizer(optimizer)
    raise TypeError(
        f"optimizer must be Adam(), NesterovSGD(), or a function of the parameters such as "
        f"functools.partial(torch.optim.SGD, lr=0.1); got {type(optimizer).__name__}"
    )


def check_rates(recipe: Recipe) -> None:
    """A learning rate above 0, and other numbers of at least 0."""
    for name, value in asdict(recipe).items():
        check_number(name, value)
        above = name == "learning_rate"
        if not 0 <= value < math.inf or (above and value == 0):
            raise ValueError(f"{name} must be {'above' if above else 'at least'} 0 and finite; got {value}")
