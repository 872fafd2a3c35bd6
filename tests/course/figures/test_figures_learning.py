"""The playground's training in JavaScript against the same steps in torch float64, and what it draws and tells."""

import numpy as np
import pytest
import torch
from figures_in_page import node
from scipy import stats
from torch.nn.utils import parameters_to_vector, vector_to_parameters

import kdlearn
from kdlearn.data.batches import Batch
from kdlearn.formulas.intervals import interval
from kdlearn.networks.basic import perceptron
from kdlearn.training import strategies

STRATEGIES = {
    "ground truth": lambda T, w: strategies.GroundTruth(),
    "teacher's hard labels": lambda T, w: strategies.TeachersHardLabels(),
    "soft labels": lambda T, w: strategies.SoftLabels(T),
    "soft labels + ground truth": strategies.SoftLabelsAndGroundTruth,
}
SETTINGS = "data_set", "kind", "temperature", "soft_weight", "learning_rate", "labelled_points", "label_noise"
CASES = [
    ("blobs", "ground truth", 1.0, 0.0, 0.01, 48, 0.2),
    ("spiral", "teacher's hard labels", 1.0, 1.0, 0.1, 90, 0.0),
    ("moons", "soft labels", 4.0, 0.3, 0.01, 20, 0.1),
    ("circles", "soft labels", 0.5, 0.0, 0.003, 400, 0.0),
    ("blobs", "soft labels + ground truth", 2.0, 0.7, 0.03, 33, 0.5),
    ("spiral", "soft labels + ground truth", 8.0, 0.25, 0.01, 64, 0.3),
]


TRAIN = """return given.map((settings, seed) => {
  const drawn = L.randomNumbers(seed, 9), classes = L.DATA_SETS[settings.data_set][0];
  const widths = [2, ...[[16], [8, 5]][seed % 2], classes];
  const teacher = L.perceptron([2, 12, widths.at(-1)], drawn);
  teacher.weights.forEach((_, w) => { teacher.weights[w] *= 3; });
  const lesson = L.drawLesson(settings, seed, teacher);
  const student = L.perceptron(widths, drawn), first = [...student.weights];
  const next = L.batchesOf(settings.labelled_points, drawn);
  const batches = Array.from({ length: 100 }, () => [...next()]);
  batches.forEach((batch) => L.learn(student, lesson, batch, settings.kind, settings, settings.learning_rate));
  const logits = L.predict(student, lesson.points), last = [...student.weights];
  return { ...lesson, points: [...lesson.points], labels: [...lesson.labels], widths, first, batches, last, logits };
});"""


def test_a_hundred_steps_are_torchs():
    cases = [dict(zip(SETTINGS, case, strict=True)) for case in CASES]
    for settings, ran in zip(cases, node(TRAIN, cases), strict=True):
        student = perceptron(*ran["widths"]).double()
        vector_to_parameters(torch.tensor(ran["first"], dtype=torch.float64), student.parameters())
        points = torch.tensor(ran["points"], dtype=torch.float64).reshape(-1, 2)
        labels, teacher_logits = torch.tensor(ran["labels"]), torch.tensor(ran["teacherLogits"], dtype=torch.float64)
        strategy = STRATEGIES[settings["kind"]](settings["temperature"], settings["soft_weight"])
        batches = [Batch(points[rows], labels[rows], teacher_logits[rows]) for rows in torch.tensor(ran["batches"])]
        optimizer = torch.optim.Adam(student.parameters(), lr=settings["learning_rate"])
        kdlearn.train(student, batches, strategy, num_epochs=1, optimizer=optimizer, progress=False)
        last = parameters_to_vector(student.parameters()).detach()
        assert (last - torch.tensor(ran["first"], dtype=torch.float64)).abs().max() > 0.05
        torch.testing.assert_close(torch.tensor(ran["last"], dtype=torch.float64), last, rtol=0, atol=1e-6)
        logits = torch.tensor(ran["logits"], dtype=torch.float64)
        torch.testing.assert_close(logits, student(points).detach(), rtol=0, atol=1e-5)


def test_the_interval_is_students():
    values = np.random.default_rng(0).normal(1, 3, 20)
    expected = interval(values)
    ours = node("return L.meanWithInterval(given);", values.tolist())
    assert ours == {"mean": pytest.approx(expected.mean), "halfWidth": pytest.approx(expected.half_width, rel=1e-6)}


def test_random_numbers_are_uniform_and_streams_differ():
    script = "const next = L.randomNumbers(...given); return Array.from({ length: 20000 }, next);"
    drawn = [np.array(node(script, seed_and_stream)) for seed_and_stream in ((1, 1), (1, 2), (2, 1))]
    for values in drawn:
        assert stats.kstest(values, "uniform").pvalue > 1e-3
        assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 0.03
    assert np.abs(np.corrcoef(drawn)[np.triu_indices(3, 1)]).max() < 0.03


def test_a_batch_comes_again_only_after_all_others():
    script = "const next = L.batchesOf(given, L.randomNumbers(3, 4)); return [...Array(50)].map(() => [...next()]);"
    batches = node(script, 50)
    passes = np.array(batches).reshape(-1, 50)
    assert (np.sort(passes, axis=1) == np.arange(50)).all() and len(np.unique(passes, axis=0)) == len(passes)
    assert np.array(node(script, 12)).shape == (50, 12)


def test_label_noise_changes_that_share_of_labels_to_any_other_class():
    script = """const teacher = L.perceptron([2, 3], L.randomNumbers(0, 3));
    return [...L.drawLesson({ data_set: "spiral", labelled_points: 9000, label_noise: given }, 5, teacher).labels];"""
    clean = np.arange(9000) % 3
    assert (np.array(node(script, 0)) == clean).all()
    change = (np.array(node(script, 0.3)) - clean) % 3
    assert np.bincount(change) / 9000 == pytest.approx([0.7, 0.15, 0.15], abs=0.02)


def test_points_are_balanced_and_the_teacher_is_good():
    script = """return Object.keys(L.DATA_SETS).map((name) => {
      let teacher;
      for (teacher of L.trainTeacher(name));
      const test = L.drawPoints(name, 1200, L.randomNumbers(0, 2));
      const accuracy = L.accuracyOf(teacher, test), logits = L.predict(teacher, test.points);
      return { ...test, points: [...test.points], labels: [...test.labels], accuracy, logits };
    });"""
    for ran, least in zip(node(script), (82, 96, 91, 89), strict=True):
        labels = np.array(ran["labels"])
        assert (np.bincount(labels) == 1200 // ran["classes"]).all()
        assert np.abs(ran["points"]).max() < 3
        assert ran["accuracy"] == pytest.approx(100 * (np.array(ran["logits"]).argmax(axis=1) == labels).mean())
        assert ran["accuracy"] > least
