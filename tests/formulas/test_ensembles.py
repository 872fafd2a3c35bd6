"""Several teachers as one: sums written out, what every weighting keeps, and as the teacher of a comparison."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as oracle
from small import digits, with_dropout

import kdlearn
from kdlearn import SeveralTeachers, SoftLabels, confidence, mean_of_teachers, perceptron, seeded

LOGITS = list(3 * torch.randn(3, 8, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64))
numbers = st.lists(st.floats(0, 10), min_size=3, max_size=3).filter(lambda one: sum(one) > 1e-3)


@given(numbers)
def test_the_mean_of_probabilities_and_of_logits(weights):
    shares = [one / sum(weights) for one in weights]
    p = sum(share * one.softmax(dim=1) for share, one in zip(shares, LOGITS, strict=True))
    torch.testing.assert_close(mean_of_teachers(LOGITS, weights=weights).exp(), p)
    product = torch.ones(8, 5, dtype=torch.float64)
    for share, one in zip(shares, LOGITS, strict=True):
        product *= one.softmax(dim=1) ** share
    found = mean_of_teachers(LOGITS, of="logits", weights=weights).softmax(dim=1)
    torch.testing.assert_close(found, product / product.sum(dim=1, keepdim=True))


def test_confidence_by_scipy_and_as_weights_of_each_row():
    weights = torch.stack([torch.from_numpy(1 - oracle(one.softmax(1), axis=1, base=5)) for one in LOGITS])
    torch.testing.assert_close(torch.stack([confidence(one) for one in LOGITS]), weights)
    rows = [
        mean_of_teachers([one[row : row + 1] for one in LOGITS], weights=weights[:, row].tolist()) for row in range(8)
    ]
    torch.testing.assert_close(mean_of_teachers(LOGITS, weights="confidence"), torch.cat(rows))


@pytest.mark.parametrize("of", ["probabilities", "logits"])
@pytest.mark.parametrize("weights", [None, "confidence", [1.0, 2.0, 3.0]])
def test_teachers_that_say_the_same_are_one(of, weights):
    found = mean_of_teachers([LOGITS[0]] * 3, of=of, weights=weights)
    torch.testing.assert_close(found.softmax(dim=1), LOGITS[0].softmax(dim=1))


def test_teachers_without_any_idea_are_no_division_by_zero():
    found = mean_of_teachers([torch.zeros(2, 4)] * 2, weights="confidence")
    torch.testing.assert_close(found.exp(), torch.full((2, 4), 0.25))


def test_a_teacher_of_weight_zero_does_not_matter_and_extremes_stay_finite():
    certain = 1e4 * torch.eye(4)
    torch.testing.assert_close(mean_of_teachers([certain, -certain], weights=[1, 0]), certain.log_softmax(1))
    assert bool(mean_of_teachers([certain, -certain]).isfinite().all())
    assert mean_of_teachers([certain.bfloat16()]).dtype == torch.float32


@pytest.mark.parametrize(
    ("logits", "options", "said"),
    [
        (LOGITS, {"of": "labels"}, "of must be 'probabilities' or 'logits'"),
        (LOGITS, {"weights": [1.0, 2.0]}, "for each of 3 teachers"),
        (LOGITS, {"weights": [1.0, 2.0, -1.0]}, "at least 0"),
        (LOGITS, {"weights": [0.0, 0.0, 0.0]}, "not all 0"),
        (LOGITS, {"weights": "accuracy"}, "'confidence'; got 'accuracy'"),
        ([], {}, "at least one teacher"),
        ([LOGITS[0], LOGITS[1][:, :4]], {}, "must have the same shape"),
    ],
)
def test_what_cannot_be_averaged_is_refused(logits, options, said):
    with pytest.raises(ValueError, match=said):
        mean_of_teachers(logits, **options)


def test_it_teaches_in_a_comparison_in_eval_mode():
    data, builds = digits(), (with_dropout, partial(perceptron, 64, 12, 10))
    teachers = [seeded(build, 3) for build in builds]
    options = {"teacher": SeveralTeachers(teachers), "seeds": range(2), "lengths": (3,), "batch_size": 20}
    table = kdlearn.compare(partial(perceptron, 64, 8, 10), [SoftLabels(2.0)], data, **options).table
    said = [kdlearn.predict(teacher, data.test.inputs) for teacher in teachers]
    expected = kdlearn.accuracy(sum(one.softmax(dim=1) for one in said), data.test.labels)
    taught = table.loc[table["strategy"] == "soft labels", "teacher_accuracy"]
    assert taught.tolist() == pytest.approx([expected] * 2) and teachers[0].training
