"""Numbers through a whole comparison: the strategies, what is measured, and what is refused."""

from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F

import kdlearn
from kdlearn import Batch, Dataset, GroundTruth, Run, Split, perceptron
from kdlearn.formulas.regression import mean_squared_error
from kdlearn.training.regression_strategies import BoundedByTeacher, TeachersValues, TrueValues
from kdlearn.training.strategy import mean_loss

GENERATOR = torch.Generator().manual_seed(2)
OUTPUTS, TOLD, LABELS = torch.randn(3, 6, 2, generator=GENERATOR, dtype=torch.float64)
BATCH = Batch(torch.zeros(6, 1), LABELS, TOLD)


def surface(size: int) -> Split:
    inputs = torch.randn(size, 4, generator=GENERATOR)
    return Split(inputs, (inputs.prod(dim=1, keepdim=True) + inputs[:, :1]))


DATA = Dataset(surface(80), surface(60), surface(40), name="a surface")
STUDENT, BIG = partial(perceptron, 4, 5, 1), partial(perceptron, 4, 32, 1)
OPTIONS = {"baseline": "true values", "metric": mean_squared_error, "seeds": range(2), "lengths": (20,)}


def test_each_strategy_by_its_formula():
    own = F.smooth_l1_loss(OUTPUTS, LABELS, reduction="none").sum(dim=1)
    torch.testing.assert_close(TrueValues()(OUTPUTS, BATCH), own)
    its = F.smooth_l1_loss(OUTPUTS, TOLD, reduction="none").sum(dim=1)
    torch.testing.assert_close(TeachersValues()(OUTPUTS, BATCH), its)
    mine, teachers = ((one - LABELS).square().sum(dim=1) for one in (OUTPUTS, TOLD))
    expected = own + 2.0 * mine * (mine + 0.1 > teachers)
    torch.testing.assert_close(BoundedByTeacher(2.0, margin=0.1)(OUTPUTS, BATCH), expected)
    torch.testing.assert_close(mean_loss(BoundedByTeacher(2.0, 0.1), OUTPUTS, BATCH), expected.mean())


def test_a_comparison_with_a_teacher_that_is_a_run():
    teacher = Run(DATA, BIG, TrueValues(), lengths=(60,), metric=mean_squared_error)
    strategies = [TrueValues(), TeachersValues(), BoundedByTeacher(1.0)]
    table = kdlearn.compare(STUDENT, strategies, DATA, teacher=teacher, **OPTIONS).table
    assert len(table) == 6 and table["agreement"].isna().all()
    assert (table["loss"] - table["mean_squared_error"]).abs().max() < 1e-5
    assert table.loc[table["strategy"] == TeachersValues.name, "teacher_mean_squared_error"].notna().all()


def test_a_teacher_that_only_answers_is_asked_for_numbers():
    strategies = [TrueValues(), BoundedByTeacher()]
    found = kdlearn.compare(STUDENT, strategies, DATA, teacher=lambda inputs: inputs[:, :1], **OPTIONS)
    expected = mean_squared_error(DATA.test.inputs[:, :1], DATA.test.labels)
    taught = found.table[found.table["strategy"] == BoundedByTeacher.name]
    assert taught["teacher_mean_squared_error"].tolist() == pytest.approx([expected] * 2)


IN_ONE_ROW = replace(DATA, train=DATA.train._replace(labels=DATA.train.labels[:, 0]))
INFINITE = replace(DATA, train=DATA.train._replace(labels=DATA.train.labels / 0))


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        (DATA, {"strategy": GroundTruth()}, "Labels are numbers:.*regression_strategies.*baseline=.true values"),
        (IN_ONE_ROW, {}, r"unsqueeze\(1\)"),
        (INFINITE, {}, "finite numbers"),
        (DATA, {"sample": 20}, "give a Dataset of fewer training rows"),
    ],
)
def test_what_does_not_fit_is_refused(data, options, said):
    with pytest.raises(ValueError, match=said):
        kdlearn.study([Run(data, STUDENT, **{"strategy": TrueValues(), "metric": mean_squared_error, **options})])
