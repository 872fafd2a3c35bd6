"""What a teacher answers, whatever it is: the same numbers as by asking it by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from small import shapes, with_batch_norm, with_dropout
from torch import nn

from kdlearn import Dataset, Split, Views, perceptron, seeded
from kdlearn.training.answers import (
    LiveAnswers,
    StoredAnswers,
    answers_on,
    ask,
    teacher_of,
)
from kdlearn.training.machine import Machine

DATA = shapes(30, dtype=torch.float32)


def by_rows(rows: torch.Tensor, inputs=DATA.train.inputs) -> torch.Tensor:
    return inputs[rows]


def whole(epoch: int, rows: torch.Tensor) -> torch.Tensor:
    return by_rows(rows)


@given(epochs=st.integers(1, 4), epoch=st.integers(0, 20), rows=st.lists(st.integers(0, 29), min_size=1))
def test_stored_answers_are_those_of_the_epoch_and_begin_again(epochs, epoch, rows):
    logits = torch.arange(epochs * 30 * 3).view(epochs, 30, 3)
    found = StoredAnswers(list(logits.half()))(epoch, torch.tensor(rows))["teacher_logits"]
    assert found.dtype == torch.float32 and torch.equal(found, logits[epoch % epochs][rows].half().float())


@pytest.mark.parametrize("build", [with_dropout, with_batch_norm], ids=lambda build: build.__name__)
@pytest.mark.parametrize("layers", [[], ["2", "4"]])
def test_a_live_teacher_answers_in_eval_mode_without_gradient(build, layers):
    inputs = torch.randn(30, 64)
    teacher = seeded(build, 0)
    rows = torch.tensor([4, 1, 7])
    asked = LiveAnswers(teacher, lambda epoch, rows: inputs[rows] + epoch, layers, Machine())(2, rows)
    assert all(module.training for module in teacher.modules())
    assert not asked["teacher_logits"].requires_grad
    teacher.eval()
    torch.testing.assert_close(asked["teacher_logits"], teacher(inputs[rows] + 2).detach())
    if layers:
        expected = [teacher[:3](inputs[rows] + 2), teacher(inputs[rows] + 2)]
        torch.testing.assert_close(list(asked["teacher_features"]), [one.detach() for one in expected])


class Told:
    """An estimator with these classes, in this order, that says its input's first numbers."""

    def __init__(self, classes) -> None:
        self.classes_ = classes

    def predict_proba(self, inputs: np.ndarray) -> np.ndarray:
        shares = np.abs(inputs[:, : len(self.classes_)]) + 0.01
        return shares / shares.sum(axis=1, keepdims=True)


CLASSES = {
    "numbers": ([0, 1, 2], (), [0, 1, 2]),
    "NumPy's, permuted": (np.array([2, 0, 1]), (), [2, 0, 1]),
    "names": (np.array(["a", "b", "c"]), ("a", "b", "c"), [0, 1, 2]),
    "names, permuted": (["c", "a", "b"], ("a", "b", "c"), [2, 0, 1]),
    "not all": (["c", "a"], ("a", "b", "c"), [2, 0]),
    "numbers that are names": ([2, 10, 1], ("1", "10", "2"), [2, 1, 0]),
    "numbers of named classes": ([1, 0], ("a", "b", "c"), [1, 0]),
}


@pytest.mark.parametrize("classes, names, columns", CLASSES.values(), ids=CLASSES)
def test_classes_of_an_estimator_are_matched_with_the_datas(classes, names, columns):
    model, inputs = Told(classes), DATA.train.inputs
    teacher = teacher_of(model, Dataset(DATA.train, DATA.test, class_names=names), 3)
    expected = torch.full((30, 3), 0.0)
    expected[:, columns] = torch.tensor(model.predict_proba(inputs.numpy()))
    torch.testing.assert_close(teacher(inputs).softmax(1), expected, atol=1e-5, rtol=1e-4)
    assert teacher(inputs).isfinite().all()


def test_a_random_forest():
    inputs, names = DATA.train.inputs.numpy(), np.array(["x", "y", "z"])
    forest = RandomForestClassifier(20, random_state=0).fit(inputs, names[DATA.train.labels.numpy()])
    teacher = teacher_of(forest, Dataset(DATA.train, DATA.test, class_names=tuple(names)), 3)
    assert torch.equal(teacher(DATA.train.inputs).argmax(1), torch.tensor(forest.predict_proba(inputs).argmax(1)))


@pytest.mark.parametrize("kind", [torch.Tensor.clone, torch.Tensor.numpy, lambda one: {"train": one}])
def test_stored_logits_are_a_teacher(kind):
    logits = torch.randn(30, 3)
    teacher = teacher_of(kind(logits), DATA, 3)
    assert torch.equal(ask(teacher, DATA, whole, 7), logits)
    assert answers_on(teacher, DATA, "test") is None


def test_stored_logits_of_other_splits():
    splits = {"train": torch.randn(30, 3), "test": torch.randn(30, 3)}
    assert torch.equal(answers_on(teacher_of(splits, DATA, 3), DATA, "test"), splits["test"])


def test_asked_about_all_rows_at_once_or_by_parts_it_says_the_same():
    teacher = seeded(lambda: perceptron(4, 8, 3), 0)
    large = torch.randn(2300, 4)
    data = Dataset(Split(large), Split(large))
    with torch.no_grad():
        expected = teacher(large + 3)
    torch.testing.assert_close(ask(teacher, data, lambda epoch, rows: large[rows] + epoch, 3), expected)
    torch.testing.assert_close(answers_on(teacher, data, "test"), teacher(large).detach())


def read_only(logits: np.ndarray) -> np.ndarray:
    logits.flags.writeable = False
    return logits


ARRAYS = {"float64": np.float64, "float16": np.float16, "whole numbers": np.int64, "read-only": read_only}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ARRAYS.values(), ids=ARRAYS)
def test_a_function_of_arrays_answers_as_one_of_tensors(kind):
    weight = np.arange(12).reshape(4, 3)
    logits = np.round(DATA.train.inputs.numpy() @ weight)
    found = ask(lambda inputs: kind(np.round(inputs.numpy() @ weight)), DATA, whole, 0)
    assert found.dtype == torch.float32 and np.array_equal(found.numpy(), logits.astype(np.float32))


def test_an_answer_comes_to_where_its_inputs_are():
    """Here without a GPU: tensors of the device "meta" have a shape and no values."""
    asked = LiveAnswers(lambda inputs: np.zeros((len(inputs), 3)), lambda epoch, rows: rows, [], Machine())
    assert asked(0, torch.zeros(5, 4, device="meta"))["teacher_logits"].device.type == "meta"


def test_views_are_answered_as_the_student_sees_them():
    images = torch.rand(10, 1, 5, 5)
    data = Dataset(Split(images), Split(images))
    views, teacher = Views(pixels=1).of(data), nn.Flatten()
    assert torch.equal(ask(teacher, data, views, 3), views(3, torch.arange(10)).flatten(1))


NUMBERS = Split(torch.randn(30, 3), torch.randn(30, 2))


def test_an_estimator_of_numbers_and_stored_numbers_are_teachers():
    data = Dataset(NUMBERS, NUMBERS)
    model = SimpleNamespace(predict=lambda inputs: 2 * inputs[:, :2])
    expected = 2 * NUMBERS.inputs[:, :2]
    assert torch.equal(teacher_of(model, data, 2)(NUMBERS.inputs), expected)
    assert torch.equal(ask(teacher_of(expected, data, 2), data, whole, 0), expected)
    one = NUMBERS._replace(labels=NUMBERS.labels[:, :1])
    assert torch.equal(ask(teacher_of(expected[:, :1], Dataset(one, one), 1), data, whole, 0), expected[:, :1])


ROW = r"must answer with a row of logits for each of 30 inputs, \(30, C\); got "
CLASS = "classes_ of the teacher must be classes of the data"
GAP = torch.randn(30, 3).index_fill(0, torch.tensor([4, 9]), torch.nan)
REFUSED = {
    "nothing that answers": (3, TypeError, "an estimator with predict_proba, or stored"),
    "too few rows": (torch.randn(29, 3), ValueError, "each input, 30 of train, 30 of validation, .*; got 29 of train"),
    "another split": ({"dev": torch.randn(30, 3)}, ValueError, "each input, 30 of train.*; got 30 of dev"),
    "no training rows": ({"test": torch.randn(30, 3)}, ValueError, "must cover train"),
    "a gap": (GAP, ValueError, "2 rows hold NaN or infinity"),
    "classes too many": (Told([0, 1, 3]), ValueError, CLASS),
    "classes of other names": (Told(["a", "b", "z"]), ValueError, CLASS),
    "classes that are none": (Told([0.5, 1.0]), ValueError, CLASS),
    "not fitted": (SimpleNamespace(predict_proba=None), ValueError, "the teacher must be fitted"),
    "several outputs": (lambda inputs: [inputs], TypeError, "got list. Return the one output that holds the logits"),
    "a word": (lambda inputs: "logits", TypeError, "a tensor or an array; got str$"),
    "one number a row": (lambda inputs: np.zeros(30), ValueError, ROW + r"\(30,\)"),
    "a row too few": (lambda inputs: torch.zeros(29, 3), ValueError, ROW + r"\(29, 3\)"),
    "too large": (lambda inputs: 1e6 * inputs, ValueError, "finite in float16; 30 rows .* ask for float32"),
}


@pytest.mark.parametrize("teacher, error, words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_teach_is_refused_with_what_can(teacher, error, words):
    data = Dataset(DATA.train, DATA.test, DATA.validation, class_names=("a", "b", "c"))
    with pytest.raises(error, match=words):
        ask(teacher_of(teacher, data, 3), data, whole, 0, "float16")
