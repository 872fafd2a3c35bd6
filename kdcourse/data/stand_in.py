"""What notebooks and tests show where CIFAR-10 is not there."""

from dataclasses import replace

from kdlearn.data.dataset import Dataset, Split
from kdlearn.data.digits import load_digits
from kdlearn.data.images import normalised


def stand_in() -> Dataset:
    """scikit-learn's digits, enlarged to CIFAR-10's 3×32×32: for code that waits for it. Their numbers mean nothing."""
    digits = load_digits()
    low, high = digits.train.inputs.min(), digits.train.inputs.max()

    def enlarged(part: Split) -> Split:
        pixels = (255 * (part.inputs - low) / (high - low)).round().clamp(0, 255).byte()
        return Split(pixels.repeat(1, 3, 1, 1).repeat_interleave(4, 2).repeat_interleave(4, 3), part.labels)

    return normalised(replace(digits, **{name: enlarged(part) for name, part in digits.splits()}, name="stand-in"))
