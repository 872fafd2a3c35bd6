"""The one training loop, for teacher and student alike, for one network and for a stack of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import length_hint
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, distributed, nn
from tqdm.auto import tqdm

from kdlearn.data.batches import Batch, BatchStream, Stretches
from kdlearn.data.dataset import without_ignored
from kdlearn.data.digests import digest
from kdlearn.networks.weights import are_finite
from kdlearn.training.checkpoints import Checkpoint
from kdlearn.training.machine import Machine
from kdlearn.training.optimizers import Adam, Optimizer, Recipe, recipe_of
from kdlearn.training.outputs import captured_outputs, eval_mode, logits_of
from kdlearn.training.processes import forward_of
from kdlearn.training.strategy import Strategy, mean_loss

Measure = Callable[[nn.Module, int], dict[str, Any]]


class Learner(Protocol):
    """What the loop trains: the network, all weights in one module, a batch's loss, `()` or one for each network."""

    network: nn.Module
    whole: nn.Module

    def loss(self, batch: Any) -> Tensor: ...


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
        batches: iterated once an epoch: a `BatchStream`, or any iterable of `Batch` or of `(inputs, labels)`; its order
            comes back after an interruption if it is a function of its attribute `epoch`, as a `BatchStream`'s is.
            Labels of -100 do not count.
        optimizer: `Adam()`, `NesterovSGD()`, or torch's: a function of the parameters, such as
            `functools.partial(torch.optim.AdamW, lr=1e-3)`.
        machine: on which device, and in which precision; network and batches must be there already.
        evaluate: what it returns for the network after an epoch is added to the curve.
        checkpoint: a file that is written after each epoch; where it is there, the training goes on from it and ends as
            if it had never stopped. The caller deletes it.
        settings: plain values that a checkpoint must share beside network, strategy, optimiser, lengths, seed and
            machine, such as which data these are; of a `BatchStream` the data are known.
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
    source, recipe, decided_by = Epochs(batches, num_epochs), recipe_of(optimizer), {}
    measure = None if evaluate is None else lambda network, epoch: evaluate(network)
    if checkpoint is not None:
        rate = {f"optimizer's {name}": value for name, value in recipe.settings().items()}
        told = {"strategy": type(strategy).__qualname__, **strategy.settings, **rate, "network": network}
        named = {name: repr(value) for name, value in told.items()} | {"all of the strategy": digest(strategy)}
        decided_by = {"num_epochs": num_epochs, "seed": seed, **machine.settings(), "settings": settings, **named}
        decided_by |= source.about()
    with seeded_numbers(seed):
        learner = OneNetwork(network, strategy, machine, lambda: next(source.batches(0)))
        kept = {"checkpoint": checkpoint, "settings": decided_by}
        curve = fit(learner, source, recipe, measure=measure, progress=progress, **kept)
    if not are_finite(network):
        raise FloatingPointError("the last update made weights that are not finite: lower the learning rate")
    return curve


@contextmanager
def seeded_numbers(seed: int | None) -> Iterator[None]:
    """Torch's random numbers as a function of the seed, and afterwards as they were; None leaves them alone."""
    with torch.random.fork_rng(enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        yield


class Epochs:
    """Any iterable as a source of batches: an epoch is once through it."""

    def __init__(self, batches: Iterable[Any], num_epochs: int) -> None:
        self.iterable, self.num_epochs, self.length = batches, num_epochs, length_hint(batches)  # 0: it does not say

    def __len__(self) -> int:
        return self.num_epochs

    def batches(self, epoch: int) -> Iterator[Batch]:
        if hasattr(self.iterable, "epoch"):
            setattr(self.iterable, "epoch", epoch)  # noqa: B010 - an iterable's own attribute, unknown to its type
        return map(as_batch, self.iterable)

    def progress(self, epoch: int, done: int) -> float:
        """One without a length counts an epoch when it is over, so its learning rate stays the same."""
        return (epoch + (min(done / self.length, 1) if self.length else 0)) / self.num_epochs

    @property
    def updates(self) -> int:
        """How many there are in all; 0 if that is not known."""
        return self.num_epochs * self.length

    def about(self) -> dict[str, Any]:
        """What is known of the data: of a `BatchStream` all, of another iterable its length."""
        return {"batches": self.length} | (self.iterable.about() if isinstance(self.iterable, BatchStream) else {})


def as_batch(found: Any) -> Batch:
    """A batch whose mask leaves labels of -100 out; of several processes, which count labels together, each has one."""
    if isinstance(found, tuple | list) and len(found) == 2:
        found = Batch(inputs=found[0], labels=found[1])
    if isinstance(found, Batch):
        return without_ignored(found, always=distributed.is_initialized())
    raise TypeError(f"batches must give kdlearn.Batch or pairs (inputs, labels); got {type(found).__name__}")


class OneNetwork:
    """A network, and what its strategy trains along with it."""

    def __init__(self, network: nn.Module, strategy: Strategy, machine: Machine, example: Callable[[], Batch]) -> None:
        self.network, self.strategy, self.machine, self.trained = network, strategy, machine, None
        self.layers = [student for student, _ in strategy.layers]
        if type(strategy).prepare is not Strategy.prepare:
            with torch.no_grad(), eval_mode():
                _, batch = self.answer(network, example())
            self.trained = strategy.prepare(batch)
        self.whole = network if self.trained is None else nn.ModuleList([network, self.trained])
        self.forward = forward_of(network, machine)

    def loss(self, batch: Batch) -> Tensor:
        logits, batch = self.answer(self.forward, batch)
        try:
            return mean_loss(self.strategy, logits, batch)
        except ValueError:  # losses refuse logits that are not finite: here it is the training that diverged
            if logits.isfinite().all() or not batch.inputs.isfinite().all():
                raise
            return logits.sum() * torch.nan

    def answer(self, forward: Callable[[Tensor], Tensor], batch: Batch) -> tuple[Tensor, Batch]:
        """The logits, and the batch with what the layers gave."""
        with captured_outputs(self.network, self.layers) as features, self.machine.precision():
            logits = logits_of(forward(batch.inputs))
        return logits, batch._replace(student_features=tuple(features) or None, trained=self.trained)


def fit(
    learner: Learner,
    source: Epochs | Stretches,
    recipe: Recipe,
    *,
    measure: Measure | None = None,
    checkpoint: Path | None = None,
    settings: Mapping[str, Any] | str = "",
    progress: bool = False,
) -> list[dict[str, Any]]:
    """The loop: `measure(network, stretch)` after each stretch, whose number counts from 1. Returns the curve."""
    stepper = recipe.optimizer(learner.whole)
    kept = Checkpoint(checkpoint, learner.whole, stepper, settings)
    curve = kept.load()
    with tqdm(total=len(source), initial=len(curve), desc="training", leave=False, disable=not progress) as bar:
        for stretch in range(len(curve), len(source)):
            learner.whole.train()  # an evaluation may have left it in eval() mode
            losses = []
            for done, batch in enumerate(source.batches(stretch)):
                losses.append(
                    update(learner, batch, stepper, recipe.schedule(source.progress(stretch, done), source.updates))
                )
            curve.append({"epoch": stretch + 1, "loss": mean_of(losses, stretch + 1, recipe)})
            curve[-1] |= measure(learner.network, stretch + 1) if measure else {}
            kept.save(curve)
            bar.update()
    learner.whole.train()
    return curve


def update(learner: Learner, batch: Any, stepper: torch.optim.Optimizer, factor: float = 1.0) -> Tensor:
    """One step at `factor` times the learning rate; in a stack the sum's gradient on a network's weights is its own."""
    for group in stepper.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
    loss = learner.loss(batch)
    stepper.zero_grad()
    loss.sum().backward()
    stepper.step()
    return loss.detach()


def mean_of(losses: list[Tensor], epoch: int, recipe: Recipe) -> Any:
    """The mean of an epoch's losses, or of each network's in a stack."""
    if not losses:
        raise ValueError(
            f"batches must give at least one batch an epoch; epoch {epoch} has none. A generator is used up after one "
            "epoch: give a list, a DataLoader or a BatchStream"
        )
    found = torch.stack(losses).cpu()
    if not found.isfinite().all(dim=0).any():  # of a stack the others go on
        raise FloatingPointError(
            f"the loss is not finite in epoch {epoch}: lower "
            f"learning_rate={getattr(recipe, 'learning_rate', 'its value')}, or, where the loss is your own, look for "
            "a logarithm or a root of 0 in it"
        )
    return found.mean(dim=0).tolist()
