"""What a user has becomes a data set, or is refused with a way out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from kdlearn import Dataset, Split, load_digits
from kdlearn.data.convert import batch_size_of, dataset_of

INPUTS = np.random.default_rng(0).normal(size=(12, 4))
LABELS = np.arange(12) % 3


class Items:
    """A map-style data set of a reader's own."""

    def __init__(self, inputs, labels) -> None:
        self.inputs, self.labels = inputs, labels

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, row: int):
        return self.inputs[row], self.labels[row]


def collate(items) -> tuple[Tensor, Tensor]:
    inputs, labels = zip(*items, strict=True)
    return 2 * torch.stack([torch.as_tensor(one).float() for one in inputs]), torch.tensor(labels)


TENSORS = TensorDataset(torch.tensor(INPUTS).float(), torch.tensor(LABELS))
SAME = {
    "arrays": (INPUTS, LABELS),
    "a list": [INPUTS, LABELS],
    "lists": (INPUTS.tolist(), LABELS.tolist()),
    "tensors": (torch.tensor(INPUTS), torch.tensor(LABELS, dtype=torch.int32)),
    "a TensorDataset": TENSORS,
    "an own data set": Items(INPUTS.astype(np.float32), LABELS),
    "a loader": DataLoader(TENSORS, batch_size=5, shuffle=True),
    "examples": Split(torch.tensor(INPUTS).float(), torch.tensor(LABELS)),
}


@pytest.mark.parametrize("part", SAME.values(), ids=SAME)
def test_each_kind_gives_the_same_tensors(part):
    data = dataset_of({"train": part, "test": part})
    for examples in (data.train, data.test):
        assert examples.inputs.dtype == torch.float32 and examples.labels.dtype == torch.int64
        torch.testing.assert_close(examples.inputs, torch.tensor(INPUTS).float())
        assert examples.labels.tolist() == LABELS.tolist()
    assert data.validation is None and data.class_names == ()


def test_a_data_set_and_a_folder_are_taken_as_they_are(pictures):
    digits = load_digits()
    assert dataset_of(digits) is digits
    for folder in (pictures, str(pictures)):
        data = dataset_of(folder)
        assert data.class_names == ("ball", "cube", "rod") and data.train.inputs.dtype == torch.uint8


def test_of_a_loader_data_set_batch_size_and_collate_function_are_taken():
    loader = DataLoader(Items(INPUTS, LABELS), batch_size=5, collate_fn=collate, shuffle=True)
    data = dataset_of({"train": loader, "test": (INPUTS, LABELS)})
    torch.testing.assert_close(data.train.inputs, 2 * torch.tensor(INPUTS).float())
    assert batch_size_of(loader) == batch_size_of({"train": loader}) == 5
    assert batch_size_of({"train": TENSORS}) is batch_size_of(load_digits()) is batch_size_of("folder") is None


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600])
def test_every_item_is_read_once_in_its_order(size):
    inputs = torch.arange(size).float().view(-1, 1)
    data = dataset_of({"train": Items(inputs, torch.zeros(size, dtype=torch.long)), "test": (inputs, [0] * size)})
    assert torch.equal(data.train.inputs, inputs)


@pytest.mark.parametrize("kind", [list, np.array, lambda names: np.array(names, dtype=object)])
def test_names_are_numbered_in_their_order(kind):
    train, test = kind(["dog", "cat", "owl", "cat"]), kind(["owl", "dog"])
    data = dataset_of({"train": (INPUTS[:4], train), "test": (INPUTS[:2], test)})
    assert data.class_names == ("cat", "dog", "owl")
    assert data.train.labels.tolist() == [1, 0, 2, 0] and data.test.labels.tolist() == [2, 1]


def test_whole_numbers_among_objects_are_names_in_their_own_order():
    train, test = (np.array(one, dtype=object) for one in ([10, 9, 2, 10], [2, 10]))
    data = dataset_of({"train": (INPUTS[:4], train), "test": (INPUTS[:2], test)})
    assert [data.class_names[label] for label in data.train.labels] == ["10", "9", "2", "10"]
    assert [data.class_names[label] for label in data.test.labels] == ["2", "10"]


def test_names_from_a_loader_too():
    items = Items(torch.zeros(4, 2), ["b", "a", "b", "c"])
    data = dataset_of({"train": DataLoader(items, batch_size=2), "test": items})
    assert data.train.labels.tolist() == data.test.labels.tolist() == [1, 0, 1, 2]


def test_unlabelled_rows_go_behind_the_labelled():
    data = dataset_of({"train": (INPUTS, LABELS), "test": (INPUTS, LABELS), "unlabelled": 2 * INPUTS[:5]})
    assert data.train.labelled.tolist() == [True] * 12 + [False] * 5
    torch.testing.assert_close(data.train.inputs[12:], torch.tensor(2 * INPUTS[:5]).float())
    assert data.train.labels[:12].tolist() == LABELS.tolist() and len(data.train.labels) == 17


def test_labels_may_be_missing_for_teachers_to_give():
    data = dataset_of({"train": (INPUTS, None), "test": (INPUTS, LABELS)})
    assert data.train.labels is None


class Augmented(Items):
    def __getitem__(self, row: int):
        return self.inputs[row] + torch.randn(4).numpy(), self.labels[row]


class Triples(Items):
    def __getitem__(self, row: int):
        return self.inputs[row], self.labels[row], row


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        yield from zip(INPUTS, LABELS, strict=True)


GOOD = (INPUTS, LABELS)
NO_LABELS = {"train": (INPUTS, None), "test": GOOD}
OTHER_NAMES = {"train": (INPUTS[:2], ["a", "b"]), "test": (INPUTS[:2], ["a", "z"])}
REFUSED = {
    "nothing to read": (3, TypeError, "data must be a kdlearn.Dataset, a folder of images, or a mapping"),
    "a pair alone": (GOOD, TypeError, "mapping of train, test"),
    "no test": ({"train": GOOD}, ValueError, "must map train and test"),
    "another split": ({"train": GOOD, "test": GOOD, "dev": GOOD}, ValueError, "train, test, dev"),
    "no pair": ({"train": INPUTS[0, 0], "test": GOOD}, TypeError, r"train must be \(inputs, labels\[, mask\]\)"),
    "too few labels": ({"train": (INPUTS, LABELS[:3]), "test": GOOD}, ValueError, "label for each of 12 inputs; got 3"),
    "words for inputs": ({"train": ("words", LABELS), "test": GOOD}, TypeError, "inputs of train must be a tensor or"),
    "no rows": ({"train": (INPUTS[:0], LABELS[:0]), "test": GOOD}, ValueError, "at least one row"),
    "numbers between": ({"train": (INPUTS, LABELS / 2), "test": GOOD}, ValueError, "labels of train must be class"),
    "booleans": ({"train": (INPUTS, LABELS > 1), "test": GOOD}, ValueError, "or names; got torch.bool"),
    "a name of its own": (OTHER_NAMES, ValueError, "labels of test must be among those of train, a, b; got z"),
    "another shape": ({"train": GOOD, "test": (INPUTS[:, :3], LABELS)}, ValueError, r"test \(3,\) torch.float32"),
    "other inputs each time": ({"train": Augmented(INPUTS, LABELS), "test": GOOD}, ValueError, "views=kdlearn.Views"),
    "three things": ({"train": Triples(INPUTS, LABELS), "test": GOOD}, TypeError, "train must give pairs"),
    "an empty data set": ({"train": Items([], []), "test": GOOD}, ValueError, "at least one item"),
    "no length": ({"train": DataLoader(Stream()), "test": GOOD}, ValueError, "with a length"),
    "unlabelled alone": (NO_LABELS | {"unlabelled": INPUTS}, ValueError, "train has no labels itself"),
}


@pytest.mark.parametrize("data, kind, words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_refused_with_what_can(data, kind, words):
    with pytest.raises(kind, match=words):
        dataset_of(data)


def test_the_name_does_not_change_the_key():
    data = dataset_of({"train": GOOD, "test": GOOD})
    assert isinstance(data, Dataset) and replace(data, name="mine").key == data.key


def test_examples_in_a_mapping_keep_what_they_say_of_their_rows():
    known, mask = torch.arange(12) < 7, torch.arange(12) % 2 == 0
    part = Split(torch.tensor(INPUTS).float(), torch.tensor(LABELS), known, mask)
    data = dataset_of({"train": part, "test": part, "unlabelled": INPUTS[:3]})
    assert torch.equal(data.test.labelled, known) and torch.equal(data.test.mask, mask)
    assert data.train.labelled.tolist() == [*known.tolist(), False, False, False]
    assert data.train.mask.tolist() == [*mask.tolist(), True, True, True]


def test_a_mask_stands_beside_inputs_and_labels():
    mask = np.arange(12) % 2 == 0
    for labels, of_kind in ((LABELS, mask), (torch.tensor(LABELS), torch.tensor(mask)), ([*"abc"] * 4, mask.tolist())):
        data = dataset_of({"train": (INPUTS, labels, of_kind), "test": [INPUTS, labels], "unlabelled": INPUTS[:2]})
        assert data.train.mask.tolist() == [*mask.tolist(), True, True] and data.test.mask is None
        assert data.train.labels[:12].tolist() == LABELS.tolist() and data.train.labelled.sum() == 12
    for odd, kind in ((mask[:3], ValueError), (mask.astype(int), TypeError)):
        with pytest.raises(kind, match="mask must"):
            dataset_of({"train": (INPUTS, LABELS, odd), "test": GOOD})


def test_labels_of_minus_100_get_a_mask_however_the_data_came():
    labels = np.where(np.arange(12) % 5 == 0, -100, LABELS)
    counts, other = torch.tensor(labels) != -100, torch.arange(12) > 2
    inputs = torch.tensor(INPUTS).float()
    parts = [(INPUTS, labels), TensorDataset(inputs, torch.tensor(labels)), Split(inputs, torch.tensor(labels))]
    for part in parts:
        data = dataset_of({"train": part, "test": (INPUTS, labels, other.numpy()), "validation": GOOD})
        assert torch.equal(data.train.mask, counts) and torch.equal(data.test.mask, counts & other)
        assert data.validation.mask is None
    assert torch.equal(Dataset(parts[2], Split(inputs, torch.tensor(LABELS))).train.mask, counts)
    assert dataset_of({"train": GOOD, "test": GOOD, "unlabelled": INPUTS}).train.mask is None
