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

__all__ = [
    "Augment",
    "Batch",
    "Batches",
    "Examples",
    "Splits",
    "StackedBatches",
    "load_digits",
    "random_shift",
    "stratified_sample",
]
