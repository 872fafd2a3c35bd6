"""Many small networks trained as one: stacked weights under `vmap`, each on its own batches, strategy and teacher."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from itertools import groupby
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from kdlearn.data.batches import Batch, Stream
from kdlearn.training.loop import OneNetwork, update
from kdlearn.training.machine import Machine
from kdlearn.training.optimizers import Recipe
from kdlearn.training.strategy import Strategy, mean_loss

CHUNK = 32  # the rows of so many updates are looked up at once
LARGEST = 500_000  # parameters; larger networks keep the cores busy by themselves


class StackedNetworks(nn.Module):
    """Several networks of one architecture as one, with a leading dimension on every weight, input and output."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        weights, buffers = stack_module_state(list(networks))
        if buffers:
            raise ValueError(f"networks must have no buffers, such as BatchNorm's; got {', '.join(buffers)}")
        self.names = list(weights)
        self.weights = nn.ParameterList(
            nn.Parameter(stack.detach(), networks[0].get_parameter(name).requires_grad)
            for name, stack in weights.items()
        )
        self.skeleton = [copy.deepcopy(networks[0]).to("meta")]  # in a list, so that its weights are not registered

    def forward(self, inputs: Tensor) -> Tensor:
        """`(S, N, …)` to `(S, N, C)`."""
        weights = dict(zip(self.names, self.weights, strict=True))
        return vmap(lambda weights, inputs: functional_call(self.skeleton[0], weights, (inputs,)))(weights, inputs)

    def train(self, mode: bool = True) -> "StackedNetworks":
        self.skeleton[0].train(mode)
        return super().train(mode)

    @torch.no_grad()
    def hand_back(self, networks: Sequence[nn.Module]) -> None:
        """Copy the weights into the networks."""
        for name, stack in zip(self.names, self.weights, strict=True):
            for network, weight in zip(networks, stack, strict=True):
                network.get_parameter(name).copy_(weight)


class StackedBatch(NamedTuple):
    """The inputs `(S, N, …)` of all networks, and for each group of one kind of strategy its fields, `(G, N, …)`."""

    inputs: Tensor
    groups: list[dict[str, Tensor]]


@dataclass(frozen=True)
class Group:
    """Neighbours in a stack whose strategies differ by numbers alone: these become tensors, one entry a network."""

    strategy: Strategy
    numbers: dict[str, Tensor]
    place: slice

    def loss(self, logits: Tensor, told: dict[str, Tensor]) -> Tensor:
        """One loss a network, `(G,)`."""

        def of_one(logits: Tensor, numbers: dict[str, Tensor], told: dict[str, Tensor]) -> Tensor:
            batch = Batch(cast(Tensor, None), **told)  # a strategy that reads inputs fails here, and is trained alone
            return mean_loss(with_numbers(self.strategy, numbers), logits, batch)

        return vmap(of_one)(logits, self.numbers, told)


class Stack:
    """A learner of several networks: `loss(batch)` gives one for each, and the sum's gradient is each one's own."""

    def __init__(self, networks: Sequence[nn.Module], strategies: Sequence[Strategy]) -> None:
        self.network = StackedNetworks(networks)
        self.whole: nn.Module = self.network
        self.groups = list(groups_of(strategies, like=next(networks[0].parameters())))

    def loss(self, batch: StackedBatch) -> Tensor:
        logits = self.whole(batch.inputs)
        return torch.cat(
            [group.loss(logits[group.place], told) for group, told in zip(self.groups, batch.groups, strict=True)]
        )


def groups_of(strategies: Sequence[Strategy], like: Tensor) -> Iterator[Group]:
    start = 0
    for _, members in groupby(strategies, key=kind_of):
        same = list(members)
        numbers = {name: like.new_tensor([one.settings[name] for one in same]) for name in numbers_of(same[0])}
        yield Group(same[0], numbers, slice(start, start + len(same)))
        start += len(same)


def kind_of(strategy: Strategy) -> str:
    """What two strategies share that can be trained by the same formula: the class, and all settings but numbers."""
    numbers = numbers_of(strategy)
    others = {name: value for name, value in {**vars(strategy), **strategy.settings}.items() if name not in numbers}
    rest = [(name, fixed(value)) for name, value in others.items()]
    return repr((type(strategy).__module__, type(strategy).__qualname__, id(type(strategy)), *rest))


def fixed(value: Any) -> str:
    """A setting that is no number: plain values are told apart by what they are, all others by which they are."""
    if isinstance(value, Strategy):
        return repr((kind_of(value), [(name, value.settings[name]) for name in numbers_of(value)]))
    if isinstance(value, tuple):
        return repr([fixed(one) for one in value])
    return repr(value) if isinstance(value, bool | int | float | str | None) else f"{type(value)} {id(value)}"


def numbers_of(strategy: Strategy) -> list[str]:
    """The settings that become tensors: those declared or given as floating-point numbers of the strategy itself."""
    declared = {field.name: field.type for field in fields(strategy)} if is_dataclass(strategy) else {}
    own = {name: value for name, value in strategy.settings.items() if name in vars(strategy)}
    return [
        name
        for name, value in own.items()
        if isinstance(value, float) or (isinstance(value, int) and declared.get(name) in (float, "float"))
    ]


def with_numbers(strategy: Strategy, numbers: dict[str, Tensor]) -> Strategy:
    """The same strategy with tensors for its numbers; a frozen one stays as it was."""
    other = copy.copy(strategy)
    for name, value in numbers.items():
        object.__setattr__(other, name, value)
    return other


def can_be_stacked(networks: Sequence[nn.Module], strategy: Strategy, recipe: Recipe, example: Batch) -> bool:
    """Whether networks like these two, which learn so, can be trained as one; found out by doing it for two updates."""
    network = networks[0]
    if next(network.buffers(), None) is not None or sum(weight.numel() for weight in network.parameters()) > LARGEST:
        return False
    odd = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm, nn.RNNBase)
    if not recipe.elementwise or any(isinstance(module, odd) for module in network.modules()):
        return False
    if strategy.layers or type(strategy).prepare is not Strategy.prepare:
        return False
    alone = [copy.deepcopy(one) for one in networks]
    told = stacked_fields([example, example], fields_of(strategy))
    try:
        stack = Stack(networks, [strategy, strategy])
        take_steps(stack, StackedBatch(torch.stack([example.inputs] * 2), [told]), recipe)
        stack.network.hand_back(networks)
    except Exception:  # whatever a strategy of the reader's own raises there: alone it may do well
        return False
    try:
        for one in alone:
            take_steps(OneNetwork(one, strategy, Machine(), lambda: example), example, recipe)
    except FloatingPointError:  # what diverges at once is trained alone
        return False
    return all(alike(*pair) for pair in zip(networks, alone, strict=True))


def take_steps(learner: Any, batch: Any, recipe: Recipe) -> None:
    stepper = recipe.optimizer(learner.whole)
    for _ in range(2):
        update(learner, batch, stepper)


def alike(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks have the same weights, within rounding."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.allclose(mine, its, rtol=1e-3, atol=1e-5) for mine, its in pairs)


class StackedStreams:
    """`streams(update)`: the batches of several students, as a stack wants them.

    Where all inputs are taken as they are stored, and the teachers' answers too, rows of one table are looked up; where
    they are made (views), each student's are made in turn. Both give the same.
    """

    def __init__(self, streams: Sequence[Stream], groups: Sequence[Group], read: Sequence[Sequence[str]]) -> None:
        """`read`: for each group the fields of a batch that it wants."""
        self.streams, self.groups, self.read = streams, groups, read

    def __call__(self, update: int) -> StackedBatch:
        batches = [stream(update) for stream in self.streams]
        told = [
            stacked_fields(batches[group.place], names) for group, names in zip(self.groups, self.read, strict=True)
        ]
        return StackedBatch(torch.stack([batch.inputs for batch in batches]), told)


def fields_of(strategy: Strategy) -> tuple[str, ...]:
    """The fields of a batch that a strategy and the mean over its labels read."""
    return *strategy.reads, "mask"


def stacked_fields(batches: Sequence[Batch], names: Sequence[str]) -> dict[str, Tensor]:
    return {
        name: torch.stack([getattr(batch, name) for batch in batches])
        for name in names
        if getattr(batches[0], name) is not None
    }


class TableStreams(StackedStreams):
    """The fast way: rows of one table for all students.

    Each student has its rows (of the table), and each field a table with an offset a student.
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        groups: Sequence[Group],
        read: Sequence[Sequence[str]],
        answers: Sequence[Tensor | None],
    ) -> None:
        super().__init__(streams, groups, read)
        self.table, self.offsets = joined([stream.examples.inputs for stream in streams])
        self.fields = {
            name: joined([getattr(stream.examples, name) for stream in streams])
            for name in ("labels", "known", "mask")
            if getattr(streams[0].examples, name) is not None
        } | {"teacher_logits": joined(answers)}
        self.chunk, self.looked_up = -1, torch.empty(0)

    def __call__(self, update: int) -> StackedBatch:
        rows = self.rows(update)
        told = [
            {name: self.field(name, rows, group.place) for name in names if name in self.fields}
            for group, names in zip(self.groups, self.read, strict=True)
        ]
        return StackedBatch(self.table[rows + self.offsets[:, None]], told)

    def field(self, name: str, rows: Tensor, place: slice) -> Tensor:
        table, offsets = self.fields[name]
        found = table[rows[place] + offsets[place, None]]
        return found.float() if name == "teacher_logits" else found

    def rows(self, update: int) -> Tensor:
        """Row numbers `(S, N)` in each student's own data set."""
        size, chunk = self.streams[0].batch_size, update // CHUNK
        if chunk != self.chunk:
            start = chunk * CHUNK * size
            seen = cached(lambda stream: stream.order(start, start + CHUNK * size))
            self.looked_up = torch.stack([stream.rows[seen(stream)] for stream in self.streams])
            self.looked_up = self.looked_up.view(len(self.streams), CHUNK, size).to(self.table.device)
            self.chunk = chunk
        return self.looked_up[:, update % CHUNK]


def cached(order_of: Callable[[Stream], Tensor]) -> Callable[[Stream], Tensor]:
    """Students that share a seed and a number of rows share their order: drawn once."""
    found: dict[tuple[int, int], Tensor] = {}

    def of(stream: Stream) -> Tensor:
        key = stream.order.seed, stream.order.size
        if key not in found:
            found[key] = order_of(stream)
        return found[key]

    return of


def joined(parts: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
    """Each distinct tensor once, one after the other, and for every part where its own begins."""
    places, distinct, total = {id(None): 0}, [], 0
    for part in parts:
        if part is not None and id(part) not in places:
            places[id(part)] = total
            distinct.append(part)
            total += len(part)
    table = torch.cat(distinct) if distinct else torch.empty(0)
    return table, torch.tensor([places[id(part)] for part in parts], device=table.device)


def streams_of(
    streams: Sequence[Stream], groups: Sequence[Group], answers: Sequence[Any], made: bool
) -> StackedStreams:
    """`made`: whether inputs are views, so that they change with the epoch."""
    read = [fields_of(group.strategy) for group in groups]
    if made:
        return StackedStreams(streams, groups, read)
    return TableStreams(streams, groups, read, [None if one is None else one.epochs[0] for one in answers])
