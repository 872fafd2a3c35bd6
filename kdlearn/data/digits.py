"""The handwritten digits that come with scikit-learn: small enough to learn on in seconds."""

from functools import cache
from typing import Any

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor

from kdlearn.data.dataset import Dataset, Split, stratified_sample


def load_digits(seed: int = 0) -> Dataset:
    """1,797 handwritten digits of 8×8 pixels, part of scikit-learn: nothing is downloaded.

    Source: Alpaydin & Kaynak 1998, UCI Optical Recognition of Handwritten Digits.

    Returns:
        1,200 to train on, 197 to validate, 400 to test, stratified; the seed draws the split. Inputs are
        `(N, 1, 8, 8)` float32 with the training split's mean 0 and deviation 1.

    >>> load_digits().train.inputs.shape
    torch.Size([1200, 1, 8, 8])
    """
    images, labels = stored()
    rows = torch.from_numpy(np.setdiff1d(np.arange(len(labels)), test := stratified_sample(labels, 400, seed)))
    train = rows[stratified_sample(labels[rows], 1200, seed)]
    validation = torch.from_numpy(np.setdiff1d(rows, train))
    images = (images - images[train].mean()) / images[train].std()
    parts = [Split(images[rows], labels[rows]) for rows in (train, test, validation)]
    return Dataset(*parts, class_names=tuple("0123456789"), name="digits")


@cache
def stored() -> tuple[Tensor, Tensor]:
    """Images `(1797, 1, 8, 8)` as they lie on the disk, and labels, read once; nobody changes them."""
    bunch: Any = datasets.load_digits()
    return torch.from_numpy(bunch.images).float().unsqueeze(1), torch.from_numpy(bunch.target).long()
