"""Batches: whole ones of consecutive permutations, a function of the seed and the update alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdlearn import Batch, BatchStream, Split
from kdlearn.data.batches import BLOCK, Order, Stretches

sizes, seeds = st.integers(1, 50), st.integers(0, 2**32 - 1)


def examples(size: int, **options) -> Split:
    return Split(torch.arange(size), torch.arange(size) % 3, **options)


@given(size=sizes, seed=seeds, epochs=st.integers(1, 6))
def test_an_order_is_one_permutation_after_the_other(size, seed, epochs):
    rows = Order(seed, size)(0, size * epochs).view(epochs, size)
    assert torch.equal(rows.sort(dim=1).values, torch.arange(size).expand(epochs, size))


@given(size=st.integers(1, 2 * BLOCK), seed=seeds, start=st.integers(0, 5 * BLOCK), length=st.integers(1, 300))
def test_an_order_is_the_same_wherever_one_begins(size, seed, start, length):
    fresh, used = Order(seed, size), Order(seed, size)
    used(0, 10), used(7 * BLOCK, 7 * BLOCK + 3)
    rows = fresh(start, start + length)
    assert torch.equal(rows, used(start, start + length))
    for place in (0, length // 2, length - 1):
        assert rows[place] == Order(seed, size)(start + place, start + place + 1)[0]


def test_orders_of_other_seeds_and_of_consecutive_epochs_differ():
    orders = [tuple(Order(seed, 12)(12 * epoch, 12 * epoch + 12).tolist()) for seed in range(20) for epoch in range(20)]
    assert len(set(orders)) == 400


def test_every_place_is_as_likely_for_every_row():
    """A chi-square statistic of 16 · 15 degrees of freedom, six standard deviations wide."""
    rows = Order(3, 16)(0, 16 * 4000).view(4000, 16)
    counts = torch.stack([(rows == row).sum(dim=0) for row in range(16)])
    assert abs(((counts - 250) ** 2 / 250).sum() - 225) < 6 * (2 * 225) ** 0.5


@given(size=sizes, batch_size=st.integers(1, 120), seed=seeds, update=st.integers(0, 500))
def test_a_batch_is_whole_and_a_function_of_seed_and_update(size, batch_size, seed, update):
    stream, other = (BatchStream(examples(size), batch_size, seed=seed) for _ in range(2))
    other(update + 1), other(0)
    batch = stream(update)
    assert batch.inputs.shape == batch.labels.shape == (batch_size,)
    assert torch.equal(batch.labels, batch.inputs % 3)
    assert torch.equal(batch.inputs, other(update).inputs)
    assert torch.equal(batch.inputs, Order(seed, size)(update * batch_size, (update + 1) * batch_size))


@given(size=sizes, batch_size=st.integers(1, 120), seed=seeds, update=st.integers(0, 60))
def test_views_and_answers_are_those_of_each_rows_own_epoch(size, batch_size, seed, update):
    """Where a batch straddles epochs, each row shows the view of its own."""
    stream = BatchStream(
        examples(size),
        batch_size,
        seed=seed,
        inputs=lambda epoch, rows: 1000 * epoch + rows,
        answers=lambda epoch, rows: {
            "teacher_logits": torch.stack([rows, torch.full_like(rows, epoch)], dim=1),
            "teacher_features": (rows, 2 * rows),
        },
    )
    batch = stream(update)
    places = torch.arange(update * batch_size, (update + 1) * batch_size)
    rows = Order(seed, size)(update * batch_size, (update + 1) * batch_size)
    assert torch.equal(batch.inputs, 1000 * (places // size) + rows)
    assert torch.equal(batch.teacher_logits, torch.stack([rows, places // size], dim=1))
    assert torch.equal(batch.teacher_features[1], 2 * rows)


@given(size=sizes, batch_size=st.integers(1, 60), data=st.data())
def test_only_the_rows_that_are_given_are_seen_each_as_often(size, batch_size, data):
    rows = torch.tensor(data.draw(st.lists(st.integers(0, size - 1), min_size=1, unique=True)))
    stream = BatchStream(examples(size), batch_size, seed=1, rows=rows)
    seen = torch.cat([stream(update).inputs for update in range(len(rows))])
    assert seen.unique().tolist() == rows.sort().values.tolist()
    assert (seen.bincount(minlength=size)[rows] == batch_size).all()


def test_iterated_it_goes_on_where_the_last_epoch_ended():
    stream, again = (BatchStream(examples(10), 4, seed=2) for _ in range(2))
    assert len(stream) == 2
    seen = [batch.inputs for _ in range(3) for batch in stream]
    assert all(torch.equal(rows, again(update).inputs) for update, rows in enumerate(seen))
    stream.epoch = 1
    assert torch.equal(next(iter(stream)).inputs, again(2).inputs)


def test_all_that_is_known_about_a_row_comes_with_it():
    labels = torch.arange(40).view(10, 4)
    known, mask = torch.arange(10) % 2 == 0, labels % 3 > 0
    batch = BatchStream(Split(torch.arange(10), labels, known, mask), 5, seed=0)(1)
    rows = batch.inputs
    assert isinstance(batch, Batch) and batch.teacher_logits is batch.student_features is batch.trained is None
    assert torch.equal(batch.labels, labels[rows]) and torch.equal(batch.labelled, known[rows])
    assert torch.equal(batch.mask, mask[rows])


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_shares_of_processes_are_the_batch(processes):
    whole = BatchStream(examples(7), 6, seed=0)
    parts = [BatchStream(examples(7), 6, seed=0, share=slice(rank, None, processes)) for rank in range(processes)]
    for update in range(6):
        seen = torch.cat([part(update).inputs for part in parts])
        assert seen.sort().values.tolist() == whole(update).inputs.sort().values.tolist()


@pytest.mark.parametrize(
    "options, words",
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"batch_size": 5, "share": slice(0, None, 3)}, "divisible by the 3 processes; got 5"),
        ({"rows": torch.tensor([], dtype=torch.long)}, "rows must name at least one of the 10 inputs"),
        ({"rows": torch.tensor([3, 10])}, "rows must name"),
        ({"rows": torch.tensor([-1])}, "rows must name"),
        ({"examples": Split(torch.zeros(10), torch.zeros(9))}, "labels must have a row for each of 10 inputs"),
        ({"examples": Split(torch.zeros(10), mask=torch.zeros(1))}, "mask must have a row"),
    ],
)
def test_what_gives_no_batches_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        BatchStream(**{"examples": examples(10), "batch_size": 4, "seed": 0, **options})


@given(ends=st.lists(st.integers(1, 60), min_size=1, max_size=5, unique=True).map(sorted), data=st.data())
def test_stretches_are_all_updates_once_and_begin_anywhere(ends, data):
    stretches = Stretches(lambda update: update, ends)
    assert [update for stretch in range(len(stretches)) for update in stretches.batches(stretch)] == [*range(ends[-1])]
    stretch = data.draw(st.integers(0, len(ends) - 1))
    shares = [stretches.progress(stretch, done) for done in range(len(list(stretches.batches(stretch))))]
    assert sorted(shares) == shares and 0 <= shares[0] <= shares[-1] < 1
