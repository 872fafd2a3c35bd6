"""The network of text: a linear layer on hashed n-grams, which is trained in stacks and fits into a page."""

from functools import partial

import torch
from torch import nn

from kdcourse import NgramNetwork, codes_of, ngram_vectors
from kdlearn import Machine, Run, count_parameters
from kdlearn.data.dataset import Dataset, Split
from kdlearn.engine.checks import Checks

CODES = codes_of(["to be", "or not to be", "né", ""], 12)


def drawn(network: NgramNetwork) -> NgramNetwork:
    for weight in network.parameters():
        nn.init.normal_(weight)
    return network


def test_it_is_a_linear_layer_on_the_vectors_and_so_is_its_gradient():
    network, linear = drawn(NgramNetwork(3, buckets=64, widths=(1, 2))), nn.Linear(64, 3)
    with torch.no_grad():
        linear.weight.copy_(network.weight.T)
        linear.bias.copy_(network.bias)
    mine, other = network(CODES), linear(ngram_vectors(CODES, (1, 2), 64))
    torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)
    for logits in (mine, other):
        logits.square().sum().backward()
    torch.testing.assert_close(network.weight.grad, linear.weight.grad.T, rtol=1e-4, atol=1e-4)


def test_a_text_may_be_filled_up_to_any_length():
    network = drawn(NgramNetwork(3))
    torch.testing.assert_close(network(CODES), network(nn.functional.pad(CODES, (0, 7))), rtol=1e-5, atol=1e-5)


def test_of_an_empty_text_it_says_its_bias():
    network = drawn(NgramNetwork(3))
    assert torch.equal(network(CODES)[3], network.bias)


def test_many_are_trained_as_one():
    texts = Split(CODES, torch.tensor([0, 1, 2, 0]))
    assert Checks(Machine()).can_be_stacked(Run(Dataset(texts, texts), partial(NgramNetwork, 3)))


def test_that_of_24_languages_takes_less_than_120_kilobytes_in_whole_numbers_of_a_byte():
    assert count_parameters(NgramNetwork(24)) < 120_000
