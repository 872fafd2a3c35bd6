"""Notebook 04: what counts as an answer. The points are those that its recorded runs printed."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Generator, Tensor

from kdcourse.exercises.answers import Formula, Number, Properties, value_of
from kdcourse.exercises.comparisons import of_your_own


def rescaled(soft_weight: float, num_classes: int) -> float:
    return soft_weight / num_classes / (soft_weight / num_classes + 1 - soft_weight)


def shuffled(answer: Any) -> SimpleNamespace:
    """What the learner's shuffling did to 1,000 rows, with each of two generators."""
    logits = 3 * torch.randn(1000, 10, generator=Generator().manual_seed(4))
    given = logits.clone()
    found, again = (value_of(answer, given, Generator().manual_seed(seed)) for seed in (1, 2))
    return SimpleNamespace(logits=logits, given=given, found=torch.as_tensor(found), again=torch.as_tensor(again))


def wrong_classes(logits: Tensor, of: Tensor) -> Tensor:
    """The nine logits of each row that lie where those of `of` are not largest."""
    return logits[~torch.nn.functional.one_hot(of.argmax(1), 10).bool()].reshape(len(logits), 9)


def is_one_order(seen: SimpleNamespace) -> bool:
    """Whether all rows were shuffled alike: each column is, as a whole, a column of before."""
    return all((seen.logits == column[:, None]).all(0).any() for column in seen.found.T)


def everywhere(seen: SimpleNamespace) -> bool:
    """Whether each wrong class goes to each wrong place about as often as chance has it: 111 times, deviation 10."""
    before, after = (wrong_classes(logits, seen.logits) for logits in (seen.logits, seen.found))
    counts = (before[:, :, None] == after[:, None, :]).sum(0)
    return bool(((counts > 60) & (counts < 165)).all())


def same_values(seen: SimpleNamespace) -> bool:
    return torch.equal(seen.found.sort(1).values, seen.logits.sort(1).values)


SHUFFLED = Properties(
    shuffled,
    {
        "Return all logits, (N, C) like those you were given": lambda seen: seen.found.shape == seen.logits.shape,
        "The logits that were handed in are changed themselves. Work on a copy": lambda seen: torch.equal(
            seen.given, seen.logits
        ),
        "Nothing has moved": lambda seen: not torch.equal(seen.found, seen.logits),
        "All wrong classes of an image are equal now. That is the other control, spreading evenly. Here the nine "
        "values stay, and only their places change": lambda seen: bool(
            (wrong_classes(seen.found, seen.logits).std(1) > 1e-3).any()
        ),
        "These are not the image's own logits. Shuffle them within a row; do not change or repeat them": same_values,
        "All images are shuffled in the same order. A student can learn renamed classes: draw an order for each "
        "image": lambda seen: not is_one_order(seen),
        "The largest logit has moved too, so the teacher's hard label is another. Keep it where it is": lambda seen: (
            torch.equal(seen.found.argmax(1), seen.logits.argmax(1))
        ),
        "Some places are likelier than others. In a random order each of the nine values comes to each of the nine "
        "places equally often, its own included. Is one order drawn for all images?": everywhere,
        "Another generator gives the same order. Draw with the generator that is handed in": lambda seen: (
            not (torch.equal(seen.found, seen.again))
        ),
    },
)

BEST_TEMPERATURE = Properties(
    lambda answer: [value_of(answer, length) for length in (100, 300, 1000, 3000)],
    {
        "Return the temperature and not its gain: `max(means, key=means.get)`": lambda found: all(
            one in (0.5, 1.0, 2.0, 4.0) for one in found
        ),
        "This is the temperature with the smallest gain": lambda found: set(found) != {0.5},
        "The same for all lengths: read the record for each length": lambda found: set(found) != {4.0},
        "The same for all lengths: hand `length` on to `gain`, which takes 3,000 where it is not told": lambda found: (
            set(found) != {2.0}
        ),
        "Take the mean of `gain(SoftLabels(t), length=length)` over the replicates, for all four": lambda found: (
            found == [4.0, 4.0, 4.0, 2.0]
        ),
    },
)

EXERCISES = {
    "04.1": Formula(
        rescaled,
        [(0.9, 10), (0.5, 10), (0.9, 1000), (0.2, 3)],
        {
            "The two weights must sum to 1 again: divide by their sum": lambda w, C: w / C,
            "The mean over classes makes the soft loss smaller, not larger": lambda w, C: w * C / (w * C + 1 - w),
            "The mean over classes divides the soft loss alone by C. The hard loss keeps its weight": lambda w, C: w,
            "This is the weight of the hard loss": lambda w, C: 1 - rescaled(w, C),
        },
        "Which weight has the soft loss beside which weight of the hard loss? Divide the first by the sum.",
    ),
    "04.2": SHUFFLED,
    "04.3": Number(
        -1.0,
        1.0,
        {
            "So much came from a teacher that had seen 1,200 images. This one has seen 60": (3.0, 100.0),
            "Softness needs knowledge behind it. What does this teacher know that the 60 labels do not say?": (
                1.0,
                3.0,
            ),
            "Is this teacher wrong on its 60 images? If not, its labels are not worse than ground truth": (
                -100.0,
                -1.0,
            ),
        },
        "Answer in points of accuracy.",
    ),
    "04.4": BEST_TEMPERATURE,
    "04.5": Formula(
        lambda factor: factor**-0.5,
        [(2.0,), (4.0,), (10.0,), (0.5,)],
        {
            "The variance of a mean shrinks like this. The interval follows the standard deviation": lambda f: 1 / f,
            "More replicates make the interval narrower": lambda f: f**0.5,
            "The standard deviation of a mean is s/√n. It is divided once by the root": lambda f: f**-2.0,
            "The spread of single replicates stays as it is. The spread of their mean does not": lambda f: 1.0,
        },
        "The half width is t · s/√n. Only n changes; t hardly does.",
    ),
    "04.6": of_your_own("teacher's hard labels"),
}
