"""A small, fast convolutional network for small images, after airbench94 (Jordan, 2024, arXiv 2404.00498)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

if TYPE_CHECKING:  # it loads scikit-learn, which networks do without
    from kdlearn.data.dataset import Dataset


class Airbench(nn.Sequential):
    """The layers one after the other; logits are their output / 9."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) / 9


def airbench(widths: Sequence[int] = (64, 256, 256), num_classes: int = 10, channels: int = 3) -> Airbench:
    """A frozen whitening layer, three groups of two 3×3 convolutions, and a linear layer.

    Call `whiten(model, images)` before training. At the default widths it has 1.97 million parameters, at
    `(24, 88, 88)` 0.24 million.

    Returns:
        A network from images `(N, channels, height, width)` of at least 9×9 pixels to logits `(N, num_classes)`.

    >>> airbench((24, 88, 88))(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    if len(widths) != 3 or min(widths) < 1:
        raise ValueError(f"widths must be three positive numbers, one a group, such as (64, 256, 256); got {widths}")
    filters = 2 * 4 * channels
    whitening = nn.Conv2d(channels, filters, kernel_size=2)
    whitening.weight.requires_grad = False
    groups = (group(inputs, outputs) for inputs, outputs in pairwise((filters, *widths)))
    pool = nn.AdaptiveMaxPool2d(1)  # of 3×3 values at both 32×32 and 28×28 pixels: the paper's max-pooling by 3
    return Airbench(whitening, nn.GELU(), *groups, pool, nn.Flatten(), nn.Linear(widths[-1], num_classes, bias=False))


def group(inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions, with the pooling after the first, each followed by BatchNorm and GELU."""
    first = (convolution(inputs, outputs), nn.MaxPool2d(2), norm(outputs), nn.GELU())
    return nn.Sequential(*first, convolution(outputs, outputs), norm(outputs), nn.GELU())


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3×3 without bias; its first `inputs` filters start as the identity and hand the image on as it is."""
    layer = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)
    nn.init.dirac_(layer.weight.detach()[:inputs])
    return layer


def norm(width: int) -> nn.BatchNorm2d:
    """BatchNorm that learns its shift alone; 0.4 is the new batch's weight, where the paper's 0.6 is the old mean's."""
    layer = nn.BatchNorm2d(width, eps=1e-12, momentum=0.4)
    layer.weight.requires_grad = False
    return layer


def whitening_images(data: "Dataset", size: int = 5000, seed: int = 0) -> Tensor:
    """`size` training images (all, if there are fewer) as a network takes them, drawn by the seed.

    Drawn, because a folder of images comes sorted by class: its first rows are of one class alone.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1; got {size}")
    stored = data.train.inputs
    rows = torch.randperm(len(stored), generator=torch.Generator().manual_seed(seed))[:size]
    return data.inputs("train", rows.to(stored.device))


def whitened_airbench(widths: Sequence[int], num_classes: int, channels: int, filters: Tensor) -> Airbench:
    """An `airbench` whose first layer has the `filters` of `whitening_filters(images)`."""
    model = airbench(widths, num_classes, channels)
    model.get_parameter("0.weight").detach().copy_(filters)
    return model


@torch.no_grad()
def whiten(model: Airbench, images: Tensor, epsilon: float = 5e-4) -> None:
    """Set the first layer to `whitening_filters(images, epsilon)`, of images `(N, channels, height, width)`.

    >>> model, images = airbench((24, 88, 88)), torch.randn(50, 3, 32, 32)
    >>> whiten(model, images)
    >>> bool((model[0](images).var(dim=(0, 2, 3)) - 1).abs().max() < 0.01)  # each output's variance is 1
    True
    """
    check_channels(images, model.get_parameter("0.weight").shape[1])
    model.get_parameter("0.weight").copy_(whitening_filters(images, epsilon))


@torch.no_grad()
def whitening_filters(images: Tensor, epsilon: float = 5e-4) -> Tensor:
    """Filters `(8 · channels, channels, 2, 2)` whose outputs on the images are uncorrelated and of variance 1.

    Args:
        images: `(N, channels, height, width)`, normalised, else a ValueError: a sample of all classes, such as
            `whitening_images(data)`; all of them are used.
        epsilon: added to the variances λ, so that what hardly varies is not blown up.

    The filters are v / √(λ + epsilon) for the eigenvectors v of the second moments of the 2×2 patches, the largest λ
    first, then their negatives. Of ±v, v is the one whose first entry above a quarter of the largest is positive (ties
    among the large, and halves as in (1, −2, 1), are common): the same filters on every machine.
    """
    check_channels(images, images.shape[1] if images.ndim == 4 else "channels")
    # each (n, 4 · channels, places)
    patches = (unfold(some.cpu().double(), kernel_size=2) for some in images.split(250))
    moments = torch.stack([(some @ some.mT / some.shape[2]).sum(dim=0) for some in patches]).sum(dim=0) / len(images)
    variances, vectors = torch.linalg.eigh(moments)
    variances = variances.clamp(min=1e-12)  # of a constant channel it is 0, which rounding can make negative
    first_large = (vectors.abs() > vectors.abs().amax(dim=0) / 4).byte().argmax(dim=0, keepdim=True)
    filters = (vectors * vectors.gather(0, first_large).sign() / (variances + epsilon).sqrt()).flip(1).T
    return torch.cat([filters, -filters]).view(-1, images.shape[1], 2, 2)


def check_channels(images: Tensor, channels: int | str) -> None:
    if images.ndim != 4 or images.shape[1] != channels or 0 in images.shape or not images.is_floating_point():
        found = f"{tuple(images.shape)} {images.dtype}"
        raise ValueError(f"images must be normalised, floating, (N, {channels}, height, width); got {found}")
