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
from kdlearn.data.images import ImageSplits, load_images, stand_in
from kdlearn.data.views import CERTAIN, LabelStore, ViewBatches, Views

__all__ = [
    "CERTAIN",
    "Augment",
    "Batch",
    "Batches",
    "Examples",
    "ImageSplits",
    "LabelStore",
    "Splits",
    "StackedBatches",
    "ViewBatches",
    "Views",
    "load_digits",
    "load_images",
    "random_shift",
    "stand_in",
    "stratified_sample",
]
