"""The committed logits of real networks that the theory notebooks read."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kdlearn.formulas.metrics import accuracy
from kdlearn.studies.digits import save_logits

NETWORKS = ("teacher", "student", "long")


def accuracies(path):
    with np.load(path, allow_pickle=False) as file:
        labels = torch.from_numpy(file["labels"])
        return {name: accuracy(torch.from_numpy(file[f"{name}_logits"]), labels) for name in NETWORKS}


def test_the_committed_file_is_what_its_command_makes(tmp_path):
    save_logits(tmp_path / "made.npz")
    made = accuracies(tmp_path / "made.npz")
    committed = accuracies(Path(__file__).parents[2] / "notebooks" / "digits_logits.npz")
    assert made == pytest.approx(committed, abs=0.02)  # another machine rounds, and so trains, a little differently
    assert min(committed.values()) > 0.9
