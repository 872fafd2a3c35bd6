"""What is drawn has the network's probabilities; an on-policy batch is written by the weights of its update."""

import pytest
import torch
from torch import nn

from kdlearn import GroundTruth, ReverseDivergence, kl_divergence, train
from kdlearn.training.sampled_text import OnPolicy, sampled_text

CHANCES = torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25], [0.3, 0.3, 0.4]])


class Pairs(nn.Module):
    """The next token depends on the last one alone, so that its probabilities can be written down."""

    def __init__(self, chances: torch.Tensor = CHANCES) -> None:
        super().__init__()
        self.table = nn.Embedding.from_pretrained(chances.log(), freeze=False)
        self.seen: list[int] = []

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        self.seen.append(tokens.shape[1])
        return self.table(tokens)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_each_token_follows_the_one_before_as_often_as_the_network_says(temperature):
    before = torch.get_rng_state()
    text = sampled_text(Pairs(), torch.arange(3).repeat(400)[:, None], 41, temperature=temperature, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    counts = torch.zeros(3, 3)
    for one, other in zip(text[:, :-1].flatten(), text[:, 1:].flatten(), strict=True):
        counts[one, other] += 1
    chances = CHANCES ** (1 / temperature)
    chances /= chances.sum(1, keepdim=True)
    errors = (chances * (1 - chances) / counts.sum(1, keepdim=True)).sqrt()
    assert ((counts / counts.sum(1, keepdim=True) - chances).abs() < 4 * errors).all()


def test_prompts_stay_the_seed_decides_and_the_window_is_as_long_as_told():
    prompts = torch.tensor([[0, 1, 2], [2, 2, 0]])
    network = Pairs()
    text = sampled_text(network, prompts, 9, window=4, seed=5)
    assert text.shape == (2, 9) and torch.equal(text[:, :3], prompts) and network.seen == [3, 4, 4, 4, 4, 4]
    assert torch.equal(text, sampled_text(Pairs(), prompts, 9, seed=5))
    assert not torch.equal(text, sampled_text(Pairs(), prompts, 9, seed=6))


@pytest.mark.parametrize("prompts", [torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, 9, dtype=torch.int64)])
def test_no_prompt_and_one_longer_than_the_text_are_refused(prompts):
    with pytest.raises(ValueError, match=r"prompts must be \(N, time\) with 1 … 8 tokens"):
        sampled_text(Pairs(), prompts, 8)


def on_policy(student: nn.Module, teacher: nn.Module, **options) -> OnPolicy:
    prompts = torch.arange(3).repeat(10)[:, None].expand(30, 2)
    return OnPolicy(student, teacher, prompts, length=7, batch_size=20, **options)


def test_a_batch_is_written_by_the_student_and_scored_by_the_teacher():
    student, teacher = Pairs(), Pairs(CHANCES.flip(0))
    batches = on_policy(student, teacher, num_updates=2)
    first, second = batches
    assert torch.equal(first.teacher_logits, teacher(first.inputs)) and first.labels is None
    assert first.mask[0].tolist() == [False] + [True] * 6 and not torch.equal(first.inputs, second.inputs)
    assert not torch.equal(next(iter(batches)).inputs, first.inputs), "another epoch has other text"
    with torch.no_grad():
        student.table.weight.copy_(99.0 * torch.eye(3).roll(1, 1))  # now it counts
    batches.epoch = 0
    changed = next(iter(batches)).inputs
    assert torch.equal(changed[:, 1:], (changed[:, 1:2] + torch.arange(6)) % 3)


def test_each_batch_of_a_training_is_written_by_the_weights_of_its_update():
    def train_for(num_updates: int, num_epochs: int) -> nn.Module:
        student = Pairs()
        batches = on_policy(student, Pairs(CHANCES.flip(0)), num_updates=num_updates, seed=3)
        train(student, batches, ReverseDivergence(1.0), num_epochs=num_epochs, progress=False)
        return student

    student = train_for(200, 1)
    assert torch.equal(student.table.weight, train_for(100, 2).table.weight)
    gaps = [kl_divergence(one.table.weight, CHANCES.flip(0).log()).mean() for one in (Pairs(), student)]
    assert gaps[1] < 0.2 * gaps[0]


def test_ground_truth_is_refused_since_nobody_knows_it():
    with pytest.raises(ValueError, match="reads labels, which the batch lacks"):
        train(Pairs(), on_policy(Pairs(), Pairs(), num_updates=1), GroundTruth(), num_epochs=1, progress=False)
