"""ResNet-18 for images of about 32×32 pixels, of torchvision's blocks."""

from torch import nn

from kdlearn.data.extras import extra


def resnet18(width: int = 64, num_classes: int = 10, channels: int = 3) -> nn.Sequential:
    """He et al. (2016, arXiv 1512.03385) with a 3×3 stem and no first pooling, as is usual on CIFAR-10.

    Four stages of two blocks, of `width`, 2, 4 and 8 times as many channels. At the default width it has 11,173,962
    parameters, as the ResNet18 of github.com/kuangliu/pytorch-cifar.

    Returns:
        A network from images `(N, channels, height, width)` to logits `(N, num_classes)`.

    A teacher may be any callable from images to logits: so may torchvision's networks, trained on ImageNet, of which
    each brings its own preprocessing. It expects pixels from 0 to 1, so normalised images are turned back first:

    >>> import torch, torchvision
    >>> preprocess = torchvision.models.ResNet18_Weights.DEFAULT.transforms()  # to 224×224, ImageNet's mean, deviation
    >>> network = torchvision.models.resnet18(num_classes=10).eval()  # here untrained; load yours, its last layer tuned
    >>> mean, deviation = torch.tensor([0.5, 0.5, 0.5]).view(3, 1, 1), 0.25
    >>> def teacher(images):
    ...     return network(preprocess(images * deviation + mean))
    >>> pixels = torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8)
    >>> with torch.no_grad():
    ...     teacher((pixels / 255 - mean) / deviation).shape
    torch.Size([2, 10])
    """
    stem = [nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    stages = [stage(width, width, stride=1)] + [stage(width * n, width * 2 * n, stride=2) for n in (1, 2, 4)]
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, num_classes))


def stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Two blocks; where the first changes the shape, its shortcut is a 1×1 convolution."""
    with extra("images"):
        from torchvision.models.resnet import BasicBlock
    shortcut = None
    if stride > 1:
        shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    return nn.Sequential(BasicBlock(inputs, outputs, stride, shortcut), BasicBlock(outputs, outputs))
