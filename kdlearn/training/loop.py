"""The one training loop, for teacher and student alike, for one network and for a stack of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from tqdm.auto import tqdm

from kdlearn.data.batches import Batch, Stream
from kdlearn.formulas.labels import full_precision
from kdlearn.networks.weights import are_finite
from kdlearn.training.checkpoints import Position, interrupts_noted, load_checkpoint, save_checkpoint
from kdlearn.training.machine import Machine
from kdlearn.training.optimizers import Adam, Optimizer, Recipe, recipe_of
from kdlearn.training.processes import forward_of
from kdlearn.training.strategy import Strategy, mean_loss

Measure = Callable[[nn.Module, int], dict[str, Any]]


class Learner(Protocol):
    """What the loop trains: the network, all weights in one module, a batch's loss, `()` or one for each network."""

    network: nn.Module
    whole: nn.Module

    def loss(self, batch: Any) -> Tensor: ...


class Source(Protocol):
    """Where batches come from, in stretches after each of which a training is measured and kept."""

    def __len__(self) -> int: ...

    def batches(self, stretch: int, done: int) -> Iterator[Any]: ...

    def share_done(self, stretch: int, done: int) -> float: ...


def train(
    network: nn.Module,
    batches: Iterable[Batch | tuple[Tensor, Tensor]],
    strategy: Strategy,
    *,
    num_epochs: int,
    optimizer: Optimizer = Adam(),
    machine: Machine = Machine(),
    evaluate: Callable[[nn.Module], dict[str, Any]] | None = None,
    checkpoint: Path | None = None,
    settings: Any = None,
    seed: int | None = None,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Train a teacher or a student on what the strategy says, in place; it is left in `train()` mode.

    Args:
        batches: iterated once an epoch: a `Stream`, or any iterable of `Batch` or of `(inputs, labels)`; its order
            comes back after an interruption if it is a function of its attribute `epoch`, as a `Stream`'s is.
        optimizer: `Adam()`, `NesterovSGD()`, or torch's: a function of the parameters, such as
            `functools.partial(torch.optim.AdamW, lr=1e-3)`.
        machine: on which device, and in which precision; network and batches must be there already.
        evaluate: what it returns for the network after an epoch is added to the curve.
        checkpoint: a file that is written after each epoch and on Ctrl-C; where it is there, the training goes on from
            it and ends as if it had never stopped. The caller deletes it.
        settings: plain values that a checkpoint must share beside network, strategy, optimiser, lengths, seed and
            machine, such as which data these are; of a `Stream` the data are known.
        seed: of dropout and of what the strategy prepares; None takes torch's own random numbers as they stand.
        progress: whether to show a bar with the time left.

    Returns:
        The learning curve, for each epoch a dictionary of `epoch`, `loss` (the mean over its batches) and what
        `evaluate` gave. A loss that is no longer finite is a FloatingPointError.

    >>> from kdlearn import GroundTruth, perceptron
    >>> batches = [(torch.randn(20, 64), torch.arange(20) % 10)]
    >>> curve = train(perceptron(64, 8, 10), batches, GroundTruth(), num_epochs=3, progress=False)
    >>> [point["epoch"] for point in curve]
    [1, 2, 3]
    """
    if not isinstance(num_epochs, int) or num_epochs < 1:
        raise ValueError(f"num_epochs must be a whole number of at least 1; got {num_epochs!r}")
    source = Epochs(batches, num_epochs)
    measure = None if evaluate is None else lambda network, epoch: evaluate(network)
    recipe, decided_by = recipe_of(optimizer), settings
    if checkpoint is not None:
        about = {"num_epochs": num_epochs, "seed": seed, **machine.settings(), "settings": settings}
        decided_by = about | {"network": repr(network), **described(strategy, recipe), **source.about()}
    with random_numbers_of(seed):
        learner = OneNetwork(network, strategy, machine, source.example)
        kept = {"checkpoint": checkpoint, "settings": decided_by}
        curve = fit(learner, source, recipe, measure=measure, progress=progress, **kept)
    if not are_finite(network):
        raise FloatingPointError("the last update made weights that are not finite: lower the learning rate")
    return curve


def described(strategy: Strategy, recipe: Recipe) -> dict[str, str]:
    """What a checkpoint must share, as words."""
    told = {"strategy": type(strategy).__qualname__, **strategy.settings, **recipe.settings()}
    return {name: repr(value) for name, value in told.items()}


class Epochs:
    """Any iterable as a source: an epoch is once through it."""

    def __init__(self, batches: Iterable[Any], num_epochs: int) -> None:
        self.iterable, self.num_epochs = batches, num_epochs

    def __len__(self) -> int:
        return self.num_epochs

    def batches(self, stretch: int, done: int) -> Iterator[Batch]:
        if hasattr(self.iterable, "epoch"):
            setattr(self.iterable, "epoch", stretch)  # noqa: B010 - an iterable's own attribute, unknown to its type
        return map(as_batch, islice(self.iterable, done, None))

    def share_done(self, stretch: int, done: int) -> float:
        """One without a length counts an epoch when it is over, so its learning rate stays the same."""
        share = min(done / len(self.iterable), 1) if isinstance(self.iterable, Sized) else 0
        return (stretch + share) / self.num_epochs

    def example(self) -> Batch:
        return next(self.batches(0, 0))

    def about(self) -> dict[str, Any]:
        """What is known of the data: of a `Stream` all, of another iterable its length."""
        told = {"batches": len(self.iterable) if isinstance(self.iterable, Sized) else None}
        return told | (self.iterable.about() if isinstance(self.iterable, Stream) else {})


def as_batch(found: Any) -> Batch:
    if isinstance(found, Batch):
        return found
    if isinstance(found, tuple | list) and len(found) == 2:
        return Batch(inputs=found[0], labels=found[1])
    raise TypeError(f"batches must give kdlearn.Batch or pairs (inputs, labels); got {type(found).__name__}")


class OneNetwork:
    """A network, and what its strategy trains along with it."""

    def __init__(self, network: nn.Module, strategy: Strategy, machine: Machine, example: Callable[[], Batch]) -> None:
        self.network, self.strategy, self.machine, self.trained = network, strategy, machine, None
        self.layers = [student for student, _ in strategy.layers]
        if type(strategy).prepare is not Strategy.prepare:
            with torch.no_grad(), eval_mode():
                _, heard = self.answer(network, example())
            self.trained = strategy.prepare(heard)
        self.whole = network if self.trained is None else nn.ModuleList([network, self.trained])
        self.forward = forward_of(network, machine)

    def loss(self, batch: Batch) -> Tensor:
        logits, heard = self.answer(self.forward, batch)
        try:
            return mean_loss(self.strategy, logits, heard)
        except ValueError as problem:  # losses refuse logits that are not finite: here it is the training that diverged
            if logits.isfinite().all() or not batch.inputs.isfinite().all():
                raise
            raise FloatingPointError("the network's logits are no longer finite") from problem

    def answer(self, forward: Callable[[Tensor], Tensor], batch: Batch) -> tuple[Tensor, Batch]:
        """The logits, and the batch with what the layers gave."""
        with listening(self.network, self.layers) as heard, self.machine.precision():
            logits = forward(batch.inputs)
        return logits, batch._replace(student_features=tuple(heard) or None, trained=self.trained)


@contextmanager
def listening(network: nn.Module, layers: list[str]) -> Iterator[list[Tensor]]:
    """The outputs of the named layers, in this order, of the one forward pass within."""
    heard: list[Any] = [None] * len(layers)

    def listener(place: int) -> Callable[..., None]:
        return lambda module, inputs, output: heard.__setitem__(place, output)

    handles = [layer_of(network, name).register_forward_hook(listener(place)) for place, name in enumerate(layers)]
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


def layer_of(network: nn.Module, name: str) -> nn.Module:
    found = dict(network.named_modules())
    if name not in found:
        raise ValueError(
            f"layers must name a layer of the network; {name!r} is none of {', '.join(filter(None, found))}"
        )
    return found[name]


def fit(
    learner: Learner,
    source: Source,
    recipe: Recipe,
    *,
    measure: Measure | None = None,
    checkpoint: Path | None = None,
    settings: Any = None,
    progress: bool = False,
) -> list[dict[str, Any]]:
    """The loop: `measure(network, stretch)` after each stretch, whose number counts from 1. Returns the curve."""
    stepper, position = recipe.optimizer(learner.whole), Position()
    if checkpoint is not None and checkpoint.exists():
        position = load_checkpoint(checkpoint, learner.whole, stepper, settings)

    def keep() -> None:
        if checkpoint is not None:
            save_checkpoint(checkpoint, learner.whole, stepper, position, settings)

    bar = tqdm(total=len(source), initial=position.epoch, desc="training", leave=False, disable=not progress)
    with bar, interrupts_noted() as interrupted:
        while position.epoch < len(source):
            learner.whole.train()  # an evaluation may have left it in eval() mode
            for batch in source.batches(position.epoch, len(position.losses)):
                factor = recipe.schedule(source.share_done(position.epoch, len(position.losses)))
                try:
                    position.losses.append(update(learner, batch, stepper, factor))
                except FloatingPointError as problem:
                    raise not_finite(position, recipe) from problem
                if interrupted.is_set():
                    keep()
                    raise KeyboardInterrupt
            end_stretch(position, recipe)
            position.curve[-1] |= measure(learner.network, position.epoch) if measure else {}
            keep()
            bar.update()
    learner.whole.train()
    return position.curve


def update(learner: Learner, batch: Any, stepper: torch.optim.Optimizer, factor: float = 1.0) -> Tensor:
    """One step at `factor` times the learning rate; in a stack the sum's gradient on a network's weights is its own."""
    for group in stepper.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
    loss = learner.loss(batch)
    stepper.zero_grad()
    loss.sum().backward()
    stepper.step()
    return loss.detach()


def end_stretch(position: Position, recipe: Recipe) -> None:
    """Add a point to the curve and stand at the beginning of the next stretch."""
    if not position.losses:
        raise ValueError(
            f"batches must give at least one batch an epoch; epoch {position.epoch + 1} has none. A generator is used "
            "up after one epoch: give a list, a DataLoader or a Stream"
        )
    losses = torch.stack([loss.cpu() for loss in position.losses])
    if not losses.isfinite().all(dim=0).any():  # of a stack the others go on
        raise not_finite(position, recipe)
    position.epoch, position.losses = position.epoch + 1, []
    position.curve.append({"epoch": position.epoch, "loss": losses.mean(dim=0).tolist()})


def not_finite(position: Position, recipe: Recipe) -> FloatingPointError:
    rate = getattr(recipe, "learning_rate", "its value")
    return FloatingPointError(
        f"the loss is not finite in epoch {position.epoch + 1}: lower learning_rate={rate}, or, where the loss is your "
        "own, look for a logarithm or a root of 0 in it"
    )


@torch.no_grad()
def predict(
    network: Callable[[Tensor], Tensor], inputs: Tensor, batch_size: int = 1000, machine: Machine = Machine()
) -> Tensor:
    """What a network says of inputs `(N, …)`, in `eval()` mode and without a gradient.

    `network` is a network, which is left as it was, or any callable from inputs to logits, such as a pretrained network
    with its own preprocessing: what networks it calls are in `eval()` mode while they answer. It answers with a tensor,
    a NumPy array, or an object or dictionary with `logits`; another answer is a TypeError or ValueError.

    Returns:
        Logits `(N, C)`, or `(N, time, C)`, in float32 or wider.

    >>> predict(nn.Linear(64, 10), torch.randn(5, 64)).shape
    torch.Size([5, 10])
    """
    with eval_mode(network), machine.precision():
        return torch.cat([full_precision(as_logits(network(part), part)) for part in inputs.split(batch_size)])


def as_logits(answer: Any, inputs: Tensor) -> Tensor:
    """The tensor that a network answers, where its inputs are: itself, an array, or the `logits` of an object."""
    found = answer.get("logits", answer) if isinstance(answer, Mapping) else getattr(answer, "logits", answer)
    found = torch.tensor(found) if isinstance(found, np.ndarray) else found  # a copy, for an array may be read-only
    if not isinstance(found, Tensor):
        way = ". Return the one output that holds the logits" * isinstance(found, list | tuple)
        raise TypeError(
            f"a network or teacher must answer with logits as a tensor or an array; got {type(found).__name__}{way}"
        )
    if found.ndim < 2 or len(found) != len(inputs):
        raise ValueError(
            f"a network or teacher must answer with a row of logits for each of {len(inputs)} inputs, "
            f"({len(inputs)}, C); got {tuple(found.shape)}"
        )
    return found.to(inputs.device)


@contextmanager
def eval_mode(answers: Any = None) -> Iterator[None]:
    """Whatever module is called within is in `eval()` mode, and afterwards as it was.

    A method of a network, or a compiled script, calls no module that could be seen: `answers` is such a one.
    """
    owner = getattr(answers, "__self__", answers)
    trained = [one for one in owner.modules() if one.training] if isinstance(owner, nn.Module) else []
    for module in trained:
        module.training = False

    def stop_training(module: nn.Module, inputs: Any) -> None:
        if module.training:
            trained.append(module)
            module.training = False

    handle = register_module_forward_pre_hook(stop_training)
    try:
        yield
    finally:
        handle.remove()
        for module in trained:
            module.training = True


def random_numbers_of(seed: int | None) -> Any:
    """Dropout as a function of the seed, and torch's random numbers afterwards as they were."""
    return nullcontext() if seed is None else seeded_numbers(seed)


@contextmanager
def seeded_numbers(seed: int) -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
