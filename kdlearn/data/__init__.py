"""Data sets as tensors in memory, and batches whose order and views come back whenever the seed does."""

from kdlearn.data.batches import (
    Augment,
    Batch,
    Batches,
    Examples,
    Splits,
    StackedBatches,
    random_shift,
    stratified_sample,
)
from kdlearn.data.digits import load_digits
from kdlearn.data.images import ImageSplits, load_images

__all__ = [
    "Augment",
    "Batch",
    "Batches",
    "Examples",
    "ImageSplits",
    "Splits",
    "StackedBatches",
    "load_digits",
    "load_images",
    "random_shift",
    "stratified_sample",
]
