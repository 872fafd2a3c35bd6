"""Notebook 00: what counts as an answer."""

import torch
from torch import Generator

from kdcourse.exercises.answers import Formula, Number
from kdcourse.exercises.comparisons import of_your_own

DRAWN = 2 * torch.randn(5, 10, generator=Generator().manual_seed(0))
TOLD = [
    (logits, torch.randint(4, (rows,), generator=Generator().manual_seed(rows)))
    for rows in (30, 50)
    for logits in [torch.randn(rows, 4, generator=Generator().manual_seed(1))]
]

EXERCISES = {
    "00.1": Formula(
        lambda label: 1 - label.max(),
        [(label,) for label in DRAWN.softmax(1)],
        {
            "This is what the teacher's class gets. The others get the rest": lambda label: label.max(),
            "A probability is asked for, from 0 to 1, and not a percentage": lambda label: 100 * (1 - label.max()),
            "This is the second largest probability. All nine others count": lambda label: label.sort().values[-2],
            "The largest probability need not be the first": lambda label: 1 - label[0],
            "This is the mean of the nine others. Their sum is asked for": lambda label: (1 - label.max()) / 9,
        },
        "Take the nine probabilities beside the largest, and add them.",
    ),
    "00.2": Formula(
        lambda logits, labels: (logits.argmax(1) != labels).sum(),
        TOLD,
        {
            "This counts the images on which the two agree": lambda logits, labels: (logits.argmax(1) == labels).sum(),
            "This is a share. The number of images is asked for": lambda logits, labels: (
                (logits.argmax(1) != labels).double().mean()
            ),
            "This looks for the largest logit among the images. It is wanted among the classes: `dim=1`": (
                lambda logits, labels: (logits.argmax(0)[:, None] != labels).sum()
            ),
            "This compares the largest logit itself. Its place is the class: `argmax`": lambda logits, labels: (
                logits.amax(1) != labels
            ).sum(),
        },
        "Make the teacher's hard labels of its logits, and count where they differ from `labels`.",
    ),
    "00.3": Number(
        5.0,
        20.0,
        {
            "This looks like a share. Percent are asked for": (0.05, 0.2),
            "Ten classes are equally likely. Even a guess is right now and then": (-1.0, 5.0),
            "Nothing in these labels tells one image from another. How often is a guess right?": (20.0, 60.0),
            "So much the teacher knows, but it does not say it: all ten probabilities are equal": (60.0, 100.0),
        },
        "Answer in percent, from 0 to 100.",
    ),
    "00.4": Formula(
        lambda images, numbers, size: images * numbers * size / 1e9,
        [(1_281_167, 1000, 2), (1_281_167, 1, 2), (60_000, 10, 4)],
        {
            "This is in bytes. A gigabyte has 10⁹ of them": lambda images, numbers, size: images * numbers * size,
            "This is in megabytes": lambda images, numbers, size: images * numbers * size / 1e6,
            "2³⁰ bytes are a gibibyte. A gigabyte has 10⁹": lambda images, numbers, size: (
                images * numbers * size / 2**30
            ),
            "A byte was asked for and not a bit": lambda images, numbers, size: 8 * images * numbers * size / 1e9,
            "One image has more than one number": lambda images, numbers, size: images * size / 1e9,
        },
        "Multiply the three, and divide by the bytes of a gigabyte.",
    ),
    "00.5": of_your_own("teacher's hard labels"),
}
