"""Many labels through a whole comparison: stacked and alone, the metrics of the table from the logits themselves."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from small import digits
from torch import nn

import kdcourse
import kdlearn
from kdlearn import Run, SoftLabelsAndGroundTruth, YesOrNo
from kdlearn.formulas.many_labels import mean_average_precision

DATA = kdcourse.compose_pictures(digits(), {"train": 60, "validation": 20, "test": 40})


def network(width: int = 8) -> nn.Module:
    return nn.Sequential(kdlearn.perceptron(256, width, 10), YesOrNo())


def test_a_comparison_measures_each_class():
    teacher = Run(DATA, partial(network, 16), lengths=(20,), metric=mean_average_precision)
    options = {"teacher": teacher, "seeds": range(2), "lengths": (10,), "batch_size": 20}
    strategy = SoftLabelsAndGroundTruth(2.0)
    table = kdlearn.compare(network, [strategy], DATA, metric=mean_average_precision, **options).table
    assert table["mean_average_precision"].between(0.1, 1).all() and table["loss"].between(0, 2).all()
    assert table.loc[table["strategy"] == strategy.name, "agreement"].between(0, 1).all()


def test_the_table_s_metric_is_that_of_the_network_s_logits():
    run = Run(DATA, network, lengths=(15,), metric=mean_average_precision, keep=True)
    [logits] = kdlearn.trained_logits([run])
    assert logits["test"].shape == (40, 10, 2)
    [found] = kdlearn.study([run])["mean_average_precision"]
    assert found == pytest.approx(mean_average_precision(logits["test"], DATA.test.labels))


def test_labels_of_many_classes_come_through_a_mapping_and_one_hot_ones_do_not():
    pairs = {name: (part.inputs, part.labels.numpy()) for name, part in DATA.splits()}
    made = kdlearn.data.convert.dataset_of(pairs)
    assert torch.equal(made.train.labels, DATA.train.labels)
    one_hot = torch.eye(10, dtype=torch.int64)[torch.arange(60) % 10]
    with pytest.raises(ValueError, match=r"argmax\(1\) of one-hot rows"):
        kdlearn.data.convert.dataset_of(pairs | {"train": (DATA.train.inputs, one_hot)})


def test_a_network_with_one_logit_a_class_is_told_what_is_missing():
    run = Run(DATA, partial(kdlearn.perceptron, 256, 8, 10))
    with pytest.raises(ValueError, match=r"labels are \(N, 10\), logits \(N, 10\).*YesOrNo"):
        kdlearn.study([run])
    single = replace(DATA, train=DATA.train._replace(labels=torch.arange(60) % 10))
    with pytest.raises(ValueError, match=r"labels are \(N\), logits \(N, 10, 2\)"):
        kdlearn.study([replace(run, data=single, network=network)])
