"""Views: each against a brute force with numpy, and the same whenever, wherever and in whatever order asked for."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdlearn.data.dataset import Dataset, Normalise, Split
from kdlearn.data.views import BoundViews, Views, shifts

NORMALISE = Normalise((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
DTYPES = [torch.uint8, torch.float32, torch.float64]


def pictures(dtype: torch.dtype = torch.uint8, size: int = 12) -> Dataset:
    """Images of 5×6 pixels; bytes are normalised, numbers taken as they are."""
    pixels = torch.randint(256, (size, 3, 5, 6), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    if dtype == torch.uint8:
        return Dataset(Split(pixels), Split(pixels[:4]), normalise=NORMALISE)
    images = pixels.to(dtype) / 50 - 2
    return Dataset(Split(images), Split(images[:4]))


def every_row(device: str = "cpu") -> torch.Tensor:
    return torch.arange(12, device=device)


def by_hand(views: BoundViews, data: Dataset, epoch: int) -> np.ndarray:
    """numpy pads, cuts and mirrors one image at a time."""
    recipe, images = views.recipe, data.train.inputs.numpy()
    epoch = epoch % recipe.period if recipe.period else epoch
    down, right = shifts(recipe, epoch, len(images)).tolist()
    made = []
    for row, image in enumerate(images):
        border = ((0, 0), (recipe.pixels,) * 2, (recipe.pixels,) * 2)
        darkest = {"mode": "constant", "constant_values": images.min()}
        padded = np.pad(image, border, **(darkest if recipe.border == "darkest" else {"mode": "reflect"}))
        cut = padded[:, down[row] : down[row] + 5, right[row] : right[row] + 6]
        made.append(cut[..., ::-1] if recipe.flip and views.mirrored[row].item() != bool(epoch % 2) else cut)
    if data.normalise is None:
        return np.stack(made)
    mean, deviation = (np.reshape(values, (3, 1, 1)) for values in (NORMALISE.mean, NORMALISE.deviation))
    return (np.stack(made) / 255 - mean) / deviation


recipes = st.builds(
    Views,
    pixels=st.integers(0, 4),
    flip=st.booleans(),
    seed=st.integers(0, 2**40),
    period=st.none() | st.integers(1, 5),
    border=st.sampled_from(["reflect", "darkest"]),
)


@given(recipe=recipes, epoch=st.integers(0, 1000), dtype=st.sampled_from(DTYPES))
def test_a_view_is_the_image_cut_from_its_padding(recipe, epoch, dtype):
    data = pictures(dtype)
    views = recipe.of(data)
    made = views(epoch, every_row())
    assert made.dtype == (torch.float32 if dtype == torch.uint8 else dtype)
    np.testing.assert_allclose(made.numpy(), by_hand(views, data, epoch), atol=1e-5)


@given(
    recipe=recipes,
    epoch=st.integers(0, 50),
    rows=st.permutations(range(12)),
    size=st.integers(1, 12),
    dtype=st.sampled_from(DTYPES),
)
def test_a_view_depends_on_seed_epoch_and_row_alone(recipe, epoch, rows, size, dtype):
    views, rows = recipe.of(pictures(dtype)), torch.tensor(rows[:size])
    views(epoch + 1, every_row())  # what was asked before does not matter
    assert torch.equal(views(epoch, rows), recipe.of(pictures(dtype))(epoch, every_row())[rows])


def test_rows_of_several_students_give_a_stack():
    views, rows = Views().of(pictures()), torch.tensor([[3, 1, 4], [1, 5, 9]])
    assert torch.equal(views(3, rows), torch.stack([views(3, one) for one in rows]))


def test_seeds_and_epochs_differ_and_every_shift_occurs():
    first, second, other = shifts(Views(), 0, 2000), shifts(Views(), 1, 2000), shifts(Views(seed=1), 0, 2000)
    for draw in (second, other):
        assert 0.1 < (first[0] == draw[0]).double().mean() < 0.3  # one in five by chance
    assert torch.bincount(first[0] * 5 + first[1], minlength=25).min() > 50


def test_two_epochs_show_both_sides_of_every_image():
    views, rows = Views(seed=2, pixels=0).of(pictures()), every_row()
    torch.testing.assert_close(views(0, rows), views(1, rows).flip(-1))
    assert torch.equal(views(0, rows), views(2, rows))
    assert 0 < views.mirrored.sum() < 12


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_data_set_is_left_as_it_is(dtype):
    data, whole = pictures(dtype), pictures(dtype)
    views = Views().of(data)
    views(0, every_row()).zero_()
    assert torch.equal(data.train.inputs, whole.train.inputs)
    assert torch.equal(views(0, every_row()), Views().of(whole)(0, every_row()))


def test_pixels_that_nothing_normalises_become_numbers():
    pixels = pictures().train.inputs
    made = Views(pixels=0, flip=False).of(Dataset(Split(pixels), Split(pixels)))(0, every_row())
    assert torch.equal(made, pixels.float())


@pytest.mark.parametrize("border", ["reflect", "darkest"])
def test_views_are_the_same_on_every_device(border, device):
    here, there = Views(border=border).of(pictures()), Views(border=border).of(pictures().to(device))
    for epoch in range(3):
        torch.testing.assert_close(there(epoch, every_row(device)).cpu(), here(epoch, every_row()))


def test_other_splits_have_views_too():
    data = pictures()
    assert torch.equal(Views(pixels=0, flip=False).of(data, "test")(0, torch.arange(4)), data.inputs("test"))
    with pytest.raises(ValueError, match="has no validation examples"):
        Views().of(data, "validation")


@pytest.mark.parametrize(
    "options, words",
    [
        ({"pixels": -1}, "pixels must be a whole number of at least 0; got -1"),
        ({"pixels": 1.5}, "pixels must be a whole number of at least 0; got 1.5"),
        ({"seed": -3}, "seed must be a whole number of at least 0; got -3"),
        ({"seed": None}, "seed must be a whole number of at least 0; got None"),
        ({"period": 0}, "period must be a whole number of at least 1; got 0"),
        ({"flip": "no"}, r"flip must be one of \(True, False\); got 'no'"),
        ({"border": "black"}, r"border must be one of \('reflect', 'darkest'\); got 'black'"),
    ],
)
def test_bad_settings_are_refused_at_once(options, words):
    with pytest.raises(ValueError, match=words):
        Views(**options)


def test_a_recipe_of_numpys_numbers_is_the_same_recipe():
    one, other = Views(np.int64(2), seed=np.int32(3), period=np.int64(4)), Views(2, seed=3, period=4)
    assert one == other and repr(one) == repr(other)


NO_IMAGES = [torch.zeros(4, 10), torch.zeros(4, 5, 6), torch.zeros(0, 1, 5, 6), torch.zeros(2, 1, 5, 6).long()]


@pytest.mark.parametrize("inputs", NO_IMAGES)
def test_inputs_that_are_no_images_are_refused(inputs):
    with pytest.raises(ValueError, match=f"inputs must be images.*uint8 or floating; got .* {inputs.dtype}"):
        Views().of(Dataset(Split(inputs), Split(inputs)))


def test_shifts_out_of_the_image_are_refused():
    with pytest.raises(ValueError, match=r"pixels must lie in 0 … 4, inside the image; got 5"):
        Views(pixels=5).of(pictures())
