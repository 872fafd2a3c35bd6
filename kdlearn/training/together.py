"""Many small networks trained as one: stacked weights under `vmap`, each on its own batches, strategy and teacher."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache, partial
from itertools import accumulate, groupby
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from kdlearn.data.batches import Batch, BatchStream
from kdlearn.data.dataset import Split
from kdlearn.training.loop import OneNetwork, update
from kdlearn.training.machine import Machine
from kdlearn.training.optimizers import Recipe
from kdlearn.training.outputs import logits_of
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
        weights, skeleton = dict(zip(self.names, self.weights, strict=True)), self.skeleton[0].train(self.training)
        return vmap(lambda weights, inputs: logits_of(functional_call(skeleton, weights, (inputs,))))(weights, inputs)

    @torch.no_grad()
    def hand_back(self, networks: Sequence[nn.Module]) -> None:
        """Copy the weights into the networks."""
        for name, stack in zip(self.names, self.weights, strict=True):
            for network, weight in zip(networks, stack, strict=True):
                network.get_parameter(name).copy_(weight)


class StackedBatch(NamedTuple):
    """The inputs `(S, N, …)` of all networks, and for each group of strategies what it reads, `(G, N, …)`."""

    inputs: Tensor
    fields: list[dict[str, Tensor]]


@dataclass(frozen=True)
class Group:
    """Neighbours in a stack whose strategies differ by numbers alone: these become tensors, one entry a network."""

    strategy: Strategy
    numbers: dict[str, Tensor]
    place: slice

    @property
    def reads(self) -> tuple[str, ...]:
        return *self.strategy.reads, "mask"

    def loss(self, logits: Tensor, fields: dict[str, Tensor]) -> Tensor:
        """One loss a network, `(G,)`."""

        def of_one(logits: Tensor, numbers: dict[str, Tensor], fields: dict[str, Tensor]) -> Tensor:
            batch = Batch(cast(Tensor, None), **fields)  # a strategy that reads inputs fails here, and is trained alone
            return mean_loss(with_numbers(self.strategy, numbers), logits, batch)

        return vmap(of_one)(logits, self.numbers, fields)


class Stack:
    """A learner of several networks: `loss(batch)` gives one for each, and the sum's gradient is each one's own."""

    def __init__(self, networks: Sequence[nn.Module], strategies: Sequence[Strategy]) -> None:
        self.network = StackedNetworks(networks)
        self.whole: nn.Module = self.network
        self.groups = list(groups_of(strategies, like=next(networks[0].parameters())))

    def loss(self, batch: StackedBatch) -> Tensor:
        logits = self.whole(batch.inputs)
        pairs = zip(self.groups, batch.fields, strict=True)
        return torch.cat([group.loss(logits[group.place], fields) for group, fields in pairs])


def groups_of(strategies: Sequence[Strategy], like: Tensor) -> Iterator[Group]:
    start = 0
    for _, members in groupby(strategies, key=kind_of):
        same = list(members)
        numbers = {name: like.new_tensor([vars(one)[name] for one in same]) for name in numbers_of(same[0])}
        yield Group(same[0], numbers, slice(start, start + len(same)))
        start += len(same)


def kind_of(strategy: Strategy) -> str:
    """What strategies share that can be trained by the same formula: the class, and all that they hold but numbers."""
    return identity(strategy, apart_from=numbers_of(strategy))


def identity(value: Any, apart_from: Sequence[str] = ()) -> str:
    """Plain values are told apart by what they are, strategies by what they hold, all others by which they are."""
    if isinstance(value, Strategy):
        held = [(name, identity(one)) for name, one in vars(value).items() if name not in apart_from]
        return repr((type(value), id(type(value)), held))
    if isinstance(value, tuple):
        return repr([identity(one) for one in value])
    return repr(value) if isinstance(value, bool | int | float | str | None) else f"{type(value)} {id(value)}"


def numbers_of(strategy: Strategy) -> list[str]:
    """The attributes that become tensors: floating-point numbers, and whole ones of a field that is declared so."""
    floats = {one.name for one in fields(strategy) if one.type in (float, "float")} if is_dataclass(strategy) else set()
    held = vars(strategy).items()
    return [name for name, one in held if isinstance(one, float) or (isinstance(one, int) and name in floats)]


def with_numbers(strategy: Strategy, numbers: dict[str, Tensor]) -> Strategy:
    """The same strategy with tensors for its numbers; a frozen one stays as it was."""
    other = copy.copy(strategy)
    vars(other).update(numbers)
    return other


def can_be_stacked(networks: Sequence[nn.Module], strategy: Strategy, recipe: Recipe, example: Batch) -> bool:
    """Whether networks like these two, which learn so, can be trained as one; found out by doing it for two updates."""
    if not recipe.elementwise or sum(weight.numel() for weight in networks[0].parameters()) > LARGEST:
        return False
    if strategy.layers or type(strategy).prepare is not Strategy.prepare:
        return False
    alone = [copy.deepcopy(one) for one in networks]
    try:
        stack = Stack(networks, [strategy, strategy])
        fields = [stacked_fields([example, example], group) for group in stack.groups]
        take_steps(stack, StackedBatch(torch.stack([example.inputs] * 2), fields), recipe)
        stack.network.hand_back(networks)
        for one in alone:
            take_steps(OneNetwork(one, strategy, Machine(), lambda: example), example, recipe)
    except Exception:  # whatever a network or a strategy of the reader's own raises there: alone it may do well
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


def streams_of(
    streams: Sequence[BatchStream], groups: Sequence[Group], answers: Sequence[Any], made: bool
) -> Callable[[int], StackedBatch]:
    """The batches of several students by their update, as a stack wants them.

    `made`: inputs are views, so that each student's are made in turn. Else all inputs and all teachers' answers are
    stored, and their rows are looked up in one table, which is faster and gives the same.
    """
    return partial(stacked, streams, groups) if made else Table(streams, groups, answers)


def stacked(streams: Sequence[BatchStream], groups: Sequence[Group], update: int) -> StackedBatch:
    batches = [stream(update) for stream in streams]
    fields = [stacked_fields(batches[group.place], group) for group in groups]
    return StackedBatch(torch.stack([batch.inputs for batch in batches]), fields)


def stacked_fields(batches: Sequence[Batch], group: Group) -> dict[str, Tensor]:
    """What a group reads, as far as it is there: all batches have the same fields."""
    there = [name for name in group.reads if getattr(batches[0], name) is not None]
    return {name: torch.stack([getattr(batch, name) for batch in batches]) for name in there}


class Table:
    """`table(update)`: rows of one table a field, in which each student's own data begin at its start."""

    def __init__(self, streams: Sequence[BatchStream], groups: Sequence[Group], answers: Sequence[Any]) -> None:
        self.streams, self.groups = streams, groups
        parts = {name: [getattr(stream.examples, name) for stream in streams] for name in Split._fields}
        parts["teacher_logits"] = [None if one is None else one.epochs[0] for one in answers]
        there = {name: found for name, found in parts.items() if any(one is not None for one in found)}
        self.columns = {name: in_one_table(found) for name, found in there.items()}
        self.rows_of_chunk = lru_cache(maxsize=1)(self.draw)

    def __call__(self, update: int) -> StackedBatch:
        chunk, place = divmod(update, CHUNK)
        rows = self.rows_of_chunk(chunk)[:, place]
        fields = [
            {name: self.column(name, rows, group.place) for name in group.reads if name in self.columns}
            for group in self.groups
        ]
        return StackedBatch(self.column("inputs", rows, slice(None)), fields)

    def column(self, name: str, rows: Tensor, students: slice) -> Tensor:
        table, starts = self.columns[name]
        found = table[rows[students] + starts[students, None]]
        return found.float() if name == "teacher_logits" else found

    def draw(self, chunk: int) -> Tensor:
        """Row numbers `(S, CHUNK, N)` in each student's own data; an order that students share is drawn once."""
        size, orders = self.streams[0].batch_size, [stream.order for stream in self.streams]
        distinct = {(order.seed, order.size): order for order in orders}
        drawn = {name: order(chunk * CHUNK * size, (chunk + 1) * CHUNK * size) for name, order in distinct.items()}
        pairs = zip(self.streams, orders, strict=True)
        rows = torch.stack([stream.rows[drawn[order.seed, order.size]] for stream, order in pairs])
        return rows.view(len(self.streams), CHUNK, size).to(self.columns["inputs"][0].device)


def in_one_table(parts: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
    """Each distinct tensor once, one after the other, and for every part where its own begins."""
    distinct = {id(part): part for part in parts if part is not None}
    table = torch.cat([*distinct.values()])
    starts = dict(zip(distinct, accumulate(map(len, distinct.values()), initial=0), strict=False))
    return table, torch.tensor([starts.get(id(part), 0) for part in parts], device=table.device)
