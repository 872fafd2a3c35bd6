"""The one training loop, for teacher and student alike."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from copy import deepcopy
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from tqdm.auto import tqdm

from kdlearn.data import Batch, StackedBatches
from kdlearn.formulas.labels import full_precision
from kdlearn.training.checkpoints import Position, interrupts_noted, load_checkpoint, save_checkpoint
from kdlearn.training.machine import Machine
from kdlearn.training.optimizers import Adam, Recipe
from kdlearn.training.processes import forward_of, rank
from kdlearn.training.strategies import Strategy


def train(
    model: nn.Module,
    batches: Iterable[Batch],
    strategy: Strategy,
    *,
    num_epochs: int,
    optimizer: Recipe = Adam(),
    machine: Machine = Machine(),
    evaluate: Callable[[nn.Module], dict[str, Any]] | None = None,
    checkpoint: Path | None = None,
    settings: Any = None,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Train a teacher or a student on what the strategy says, in place; it is left in `train()` mode.

    Args:
        batches: iterated once an epoch: `Batches`, `ViewBatches`, or any iterable of `Batch`; its order comes back
            after an interruption if it is a function of its attribute `epoch`, as it is with these two.
        optimizer: how weights are stepped, and the schedule of the learning rate.
        machine: on which device, and in which precision; model and batches must be there already.
        evaluate: what it returns for the model after an epoch is added to the curve.
        checkpoint: a file that is written after each epoch and on Ctrl-C; where it is there, the training goes on from
            it and ends as if it had never stopped. The caller deletes it.
        settings: plain values that a checkpoint must share, such as the strategy and the seed.
        progress: whether to show a bar with the time left.

    Returns:
        The learning curve: for each epoch a dictionary of `epoch`, `loss` (the mean over its batches) and what
        `evaluate` gave. A loss that is no longer finite is a FloatingPointError.
    """
    stepper = optimizer.optimizer(model)
    forward, position = forward_of(model, machine), Position()
    if checkpoint is not None and checkpoint.exists():
        position = load_checkpoint(checkpoint, model, stepper, settings)

    def save() -> None:
        if checkpoint is not None and rank() == 0:
            save_checkpoint(checkpoint, model, stepper, position, settings)

    bar = {"desc": "training", "unit": "epoch", "leave": False, "disable": not progress}
    epochs = tqdm(total=num_epochs, initial=position.epoch, **bar)
    with epochs, interrupts_noted() as interrupted:
        while position.epoch < num_epochs:
            model.train()  # an evaluation may have left it in eval() mode
            for batch in remaining(batches, position):
                set_learning_rate(stepper, optimizer.schedule(share_done(batches, position) / num_epochs))
                position.losses.append(step(forward, batch, strategy, stepper, machine))
                if interrupted.is_set():
                    save()
                    raise KeyboardInterrupt
            finish_epoch(position, optimizer, evaluate(model) if evaluate else {})
            epochs.update()
            save()
    model.train()
    return position.curve


def remaining(batches: Iterable[Batch], position: Position) -> Iterator[Batch]:
    """What is left of the present epoch."""
    if hasattr(batches, "epoch"):
        batches.epoch = position.epoch
    return islice(batches, len(position.losses), None)


def share_done(batches: Iterable[Batch], position: Position) -> float:
    """How many epochs are done. One without a length counts when it is over, so its learning rate stays the same."""
    return position.epoch + (len(position.losses) / len(batches) if isinstance(batches, Sized) else 0)


def set_learning_rate(stepper: torch.optim.Optimizer, factor: float) -> None:
    for group in stepper.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor


def step(
    forward: Callable[[Tensor], Tensor],
    batch: Batch,
    strategy: Strategy,
    stepper: torch.optim.Optimizer,
    machine: Machine = Machine(),
) -> Tensor:
    """One update. The loss is one number, or one for each of several students that share nothing but the loop."""
    with machine.precision():
        logits = forward(batch.images)
    loss = strategy(logits, batch)
    stepper.zero_grad()
    loss.sum().backward()
    stepper.step()
    return loss.detach()


def finish_epoch(position: Position, optimizer: Recipe, evaluation: dict[str, Any]) -> None:
    """Add a point to the curve and stand at the beginning of the next epoch."""
    losses, position.losses = torch.stack([loss.cpu() for loss in position.losses]), []
    position.epoch += 1
    if not losses.isfinite().all():
        rate = optimizer.learning_rate
        raise FloatingPointError(f"the loss is not finite in epoch {position.epoch}; lower learning_rate={rate}")
    position.curve.append({"epoch": position.epoch, "loss": losses.mean(dim=0).tolist(), **evaluation})


def train_together(
    students: Sequence[nn.Module], batches: Sequence[Iterable[Batch]], strategy: Strategy, **options: Any
) -> list[dict[str, Any]]:
    """`train` for several students of one architecture at once, each on its own batches: far faster than in turn.

    The students never meet: their losses are added, and a sum's gradient on one student's weights is that student's.
    Adam acts on each weight alone, so each ends where it would have ended by itself, within rounding. For networks
    without BatchNorm and dropout. `options` as in `train`; a curve's `loss` holds one number a student.
    """

    def loss_of_each(logits: Tensor, batch: Batch) -> Tensor:
        dims = Batch(*(None if values is None else 0 for values in batch))
        return vmap(strategy, in_dims=(0, dims))(logits, batch)

    stacked = StackedNetworks(students)
    curve = train(stacked, StackedBatches(batches), loss_of_each, **options)
    stacked.hand_back(students)
    return curve


class StackedNetworks(nn.Module):
    """Several networks of one architecture as one, with a leading dimension on every weight, input and output."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        weights, buffers = stack_module_state(list(networks))
        if buffers:
            raise ValueError(f"networks must have no buffers, such as BatchNorm's; got {', '.join(buffers)}")
        self.names = list(weights)
        self.weights = nn.ParameterList(weights.values())
        self.skeleton = [deepcopy(networks[0]).to("meta")]  # in a list, so that its weights are not registered

    def forward(self, images: Tensor) -> Tensor:
        weights = dict(zip(self.names, self.weights, strict=True))
        return vmap(lambda weights, images: functional_call(self.skeleton[0], weights, (images,)))(weights, images)

    @torch.no_grad()
    def hand_back(self, networks: Sequence[nn.Module]) -> None:
        """Copy the weights into the networks."""
        for name, stack in zip(self.names, self.weights, strict=True):
            for network, weight in zip(networks, stack, strict=True):
                network.get_parameter(name).copy_(weight)


@torch.no_grad()
def predict(
    model: Callable[[Tensor], Tensor], images: Tensor, batch_size: int = 1000, machine: Machine = Machine()
) -> Tensor:
    """The logits `(N, C)` of images `(N, …)`, in float32 or wider, in `eval()` mode and without a gradient.

    `model` is a network, which is left as it was, or any callable from images to logits, such as a pretrained network
    with its own preprocessing.
    """
    with eval_mode(model), machine.precision():
        return torch.cat([full_precision(model(part)) for part in images.split(batch_size)])


@contextmanager
def eval_mode(model: Callable[[Tensor], Tensor]) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()] if isinstance(model, nn.Module) else []
    for module, _ in modes:
        module.training = False
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
