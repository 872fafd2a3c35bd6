"""A run: its seed, its rows and its first weights; a study's numbers are those of the same training by hand."""

from dataclasses import replace

import pytest
import torch
from small import (
    SAME,
    STUDENT,
    TEACHER,
    AnswersWithOutputs,
    FitNets,
    digits,
    same_weights,
    with_batch_norm,
    with_dropout,
)

from kdlearn import (
    BatchStream,
    GroundTruth,
    SoftLabels,
    TruthWhereKnown,
    Views,
    accuracy,
    agreement,
    predict,
    seeded,
    study,
    train,
    trained_logits,
)
from kdlearn.engine.run import Run

DATA = digits()


@pytest.mark.parametrize("options", [{}, {"replicate": 3}, {"sample": 60}])
def test_runs_of_one_seed_and_replicate_are_paired(options):
    one = Run(DATA, STUDENT, seed=4, **options)
    other = Run(DATA, STUDENT, SoftLabels(2.0), torch.zeros(120, 10), seed=4, **options)
    assert one.own_seed == other.own_seed and same_weights(one.build(), other.build())
    assert torch.equal(one.rows, other.rows)


def test_other_seeds_and_replicates_are_independent():
    seeds = [Run(DATA, STUDENT, seed=seed, replicate=replicate).own_seed for seed in range(9) for replicate in range(9)]
    assert len(set(seeds)) == 81
    assert not same_weights(Run(DATA, STUDENT, seed=1).build(), Run(DATA, STUDENT, seed=2).build())


def test_a_sample_keeps_the_shares_of_the_classes_and_depends_on_the_seed():
    rows = [Run(DATA, STUDENT, sample=60, seed=seed).rows for seed in (1, 1, 2)]
    assert torch.equal(rows[0], rows[1]) and not torch.equal(rows[0], rows[2])
    shares = DATA.train.labels.bincount() / 120
    for some in rows:
        assert len(some.unique()) == 60
        assert ((DATA.train.labels[some].bincount(minlength=10) / 60 - shares).abs() < 0.02).all()


def test_ground_truth_sees_only_rows_whose_labels_are_known():
    known = torch.arange(120) < 70
    data = replace(DATA, train=DATA.train._replace(labelled=known))
    assert Run(data, STUDENT).rows.tolist() == list(range(70))
    assert len(Run(data, STUDENT, SoftLabels(), torch.zeros(120, 10)).rows) == 120


@pytest.mark.parametrize(
    "options, epochs",
    [({}, 1), ({"views": Views(period=None)}, 6), ({"views": Views(period=4)}, 4), ({"views": Views(period=9)}, 6)],
)
def test_a_teacher_answers_for_every_epoch_of_views_that_is_seen(options, epochs):
    assert Run(DATA, STUDENT, lengths=(21,), batch_size=30, **options).num_epochs == epochs


def test_depth_is_the_number_of_teachers_behind_a_run():
    teacher = Run(DATA, TEACHER)
    assistant = Run(DATA, STUDENT, SoftLabels(), teacher)
    assert [teacher.depth, assistant.depth, Run(DATA, STUDENT, SoftLabels(), assistant).depth] == [0, 1, 2]
    assert Run(DATA, STUDENT, GroundTruth(), assistant).depth == 0, "who does not ask does not wait"


def test_first_weights_are_taken_where_they_fit():
    start = seeded(TEACHER, 3).state_dict()
    started = Run(DATA, TEACHER, start=start, seed=8).build()
    assert all(torch.equal(values, start[name]) for name, values in started.state_dict().items())


STUDENTS = {"a perceptron": STUDENT, "dropout": with_dropout, "BatchNorm": with_batch_norm}


@pytest.mark.parametrize("build", STUDENTS.values(), ids=STUDENTS)
@pytest.mark.parametrize("sample", [None, 60])
def test_a_studys_row_is_the_training_by_hand(build, sample):
    """Alone or in a stack: the teacher trained, asked and the student trained by `train`, measured by hand."""
    teacher = Run(DATA, TEACHER, lengths=(40,), batch_size=30, seed=2)
    run = Run(DATA, build, SoftLabels(2.0), teacher, (10, 30), seed=1, batch_size=30, sample=sample)
    table = study([run, replace(run, seed=3)])
    asked = seeded(TEACHER, 2)
    by_hand(asked, BatchStream(DATA.train, 30, seed=2), GroundTruth(), 40, seed=2)
    logits = predict(asked, DATA.train.inputs)
    for length, row in zip((10, 30), table.to_dict("records"), strict=False):
        student = seeded(build, 1)
        told = {"answers": lambda epoch, rows: {"teacher_logits": logits[rows]}, "rows": run.rows}
        by_hand(student, BatchStream(DATA.train, 30, seed=1, **told), SoftLabels(2.0), length, seed=1)
        said = predict(student, DATA.test.inputs)
        loss = torch.nn.functional.cross_entropy(said, DATA.test.labels).item()
        assert row["length"] == length and row["rows"] == (sample or 120)
        assert row["loss"] == pytest.approx(loss, rel=1e-4)
        assert row["accuracy"] == pytest.approx(accuracy(said, DATA.test.labels), abs=0.021)
        assert row["agreement"] == pytest.approx(agreement(said, predict(asked, DATA.test.inputs)), abs=0.021)
        assert row["teacher_accuracy"] == accuracy(predict(asked, DATA.test.inputs), DATA.test.labels)


def by_hand(network, stream: BatchStream, strategy, updates: int, seed: int) -> None:
    batches = [stream(update) for update in range(updates)]
    train(network, batches, strategy, num_epochs=1, seed=seed, progress=False)


def test_truth_where_known_reads_no_label_that_is_not_known():
    """In a stack too: whatever stands there changes nothing."""
    known = torch.arange(120) < 60
    tables = []
    for filling in (0, 7):
        labels = torch.where(known, DATA.train.labels, filling)
        data = replace(DATA, train=DATA.train._replace(labels=labels, labelled=known))
        strategy = TruthWhereKnown(SoftLabels(2.0))
        runs = [Run(data, STUDENT, strategy, seeded(TEACHER, 1), (40,), seed=seed) for seed in range(2)]
        tables.append(study(runs))
    assert tables[0].drop(columns=SAME).equals(tables[1].drop(columns=SAME))
    plain = [Run(DATA, STUDENT, GroundTruth(), None, (40,), seed=seed) for seed in range(2)]
    assert (tables[0]["loss"] != study(plain)["loss"]).all()


@pytest.mark.parametrize("strategy", [SoftLabels(2.0), FitNets()], ids=lambda one: one.name)
def test_dropout_and_projections_repeat_with_the_seed(strategy):
    """Layers "2" and "2" are the hidden ones of both."""
    teacher = seeded(TEACHER, 1)
    runs = [Run(DATA, with_dropout, strategy, teacher, (30,), seed=seed) for seed in (1, 2)]
    tables = []
    for place in range(2):
        torch.manual_seed(place)
        tables.append(study(runs).drop(columns=SAME))
    assert tables[0].equals(tables[1])
    assert tables[0]["loss"].nunique() == 2


def test_a_student_may_answer_with_outputs_that_hold_logits():
    """As those of transformers do: alone, in a stack, taught, and as a teacher."""
    columns = ["accuracy", "loss", "agreement"]
    for lengths, seeds in (((6,), (0,)), ((6,), (0, 1))):
        tables = []
        for network in (STUDENT, AnswersWithOutputs):
            runs = [
                Run(DATA, network, SoftLabels(), Run(DATA, network, lengths=(5,), seed=9), lengths=lengths, seed=seed)
                for seed in seeds
            ]
            tables.append(study(runs)[columns])
        assert tables[0].equals(tables[1])
    one, other = trained_logits([Run(DATA, network, lengths=(5,)) for network in (STUDENT, AnswersWithOutputs)])
    assert torch.equal(one["test"], other["test"])


def test_live_answers_are_stored_ones():
    teacher = seeded(TEACHER, 1)
    runs = [
        Run(DATA, STUDENT, SoftLabels(2.0), teacher, (30,), answers=answers, names={"answers": answers})
        for answers in ("float32", "live")
    ]
    losses = study(runs)["loss"]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
