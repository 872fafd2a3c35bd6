"""The one training loop, for teacher and student alike."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from tqdm.auto import tqdm

from kdlearn.data import Batch, StackedBatches
from kdlearn.strategies import Strategy


def train(
    model: nn.Module,
    batches: Iterable[Batch],
    strategy: Strategy,
    *,
    num_epochs: int,
    learning_rate: float = 3e-3,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Train a teacher or a student with Adam on what the strategy says, in place; it is left in `train()` mode.

    `batches` are iterated once an epoch: a `Batches`, or any iterable of `Batch`. Returns the learning curve, for each
    epoch a dictionary of `epoch`, `loss` (the mean over its batches) and what `evaluate(model)` gave after it. A loss
    that is no longer finite is a FloatingPointError. `progress` shows a bar.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    model.train()
    curve = []
    for epoch in tqdm(range(1, num_epochs + 1), desc="training", unit="epoch", leave=False, disable=not progress):
        losses = torch.stack([step(model, batch, strategy, optimizer) for batch in batches])
        if not losses.isfinite().all():
            raise FloatingPointError(f"the loss is not finite in epoch {epoch}; lower learning_rate={learning_rate}")
        curve.append({"epoch": epoch, "loss": losses.mean(dim=0).tolist(), **(evaluate(model) if evaluate else {})})
        model.train()  # an evaluation may have left it in eval() mode
    return curve


def step(model: nn.Module, batch: Batch, strategy: Strategy, optimizer: torch.optim.Optimizer) -> Tensor:
    """One update. The loss is one number, or one for each of several students that share nothing but the loop."""
    loss = strategy(model(batch.images), batch)
    optimizer.zero_grad()
    loss.sum().backward()
    optimizer.step()
    return loss.detach()


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
def predict(model: nn.Module, images: Tensor, batch_size: int = 1000) -> Tensor:
    """The logits `(N, C)` of images `(N, …)`, in `eval()` mode and without a gradient; the model is left as it was."""
    with eval_mode(model):
        return torch.cat([model(part) for part in images.split(batch_size)])


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
