"""What was chosen for each arm of a comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kdlearn.comparing.arms import SHORT
from kdlearn.training.optimizers import Optimizer, recipe_of
from kdlearn.training.strategies import Strategy


@dataclass(frozen=True)
class Candidate:
    """A strategy and an optimiser."""

    strategy: Strategy
    optimizer: Optimizer

    @property
    def learning_rate(self) -> float:
        return float(recipe_of(self.optimizer).settings().get("learning_rate", np.nan))

    @property
    def weight_decay(self) -> float:
        return float(recipe_of(self.optimizer).settings().get("weight_decay", np.nan))

    @property
    def temperature(self) -> float:
        return float(self.strategy.settings.get("temperature", 1.0))

    @property
    def numbers(self) -> dict[str, float]:
        """All that a grid may be of, the strategy's own settings too."""
        settings = self.strategy.settings.items()
        own = {name: float(one) for name, one in settings if isinstance(one, int | float) and not isinstance(one, bool)}
        return {**own, "learning_rate": self.learning_rate, "weight_decay": self.weight_decay} | own

    @property
    def told(self) -> str:
        numbers = {name: value for name, value in self.numbers.items() if not np.isnan(value)}
        return ", ".join(f"{SHORT.get(name, name)} = {value:g}" for name, value in numbers.items())

    def tie(self) -> tuple[float, float, float]:
        """Of equal ones the smaller rate is taken, then the temperature nearest 1, then the smaller weight decay."""
        return self.learning_rate, abs(np.log(self.temperature)), self.weight_decay


@dataclass(frozen=True)
class Chosen:
    """The choice of each arm at each length, where it lies at the end of its grid, and where all scored alike."""

    best: Mapping[tuple[str, int], Candidate]
    at_the_end: Sequence[str] = ()
    undecided: Sequence[str] = ()
