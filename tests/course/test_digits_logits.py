"""The committed logits of real networks that the theory notebooks read."""

from pathlib import Path

import numpy as np
import pytest
import torch

import kdlearn
from kdlearn.formulas.metrics import accuracy

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "notebooks" / "digits_logits.npz"
NETWORKS = ("teacher", "student", "long")


def arrays_of(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def accuracies(arrays):
    return {name: accuracy(arrays[f"{name}_logits"], arrays["labels"]) for name in NETWORKS}


def test_its_script_makes_networks_that_are_as_accurate(tmp_path, script_of):
    script_of("digits/logits").save_logits(tmp_path / "made.npz")
    made, committed = arrays_of(tmp_path / "made.npz"), arrays_of(COMMITTED)
    assert made.keys() == committed.keys()
    assert all(made[name].shape == values.shape for name, values in committed.items())
    assert accuracies(made) == pytest.approx(accuracies(committed), abs=0.025)  # ten of 400 images


def test_its_images_are_those_of_the_digits():
    digits, committed = kdlearn.load_digits(), arrays_of(COMMITTED)
    for split, prefix in ((digits.validation, "validation_"), (digits.test, "")):
        torch.testing.assert_close(committed[f"{prefix}images"], split.inputs)
        assert torch.equal(committed[f"{prefix}labels"], split.labels)
    assert min(accuracies(committed).values()) > 0.9
