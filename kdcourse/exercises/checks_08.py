"""Notebook 08: what counts as an answer."""

from math import log
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Generator, Tensor

from kdcourse.claims import VERDICTS
from kdcourse.exercises.answers import Formula, Number, Properties, short

BATCHES = [
    (
        torch.randn(rows, 10, generator=Generator().manual_seed(rows)),
        torch.randint(10, (rows,), generator=Generator().manual_seed(1)),
    )
    for rows in (6, 12, 30)
]
WANTED = ("claim", "verdict", "evidence", "control")


def of_proportions(logits: Tensor, labels: Tensor) -> Tensor:
    return -logits.softmax(1).mean(0).log()[labels].sum()


def usual(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(logits, labels, reduction="sum")


def drawn_table(seed: int) -> pd.DataFrame:
    """Gaps of two arms; the replicates have seeds in unlike numbers, so that a mean of means is another."""
    generator = np.random.default_rng(seed)
    rows = [
        {"strategy": arm, "replicate": replicate, "seed": one, "gap": generator.normal(mean, 0.05)}
        for arm, mean in (("teacher's hard labels", 0.13), ("soft labels", 0.07))
        for replicate in range(4)
        for one in range(2 + replicate)
    ]
    return pd.DataFrame(rows)


def arms(table: pd.DataFrame, by_replicate: bool = True) -> list[float]:
    found = (table[table["strategy"] == arm] for arm in ("teacher's hard labels", "soft labels"))
    return [float((one.groupby("replicate")["gap"].mean() if by_replicate else one["gap"]).mean()) for one in found]


def difference(table: pd.DataFrame, by_replicate: bool = True) -> float:
    hard, soft = arms(table, by_replicate)
    return 100 * (hard - soft)


def told(answer: Any) -> SimpleNamespace:
    texts = {key: str(answer.get(key, "")).strip() for key in WANTED} if isinstance(answer, dict) else {}
    return SimpleNamespace(texts=texts, said=short(answer))


def is_evidence(seen: SimpleNamespace) -> bool:
    text = seen.texts["evidence"]
    found = any(letter.isdigit() for letter in text) or "http" in text
    return found or (seen.texts["verdict"] == "unsupported" and len(text.split()) >= 3)


CLAIM = Properties(
    told,
    {
        "Hand over a dictionary with `claim`, `verdict`, `evidence` and `control`": lambda seen: (
            bool(seen.texts) and any(seen.texts.values())
        ),
        "Quote the claim whole, in the words of its text": lambda seen: (
            len(seen.texts["claim"].split()) >= 4 or len(seen.texts["claim"]) >= 12  # Chinese has no spaces
        ),
        f"The verdicts of this notebook are {', '.join(VERDICTS)}": lambda seen: seen.texts["verdict"] in VERDICTS,
        "Evidence is a number or a link; of an unsupported claim it is where you looked": is_evidence,
        "Which comparison would show another cause? Without a control the number may have any cause": lambda seen: (
            len(seen.texts["control"].split()) >= 3
        ),
    },
)

EXERCISES = {
    "08.1": Formula(
        lambda images, classes: images * log(classes),
        [(6, 10), (1, 5), (30, 100)],
        {
            "This is of one image. The loss sums over all": lambda images, classes: log(classes),
            "The mean over the classes is 1/C: the logarithm is of C and not of N": lambda images, classes: (
                images * log(images) if images > 1 else 0.0
            ),
            "There is a minus before the logarithm, and log(1/C) is negative": lambda images, classes: (
                -images * log(classes)
            ),
            "A mean of probabilities is 1/C, and not 1": lambda images, classes: 0.0,
        },
        "The probabilities of a row sum to 1. What is their mean, and minus its logarithm, summed over the images?",
    ),
    "08.2": Formula(
        of_proportions,
        BATCHES,
        {
            "This is the usual cross-entropy: it takes the logarithm first and then the mean": usual,
            "This is the mean over the images. The article's loss is their sum": lambda logits, labels: (
                of_proportions(logits, labels) / len(labels)
            ),
            "The mean is over the students' probabilities, and not over the logits": lambda logits, labels: (
                -logits.mean(0).log_softmax(0)[labels].sum()
            ),
            "The mean is over the images (`dim=0`) and not over the classes": lambda logits, labels: (
                -logits.softmax(1).mean(1).log().sum()
            ),
        },
        "First the mean prediction over the images, then its logarithm at each label, then minus the sum.",
    ),
    "08.3": Number(
        1,
        1,
        {
            "A larger batch has shares that are closer to those of all images. What is left to tell?": (100, 1000),
            "Ten images have shares of their own, but one image has more: it has its label": (2, 99),
            "A batch has one image at least": (-100, 0.9),
        },
        "Answer with one of the three sizes.",
    ),
    "08.4": Formula(
        difference,
        [(drawn_table(seed),) for seed in (0, 1, 2)],
        {
            "This is soft labels less hard labels": lambda table: -difference(table),
            "Points are asked for, that is, percent": lambda table: difference(table) / 100,
            "Take the mean over the seeds of each replicate first: each replicate counts once": lambda table: (
                difference(table, by_replicate=False)
            ),
            "This is the gap of hard labels alone": lambda table: 100 * arms(table)[0],
        },
        "The mean gap of each replicate, hard labels less soft labels, then the mean over the replicates.",
    ),
    "08.5": Formula(
        lambda inputs, classes: inputs * classes + classes,
        [(32_768, 500), (10, 3), (512, 1000)],
        {
            "Each class has a bias too": lambda inputs, classes: inputs * classes,
            "There is a bias for each class, and not for each input": lambda inputs, classes: inputs * classes + inputs,
            "There is a bias for each class, and not one for all": lambda inputs, classes: inputs * classes + 1,
            "Each class has a weight for each input": lambda inputs, classes: inputs + classes,
        },
        "Count the weights of one class, add its bias, and multiply by the classes.",
    ),
    "08.6": CLAIM,
}
