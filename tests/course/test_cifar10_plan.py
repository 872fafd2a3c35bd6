"""The plan on CIFAR-10: pairs, equal tuning without the test images, a record that goes on, what is measured."""

from dataclasses import replace
from math import prod

import onnx
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kdcourse.data.stand_in import stand_in
from kdlearn import Batch, BatchStream, Comparison, Dataset, Machine, Split, entropy, soft_labels
from kdlearn.commands.presets import network_named
from kdlearn.data.files import read_json
from kdlearn.engine.plan import Plan
from kdlearn.engine.study import check_told_apart
from kdlearn.networks.basic import seeded
from kdlearn.networks.costs import count_parameters
from kdlearn.training.loop import fit

SIZES = {"train": 100, "validation": 40, "test": 40}
RATES, PERMUTED = (0.1, 0.2), "soft labels, permuted"


@pytest.fixture
def plan(script_of):
    return script_of("cifar10/plan")


@pytest.fixture
def setting(plan):
    """A few enlarged digits, networks of a few hundred weights, epochs of five updates."""
    whole = stand_in()
    data = replace(whole, **{name: part.take(slice(SIZES[name])) for name, part in whole.splits()})
    networks = (network_named(f"airbench:{widths}", data) for widths in ("4,4,4", "2,4,4"))
    return plan.Setting(data, *networks, 1, (1, 2, 3), 40, (1, 2), 20)


@pytest.fixture
def candidates(script_of):
    return script_of("cifar10/students").candidates


@pytest.fixture
def chosen(plan, setting, candidates):
    return {cell: candidates(cell, RATES)[-1] for cell in plan.cells(setting)}


def pair(plan, setting, chosen, number: int = 0):
    """The teacher, the independent student, the students."""
    teacher, independent, *students = plan.runs_of(setting, number, chosen)
    return teacher, independent, students


def first_batch(run) -> torch.Tensor:
    inputs = run.views.of(run.data)
    return BatchStream(run.data.train, run.batch_size, seed=run.own_seed, rows=run.rows, inputs=inputs)(0).inputs


def same_weights(one, other) -> bool:
    pairs = zip(one.build().parameters(), other.build().parameters(), strict=True)
    return all(torch.equal(*both) for both in pairs)


def test_students_of_a_pair_share_weights_order_and_views(plan, setting, chosen):
    teacher, independent, students = pair(plan, setting, chosen)
    for images in {run.names["images"] for run in students}:
        first, *others = [run for run in students if run.names["images"] == images]
        for run in others:
            assert same_weights(first, run) and torch.equal(first_batch(first), first_batch(run))
    assert len({run.sample for run in students}) == 2
    assert not same_weights(independent, students[0]) and teacher.views.seed != students[0].views.seed
    assert {run.teacher for run in students if run.asks_teacher} == {teacher}


def test_every_pair_is_a_fresh_one(plan, setting, chosen):
    one, other = (pair(plan, setting, chosen, number) for number in (0, 1))
    assert not same_weights(one[0], other[0]) and not same_weights(one[2][0], other[2][0])
    assert not torch.equal(first_batch(one[2][0]), first_batch(other[2][0]))
    assert not torch.equal(one[2][-1].rows, other[2][-1].rows)
    drawn = [next(run.strategy for run in of[2] if run.strategy.name == PERMUTED) for of in (one, other)]
    assert drawn[0] != drawn[1]


def test_every_arm_has_as_many_candidates_at_each_length(plan, setting):
    _, *students = plan.tuning_runs(setting, RATES)
    tried = pd.DataFrame(
        [{"arm": run.strategy.name, "rate": run.recipe.learning_rate, **run.names} for run in students]
    )
    whole, few = tried[tried["images"] == 100], tried[tried["images"] == 40]
    sizes = whole.groupby(["epochs", "arm"]).size().groupby("epochs").unique()
    assert {epochs: list(of) for epochs, of in sizes.items()} == {1: [2], 2: [3], 3: [3]}
    assert set(whole.loc[whole["epochs"] > 1, "rate"]) == {RATES[0] / 2, *RATES}
    assert set(few.groupby("arm").size()) == {len(RATES) * 2} and not tried.duplicated().any()
    assert whole.groupby("arm")["epochs"].nunique().to_dict() == {
        plan.TRUTH: 3, plan.HARD: 3, plan.SOFT: 3, plan.EVENLY: 1, PERMUTED: 1, "smoothed ground truth": 1,
    }  # fmt: skip


def test_tuning_sees_nothing_of_the_test_images_and_no_reported_pair(plan, setting, chosen):
    runs = list(plan.tuning_runs(setting, RATES))
    seen = {row.numpy().tobytes() for run in runs[:2] for _, part in run.data.splits() for row in part.inputs}
    assert not seen & {row.numpy().tobytes() for row in setting.data.test.inputs}
    assert {run.measured_on for run in runs} == {"validation"} and len({id(run.data) for run in runs}) == 1
    reported = {run.own_seed for number in range(8) for run in plan.runs_of(setting, number, chosen)}
    assert not reported & {run.own_seed for run in runs}


def test_the_best_that_did_not_collapse_is_chosen_and_of_equal_ones_the_smaller_rate(
    plan, setting, candidates, monkeypatch
):
    rows = [
        {"role": "student", "strategy": cell.strategy, "images": cell.images, "score": 0.5, **one._asdict()}
        for cell in plan.cells(setting)
        for one in candidates(cell, RATES)
    ]
    rows[-1]["score"] = 0.6
    scores = pd.DataFrame([{"role": "teacher", "score": 0.9}, *rows])
    found = plan.choices(setting, scores)
    *others, last = plan.cells(setting)
    assert found[last] == (RATES[-1], max(last.lengths))
    assert all(found[cell] == min(candidates(cell, RATES)) for cell in others)
    monkeypatch.setitem(plan.COLLAPSED, (last.strategy, last.images), RATES[-1])
    assert plan.choices(setting, scores)[last] == (RATES[0], min(last.lengths))


def test_a_pair_is_measured_whole_and_goes_on_from_its_folder(plan, setting, chosen, tmp_path, trained):
    where = {"folder": tmp_path, "machine": plan.MACHINE}
    with pytest.MonkeyPatch.context() as real:
        real.setattr("kdlearn.engine.task_runner.fit", fit)
        table = plan.pair_of(setting, 0, chosen, where)
    pd.testing.assert_frame_equal(plan.pair_of(setting, 0, chosen, where), table)
    assert trained == [] and len(table) == 2 + len(plan.cells(setting))
    assert table["role"].value_counts().to_dict() == {"student": 15, "teacher": 1, "independent student": 1}
    assert table.drop(columns=["temperature", "smoothing", "repeats_teacher", "repeats_student"]).notna().all(axis=None)


def test_each_pair_is_written_when_it_is_done_and_none_is_carried_out_twice(plan, setting, monkeypatch, tmp_path):
    begun = []

    def pair_of(setting, number, chosen, where):
        begun.append(number)
        return pd.DataFrame({"replicate": [plan.FIRST + number], "accuracy": [0.5 + number / 100], "data": "these"})

    monkeypatch.setattr(plan, "pair_of", pair_of)
    monkeypatch.setattr(Dataset, "key", "these")
    plan.carry_out(tmp_path, setting, {}, [1], {})
    plan.carry_out(tmp_path, setting, {}, [0, 1, 2], {})
    monkeypatch.setattr(Dataset, "key", "others")
    with pytest.raises(ValueError, match="other images"):
        plan.carry_out(tmp_path, setting, {}, [3], {})
    assert begun == [1, 0, 2] and Comparison.load(tmp_path / "pairs.parquet").table["accuracy"].tolist() == [
        0.51,
        0.5,
        0.52,
    ]


def test_planned_claims_are_paired_differences(plan, setting):
    generator = torch.Generator().manual_seed(0)
    rows = [
        {"role": "student", "images": cell.images, "strategy": cell.strategy, "epochs": cell.lengths[0]}
        | {"replicate": plan.FIRST + number, "accuracy": float(torch.rand((), generator=generator))}
        for number in range(6)
        for cell in plan.cells(setting)
    ]
    record = pd.DataFrame(rows)
    found = plan.planned(Comparison(record))
    assert len(found) == 5
    values = record.set_index(["images", "epochs", "strategy"])["accuracy"]
    expected = {
        "soft labels, 9 epochs": ((100, 2, plan.SOFT), (100, 2, plan.TRUTH)),
        "soft labels, 18 epochs": ((100, 3, plan.SOFT), (100, 3, plan.TRUTH)),
        "softness, 9 epochs": ((100, 2, plan.SOFT), (100, 2, plan.HARD)),
        "which classes look alike, 9 epochs": ((100, 2, plan.SOFT), (100, 2, plan.EVENLY)),
        "soft labels, 5,000 labels": ((40, 1, plan.SOFT), (40, 1, plan.TRUTH)),
    }
    for name, (one, other) in expected.items():
        test = stats.ttest_rel(values[one], values[other])
        assert found[name].p_value == pytest.approx(test.pvalue)


def test_permuted_labels_keep_arg_max_and_doubt_and_move_every_other_class(script_of):
    students = script_of("cifar10/students")

    @settings(max_examples=30)
    @given(seed=st.integers(0, 10_000), drawn=st.integers(0, 10_000))
    def holds(seed: int, drawn: int) -> None:
        logits = 3 * torch.randn(200, 10, generator=torch.Generator().manual_seed(seed))
        places = students.places_of(10, drawn)
        moved = logits.gather(1, places[logits.argmax(dim=1)])
        assert torch.equal(moved.argmax(dim=1), logits.argmax(dim=1))
        torch.testing.assert_close(entropy(soft_labels(moved, 2.0)), entropy(soft_labels(logits, 2.0)))
        stays = places == torch.arange(10)
        assert torch.equal(stays, torch.eye(10, dtype=torch.bool))

    holds()


def test_a_student_that_gives_the_permuted_labels_has_nothing_to_learn(script_of):
    students = script_of("cifar10/students")
    logits = 3 * torch.randn(50, 10)
    moved = logits.gather(1, students.places_of(10, 4)[logits.argmax(dim=1)])
    batch = Batch(torch.zeros(50, 1), teacher_logits=logits)
    torch.testing.assert_close(students.Permuted(2.0, 4)(moved, batch), torch.zeros(50), atol=1e-5, rtol=0)
    assert (students.Permuted(2.0, 4)(logits, batch) > 0).all()


def test_repeated_mistakes_are_counted_among_the_others_mistakes(script_of):
    measures = script_of("cifar10/measures")
    labels = torch.tensor([0, 0, 0, 0, 1])
    others = torch.eye(3)[[1, 2, 2, 0, 1]]  # three mistakes
    mine = torch.eye(3)[[1, 2, 1, 2, 1]]
    assert measures.repeated(mine, others, labels) == pytest.approx(2 / 3)


def test_temperature_scaling_finds_how_much_too_sure_a_network_is(script_of):
    right = torch.randn(20_000, 5, generator=torch.Generator().manual_seed(1))
    labels = right.softmax(dim=1).multinomial(1, generator=torch.Generator().manual_seed(2)).flatten()
    measures = script_of("cifar10/measures")
    assert measures.scaling_temperature(3 * right, labels) == pytest.approx(3, rel=0.05)
    data = Dataset(Split(right, labels), Split(right, labels), Split(right, labels))
    found = measures.calibration({"validation": 3 * right, "test": 3 * right}, data)
    assert found["scaled_calibration_error"] < 0.02 < found["calibration_error"]


def test_copies_that_are_brighter_and_mirrored_are_found_and_noise_is_not(script_of):
    duplicates = script_of("cifar10/near_duplicates")
    images = torch.randint(20, 200, (60, 3, 32, 32), dtype=torch.uint8)
    smooth = torch.nn.functional.avg_pool2d(images.float(), 5, 1, 2).byte()
    train = Split(smooth[:50], torch.zeros(50, dtype=torch.int64))
    copies = torch.stack([smooth[7] + 20, smooth[31].flip(-1)])
    data = Dataset(train, Split(torch.cat([copies, smooth[50:]]), torch.zeros(12, dtype=torch.int64)))
    values, rows = duplicates.nearest(data)
    assert rows[:2].tolist() == [7, 31] and (values[:2] > 0.99).all() and (values[2:] < 0.9).all()
    told = list(duplicates.at_thresholds(values, torch.ones(12, dtype=torch.bool)))
    assert {one["share"] for one in told} == {2 / 12} and {one["same_label"] for one in told} == {1.0}


def test_the_script_on_near_duplicates_tells_what_was_found(script_of):
    duplicates = script_of("cifar10/near_duplicates")
    told = pd.DataFrame(read_json(duplicates.RECORD)["thresholds"]).set_index("correlation")
    assert tuple(told.index) == duplicates.THRESHOLDS
    assert told["share"].is_monotonic_decreasing and told["same_label"].is_monotonic_increasing
    for threshold in (0.94, 0.92):
        share, same = told.loc[threshold]
        assert f"{share:.1%}".replace("%", " %") in duplicates.__doc__
        assert f"{same:.0%}".replace("%", " %") in duplicates.__doc__


@pytest.mark.release
def test_every_exported_form_answers_as_the_network_does(script_of, tmp_path):
    exported = script_of("cifar10/exported")
    network = seeded(network_named("airbench:8,16,16", data := stand_in()), 0).eval()
    images = data.inputs("test")[:60]
    with torch.no_grad():
        mine = network(images)
        answers = {name: (path, answer(images)) for name, path, answer in exported.forms(network, images, tmp_path)}
    (_, program), (whole, in_onnx), (small, rounded) = answers.values()
    torch.testing.assert_close(program, mine)
    torch.testing.assert_close(in_onnx, mine, atol=1e-4, rtol=1e-4)
    assert 0 < (rounded - mine).norm() / (mine - mine.mean()).norm() < 0.2
    stored = {name: onnx.load(path).graph.initializer for name, path in (("whole", whole), ("small", small))}
    eight_bits = sum(prod(one.dims) for one in stored["small"] if one.data_type == onnx.TensorProto.INT8)
    assert eight_bits >= sum(prod(one.dims) for one in stored["whole"] if len(one.dims) > 1)


def test_students_of_other_sizes_differ_in_network_alone(plan, script_of, setting, chosen, monkeypatch):
    sizes = script_of("cifar10/sizes")
    monkeypatch.setattr(sizes, "NETWORKS", ("airbench:2,4,4", "airbench:4,4,4", "resnet18:2"))
    others, (_, _, students) = list(sizes.students(setting, 0, chosen)), pair(plan, setting, chosen)
    check_told_apart(Plan(others, Machine()))  # what a study would refuse
    same = [run for run in students if run.names["images"] == setting.whole and run.names["epochs"] == 2]
    for arm in (plan.TRUTH, plan.SOFT):
        [mine] = [run for run in same if run.strategy.name == arm]
        found = [run for run in others if run.strategy.name == arm]
        assert same_weights(found[0], mine) and len({count_parameters(run.network()) for run in found}) == 3
        assert all(torch.equal(first_batch(run), first_batch(mine)) for run in found)
        told = {(run.optimizer, run.teacher and run.teacher.own_seed, run.lengths) for run in found}
        assert told == {(mine.optimizer, mine.teacher and mine.teacher.own_seed, mine.lengths)}


def test_the_pictures_are_named_rightly_and_have_the_likeliest_second_class(script_of):
    pictures, generator = script_of("cifar10/pictures"), torch.Generator().manual_seed(0)
    labels = torch.arange(4).repeat(25)
    logits = torch.randn(100, 4, generator=generator) + torch.eye(4)[labels]
    found = pictures.most_doubted(logits, labels)
    assert labels[found].tolist() == [0, 1, 2, 3]
    seconds = [sorted(row.tolist())[-2] for row in logits.softmax(dim=1)]
    for label, row in enumerate(found.tolist()):
        named = [place for place in range(label, 100, 4) if logits[place].argmax() == label]
        assert row == max(named, key=lambda place: seconds[place])
