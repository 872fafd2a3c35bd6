"""Notebook 00: answers that somebody may write; the right ones differ from the notebook's solution."""

import torch
from answers_04 import OWN

ANSWERS = {
    "00.1": {
        "right": [lambda label: label.sort().values[:9].sum(), lambda label: float(label.sum()) - float(max(label))],
        "wrong": [
            lambda label: label.max(),
            lambda label: 100 * (1 - label.max()),
            lambda label: label.topk(2).values[1],
            lambda label: label.topk(9, largest=False).values.mean(),
        ],
    },
    "00.2": {
        "right": [
            lambda logits, labels: sum(
                int(row.argmax()) != int(label) for row, label in zip(logits, labels, strict=True)
            ),
            lambda logits, labels: len(labels) - torch.eq(logits.softmax(1).max(1).indices, labels).sum(),
        ],
        "wrong": [
            lambda logits, labels: (logits.argmax(1) == labels).sum(),
            lambda logits, labels: (logits.argmax(1) != labels).float().mean(),
            lambda logits, labels: (logits.amax(1) != labels).sum(),
            lambda logits, labels: (logits.argmax(0)[:, None] != labels).sum(),
        ],
    },
    "00.3": {"right": [10, 9.6], "wrong": [0, 50, 98.0]},
    "00.4": {
        "right": [
            lambda n, numbers, size: n * numbers / 1000 * size / 1e6,
            lambda n, numbers, size: size * 1e-9 * n * numbers,
        ],
        "wrong": [
            lambda n, numbers, size: n * numbers * size,
            lambda n, numbers, size: n * numbers * size / 1024**3,
            lambda n, numbers, size: n * numbers * size * 8 / 1e9,
            lambda n, numbers, size: n * numbers * size / 1e6,
        ],
    },
    "00.5": OWN,
}
