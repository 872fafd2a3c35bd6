"""Trained networks and their logits, from which teachers are made."""

from dataclasses import replace

import pandas as pd
import torch
from small import SAME, STUDENT, TEACHER, digits

import kdlearn
from kdlearn import BatchStream, Run, SoftLabels, predict, seeded, train


def test_they_are_those_of_the_network_trained_by_hand():
    data = digits()
    [found] = kdlearn.trained_logits([Run(data, TEACHER, lengths=(20,), seed=3, batch_size=30)])
    network = seeded(TEACHER, 3)
    train(network, BatchStream(data.train, 30, seed=3), kdlearn.GroundTruth(), num_epochs=5, progress=False)
    assert set(found) == {"train", "validation", "test"}
    for split, logits in found.items():
        torch.testing.assert_close(logits, predict(network, data.inputs(split)), rtol=1e-4, atol=1e-4)


def test_students_of_the_logits_are_those_of_the_run(tmp_path):
    data = digits()
    teachers = [Run(data, TEACHER, lengths=(20,), seed=seed) for seed in (1, 2)]
    for teacher, logits in zip(teachers, kdlearn.trained_logits(teachers, tmp_path), strict=True):
        tables = [
            kdlearn.study([Run(data, STUDENT, SoftLabels(2.0), told, (10,), seed) for seed in (0, 1)], tmp_path)
            for told in (teacher, logits)
        ]
        pd.testing.assert_frame_equal(*(table.drop(columns=SAME) for table in tables))


def test_the_networks_are_those_that_were_measured(tmp_path):
    data = digits()
    runs = [Run(data, STUDENT, lengths=(10, 20), seed=seed) for seed in (1, 2)]
    measured = kdlearn.study([replace(run, keep=True) for run in runs], tmp_path)
    before = sorted(tmp_path.rglob("*.*"))
    for run, network in zip(runs, kdlearn.trained_networks(runs, tmp_path), strict=True):
        logits = predict(network, data.inputs("test"))
        row = measured[(measured["seed"] == run.seed) & (measured["length"] == 20)].iloc[0]
        assert kdlearn.accuracy(logits, data.test.labels) == row["accuracy"]
    assert sorted(tmp_path.rglob("*.*")) == before, "nothing is trained twice"
