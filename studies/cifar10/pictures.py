"""Ten test images, one of each class, that the teacher names rightly and holds most likely to be of a second class.

Notebook 07's figure shows them. They were picked for the doubt, so they say nothing of other images. The teacher is
that of one pair of plan.py.

Command: `python studies/cifar10/pictures.py FOLDER`, with the folder that plan.py carried the pair out in, writes
pictures.npz beside this file.
"""

from pathlib import Path

import numpy as np
import plan
import torch
import typer
from students import FIRST, photographs, teacher_of
from torch import Tensor

import kdlearn

RECORD = Path(__file__).with_name("pictures.npz")


def most_doubted(logits: Tensor, labels: Tensor) -> Tensor:
    """Of each class the row with the largest second probability among those that are named rightly, `(C,)`."""
    right = logits.argmax(dim=1) == labels
    second = kdlearn.soft_labels(logits, 1.0).topk(2).values[:, 1].where(right, -1)
    return torch.stack([second.where(labels == label, -1).argmax() for label in labels.unique()])


def main(folder: Path, pair: int = 0) -> None:
    """Read the answers of the pair's teacher, and write the pictures with their labels and logits."""
    setting = photographs()
    where = {"folder": folder, "workers": 1, "machine": plan.MACHINE}
    [answers] = kdlearn.trained_logits([teacher_of(setting, FIRST + pair)], splits=("test",), **where)
    rows = most_doubted(answers["test"], setting.data.test.labels)
    images, labels = (part[rows].numpy() for part in (setting.data.test.inputs, setting.data.test.labels))
    np.savez_compressed(RECORD, images=images, labels=labels, logits=answers["test"][rows].numpy())


if __name__ == "__main__":
    typer.run(main)
