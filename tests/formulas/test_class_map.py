"""Classes left out, put together and unknown: against probabilities added up by hand, and as a teacher of a study."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import digits

import kdlearn
from kdlearn import ClassMap, SoftLabels, perceptron, seeded

TEACHER, STUDENT = tuple("abcdef"), tuple("bdex")
LOGITS = 4 * torch.randn(9, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@st.composite
def maps(draw):
    """Which of the student's classes, if any, each of the teacher's goes to."""
    goes = draw(st.lists(st.integers(-1, 3), min_size=6, max_size=6).filter(lambda one: max(one) >= 0))
    classes = tuple("pqrs")
    return goes, ClassMap(TEACHER, classes, {TEACHER[i]: classes[to] for i, to in enumerate(goes) if to >= 0})


@given(maps())
def test_probabilities_add_up_and_are_renormalised(case):
    goes, mapped = case
    p = LOGITS.softmax(dim=1)
    expected = torch.zeros(9, 4, dtype=torch.float64)
    for place, target in enumerate(goes):
        if target >= 0:
            expected[:, target] += p[:, place]
    torch.testing.assert_close(mapped.kept(LOGITS), expected.sum(dim=1))
    unknown = [one for one in range(4) if one not in goes]
    expected *= (1 - 1e-6 * len(unknown)) / expected.sum(dim=1, keepdim=True)
    expected[:, unknown] = 1e-6
    torch.testing.assert_close(mapped(LOGITS).softmax(dim=1), expected)
    assert mapped.unknown_classes == ["pqrs"[one] for one in unknown]


def test_a_shift_changes_nothing_and_so_do_probabilities_instead():
    mapped = ClassMap(TEACHER, STUDENT, {"a": "b"}, unknown=0.01)
    torch.testing.assert_close(mapped(LOGITS + 1e3), mapped(LOGITS))
    soft = torch.randn(9, 6, dtype=torch.float64)
    torch.testing.assert_close(mapped.of_probabilities(soft.softmax(dim=1)), mapped(soft))
    assert mapped(LOGITS.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("size", [1.0, 1e4])
def test_extreme_logits_stay_finite_and_a_teacher_gets_no_gradient(size):
    logits = (size * LOGITS.float()).requires_grad_()
    mapped = ClassMap(TEACHER, STUDENT, {"a": "b", "c": "b"})(logits)
    assert bool(mapped.isfinite().all()) and not mapped.requires_grad


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((("a", "b", "a"), ("a", "b")), "teacher_classes must hold each name once; 'a' comes twice"),
        ((("a", "b"), ("b", "b")), "student_classes must hold each name once"),
        ((("a", "b", "c"), ("c", "a")), "one order, unless permuted=True.*teacher's are a, c, the student's c, a"),
        ((("a", "b"), ("c", "d")), "some in common"),
        ((("a", "b"), ("a", "b"), {"x": "a"}), "'x' is none of them"),
        ((("a", "b"), ("a", "b"), {"a": "x"}), "'x' is none of them"),
        ((("a", "b"), ("a", "c"), {}, 1.0), "unknown must be above 0"),
        ((("a", "b"), ("a", "c"), {}, 0.0), "unknown must be above 0"),
        (("ab", ("a", "b")), "teacher_classes must be names"),
        ((("a",), ("a", "b")), "at least two classes"),
    ],
)
def test_what_cannot_be_matched_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        ClassMap(*arguments)


def test_another_order_that_is_meant_is_followed():
    mapped = ClassMap(("a", "b", "c"), ("c", "a", "b"), permuted=True)
    torch.testing.assert_close(mapped(LOGITS[:, :3]).softmax(1), LOGITS[:, [2, 0, 1]].softmax(1))


def test_logits_of_other_classes_are_refused():
    with pytest.raises(ValueError, match="one logit for each of 6 teacher_classes"):
        ClassMap(TEACHER, STUDENT)(LOGITS[:, :4])


def test_it_makes_a_teacher_fit_into_a_comparison():
    """A teacher of twelve classes, of which the digits are the last ten, and one of them under another name."""
    data, wide = digits(), seeded(partial(perceptron, 64, 8, 12), 0)
    names = ("x", "y", *"012345678", "nine")
    teacher = ClassMap(names, data.class_names, {"nine": "9"}).of(wide)
    torch.testing.assert_close(teacher(data.test.inputs).softmax(1), wide(data.test.inputs)[:, 2:].softmax(1))
    options = {"teacher": teacher, "seeds": range(2), "lengths": (3,), "batch_size": 20}
    table = kdlearn.compare(partial(perceptron, 64, 8, 10), [SoftLabels(2.0)], data, **options).table
    taught = table.loc[table["strategy"] == "soft labels", "teacher_accuracy"]
    expected = kdlearn.accuracy(wide(data.test.inputs)[:, 2:].detach(), data.test.labels)
    assert taught.tolist() == pytest.approx([expected] * 2)
