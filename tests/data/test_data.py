"""Data sets: splits that are disjoint and stratified, inputs as a network takes them, a key of the content."""

from dataclasses import replace

import pytest
import torch

from kdlearn.data.dataset import Dataset, Normalise, Split, stratified_sample
from kdlearn.data.digits import load_digits


def parts(data: Dataset) -> list[Split]:
    return [part for _, part in data.splits()]


def test_digits_are_split_without_overlap_and_stratified():
    digits = load_digits()
    assert [len(part.inputs) for part in parts(digits)] == [1200, 197, 400]
    together = torch.cat([part.inputs for part in parts(digits)]).flatten(1)
    assert len(together.unique(dim=0)) == 1797
    for part in parts(digits):
        shares = part.labels.bincount(minlength=10) / len(part.labels)
        assert (shares - 0.1).abs().max() < 0.01


def test_digits_are_normalised_by_the_training_split():
    digits = load_digits()
    assert digits.train.inputs.mean().item() == pytest.approx(0, abs=1e-5)
    assert digits.train.inputs.std().item() == pytest.approx(1, abs=1e-5)
    assert digits.test.inputs.mean().item() != pytest.approx(0, abs=1e-5)


def test_splits_depend_on_the_seed_alone():
    assert load_digits(1).key == load_digits(1).key != load_digits(2).key
    assert torch.equal(load_digits(1).train.inputs, load_digits(1).train.inputs)
    assert not torch.equal(load_digits(1).train.inputs, load_digits(2).train.inputs)


def test_a_stratified_sample_keeps_shares_and_has_no_repeats():
    labels = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    rows = stratified_sample(labels, 20, seed=3)
    assert labels[rows].bincount().tolist() == [12, 6, 2] and len(rows.unique()) == 20
    assert torch.equal(rows, stratified_sample(labels, 20, seed=3))
    assert not torch.equal(rows, stratified_sample(labels, 20, seed=4))


def test_pixels_are_normalised_and_a_constant_channel_is_finite():
    pixels = torch.randint(256, (50, 3, 4, 4), dtype=torch.uint8)
    pixels[:, 1] = 77
    values = pixels.double().transpose(0, 1).flatten(1) / 255
    normalise = Normalise(tuple(values.mean(1).tolist()), tuple(values.std(1, correction=0).tolist()))
    made = normalise(pixels)
    torch.testing.assert_close(made.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(made.std((0, 2, 3), correction=0), torch.tensor([1.0, 0.0, 1.0]), atol=1e-5, rtol=0)


@pytest.fixture
def small() -> Dataset:
    examples = Split(torch.arange(8).byte().view(2, 1, 2, 2), torch.tensor([0, 1]))
    return Dataset(examples, examples, class_names=("a", "b"), normalise=Normalise((0.5,), (0.25,)))


def test_inputs_are_normalised_rows_of_a_split(small):
    expected = (small.train.inputs[1:].double() / 255 - 0.5) / 0.25
    torch.testing.assert_close(small.inputs("train", torch.tensor([1])).double(), expected, atol=1e-6, rtol=0)
    assert torch.equal(small.inputs("test", slice(1, 2)), small.inputs("train")[1:])


def test_the_key_sees_all_that_decides_and_neither_name_nor_device(small, device):
    changed = small.train._replace(inputs=small.train.inputs.flip(0))
    masked = small.train._replace(labelled=torch.tensor([True, False]))
    others = [
        replace(small, train=changed),
        replace(small, train=masked),
        replace(small, test=changed),
        replace(small, validation=small.test),
        replace(small, class_names=("a", "c")),
        replace(small, normalise=Normalise((0.5,), (0.5,))),
    ]
    assert len({small.key, *(other.key for other in others)}) == 7
    assert replace(small, name="other").key == small.to(device).key == small.key


def test_of_a_data_set_whose_labels_are_few_the_others_are_gone():
    data = load_digits()
    few = data.with_labelled(0.1)
    known, labels = few.train.labelled, data.train.labels
    assert known.sum() == 120 and len(labels[known].unique()) == 10
    assert torch.equal(few.train.labels[known], labels[known]) and few.train.labels[~known].eq(-1).all()
    assert torch.equal(few.train.inputs, data.train.inputs) and few.key != data.key
    assert not torch.equal(known, data.with_labelled(0.1, seed=1).train.labelled)


@pytest.mark.parametrize("share", [0.0, -0.1, 0.001, 0.999, 1.0, float("nan")])
def test_a_share_that_leaves_a_class_without_labels_is_refused(share):
    with pytest.raises(ValueError, match="share must give each class a row on both sides"):
        load_digits().with_labelled(share)


@pytest.mark.parametrize("rows", [slice(None), slice(0, 3), torch.arange(3)])
def test_what_changes_its_inputs_in_place_does_not_change_the_data(rows):
    examples = Split(torch.ones(4, 2), torch.zeros(4, dtype=torch.int64))
    data = Dataset(examples, examples)
    data.inputs("test", rows).mul_(7)
    assert torch.equal(data.test.inputs, torch.ones(4, 2))
