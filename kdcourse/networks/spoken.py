"""Networks of spoken digits, which look at spectrograms of 32 bands and 64 frames."""

from torch import nn


def spoken_teacher(width: int = 32, num_classes: int = 10) -> nn.Sequential:
    """Three 3×3 convolutions, of `width`, twice and four times as many channels, and two linear layers.

    Returns:
        A network from spectrograms `(N, 1, 32, 64)` to logits `(N, num_classes)`, of 618,000 parameters.

    >>> import torch
    >>> spoken_teacher()(torch.zeros(5, 1, 32, 64)).shape
    torch.Size([5, 10])
    """
    return nn.Sequential(
        *convolution(1, width, pool=2),
        *convolution(width, 2 * width, pool=2),
        *convolution(2 * width, 4 * width, pool=2),
        nn.Flatten(),
        nn.Linear(4 * width * 4 * 8, 4 * width),
        nn.ReLU(),
        nn.Linear(4 * width, num_classes),
    )


def spoken_student(width: int = 12, num_classes: int = 10) -> nn.Sequential:
    """Two 3×3 convolutions at every second place, and one linear layer: small and fast enough for a page.

    Returns:
        A network from spectrograms `(N, 1, 32, 64)` to logits `(N, num_classes)`, of 4,700 parameters.

    >>> import torch
    >>> spoken_student()(torch.zeros(5, 1, 32, 64)).shape
    torch.Size([5, 10])
    """
    return nn.Sequential(
        *convolution(1, width, pool=2, stride=2),
        *convolution(width, 2 * width, pool=2, stride=2),
        nn.Flatten(),
        nn.Linear(2 * width * 2 * 4, num_classes),
    )


def convolution(inputs: int, outputs: int, pool: int, stride: int = 1) -> tuple[nn.Module, ...]:
    """A 3×3 convolution at every `stride`th place, with ReLU; of `pool` × `pool` places the largest is kept."""
    return nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1), nn.ReLU(), nn.MaxPool2d(pool)
