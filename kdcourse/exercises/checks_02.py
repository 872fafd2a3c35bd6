"""Notebook 02: what counts as an answer."""

from collections.abc import Callable
from math import log
from types import SimpleNamespace
from typing import Any

import torch
from torch import Generator, Tensor

from kdcourse.exercises.answers import Formula, Properties, short, value_of

LOGITS = 3 * torch.randn(6, 5, dtype=torch.float64, generator=Generator().manual_seed(2))
CLASSES = (1.5, 2.0, 3.0, 4.5)


def effective_classes(logits: Tensor, temperature: float) -> float:
    return float(torch.special.entr((logits / temperature).softmax(-1)).sum().exp())


def at_their_temperatures(answer: Any) -> list[SimpleNamespace]:
    """For each row and number of classes: the temperature that the learner's search gives, and what it should give."""
    asked = [(row, classes) for row in LOGITS for classes in CLASSES]
    given = [float(value_of(answer, row, classes)) for row, classes in asked]
    return [SimpleNamespace(row=row, classes=classes, T=T) for (row, classes), T in zip(asked, given, strict=True)]


def uses(change: Callable[[SimpleNamespace], float], wanted: Callable[[float], float] = float) -> Callable:
    """Whether the temperatures, changed in a certain way, are where the effective classes are what is wanted.

    Where more than 4.9 of the five are wanted, no temperature is.
    """

    def found(seen: list[SimpleNamespace]) -> bool:
        asked = [one for one in seen if wanted(one.classes) < 4.9]
        return all(abs(effective_classes(one.row, change(one)) / wanted(one.classes) - 1) < 0.01 for one in asked)

    return found


TEMPERATURE_OF = Properties(
    at_their_temperatures,
    {
        "A temperature lies above 0": lambda seen: all(one.T > 0 for one in seen),
        "This is 1 / T. The search was for β": lambda seen: not uses(lambda one: 1 / one.T)(seen),
        "There the entropy itself is the number of classes. The effective number is its exponential": lambda seen: (
            not all(
                abs(log(effective_classes(one.row, one.T)) - one.classes) < 0.02 for one in seen if one.classes < 1.6
            )
        ),
        "There the entropy has its number of classes in bits, 2^H. `entropy` is in nats": lambda seen: (
            not uses(lambda one: one.T, lambda classes: classes ** (1 / log(2)))(seen)
        ),
        "It is the same temperature for all logits. It must be searched for each image anew. A search that "
        "takes the wrong half ends at the same end for every image": lambda seen: (
            len({one.T for one in seen if one.classes == 2.0}) > 1
        ),
        "At this temperature the effective number of classes is not within 1 % of what was asked. Is the range of "
        "the search wide enough, from 0.1 to 100? (Near 0.01 the notebook's `entropy` is nan.)": uses(
            lambda one: one.T
        ),
    },
)


def turning(logits: Tensor, k: int) -> float:
    """The temperature at which class k, which is not the largest and above the mean, is likeliest; by brute force."""
    temperatures = torch.logspace(-2, 4, 60_001, dtype=torch.float64)[:, None]
    return float(temperatures[(logits / temperatures).softmax(-1)[:, k].argmax()])


TURNING = [(torch.tensor(row, dtype=torch.float64), k) for row, k in (
    ([9.0, 6.0, 2.0, -1.0, -4.0], 1), ([5.0, 1.5, 4.0, -3.0, 0.0], 2), ([1.0, 12.0, -6.0, 8.0, -8.0], 3),
)]  # fmt: skip


def turning_points(answer: Any) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(found=float(value_of(answer, row, k)), right=turning(row, k), row=row, k=k)
        for row, k in TURNING
    ]


def near(change: Callable[[SimpleNamespace], float]) -> Callable[[list[SimpleNamespace]], bool]:
    return lambda seen: all(abs(one.found / change(one) - 1) < 0.02 for one in seen)


TURNING_POINT = Properties(
    turning_points,
    {
        "This is the largest probability. The temperature is asked for at which the class has it": lambda seen: (
            not near(lambda one: float((one.row / one.right).softmax(-1)[one.k]))(seen)
        ),
        "This is 1 / T": lambda seen: not near(lambda one: 1 / one.right)(seen),
        "The class gains while its logit lies below the mean under p(T), and this mean moves with T. It is no plain "
        "mean over the classes, and not the entropy's": lambda seen: len({round(one.found, 6) for one in seen}) > 1,
        "At the end of your range the class gains still, or loses already: search between 0.1 and 100": lambda seen: (
            all(0.1 < one.found < 100 for one in seen)
        ),
        "At a temperature 5 % lower or higher the class has more": near(lambda one: one.right),
    },
)


def mended(answer: Any) -> list[SimpleNamespace]:
    """The learner's temperatures for rows whose label has a positive logit that is not the largest."""
    rows = [torch.tensor(row, dtype=torch.float64) for row in ((5.0, 3.0, -2.0), (1.0, 0.5, 4.0), (-1.0, 6.0, 2.5))]
    labels = (1, 0, 2)
    given = [value_of(answer, row, label) for row, label in zip(rows, labels, strict=True)]
    temperatures = [torch.as_tensor(one).detach().double().squeeze() for one in given]
    return [
        SimpleNamespace(T=T, row=row, label=label) for T, row, label in zip(temperatures, rows, labels, strict=True)
    ]


MENDED = Properties(
    mended,
    {
        "One temperature for all classes keeps their order (2.3). Give one for each class": lambda seen: all(
            one.T.shape == one.row.shape and len(one.T.unique()) > 1 for one in seen
        ),
        "Every temperature must lie above 0": lambda seen: all(bool((one.T > 0).all()) for one in seen),
        "A temperature above 1 makes a positive logit smaller. The label's logit must become larger": lambda seen: (
            not all(one.T[one.label] > 1 and one.T[one.label] == one.T.max() for one in seen)
        ),
        "The label is not the largest after the division": lambda seen: all(
            int((one.row / one.T).argmax()) == one.label for one in seen
        ),
    },
)


def scaling(answer: Any) -> SimpleNamespace:
    """Logits, labels and temperature of the learner; the loss there, and at the temperature where it is least."""
    if not isinstance(answer, tuple | list) or len(answer) != 3:
        return SimpleNamespace(three=False, told=short(answer))
    logits, labels = torch.as_tensor(answer[0]).detach().double(), torch.as_tensor(answer[1])
    T = float(answer[2])
    fits = logits.ndim == 2 and labels.shape == logits.shape[:1] and not labels.is_floating_point()
    return SimpleNamespace(three=True, logits=logits, labels=labels, T=T, fits=fits)


def loss(seen: SimpleNamespace, temperature: float) -> float:
    return float(torch.nn.functional.cross_entropy(seen.logits / temperature, seen.labels.long()))


def is_least(seen: SimpleNamespace) -> bool:
    return seen.T > 0 and loss(seen, seen.T) <= min(loss(seen, seen.T * factor) for factor in (0.95, 1.05))


def are_probabilities(seen: SimpleNamespace) -> bool:
    return bool((seen.logits >= 0).all() and torch.allclose(seen.logits.sum(1), torch.ones(len(seen.logits)).double()))


SCALED = Properties(
    scaling,
    {
        "Hand over three things: `(logits, labels, temperature)`": lambda seen: seen.three,
        "Logits are (N, C), labels (N,) class indices": lambda seen: seen.fits,
        "These rows sum to 1: they are probabilities. `kdlearn.logits_from` makes logits of them": lambda seen: (
            not are_probabilities(seen)
        ),
        "Take at least 20 images; the temperature of fewer is luck": lambda seen: len(seen.labels) >= 20,
        "Every arg max is right here, so the loss falls for ever as T falls. Take other rows": lambda seen: bool(
            (seen.logits.argmax(1) != seen.labels).any()
        ),
        "This is 1 / T. The search was for β": lambda seen: (
            is_least(seen) or not (seen.T > 0 and is_least(SimpleNamespace(**{**vars(seen), "T": 1 / seen.T})))
        ),
        "At a temperature 5 % lower or higher the loss on these labels is smaller": is_least,
    },
)

EXERCISES = {
    "02.1": Formula(
        lambda at_one, wanted: log(at_one) / log(wanted),
        [(700.0, 2.0), (100.0, 10.0), (50.0, 3.0), (4.0, 2.0)],
        {
            "Temperature divides the logarithm of the odds, not the odds": lambda at_one, wanted: at_one / wanted,
            "The logarithm of a quotient is not the quotient of the logarithms": lambda at_one, wanted: log(
                at_one / wanted
            ),
            "This is 1 / T. The higher the temperature, the closer the odds are to 1": lambda at_one, wanted: (
                log(wanted) / log(at_one)
            ),
        },
        "Write (2.3) at T = 1 and at the temperature you look for, and divide the first by the second.",
    ),
    "02.2": TEMPERATURE_OF,
    "02.3": TURNING_POINT,
    "02.4": MENDED,
    "02.5": Formula(
        lambda factor, temperature: factor * temperature,
        [(2.0, 3.0), (0.5, 4.0), (10.0, 1.5)],
        {
            "Larger logits need a higher temperature to look the same": lambda factor, temperature: (
                temperature / factor
            ),
            "The factor does not cancel. What cancels is a constant that is added to all logits": (
                lambda factor, temperature: temperature
            ),
            "Softmax sees v / T alone. What must T be multiplied by if v is?": lambda factor, temperature: (
                temperature + log(factor)
            ),
            "The odds are (e^v)^(1/T). The factor comes in once": lambda factor, temperature: factor**2 * temperature,
        },
        "For which T is factor · v / T the same as v / temperature?",
    ),
    "02.6": SCALED,
}
