"""The networks of the digits, and initialisations that depend on the seed alone."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from kdlearn.formulas.many_labels import yes_or_no


def perceptron(*widths: int) -> nn.Sequential:
    """Linear layers with ReLU between them: `perceptron(64, 32, 10)` has 64 inputs, one hidden layer, ten logits.

    Returns:
        A network from inputs of any shape `(N, …)`, which it flattens, to logits `(N, C)`.

    >>> [tuple(parameter.shape) for parameter in perceptron(64, 32, 10).parameters()]
    [(32, 64), (32,), (10, 32), (10,)]
    """
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def small_convnet(width: int = 32, num_classes: int = 10) -> nn.Sequential:
    """Two 3×3 convolutions, of `width` and twice as many channels, and two linear layers.

    Returns:
        A network from images `(N, 1, 8, 8)` to logits `(N, num_classes)`.

    >>> small_convnet()(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 10])
    """
    return nn.Sequential(
        nn.Conv2d(1, width, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2 * width * 4 * 4, 2 * width),
        nn.ReLU(),
        nn.Linear(2 * width, num_classes),
    )


class YesOrNo(nn.Module):
    """The last layer of a network that answers many questions at once: `(N, C)` logits z as `(N, C, 2)`, (0, z) each.

    With labels `(N, C)` of 0 and 1 every strategy then learns many labels; see `kdlearn.formulas.many_labels`.

    >>> nn.Sequential(perceptron(64, 32, 10), YesOrNo())(torch.zeros(5, 64)).shape
    torch.Size([5, 10, 2])
    """

    def forward(self, logits: Tensor) -> Tensor:
        return yes_or_no(logits)


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """`build()` with an initialisation that depends on the seed alone, the global random state left as it was.

    Returns:
        What `build` returns.

    >>> one, other = (seeded(lambda: perceptron(64, 10), seed=0) for _ in range(2))
    >>> torch.equal(one[1].weight, other[1].weight)
    True
    """
    # torch.manual_seed would seed every kind of device, which takes longer than building a small network.
    before = torch.default_generator.get_state()
    try:
        torch.default_generator.manual_seed(seed)
        return build()
    finally:
        torch.default_generator.set_state(before)
