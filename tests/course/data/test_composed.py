"""Pictures composed of others: every quarter is a picture of its split or empty, and the labels say which are there."""

from collections import Counter

import pytest
import torch
from small import digits

from kdcourse import compose_pictures
from kdlearn import Dataset, Split, load_digits

DIGITS = load_digits()
SIZES = {"train": 60, "validation": 20, "test": 30}
SEVERAL = compose_pictures(DIGITS, SIZES)


def quarters(picture: torch.Tensor) -> list[torch.Tensor]:
    return [picture[:, down : down + 8, right : right + 8] for down in (0, 8) for right in (0, 8)]


@pytest.mark.parametrize("split", SIZES)
def test_each_quarter_is_empty_or_a_picture_of_the_same_split(split):
    made, source = getattr(SEVERAL, split), getattr(DIGITS, split)
    assert made.inputs.shape == (SIZES[split], 1, 16, 16)
    known = {one.numpy().tobytes(): int(label) for one, label in zip(source.inputs, source.labels, strict=True)}
    for picture, labels in zip(made.inputs, made.labels, strict=True):
        held = [one for one in quarters(picture) if bool((one != source.inputs.min()).any())]
        found = sorted(known[one.contiguous().numpy().tobytes()] for one in held)
        assert found == labels.nonzero().flatten().tolist() and len(found) in (2, 3)


def test_numbers_classes_and_places_are_drawn_with_equal_chance():
    drawn = compose_pictures(DIGITS, {"train": 1500, "test": 1}, seed=3).train
    counts = Counter(drawn.labels.sum(dim=1).tolist())
    assert abs(counts[2] - 750) < 4 * (1500 / 4) ** 0.5
    assert bool(((drawn.labels.float().mean(dim=0) - 0.25).abs() < 4 * (0.1875 / 1500) ** 0.5).all())
    filled = torch.stack(
        [
            (one != DIGITS.train.inputs.min()).flatten(1).any(dim=1)
            for one in drawn.inputs.view(1500, 2, 8, 2, 8).permute(1, 3, 0, 2, 4).flatten(0, 1)
        ]
    )
    assert bool(((filled.float().mean(dim=1) - 0.625).abs() < 0.05).all())


def test_the_seed_decides_and_splits_are_independent():
    again, other = compose_pictures(DIGITS, SIZES), compose_pictures(DIGITS, SIZES, seed=1)
    assert again.key == SEVERAL.key != other.key
    same = Dataset(DIGITS.train, DIGITS.train, DIGITS.train, class_names=DIGITS.class_names)
    made = compose_pictures(same, {"train": 20, "test": 20})
    assert not torch.equal(made.train.inputs, made.test.inputs)


def test_pixels_stay_pixels():
    pixels = Split(torch.randint(256, (30, 3, 4, 5), dtype=torch.uint8), torch.arange(30) % 3)
    made = compose_pictures(Dataset(pixels, pixels), {"train": 6, "test": 2}, held=(1,))
    assert made.train.inputs.dtype == torch.uint8 and made.train.inputs.shape == (6, 3, 8, 10)
    assert bool((made.train.labels.sum(dim=1) == 1).all()) and made.validation is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"held": (0,)}, "held must be whole numbers from 1 to 4"),
        ({"held": (5,)}, "held must be"),
        ({"held": ()}, "held must be"),
        ({"sizes": {"train": 3}}, "sizes must name at least 1 picture of train and of test"),
        ({"sizes": {"train": 0, "test": 3}}, "sizes must name"),
    ],
)
def test_what_cannot_be_composed_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        compose_pictures(digits(), **options)
