"""Data: splits that are disjoint and stratified, batches that come back with their seed, one view an image."""

import pytest
import torch

from kdlearn.data import Batch, Batches, Examples, StackedBatches, load_digits, random_shift, stratified_sample


def numbered(size: int = 10) -> Examples:
    return Examples(torch.arange(size * 4.0).reshape(size, 1, 2, 2), torch.arange(size))


def test_digits_are_split_without_overlap_and_stratified():
    digits = load_digits()
    assert [len(split.images) for split in digits] == [1200, 197, 400]
    together = torch.cat([split.images for split in digits]).flatten(1)
    assert len(together.unique(dim=0)) == 1797
    for split in digits:
        shares = split.labels.bincount(minlength=10) / len(split.labels)
        assert (shares - 0.1).abs().max() < 0.01


def test_digits_are_normalised_by_the_training_split():
    digits = load_digits()
    assert digits.train.images.mean().item() == pytest.approx(0, abs=1e-5)
    assert digits.train.images.std().item() == pytest.approx(1, abs=1e-5)
    assert digits.test.images.mean().item() != pytest.approx(0, abs=1e-5)


def test_splits_depend_on_the_seed_alone():
    assert torch.equal(load_digits(1).train.images, load_digits(1).train.images)
    assert not torch.equal(load_digits(1).train.images, load_digits(2).train.images)


def test_a_stratified_sample_keeps_shares_and_has_no_repeats():
    labels = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    rows = stratified_sample(labels, 20, seed=3)
    assert labels[rows].bincount().tolist() == [12, 6, 2] and len(rows.unique()) == 20
    assert torch.equal(rows, stratified_sample(labels, 20, seed=3))
    assert not torch.equal(rows, stratified_sample(labels, 20, seed=4))


def test_an_epoch_shows_each_image_once_with_its_own_label_and_logits():
    logits = torch.arange(10.0).unsqueeze(1)
    batches = list(Batches(numbered(), 4, seed=0, teacher_logits=logits))
    assert [len(batch.images) for batch in batches] == [4, 4, 2]
    labels = torch.cat([batch.labels for batch in batches])
    assert labels.sort().values.tolist() == list(range(10)) and labels.tolist() != list(range(10))
    assert torch.equal(torch.cat([batch.images for batch in batches])[:, 0, 0, 0], 4.0 * labels)
    assert torch.equal(torch.cat([batch.teacher_logits for batch in batches])[:, 0], labels.float())


def test_the_order_is_a_function_of_seed_and_epoch():
    def orders(seed: int, epochs: int) -> list[list[int]]:
        batches = Batches(numbered(), 10, seed=seed)
        return [next(iter(batches)).labels.tolist() for _ in range(epochs)]

    first, second = orders(0, 2)
    assert orders(0, 2) == [first, second] and first != second and orders(1, 1) != [first]


def test_the_number_of_batches_counts_the_last_small_one():
    assert [len(Batches(numbered(size), 4, seed=0)) for size in (8, 9)] == [2, 3]


def test_unlabelled_images_have_no_sentinel_label():
    batch = next(iter(Batches(Examples(numbered().images, None), 4, seed=0)))
    assert batch.labels is None and batch.teacher_logits is None


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="teacher_logits must have a row for each of 10 images; got 9"):
        Batches(numbered(), 4, seed=0, teacher_logits=torch.zeros(9, 3))
    with pytest.raises(ValueError, match="labels must have a row"):
        Batches(Examples(numbered().images, torch.arange(3)), 4, seed=0)
    with pytest.raises(ValueError, match="not to augmented views"):
        Batches(numbered(), 4, seed=0, teacher_logits=torch.zeros(10, 3), augment=random_shift)


def test_stacked_batches_give_each_seed_its_own():
    parts = [Batches(numbered(), 4, seed=seed) for seed in range(3)]
    for stacked, *single in zip(
        StackedBatches(parts), *(Batches(numbered(), 4, seed=s) for s in range(3)), strict=True
    ):
        assert stacked.teacher_logits is None
        assert torch.equal(stacked.images, torch.stack([batch.images for batch in single]))
        assert torch.equal(stacked.labels, torch.stack([batch.labels for batch in single]))


def test_stacked_batches_of_different_length_are_refused():
    with pytest.raises(ValueError, match="longer than argument 1"):
        list(StackedBatches([Batches(numbered(4), 4, seed=0), Batches(numbered(8), 4, seed=0)]))


def test_each_image_is_shifted_by_itself_and_darkness_enters(device):
    image = torch.zeros(8, 8)
    image[3, 4] = 1
    images = image.expand(500, 1, 8, 8).to(device) - 0.5
    moved = random_shift(images, torch.Generator().manual_seed(0))
    places = {tuple(place) for place in (moved[:, 0] > 0).nonzero()[:, 1:].tolist()}
    assert places == {(row, column) for row in (2, 3, 4) for column in (3, 4, 5)}
    assert moved.shape == images.shape and set(moved.unique().tolist()) == {-0.5, 0.5}


def test_augmented_batches_keep_labels_and_come_back_with_the_seed():
    examples = Examples(torch.randn(10, 1, 8, 8), torch.arange(10))
    first, again = (list(Batches(examples, 4, seed=0, augment=random_shift)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one.images, other.images)
    assert torch.equal(torch.cat([batch.labels for batch in first]).sort().values, torch.arange(10))
    assert not torch.equal(first[0].images, examples.images[first[0].labels])


def test_a_batch_can_hold_images_alone():
    assert Batch(torch.zeros(1)) == (torch.zeros(1), None, None)
