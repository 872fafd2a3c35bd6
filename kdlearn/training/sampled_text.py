"""Text that a network writes by drawing one character after the other, and students that learn from their own text."""

from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass

import torch
from torch import Generator, Tensor, nn

from kdlearn.data.batches import Batch, Order
from kdlearn.data.dataset import generator_of
from kdlearn.formulas.arguments import check_temperature
from kdlearn.formulas.labels import soft_labels
from kdlearn.training.machine import Machine
from kdlearn.training.outputs import predict

__all__ = ["OnPolicy", "sampled_text"]

Model = Callable[[Tensor], Tensor]


def sampled_text(
    network: Model,
    prompts: Tensor,
    length: int,
    *,
    window: int | None = None,
    temperature: float = 1.0,
    seed: int | Generator = 0,
    machine: Machine = Machine(),
) -> Tensor:
    """The prompts continued by a network: the next token is drawn from softmax(logits / temperature) at the last place.

    As hard labels of a student such text is what Kim & Rush 2016 (arXiv 1606.07947) call knowledge distillation at the
    level of sequences, with samples for their beam search: a data set, which `GroundTruth` learns from.

    Args:
        network: from tokens `(N, time)` int64 to logits `(N, time, C)`.
        prompts: `(N, time)` int64 with at least one token each.
        length: tokens of the whole text, prompt included.
        window: how many of the last tokens the network is shown; None for all.
        seed: of what is drawn, or a generator that draws it; torch's own random numbers stay as they were.

    Returns:
        `(N, length)` int64, which begins with the prompts.

    Raises:
        ValueError: no prompt, a length shorter than it, or a temperature that is not above 0.

    >>> def counts(tokens):  # a network that is sure of the next number, modulo 3
    ...     return 99.0 * torch.eye(3)[(tokens + 1) % 3]
    >>> sampled_text(counts, torch.tensor([[0], [1]]), length=5)
    tensor([[0, 1, 2, 0, 1],
            [1, 2, 0, 1, 2]])
    """
    check_temperature(temperature)
    if prompts.ndim != 2 or not 1 <= prompts.shape[1] <= length:
        raise ValueError(f"prompts must be (N, time) with 1 … {length} tokens, the text's length; got {prompts.shape}")
    generator, text = seed if isinstance(seed, Generator) else generator_of(seed), prompts
    while text.shape[1] < length:
        shown = text if window is None else text[:, -window:]
        probabilities = soft_labels(predict(network, shown, machine=machine)[:, -1], temperature).cpu()
        text = torch.cat([text, torch.multinomial(probabilities, 1, generator=generator).to(text.device)], dim=1)
    return text


@dataclass(eq=False)
class OnPolicy:
    """Batches for `train` whose text the student itself has written, and whose teacher's answers are about that text.

    The student learns where its own mistakes lead, and not where text of the data leads. `train` asks for a batch when
    the update before is done, so that every batch is written by the student's present weights. A `Run`'s batches are
    functions of the seed and the update alone, by which its runs are stacked and a teacher's answers stored; these are
    functions of the weights, so that `compare` and `study` cannot have them.
    Source: Agarwal et al. 2024 (GKD, arXiv 2306.13649), algorithm 1, with all text written by the student.

    Args:
        student: the network that is trained.
        teacher: from tokens `(N, time)` to logits `(N, time, C)`.
        prompts: `(N, time)` int64; in an order that the seed decides each is continued once an epoch.
        length: tokens of a text, prompt included. What is predicted within the prompt is masked.
        num_updates: batches an epoch of `train`.
        temperature: at which the student writes.

    >>> import kdlearn
    >>> student, teacher = nn.Embedding(65, 65), nn.Embedding(65, 65)  # the next token depends on the last alone
    >>> prompts = torch.zeros(10, 2, dtype=torch.int64)
    >>> batches = OnPolicy(student, teacher, prompts, length=6, batch_size=4, num_updates=3)
    >>> curve = kdlearn.train(student, batches, kdlearn.ReverseDivergence(1.0), num_epochs=1, progress=False)
    >>> [batch.teacher_logits.shape for batch in batches][0]
    torch.Size([4, 6, 65])
    """

    student: nn.Module
    teacher: Model
    prompts: Tensor
    _: KW_ONLY
    length: int
    batch_size: int
    num_updates: int
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        self.order, self.epoch = Order(self.seed, len(self.prompts)), 0

    def __len__(self) -> int:
        return self.num_updates

    def __iter__(self) -> Iterator[Batch]:
        start, self.epoch = self.epoch * len(self), self.epoch + 1
        return map(self.batch, range(start, start + len(self)))

    def batch(self, update: int) -> Batch:
        """Of the student as it is now."""
        rows = self.order(update * self.batch_size, (update + 1) * self.batch_size).to(self.prompts.device)
        prompts, drawn = self.prompts[rows], generator_of(self.seed, update)
        text = sampled_text(self.student, prompts, self.length, temperature=self.temperature, seed=drawn)
        own = torch.arange(self.length, device=text.device) >= prompts.shape[1] - 1
        return Batch(text, teacher_logits=predict(self.teacher, text), mask=own.expand_as(text))
