"""Logits of real networks for the theory notebooks: a teacher, a student that it taught, a student of a long training.

`python studies/digits/logits.py FILE` trains the three and writes them in seconds. The committed
`notebooks/digits_logits.npz` was made with this recipe by an earlier training loop, which drew orders and shifts
otherwise. Notebooks 01 to 03b print digits of it, so it stays as it is: what this script makes differs in every logit,
and is as accurate.
"""

import sys
from pathlib import Path

import numpy as np
from torch import nn

import kdlearn
from kdcourse.demo import BATCH_SIZE, STUDENT
from kdlearn.data.dataset import Dataset

VIEWS = kdlearn.Views(pixels=1, flip=False, border="darkest")


def trained_networks(data: Dataset) -> dict[str, nn.Module]:
    """By name: 10 epochs on shifted images; 300 updates on the teacher's soft labels; 3,000 on ground truth."""
    teacher, student, long = (kdlearn.seeded(build, 0) for build in (kdlearn.small_convnet, STUDENT, STUDENT))
    shifted = kdlearn.BatchStream(data.train, BATCH_SIZE, seed=0, inputs=VIEWS.of(data))
    plain, quiet = kdlearn.BatchStream(data.train, BATCH_SIZE, seed=0), {"progress": False}
    kdlearn.train(teacher, shifted, kdlearn.GroundTruth(), num_epochs=10, optimizer=kdlearn.Adam(1e-3), **quiet)
    options = {"num_epochs": 15, "batch_size": BATCH_SIZE, **quiet}
    kdlearn.distill(teacher, student, data, strategy=kdlearn.SoftLabels(2.0), **options)
    kdlearn.train(long, plain, kdlearn.GroundTruth(), num_epochs=150, **quiet)
    return {"teacher": teacher, "student": student, "long": long}


def save_logits(path: str | Path) -> None:
    """Inputs, labels and each network's logits of the validation and the test images."""
    data = kdlearn.load_digits()
    networks, arrays = trained_networks(data), {}
    for split, prefix in (("validation", "validation_"), ("test", "")):
        part = getattr(data, split)
        arrays |= {f"{prefix}images": part.inputs.numpy(), f"{prefix}labels": part.labels.numpy()}
        for name, network in networks.items():
            arrays[f"{prefix}{name}_logits"] = kdlearn.predict(network, part.inputs).numpy()
    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    save_logits(sys.argv[1])
