"""One call for the reader's own question: whatever the teacher, the data and the strategies are; or a refusal."""

import math
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from small import SAME, STUDENT, TEACHER, Branching, FitNets, Power, Scaled, digits, taught, with_batch_norm
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import kdlearn
from kdlearn import (
    Adam,
    Comparison,
    DecoupledLabels,
    EvenlySpread,
    GroundTruth,
    NesterovSGD,
    SoftLabels,
    SoftLabelsAndGroundTruth,
    Strategy,
    TeachersHardLabels,
    TruthWhereKnown,
    Views,
    accuracy,
    one_hot,
    perceptron,
    predict,
    seeded,
)
from kdlearn.engine.run import Run
from kdlearn.training.strategy import Softened, subclasses

DATA = digits()
NETWORK = taught()
FLAT = {name: (part.inputs.flatten(1).numpy(), part.labels.numpy()) for name, part in DATA.splits()}
SOFT = (SoftLabels(2.0),)
QUICK = {"seeds": range(2), "lengths": (10,), "batch_size": 30}


@dataclass(frozen=True)
class Raised(Strategy):
    """A squared distance whose gradient may be far too large."""

    factor: float
    name, reads = "raised", ("labels",)

    def __call__(self, student_logits, batch):
        return self.factor * (student_logits - one_hot(batch.labels, 10)).square().mean(dim=-1)


def compare(student=STUDENT, strategies=SOFT, data=DATA, **options) -> Comparison:
    return kdlearn.compare(student, strategies, data, **{"teacher": NETWORK, **QUICK, **options})


def decided(comparison: Comparison):
    return comparison.table.drop(columns=[*SAME, "teacher"])


# Teachers

LOGITS = {name: predict(NETWORK, part.inputs) for name, part in DATA.splits()}
SAME_TEACHERS = {
    "behind a lambda": lambda inputs: NETWORK(inputs),
    "in a dictionary": partial(lambda held, inputs: held["one"](inputs), {"one": NETWORK}),
    "stored logits of the splits": LOGITS,
    "in NumPy": {name: logits.numpy() for name, logits in LOGITS.items()},
    "a function of arrays": lambda inputs: NETWORK(torch.tensor(inputs.numpy())).numpy(),
    "in a list": [NETWORK],
    "with a name": {"mine": NETWORK},
}


@pytest.fixture(scope="module")
def by_network() -> Comparison:
    return compare()


@pytest.mark.parametrize("teacher", SAME_TEACHERS.values(), ids=SAME_TEACHERS)
def test_a_teacher_teaches_the_same_whatever_wraps_it(by_network, teacher):
    assert decided(compare(teacher=teacher)).equals(decided(by_network))
    assert NETWORK.training


def test_stored_logits_of_the_training_rows_alone_tell_nothing_of_the_test(by_network):
    table = compare(teacher=LOGITS["train"]).table
    assert table["agreement"].isna().all() and table["loss"].tolist() == by_network.table["loss"].tolist()


def test_a_run_is_trained_first():
    run = Run(DATA, TEACHER, lengths=(30,), batch_size=30)
    table = compare(teacher=run).table
    trained = seeded(TEACHER, 0)
    stream = kdlearn.BatchStream(DATA.train, 30, seed=0)
    kdlearn.train(trained, [stream(k) for k in range(30)], GroundTruth(), num_epochs=1, seed=0, progress=False)
    assert table.loc[2, "teacher_accuracy"] == accuracy(predict(trained, DATA.test.inputs), DATA.test.labels)


@pytest.mark.parametrize("named", [False, True])
def test_a_forest_teaches_whatever_its_classes_are_called(named):
    names = np.array([f"digit {number}" for number in range(10)])
    data = {name: (inputs, names[labels] if named else labels) for name, (inputs, labels) in FLAT.items()}
    forest = RandomForestClassifier(30, random_state=0).fit(*data["train"])
    table = compare(data=data, teacher=forest).table
    right = np.mean(forest.predict(data["test"][0]) == data["test"][1])
    assert table["teacher_accuracy"].dropna().unique() == [pytest.approx(right)]


class Permuted:
    """A forest whose columns stand in another order."""

    def __init__(self, forest) -> None:
        self.forest, self.order = forest, np.random.default_rng(0).permutation(10)
        self.classes_ = forest.classes_[self.order]

    def predict_proba(self, inputs):
        return self.forest.predict_proba(inputs)[:, self.order]


def test_columns_of_an_estimator_may_stand_in_any_order():
    forest = RandomForestClassifier(30, random_state=0).fit(*FLAT["train"])
    tables = [decided(compare(data=FLAT, teacher=teacher)) for teacher in (forest, Permuted(forest))]
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize("teachers", [[NETWORK, taught(6)], {"a": NETWORK, "b": taught(6)}], ids=["list", "mapping"])
def test_several_teachers_are_crossed_with_the_seeds(teachers):
    comparison = compare(teacher=teachers)
    table = comparison.table[comparison.table["strategy"] == "soft labels"]
    names = list(teachers) if isinstance(teachers, dict) else ["teacher 0", "teacher 1"]
    assert sorted(zip(table["teacher"], table["seed"], strict=True)) == [
        (name, seed) for name in names for seed in range(2)
    ]
    assert (comparison.table["strategy"] == "ground truth").sum() == 2
    assert any("only 2 teachers" in note for note in comparison.notes)
    assert comparison.difference("soft labels", teacher=names[1]).mean == pytest.approx(
        compare(teacher=taught(6)).difference("soft labels").mean
    )


def test_each_replicate_has_a_teacher_and_a_split_of_its_own():
    asked = []

    def teacher(replicate, data):
        asked.append((replicate, data.key))
        return taught(replicate)

    comparison = compare(data=lambda replicate: digits(replicate), teacher=teacher, replicates=3)
    assert asked == [(replicate, digits(replicate).key) for replicate in range(3)]
    table = comparison.table
    assert table["replicate"].tolist() == [0, 0, 1, 1, 2, 2] * 2 and table["loss"].nunique() == 12
    assert "accuracy_of_rows" not in table  # of other rows in each replicate
    assert len(comparison.each("soft labels")) == 3
    assert any("only 3 replicates" in note for note in comparison.notes)


def test_a_table_tells_for_each_test_row_whether_it_is_right_where_the_metric_averages_that():
    table, test = compare().table, DATA.test
    rows = torch.tensor([list(map(int, told)) for told in table["accuracy_of_rows"]])
    assert rows.double().mean(dim=1).tolist() == pytest.approx(table["accuracy"].tolist())
    turned = replace(DATA, test=test.take(torch.arange(len(test.labels)).flip(0)))
    assert [told[::-1] for told in compare(data=turned).table["accuracy_of_rows"]] == table["accuracy_of_rows"].tolist()
    assert not any("of_rows" in name for name in compare(metric=kdlearn.macro_recall).table)


def test_replicates_that_share_data_and_teacher_are_told():
    with pytest.warns(UserWarning, match="they are other seeds, and repeat nothing"):
        comparison = compare(teacher=lambda replicate, data: NETWORK, replicates=2)
    assert "same data and the same teacher" in comparison.notes[0]
    others = compare(teacher=lambda replicate, data: taught(replicate), replicates=2)
    assert not any("same teacher" in note for note in others.notes)


def test_within_no_grad_it_is_said_that_nothing_can_be_trained():
    with torch.no_grad(), pytest.raises(ValueError, match=r"inside torch.no_grad\(\) or inference_mode"):
        compare()


def test_a_metric_that_writes_into_what_it_is_given_changes_nothing():
    def harmful(logits, labels):
        return float(logits.mul_(0).sum() + labels.fill_(0).sum())

    labels, expected = DATA.test.labels.clone(), compare().table["agreement"].tolist()
    told = compare(metric=harmful).table["agreement"].tolist()
    assert torch.equal(DATA.test.labels, labels) and told == pytest.approx(expected, nan_ok=True)


def test_another_state_of_torch_trains_anew(tmp_path, monkeypatch):
    one = compare(folder=tmp_path)
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "another")
    assert decided(compare(folder=tmp_path)).equals(decided(one))
    assert len([*(tmp_path / "rows").iterdir()]) == 2  # one stack each


@pytest.mark.parametrize("kept", [False, True])
def test_a_student_is_the_one_of_the_table(tmp_path, kept):
    told = {"strategies": (SoftLabels(2.0), SoftLabels(4.0)), "lengths": (5, 10)}
    comparison = compare(**told, folder=tmp_path / "kept" if kept else None)
    warns = nullcontext() if kept else pytest.warns(UserWarning, match="trained again, since compare had no folder")
    for arm, length in product(("ground truth", {"temperature": 2.0}, {"temperature": 4.0}), (5, 10)):
        (row,) = comparison.rows_of(arm, length, {"seed": 1}).to_dict("records")
        with warns:
            student = comparison.student(arm, 1, length=length)
        right = predict(student, DATA.inputs("test")).argmax(dim=1) == DATA.test.labels
        told_right = torch.tensor(list(map(int, row["accuracy_of_rows"]))).bool()
        assert (right != told_right).double().mean() < 0.02 and not student.training  # but for rounding
    with pytest.raises(ValueError, match="fits several arms"):
        comparison.student("soft labels")
    with pytest.raises(ValueError, match="nothing in the table is 'ground truth'"):
        comparison.student("ground truth", 7)
    comparison.save(tmp_path / "it.parquet")
    with pytest.raises(ValueError, match="a file or table holds no network"):
        Comparison.load(tmp_path / "it.parquet").student("ground truth")


def test_of_several_teachers_it_is_said_whose_student():
    comparison = compare(teacher={"one": taught(5), "other": taught(6)})
    with pytest.raises(ValueError, match="say which, teacher='one'"):
        comparison.student("soft labels")
    with pytest.warns(UserWarning, match="trained again"):
        (one, other) = (comparison.student("soft labels", teacher=name) for name in ("one", "other"))
    assert not torch.equal(one[-1].weight, other[-1].weight)


# Strategies


@dataclass(frozen=True)
class Power2(Strategy):
    """An own one with a setting of its own column."""

    power: float = 2.0
    name, reads = "own", ("teacher_logits",)

    def __call__(self, student_logits: Tensor, batch) -> Tensor:
        return (student_logits - batch.teacher_logits).abs().pow(self.power).mean(dim=-1)


def test_strategies_may_be_a_list_a_mapping_or_one_and_ground_truth_is_added():
    both = [SoftLabels(2.0), SoftLabels(4.0)]
    listed = compare(strategies=both)
    assert listed.table["strategy"].unique().tolist() == ["ground truth", "soft labels"]
    mapped = compare(strategies={"two": both[0], "four": both[1]})
    assert mapped.table["strategy"].unique().tolist() == ["ground truth", "two", "four"]
    assert mapped.difference("two", "four") == listed.difference("soft labels, T = 2", "soft labels, T = 4")
    assert compare(strategies=both[0]).table["strategy"].nunique() == 2


def test_against_another_strategy_ground_truth_is_not_added():
    hard = TeachersHardLabels()
    comparison = compare(strategies=[hard, SoftLabels()], baseline=hard.name)
    assert comparison.table["strategy"].unique().tolist() == [hard.name, "soft labels"]
    assert comparison.arms()[0]["difference"] is None
    with pytest.raises(ValueError, match=r"baseline must name one of the strategies, \['soft labels'\]; got 'none'"):
        compare(baseline="none")


def test_own_strategies_of_every_kind_beside_each_other():
    own = [Power(0.8), Scaled(2), Power2(1.5), Branching(), FitNets(), TruthWhereKnown(SoftLabels())]
    table = compare(strategies=own).table
    assert (
        table["strategy"].nunique() == 7 and table["loss"].notna().all() and table["loss"].nunique() == 10
    )  # two are ground truth here
    assert table.loc[table["strategy"] == "own", "power"].unique() == [1.5]


def test_fitnets_in_ten_lines_trains_its_projection_seeded_and_anew():
    own = compare(strategies=[FitNets(), GroundTruth()])
    assert decided(own).equals(decided(compare(strategies=[FitNets(), GroundTruth()])))
    losses = own.table.loc[own.table["strategy"] == "FitNets", "loss"]
    assert losses.nunique() == 2 and not set(losses) & set(own.table.loc[own.table["strategy"] != "FitNets", "loss"])


def test_networks_with_batch_norm_are_compared_too():
    assert compare(with_batch_norm, teacher=seeded(with_batch_norm, 1)).table["loss"].nunique() == 4


# Data


class Items:
    def __init__(self, inputs, labels) -> None:
        self.inputs, self.labels = inputs, labels

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, row: int):
        return self.inputs[row], int(self.labels[row])


def as_dictionaries(items) -> list:
    return [{"pixels": inputs, "digit": label} for inputs, label in items]


def collate(items) -> tuple[Tensor, Tensor]:
    return torch.stack([torch.as_tensor(one["pixels"]) for one in items]), torch.tensor([one["digit"] for one in items])


PLAIN = {name: (part.inputs, part.labels) for name, part in DATA.splits()}
KINDS = {
    "pairs": PLAIN,
    "arrays": {name: (inputs.numpy(), labels.numpy()) for name, (inputs, labels) in PLAIN.items()},
    "TensorDatasets": {name: TensorDataset(*part) for name, part in PLAIN.items()},
    "own data sets": {name: Items(*part) for name, part in PLAIN.items()},
    "loaders": {
        name: DataLoader(as_dictionaries(Items(*part)), batch_size=30, collate_fn=collate, shuffle=True)
        for name, part in PLAIN.items()
    },
}


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)
def test_data_of_every_kind_give_the_same_table(by_network, data):
    found = compare(data=data, batch_size=None if isinstance(data["train"], DataLoader) else 30)
    assert decided(found).equals(decided(by_network))


def test_rows_without_labels_are_taught_by_the_teacher_alone():
    unlabelled = DATA.validation.inputs
    comparison = compare(data={**PLAIN, "unlabelled": unlabelled})
    rows = comparison.table.groupby("strategy")["rows"].unique()
    assert rows["ground truth"] == [120] and rows["soft labels"] == [170]
    both = compare(strategies=[SoftLabelsAndGroundTruth()], data={**PLAIN, "unlabelled": unlabelled}).table
    assert {*both.loc[both["strategy"] == SoftLabelsAndGroundTruth.name, "rows"]} == {170}
    with pytest.raises(ValueError, match="TruthWhereKnown"):
        compare(strategies=[DecoupledLabels()], data={**PLAIN, "unlabelled": unlabelled})


def test_a_folder_of_images_with_views(pictures):
    student = partial(perceptron, 3 * 32 * 32, 4, 3)
    options = {"views": Views(pixels=1), "lengths": (4,), "batch_size": 20}
    table = compare(student, data=pictures, teacher=seeded(student, 3), **options).table
    assert table["rows"].unique() == [180] and table["loss"].nunique() == 4


# Metrics, lengths, notes


def test_an_own_metric_is_the_column_and_a_share_only_if_it_says_so():
    def mean_margin(logits: Tensor, labels: Tensor) -> float:
        return (logits.gather(1, labels.unsqueeze(1)) - logits.mean(1, keepdim=True)).mean().item()

    comparison = compare(metric=mean_margin)
    assert {"mean_margin", "teacher_mean_margin"} <= set(comparison.table) and not comparison.share
    gaps = comparison.table["mean_margin"].to_numpy()
    assert comparison.difference("soft labels").mean == pytest.approx((gaps[2:] - gaps[:2]).mean())
    assert compare().share


def test_with_a_constant_rate_one_run_is_read_at_several_lengths():
    together = compare(lengths=(5, 10))
    for length in (5, 10):
        alone = compare(lengths=(length,))
        at = together.table[together.table["length"] == length].reset_index(drop=True)
        assert at["loss"].tolist() == pytest.approx(alone.table["loss"].tolist(), rel=1e-5)
    assert together.table["length"].tolist() == [5, 10] * 4


def test_with_a_schedule_each_length_is_a_run_of_its_own_that_ends_there():
    together = compare(lengths=(5, 10), optimizer=NesterovSGD(0.1))
    for length in (5, 10):
        alone = compare(lengths=(length,), optimizer=NesterovSGD(0.1))
        at = together.table[together.table["length"] == length].reset_index(drop=True)
        assert at["loss"].tolist() == pytest.approx(alone.table["loss"].tolist(), rel=1e-5)


def test_notes_say_what_a_reader_would_not_ask():
    notes = " ".join(compare().notes)
    assert "no better than the student" in notes and "only 10 updates" in notes
    longer = compare(lengths=(5, 60), optimizer=Adam(0.01))
    assert "still gained" in " ".join(longer.notes)


def test_of_stored_logits_without_the_test_images_no_accuracy_is_told():
    found = str(compare(teacher={"train": LOGITS["train"]}))
    assert "own accuracy" not in found and "nan" not in found
    assert "own accuracy" in str(compare(teacher=LOGITS))


def test_the_same_labels_are_told_by_the_loss_where_the_metric_cannot_tell():
    def constant(logits: Tensor, labels: Tensor) -> float:
        return 0.5

    right = {name: 5 * one_hot(part.labels, 10) for name, part in DATA.splits()}
    notes = compare(strategies=[TeachersHardLabels(), *SOFT], teacher=right, metric=constant).notes
    assert [note.partition(" and ")[0] for note in notes if "never differ" in note] == ["teacher's hard labels"]


def test_a_folder_keeps_what_is_done(tmp_path, monkeypatch, by_network):
    first = compare(folder=tmp_path / "a")
    monkeypatch.setattr("kdlearn.engine.task_runner.fit", None)
    assert compare(folder=tmp_path / "a").table.equals(first.table)
    assert decided(first).equals(decided(by_network))


# Refused before anything is trained


class Varying(Items):
    def __getitem__(self, row: int):
        return self.inputs[row] + torch.randn(1), int(self.labels[row])


def spoiled(value: float):
    inputs = DATA.train.inputs.clone()
    inputs[5, 0, 3, 3] = value
    return replace(DATA, train=DATA.train._replace(inputs=inputs))


def labelled(split: str, label: int):
    part = getattr(DATA, split)
    return replace(DATA, **{split: part._replace(labels=part.labels.index_fill(0, torch.tensor([3]), label))})


class Nameless(Strategy):
    reads = ("labels",)


class Constant(Strategy):
    name, reads = "constant", ("labels",)

    def __call__(self, student_logits, batch):
        return torch.ones(len(student_logits))


class Mean(Constant):
    def __call__(self, student_logits, batch):
        return student_logits.mean()


ONE = STUDENT()


@pytest.mark.parametrize("temperature", [0, -1.0, 1e300, float("nan")])
def test_a_temperature_that_is_none_is_refused_where_it_is_written(temperature):
    for kind in subclasses(Softened):
        with pytest.raises(ValueError, match="above 0 and finite"):
            kind(temperature)


REFUSED = {
    "a network for a student": ({"student": ONE}, TypeError, "a callable that builds it"),
    "always the same network": ({"student": lambda: ONE}, ValueError, "must build a new network each time"),
    "no network": ({"student": lambda: 3}, TypeError, r"must build a torch.nn.Module; got int"),
    "another input": ({"student": partial(perceptron, 63, 10)}, ValueError, "cannot take inputs of shape"),
    "one class": ({"student": partial(perceptron, 64, 1)}, ValueError, "at least two classes"),
    "too few classes": ({"student": partial(perceptron, 64, 9)}, ValueError, r"0 … 8, the network's classes"),
    "a teacher of other classes": (
        {"teacher": perceptron(64, 9)},
        ValueError,
        r"teacher must give logits .*; got \(120, 9\)",
    ),
    "a second one": ({"teacher": [NETWORK, perceptron(64, 11)]}, ValueError, r"got \(120, 11\)"),
    "a run of other classes": (
        {"teacher": [Run(DATA, TEACHER), Run(DATA, partial(perceptron, 64, 12))]},
        ValueError,
        "they name 12 and 10",
    ),
    "a lambda of other classes": ({"teacher": lambda inputs: inputs.flatten(1)}, ValueError, r"got \(120, 64\)"),
    "stored logits of others": ({"teacher": torch.zeros(119, 10)}, ValueError, "120 of train.*got 119 of train"),
    "stored logits of other classes": ({"teacher": torch.zeros(120, 9)}, ValueError, r"got \(120, 9\)"),
    "answers that are NaN": ({"teacher": lambda inputs: NETWORK(inputs) / 0 * 0}, ValueError, "must be finite"),
    "no teacher": ({"teacher": None}, ValueError, "give a teacher"),
    "a word for a machine": ({"machine": "cpu"}, TypeError, "machine must be a kdlearn.Machine"),
    "a number for views": ({"views": 3}, TypeError, r"views must be kdlearn.Views\(...\) or None; got 3"),
    "a seed that is no number": ({"seeds": [True]}, ValueError, "seeds must be distinct whole numbers"),
    "an array with a mask": (
        {"data": {**FLAT, "train": (np.ma.masked_array(FLAT["train"][0]), FLAT["train"][1])}},
        TypeError,
        "since a mask would be lost",
    ),
    "what does not teach": ({"teacher": 3}, TypeError, "teacher must be"),
    "one teacher for all replicates": ({"teacher": NETWORK, "replicates": 3}, TypeError, r"teacher\(replicate, data\)"),
    "one replicate": ({"replicates": 1}, ValueError, "replicates must be at least 2"),
    "a label too large": ({"data": labelled("train", 10)}, ValueError, "labels of train must be int64 in 0 … 9"),
    "a negative label": ({"data": labelled("test", -1)}, ValueError, "labels of test"),
    "NaN": ({"data": spoiled(float("nan"))}, ValueError, "inputs of train must be finite"),
    "infinity": ({"data": spoiled(float("inf"))}, ValueError, "inputs of train must be finite"),
    "a teacher behind the reference's name": (
        {"strategies": {"ground truth": SoftLabels()}},
        ValueError,
        "another name",
    ),
    "a sample too small": ({"sample": 9}, ValueError, r"sample must lie in 10 … 120"),
    "a sample too large": ({"sample": 121}, ValueError, r"sample must lie in 10 … 120"),
    "augmented data": ({"data": {**PLAIN, "train": Varying(*PLAIN["train"])}}, ValueError, "views=kdlearn.Views"),
    "no labels": ({"data": {**PLAIN, "train": (PLAIN["train"][0], None)}}, ValueError, "reads labels, which"),
    "a class for a strategy": ({"strategies": [SoftLabels]}, TypeError, "must be instances of kdlearn.Strategy"),
    "a word for a strategy": ({"strategies": ["soft"]}, TypeError, "must be instances of kdlearn.Strategy"),
    "a function for a strategy": ({"strategies": [lambda *_: 0]}, TypeError, "must be instances of kdlearn.Strategy"),
    "a strategy without a name": ({"strategies": [Nameless()]}, ValueError, "Nameless must have a name"),
    "a loss without a gradient": ({"strategies": [Constant()]}, ValueError, "must be a function of student_logits"),
    "a loss that is a mean": ({"strategies": [Mean()]}, ValueError, "must give one value for each label"),
    "layers that are not there": (
        {"strategies": [FitNets()], "student": partial(perceptron, 64, 10)},
        ValueError,
        "'2' is none of 0, 1",
    ),
    "layers of a lambda": (
        {"strategies": [FitNets()], "teacher": lambda x: NETWORK(x)},
        TypeError,
        "torch network for a teacher",
    ),
    "no seeds": ({"seeds": []}, ValueError, "seeds must be distinct"),
    "a seed twice": ({"seeds": [1, 1]}, ValueError, "seeds must be distinct"),
    "no lengths": ({"lengths": ()}, ValueError, "lengths must be"),
    "falling lengths": ({"lengths": (10, 5)}, ValueError, "rising"),
    "an optimiser of another network": (
        {"optimizer": torch.optim.SGD(ONE.parameters(), 0.1)},
        ValueError,
        "made for other ones",
    ),
    "no optimiser": ({"optimizer": 0.1}, TypeError, "optimizer must be"),
    "answers that are not stored so": ({"answers": "float8"}, ValueError, "answers must be one of"),
    "views of what is no image": ({"data": FLAT, "views": Views()}, ValueError, "Others take views=None"),
    "no batch": ({"batch_size": -3}, ValueError, "batch_size must be"),
}


@pytest.mark.parametrize("options, kind, words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_compared_is_refused_before_anything_is_trained(tmp_path, monkeypatch, options, kind, words):
    def fit(*_, **__):
        pytest.fail("something was trained")

    monkeypatch.setattr("kdlearn.engine.task_runner.fit", fit)
    with pytest.raises(kind, match=words):
        compare(**{"folder": tmp_path / "study", **options})
    assert not (tmp_path / "study").exists()


def test_evenly_spread_and_the_rest_of_the_package_run_in_one_comparison():
    every = [kind() for kind in kdlearn.training.strategies.strategies_by_cli_name().values()]
    table = compare(strategies=every, seeds=range(1)).table
    assert table["strategy"].nunique() == len(every) and EvenlySpread.name in set(table["strategy"])


def test_a_metric_that_is_no_number_in_some_run_loses_no_table():
    def precision(logits, labels):
        return float("nan") if logits.std() < 0.8 else 1.0  # as where no row is given the class that it is about

    precision.share = True
    comparison = compare(metric=precision, lengths=(1, 300))
    early, late = ({row["arm"]: row["value"].mean for row in comparison.arms(length)} for length in (1, 300))
    assert math.isnan(early["ground truth"]) and late["ground truth"] == 100
    assert "nan" in str(comparison) and any("NaN in 2 of 4 rows of ground truth" in note for note in comparison.notes)
    with pytest.raises(ValueError, match="precision must be a number in every run"):
        comparison.difference("soft labels", "ground truth", length=1)


def test_students_that_give_one_answer_to_all_are_told():
    def silent():
        network = STUDENT()
        for weight in network.parameters():
            weight.requires_grad_(False).zero_()
        return network.append(nn.Linear(10, 10))

    found = [note for note in compare(student=silent, optimizer=Adam(1e-9)).notes if "one answer to all" in note]
    most = DATA.test.labels.bincount().max() / len(DATA.test.labels)
    assert len(found) == 2 and all(f"right for {100 * most:.1f} %" in note for note in found)
    taught = compare(strategies=[GroundTruth()], lengths=(300,))
    assert not any("one answer to all" in note for note in taught.notes)


def test_teachers_may_be_named_by_numbers():
    table = compare(teacher={1: NETWORK, 2: taught(6)}).table
    assert {*table["teacher"]} == {"", "1", "2"}


@pytest.mark.parametrize("student", [STUDENT, with_batch_norm], ids=["in a stack", "alone"])
def test_a_training_that_diverges_stops_nothing_but_itself(student):
    """Of two students one is taught by a teacher whose numbers are too large for it."""
    strategies = {"wild": Raised(3000.0), "tame": Raised(0.1)}
    comparison = compare(student, strategies, lengths=(1, 40), optimizer=NesterovSGD(0.1), baseline="tame")
    lost = comparison.table.groupby("strategy")["loss"].apply(lambda found: found.isna().any())
    assert lost["wild"] and not lost["tame"]
    assert comparison.table.loc[comparison.table["strategy"] == "tame", "accuracy"].notna().all()
    assert any("of wild are of trainings that diverged" in note for note in comparison.notes)
    assert "nan" in str(comparison)


def test_a_rate_at_which_students_diverge_is_not_chosen():
    choice = kdlearn.Choice({}, learning_rates=(0.01, 1e30))
    comparison = compare(strategies=[GroundTruth()], optimizer=NesterovSGD(0.1), choose=choice, lengths=(40,))
    assert {*comparison.table["learning_rate"]} == {0.01} and comparison.table["loss"].notna().all()


def test_a_teacher_that_diverges_is_an_error():
    teacher = Run(DATA, TEACHER, lengths=(40,), optimizer=NesterovSGD(1e30), batch_size=30)
    with pytest.raises(FloatingPointError, match=r"not finite|no longer finite|diverged"):
        compare(teacher=teacher)
