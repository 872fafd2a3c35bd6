"""What would make the answer mean something else is said beside it; where nothing is odd, nothing is said."""

from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import pytest
import torch
from small import STUDENT, TEACHER, digits

import kdlearn
from kdlearn import Comparison, SoftLabels, predict, seeded, train
from kdlearn.comparing.notes import notes_of
from kdlearn.comparing.question_warnings import about_rows, warnings_about
from kdlearn.formulas.metrics import direction_of, smaller_is_better


def self_seeding():
    torch.manual_seed(0)
    return STUDENT()


def told(data=None, student=STUDENT, teachers=None) -> str:
    data = data or digits()
    return " ".join(warnings_about(data, student, teachers or {}, dict(about_rows(data))))


def test_nothing_odd():
    assert told() == ""


@pytest.mark.parametrize("number, said", [(7, True), (3, False)])
def test_rows_of_the_training_in_the_test_are_counted_and_many_are_warned_of(number, said):
    data = digits()
    inputs = data.test.inputs.clone()
    inputs[:number] = data.train.inputs[3 : 3 + number]
    data = replace(data, test=data.test._replace(inputs=inputs))
    sentence = f"{number} of the 50 test inputs are training inputs too"
    assert sentence in " ".join(dict(about_rows(data))) and (sentence in told(data)) == said


def test_classes_that_the_training_lacks_and_one_class_alone():
    data = digits()
    without = data.train.take((data.train.labels < 8).nonzero().flatten())
    assert "[8, 9]" in told(replace(data, train=without))
    one = data.train._replace(labels=torch.zeros_like(data.train.labels))
    assert "of one class" in told(replace(data, train=one))


def test_a_builder_that_seeds_itself():
    assert "same first weights" in told(student=self_seeding)


@pytest.fixture(scope="module")
def logits():
    data, network = digits(), seeded(TEACHER, 0)
    train(network, kdlearn.BatchStream(data.train, 30, seed=0), kdlearn.GroundTruth(), num_epochs=20, progress=False)
    return predict(network, data.train.inputs)


@pytest.mark.parametrize("wrapped", [lambda one: one, lambda one: {"train": one}, lambda one: one.numpy()])
def test_stored_logits_in_another_order(logits, wrapped):
    labels = digits().train.labels
    shuffled = logits[torch.randperm(len(logits))]
    right = 100 * (shuffled.argmax(1) == labels).double().mean()
    found = told(teachers={"mine": wrapped(shuffled)})
    assert "in the order" in found and f"name the ground truth of {right:.1f} %" in found
    assert told(teachers={"mine": wrapped(logits)}) == ""


class Estimator:
    """Sure of the class that it names; it was fitted on so many."""

    def __init__(self, classes: int) -> None:
        self.classes_ = list(range(classes))

    def predict_proba(self, inputs):
        return torch.eye(10)[digits().train.labels[: len(inputs)].clamp(max=len(self.classes_) - 1)].numpy()[
            :, : len(self.classes_)
        ]


@pytest.mark.parametrize("classes, temperature", [(10, 4.0), (10, 1.0), (8, 1.0)])
def test_an_estimator_that_says_0_or_has_never_seen_a_class(classes, temperature):
    data = digits()
    found = " ".join(warnings_about(data, STUDENT, {"mine": Estimator(classes)}, {}, temperature))
    assert ("90 % of the probabilities of 'mine' are 0" in found) == (temperature > 1)
    assert ("'mine' has seen 8 of the 10 classes" in found) == (classes == 8)
    assert (found == "") == ((classes, temperature) == (10, 1.0))


def test_the_highest_temperature_is_asked_about():
    options = {"teacher": Estimator(10), "seeds": range(2), "lengths": (2,)}
    with pytest.warns(UserWarning, match="at T = 3 the soft labels depend on that eps"):
        found = kdlearn.compare(STUDENT, [SoftLabels(2.0), SoftLabels(3.0)], digits(), **options)
    assert any("at T = 3" in note for note in found.notes)


def test_compare_says_them(logits):
    options = {"teacher": logits.flip(0), "seeds": range(2), "lengths": (2,)}
    with pytest.warns(UserWarning, match="in the order of the training rows"):
        found = kdlearn.compare(STUDENT, [SoftLabels(2.0)], digits(), **options)
    assert "in the order of the training rows" in str(found) and "nan" not in str(found)


def test_they_come_before_anything_is_trained(logits, monkeypatch):
    monkeypatch.setattr("kdlearn.comparing.compare.study", None)
    with pytest.warns(UserWarning, match="in the order"), pytest.raises(TypeError):
        kdlearn.compare(STUDENT, [SoftLabels(2.0)], digits(), teacher=logits.flip(0))


@pytest.mark.parametrize("sign, said", [(1, True), (-1, False), (None, False)])
def test_no_better_means_no_better(sign, said):
    data = digits()
    options = {"teacher": seeded(TEACHER, 1), "seeds": range(2), "lengths": (60,)}
    found = kdlearn.compare(STUDENT, [SoftLabels(2.0)], data, **options)
    untrained = " ".join(notes_of(Comparison(found.table), None, sign))
    assert ("is no better than the student" in untrained) == said


def test_a_teacher_is_measured_against_students_who_trained_to_the_end():
    """Early they are below it, at the end above; the mean of both would be below."""
    options = {"teacher": seeded(TEACHER, 1), "seeds": range(2), "lengths": (1, 2)}
    table = kdlearn.compare(STUDENT, [SoftLabels(2.0)], digits(), **options).table
    found = table.assign(accuracy=table["length"].map({1: 0.0, 2: 0.6}), teacher_accuracy=0.5)
    assert "(50.0) is no better than the student by ground truth (60.0)" in " ".join(
        notes_of(Comparison(found), None, 1)
    )


def test_directions():
    assert direction_of(kdlearn.accuracy) == 1 and direction_of(kdlearn.expected_calibration_error) == -1
    assert direction_of(partial(lambda a, b: 0.0)) is None and direction_of(smaller_is_better(lambda a, b: 0.0)) == -1


def test_an_error_within_the_teacher_names_the_teacher():
    with pytest.raises(ValueError, match=r"the teacher must answer the inputs of the data.*RuntimeError"):
        kdlearn.compare(STUDENT, [SoftLabels(2.0)], digits(), teacher=torch.nn.Linear(12, 10), lengths=(2,))


def test_stored_logits_in_another_order_are_found_where_classes_are_unequal():
    data = digits()
    labels = (data.train.labels == 3).long()
    unequal = replace(data, train=data.train._replace(labels=labels), test=data.train._replace(labels=labels))
    logits = 4 * torch.eye(2)[labels]
    assert "in the order" not in told(unequal, teachers={"mine": logits})
    assert "in the order of the training rows" in told(unequal, teachers={"mine": logits.roll(7, 0)})


def test_stored_logits_with_other_columns_are_found(logits):
    columns = [0, 1, 3, 2, *range(4, 10)]
    said = told(teachers={"mine": logits[:, columns]})
    assert f"taken for {columns}" in said and "order of the training rows" not in said
    assert "taken for" not in told(teachers={"mine": logits})


def test_rows_that_choices_and_results_share_are_counted():
    data = digits()
    same = replace(data, validation=data.test)
    assert "50 of the 50 test inputs are validation inputs too" in told(same)
    trained = replace(data, validation=data.train.take(torch.arange(9)))
    assert "9 of the 9 validation inputs are training inputs too" in told(trained)


def test_a_teacher_that_learned_the_test_rows():
    data = digits()
    whole = replace(data, train=kdlearn.Split(torch.cat([data.train.inputs, data.test.inputs[:9]]), None))
    assert "9 of the 50 test inputs were training inputs of 'it'" in told(teachers={"it": kdlearn.Run(whole, TEACHER)})
    assert told(teachers={"it": kdlearn.Run(replace(data), TEACHER)}) == ""


# What the table itself shows

FIRST = {"replicate": 0, "seed": range(6), "length": 300}


def rows(strategy: str, accuracy: Any, teacher: str = "", **others: Any) -> pd.DataFrame:
    table = pd.DataFrame({"strategy": strategy, "teacher": teacher, **FIRST, **others, "accuracy": accuracy})
    return table.assign(loss=range(6), teacher_accuracy=0.9 if teacher else float("nan"))


def notes(*parts: pd.DataFrame, **options: Any) -> str:
    return " ".join(notes_of(Comparison(pd.concat(parts), **options)))


ALONE = rows("ground truth", [0.5, 0.52, 0.54, 0.51, 0.53, 0.55])


def test_a_teacher_that_comes_twice():
    one, again = (rows("soft labels", [0.6, 0.61, 0.62, 0.6, 0.6, 0.63], name) for name in ("first", "second"))
    assert "every teacher gives the same numbers" in notes(ALONE, one, again)
    assert "the same numbers" not in notes(ALONE, one, again.assign(loss=range(1, 7)))


def test_an_arm_that_falls_with_its_length():
    later = rows("soft labels", 0.4, "it", length=600)
    whole = [ALONE, ALONE.assign(length=600), rows("soft labels", 0.6, "it"), later]
    assert "soft labels got worse by 20.0 points between 300 and 600 updates" in notes(*whole)
    assert "worse" not in notes(*whole[:3], later.assign(accuracy=0.6))


def test_many_arms_on_one_test_and_candidates_for_some():
    many = [rows(f"arm {number}", 0.6, "it") for number in range(9)]
    assert "10 arms were read on one test" in notes(ALONE, *many) and "one test" not in notes(ALONE, *many[:8])
    scores = pd.DataFrame({"strategy": ["ground truth", "arm 0", "arm 0"], "candidate": [0, 0, 1]})
    assert "nothing was chosen for ground truth" in notes(ALONE, many[0], scores=scores)
    assert "nothing was chosen" not in notes(ALONE, many[0], scores=scores[scores["candidate"] == 0])


def test_three_notes_are_shown_and_the_others_are_folded():
    found = Comparison(pd.concat([ALONE, rows("soft labels", 0.6, "it")]), notes=("a", "b", "c", "d", "e"))
    assert str(found).count("Note: ") == 3 and "2 more in comparison.notes" in str(found)
    assert found._repr_html_().partition("<details>")[2].count("<li>") == 2
    assert "more" not in str(replace(found, notes=("a", "b", "c")))


def test_no_interval_is_0_wide():
    found = str(Comparison(pd.concat([ALONE, ALONE.assign(strategy="hard labels", teacher="it")])))
    assert "+0.0, unresolved" in found and "± 0.0" not in found


def test_a_metric_of_which_less_is_better_or_that_is_below_0_is_understood():
    errors = pd.concat([ALONE, ALONE.assign(length=600, accuracy=0.2)])  # shares of errors, which fell
    found = " ".join(notes_of(Comparison(errors), None, -1))
    assert "ground truth still gained 32.5 points" in found and "worse" not in found
    assert "one answer to all" not in " ".join(notes_of(Comparison(ALONE.assign(accuracy=-1.0), share=False)))


def test_a_setting_may_not_be_called_as_a_column_of_tuning():
    class Scored(kdlearn.Strategy):
        name, reads = "scored", ("labels",)

        def __init__(self, score: float) -> None:
            self.score = score

        def __call__(self, student_logits, batch):
            return self.score * kdlearn.hard_label_loss(student_logits, batch.labels, reduction="none")

    with pytest.raises(ValueError, match="score"):
        kdlearn.study([kdlearn.Run(digits(), STUDENT, Scored(1.0), lengths=(2,))])
