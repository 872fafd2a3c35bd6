"""Views: each against a brute force with numpy, the same whenever asked, and labelled once for all students."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kdlearn import ViewBatches, Views, label_views, one_hot, perceptron, predict, soft_labels
from kdlearn.data import LabelStore
from kdlearn.networks import seeded
from kdlearn.training.answers import labelling_seconds
from kdlearn.training.strategies import GroundTruth, SoftLabels, SoftLabelsAndGroundTruth

MEAN, DEVIATION = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def pictures(size: int = 12, side: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(256, (size, 3, side, side), generator=generator, dtype=torch.uint8)


def views(device: str = "cpu", **options) -> Views:
    return Views(pictures().to(device), MEAN, DEVIATION, **options)


def every_row(device: str = "cpu") -> torch.Tensor:
    return torch.arange(12, device=device)


def teacher() -> nn.Module:
    return seeded(lambda: perceptron(75, 4), 0)


@given(seed=st.integers(0, 2**31), epoch=st.integers(0, 1000), pixels=st.integers(0, 4), flip=st.booleans())
def test_a_view_is_the_image_cut_from_its_reflection(seed, epoch, pixels, flip):
    """numpy pads, cuts and mirrors one image at a time."""
    subject = views(seed=seed, pixels=pixels, flip=flip)
    down, right = subject.draw(epoch).tolist()
    mirrored = (subject.mirrored != bool(epoch % 2)).tolist() if flip else [False] * 12
    made = subject(epoch, every_row()).numpy()
    for row, image in enumerate(pictures().numpy()):
        padded = np.pad(image, ((0, 0), (pixels, pixels), (pixels, pixels)), mode="reflect")
        cut = padded[:, down[row] : down[row] + 5, right[row] : right[row] + 5]
        expected = (cut[..., ::-1] if mirrored[row] else cut) / 255
        expected = (expected - np.reshape(MEAN, (3, 1, 1))) / np.reshape(DEVIATION, (3, 1, 1))
        np.testing.assert_allclose(made[row], expected, atol=1e-5)


@given(epoch=st.integers(0, 50), rows=st.permutations(range(12)), size=st.integers(1, 12))
def test_a_view_depends_on_seed_epoch_and_index_alone(epoch, rows, size):
    subject, rows = views(seed=4), torch.tensor(rows[:size])
    subject(epoch + 1, every_row())  # what was asked before does not matter
    assert torch.equal(subject(epoch, rows), views(seed=4)(epoch, every_row())[rows])


def test_seeds_and_epochs_differ_and_every_shift_occurs():
    subject = Views(pictures(2000), MEAN, DEVIATION, seed=0)
    first, second, other = subject.draw(0), subject.draw(1), Views(pictures(2000), MEAN, DEVIATION, seed=1).draw(0)
    for draw in (second, other):
        assert 0.1 < (first[0] == draw[0]).double().mean() < 0.3  # one in five by chance
    assert torch.bincount(first[0] * 5 + first[1], minlength=25).min() > 50


def test_two_epochs_show_both_sides_of_every_image():
    subject = views(seed=2, pixels=0)
    rows = every_row()
    torch.testing.assert_close(subject(0, rows), subject(1, rows).flip(-1))
    assert torch.equal(subject(0, rows), subject(2, rows))
    assert 0 < subject.mirrored.sum() < 12


def test_without_shift_and_mirror_the_images_are_as_they_are():
    images = views(pixels=0, flip=False)(7, every_row())
    expected = (pictures() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(DEVIATION).view(3, 1, 1)
    torch.testing.assert_close(images, expected)


def test_views_are_the_same_on_every_device(device):
    for epoch in range(3):
        torch.testing.assert_close(views(device)(epoch, every_row(device)).cpu(), views()(epoch, every_row()))


def test_images_that_are_no_bytes_and_shifts_out_of_the_image_are_refused():
    with pytest.raises(TypeError, match=r"uint8; got \(12, 3, 5, 5\) torch.float32"):
        Views(pictures().float(), MEAN, DEVIATION)
    with pytest.raises(ValueError, match=r"pixels must lie in 0 … 4, inside the image; got 5"):
        views(pixels=5)


def test_students_of_a_study_share_views_and_differ_in_order():
    labels = torch.arange(12)
    one, other = (list(ViewBatches(views(seed=9), labels, 5, seed=seed)) for seed in (0, 1))
    rows = [torch.cat([batch.labels for batch in epoch]) for epoch in (one, other)]
    assert not torch.equal(*rows) and all(torch.equal(labels, part.sort().values) for part in rows)
    images = [
        torch.cat([b.images for b in epoch])[part.argsort()] for epoch, part in zip((one, other), rows, strict=True)
    ]
    assert torch.equal(*images)


def test_each_time_through_is_the_next_epoch_and_any_epoch_comes_back():
    batches = ViewBatches(views(), torch.arange(12), 12, seed=0)
    first, second = next(iter(batches)), next(iter(batches))
    assert not torch.equal(first.labels, second.labels) and batches.epoch == 2
    batches.epoch = 1
    assert all(torch.equal(*pair) for pair in zip(next(iter(batches))[:2], second[:2], strict=True))


def test_a_student_of_few_images_sees_their_views_and_no_others():
    rows = torch.tensor([7, 2, 10])
    (batch,) = ViewBatches(views(), torch.arange(12), 5, seed=0, rows=rows)
    assert sorted(batch.labels.tolist()) == [2, 7, 10]
    assert torch.equal(batch.images, views()(0, batch.labels))


def test_processes_share_a_batch_without_overlap():
    whole = next(iter(ViewBatches(views(), torch.arange(12), 6, seed=0)))
    parts = [
        next(iter(ViewBatches(views(), torch.arange(12), 6, seed=0, share=slice(rank, None, 2)))) for rank in range(2)
    ]
    assert torch.equal(whole.images, torch.stack([part.images for part in parts], dim=1).flatten(0, 1))


def test_the_store_holds_what_the_teacher_says_of_each_view_bit_for_bit():
    store = label_views(teacher(), views(), 3, batch_size=5, progress=False)
    assert len(store) == 3
    for epoch in range(3):
        for rows in every_row().split(5):
            assert torch.equal(store(epoch, rows), predict(teacher(), views()(epoch, rows)))


def test_batches_carry_the_labels_of_their_own_views_and_long_trainings_see_them_again():
    store = label_views(teacher(), views(), 2, progress=False)
    batches = ViewBatches(views(), None, 5, seed=1, store=store)
    for _ in range(4):
        for batch in batches:
            assert batch.labels is None
            torch.testing.assert_close(predict(teacher(), batch.images), batch.teacher_logits)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_what_is_known_is_said_without_a_doubt(temperature):
    store, rows, labels = label_views(teacher(), views(), 2, progress=False), torch.tensor([7, 2]), torch.tensor([1, 0])
    before, knowing = store.logits.clone(), store.knowing(rows, labels)
    others = [row for row in range(12) if row not in (7, 2)]
    for epoch in (0, 1):
        said = soft_labels(knowing(epoch, rows), temperature)
        torch.testing.assert_close(said, one_hot(labels, said.shape[1]).float())
        assert torch.equal(knowing(epoch, torch.tensor(others)), store(epoch, torch.tensor(others)))
    assert torch.equal(store.logits, before)


def test_the_files_say_how_long_the_teacher_took(tmp_path):
    def slow(images):
        time.sleep(0.05)
        return images.mean(dim=(2, 3))

    label_views(slow, views(), 2, batch_size=6, folder=tmp_path, progress=False)
    assert 0.2 <= labelling_seconds(tmp_path) < 2


def test_any_callable_can_teach():
    store = label_views(lambda images: images.mean(dim=(2, 3)), views(), 1, progress=False)
    torch.testing.assert_close(store(0, every_row()), views()(0, every_row()).mean(dim=(2, 3)))


def test_labels_are_kept_and_those_that_are_there_are_not_made_again(tmp_path):
    asked = []

    def spy(images):
        asked.append(len(images))
        return teacher()(images)

    options = {"folder": tmp_path / "labels", "origin": {"teacher": "a"}, "progress": False}
    first = label_views(spy, views(), 2, **options)
    again = label_views(spy, views(), 3, **options)
    assert asked == [12, 12, 12] and torch.equal(first.logits, again.logits[:2])


@pytest.mark.parametrize(
    "change, words",
    [
        ({"origin": {"teacher": "b", "data": "d"}}, "teacher = a, not b"),
        ({"origin": {"teacher": "a", "data": "e"}}, "data = d, not e"),
        ({"views": views(seed=1)}, "view_seed = 0, not 1"),
        ({"views": views(pixels=1)}, "pixels = 2, not 1"),
        ({"dtype": "float16"}, "dtype = float32, not float16"),
    ],
)
def test_labels_of_another_teacher_data_set_or_view_seed_are_refused(tmp_path, change, words):
    options = {"folder": tmp_path, "origin": {"teacher": "a", "data": "d"}, "views": views(), "progress": False}
    label_views(teacher(), num_epochs=1, **options)
    before = (tmp_path / "epoch-000.safetensors").read_bytes()
    with pytest.raises(ValueError, match=words):
        label_views(teacher(), num_epochs=1, **{**options, **change})
    assert (tmp_path / "epoch-000.safetensors").read_bytes() == before


def test_a_cut_file_of_labels_is_refused_in_words(tmp_path):
    label_views(teacher(), views(), 1, folder=tmp_path, progress=False)
    path = tmp_path / "epoch-000.safetensors"
    whole = path.read_bytes()
    for tenth in range(10):
        path.write_bytes(whole[: len(whole) * tenth // 10])
        with pytest.raises(ValueError, match="no whole file of labels; delete it"):
            label_views(teacher(), views(), 1, folder=tmp_path, progress=False)


def test_half_precision_halves_the_space_and_rounds():
    whole, half = (label_views(teacher(), views(), 1, dtype=name, progress=False) for name in ("float32", "float16"))
    assert half.logits.element_size() * 2 == whole.logits.element_size()
    assert half(0, every_row()).dtype == torch.float32
    torch.testing.assert_close(half(0, every_row()), whole(0, every_row()), rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="dtype must be one of float32, float16; got int8"):
        label_views(teacher(), views(), 1, dtype="int8", progress=False)


def test_a_store_gives_the_rows_that_are_asked_for():
    store = LabelStore(torch.arange(24.0).view(2, 4, 3))
    assert store(1, torch.tensor([3, 0])).tolist() == [[21, 22, 23], [12, 13, 14]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU is here")
def test_views_and_losses_on_cuda_are_those_of_the_cpu():
    batches = {device: ViewBatches(views(device), every_row(device) % 4, 12, seed=0) for device in ("cpu", "cuda")}
    here, there = (next(iter(parts)) for parts in batches.values())
    torch.testing.assert_close(there.images.cpu(), here.images)
    logits = torch.randn(2, 12, 4)
    for strategy in (GroundTruth(), SoftLabels(2.0), SoftLabelsAndGroundTruth(2.0, 0.9)):
        losses = [
            strategy(logits[0].to(device), batch._replace(teacher_logits=logits[1].to(device))).cpu()
            for device, batch in (("cpu", here), ("cuda", there))
        ]
        torch.testing.assert_close(*losses)
