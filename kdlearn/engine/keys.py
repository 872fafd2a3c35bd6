"""A run's key: a hash of everything that decides it, so that no result is taken for another's."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

import kdlearn
from kdlearn.data.digests import digest, sources
from kdlearn.engine.once import Once
from kdlearn.engine.run import Run
from kdlearn.networks.weights import weights_hash
from kdlearn.training.machine import Machine


class Keys:
    """The keys of runs that share code, networks, data and teachers, each of which is hashed once."""

    def __init__(self, machine: Machine, answers: Mapping[tuple, str]) -> None:
        """`answers`: by `query_key(run)`, the hash of what a teacher that is no run and no network answers."""
        self.machine, self.answers = machine, answers
        self.once = Once()
        self.unreadable: list[str] = []  # what cannot be known again
        self.sources = self.read("a module", sources)

    def of(self, run: Run) -> str:
        return self.once(("run", id(run)), lambda: self.digest(self.description(run)))

    def description(self, run: Run) -> list[Any]:
        """Everything that decides a run."""
        parts = {name: self.part(getattr(run, name)) for name in ("strategy", "views", "metric")}
        numbers = [getattr(run, name) for name in ("lengths", "own_seed", "batch_size", "sample", "measured_on")]
        teacher = [self.teacher(run), run.answers] if run.asks_teacher else None
        code = [kdlearn.ENGINE, self.machine.settings(), self.sources]
        return [*code, self.data(run), self.first_network(run)[0], parts, teacher, self.optimizer(run), numbers]

    def first_network(self, run: Run) -> tuple[str, str]:
        """The key of a run's network with its first weights, and of all but the weights, which one stack shares.

        Of each seed: what a network draws at its building and does not train may differ from seed to seed.
        """

        def of_built() -> tuple[str, str]:
            network = run.build()
            shared = self.digest(network, weights=False)
            return self.read("a network", lambda: digest([shared, weights_hash(network)])), shared

        return self.once(("network", id(run.network), run.own_seed, id(run.start)), of_built)

    def data(self, run: Run) -> str:
        """Hashed anew in each plan: somebody may have changed the tensors since."""
        return self.once(("data", id(run.data)), lambda: self.digest([run.data.key, run.data.normalise]))

    def optimizer(self, run: Run) -> str:
        """Itself, and its options, wherever it took them from."""
        return self.once(("optimizer", id(run.optimizer)), lambda: self.digest([run.optimizer, run.recipe.settings()]))

    def teacher(self, run: Run) -> str:
        if isinstance(run.teacher, Run):
            return self.of(run.teacher)
        own = self.part(run.teacher) if isinstance(run.teacher, nn.Module) else ""  # whose layers may be asked too
        return own + self.answers[query_key(run)]

    def part(self, value: Any) -> str:
        return self.once(("part", id(value)), lambda: self.digest(value))

    def digest(self, value: Any, weights: bool = True) -> str:
        return self.read(getattr(value, "__qualname__", type(value).__qualname__), lambda: digest(value, weights))

    def read(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gives; where it fails that is noted, so that nothing is kept, and is taken for no other's."""
        try:
            return make()
        except Exception as problem:
            self.unreadable.append(f"{name} ({problem})")
            return uuid.uuid4().hex


def query_key(run: Run) -> tuple:
    """What a teacher that only answers is asked, and so known by."""
    return id(run.teacher), id(run.data), run.views, run.answers
