"""Experiments: intervals against their formula, the table from its runs, and the digits study on a small scale."""

import json
import math
import statistics

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kdlearn import SoftLabels, paired_difference, perceptron, predict
from kdlearn.data import Examples, load_digits
from kdlearn.formulas.intervals import MEASURES, Interval
from kdlearn.studies import digits as study
from kdlearn.studies import format_table, interval, provenance, records, summarise


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_interval_is_students_t(values):
    mean, half_width, *_ = interval(values)
    spread = statistics.stdev(values)
    low, high = stats.t.interval(
        0.95, len(values) - 1, loc=sum(values) / len(values), scale=spread / math.sqrt(len(values)) or 1e-300
    )
    assert mean == pytest.approx((low + high) / 2, abs=1e-9) and half_width == pytest.approx((high - low) / 2, abs=1e-9)


def test_the_interval_covers_the_truth_in_95_of_100_experiments():
    draws = torch.randn(4000, 5, generator=torch.Generator().manual_seed(0)).tolist()
    covered = sum(not interval(values).excludes_zero for values in draws) / len(draws)
    assert covered == pytest.approx(0.95, abs=0.012)


def test_a_paired_difference_cancels_what_the_seeds_share():
    seeds = [10.0, 50.0, 90.0]
    difference = paired_difference([seed + gain for seed, gain in zip(seeds, (1.0, 2.0, 3.0), strict=True)], seeds)
    assert difference == pytest.approx(interval([1.0, 2.0, 3.0])) and interval(seeds).half_width > 50
    with pytest.raises(ValueError, match="shorter"):
        paired_difference(seeds, seeds[:2])


def test_one_seed_has_no_interval():
    with pytest.raises(ValueError, match="at least two seeds for an interval; got 1"):
        interval([3.0])


def runs_of(part: str, arm: str, accuracies: list[float], **strategy) -> list[dict]:
    return [
        {"part": part, "arm": arm, "strategy": strategy, "seed": seed, "parameters": 7}
        | dict.fromkeys(MEASURES, accuracy)
        for seed, accuracy in enumerate(accuracies)
    ]


def test_summary_and_table():
    runs = runs_of("own", "ground truth", [0.5, 0.7]) + runs_of("own", "soft", [0.6, 0.9], temperature=2.0)
    reference, soft = summarise(runs)
    assert reference["difference"] is None and reference["accuracy"] == interval([50, 70])
    assert soft["difference"] == pytest.approx(interval([10, 20])) and soft["temperature"] == 2.0
    text = format_table(json.loads(json.dumps([reference, soft])), {"accuracy": 0.95, "parameters": 1234})
    assert "1,234" in text and "95.0" in text and "2 seeds" in text
    assert next(line for line in text.splitlines() if "soft, T = 2" in line).split()[-3:] == ["+15.0", "±", "63.5"]


@pytest.mark.parametrize(
    ("interval", "excludes"), [(Interval(1, 0.5), True), (Interval(-1, 0.5), True), (Interval(0.4, 0.5), False)]
)
def test_an_interval_on_one_side_of_zero(interval, excludes):
    assert interval.excludes_zero is excludes


def test_provenance_names_versions_and_commit():
    origin = provenance()
    assert origin["versions"]["torch"] == torch.__version__.split("+")[0] or origin["versions"]["torch"]
    assert json.loads(json.dumps(origin)) == origin
    assert origin["commit"] is None or len(origin["commit"].rstrip("+")) >= 12


def test_without_git_there_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert records.commit() is None


@pytest.fixture(scope="module")
def report():
    return study.demo(num_seeds=2, progress=False)


def test_the_demo_has_its_rows_and_controls(report):
    names = [(row["part"], row["arm"]) for row in report["rows"]]
    assert [part for part, _ in names] == [study.OWN] * 5 + [study.ALL] * 2 + [study.CONTROLS] * 3
    assert len(set(names)) == 10 and all(row["seeds"] == 2 for row in report["rows"])
    student, teacher = report["rows"][0]["parameters"], report["teacher"]["parameters"]
    assert teacher > 24 * student and report["teacher"]["accuracy"] > 0.9


def test_every_run_is_a_whole_result(report):
    assert len(report["runs"]) == 20
    for run in report["runs"]:
        assert {
            "data_set",
            "teacher",
            "student",
            "strategy",
            "seed",
            "epochs",
            "macs",
            "seconds",
            "device",
        } <= run.keys()
        assert all(0 <= run[name] <= 1 for name in (*MEASURES, "validation_accuracy"))
        assert run["strategy"].get("temperature", 1.0) in study.TEMPERATURES
    assert json.loads(json.dumps(report)) == json.loads(json.dumps(report, allow_nan=False))


def test_the_demo_repeats_itself(report):
    def numbers(value: dict) -> list[dict]:
        return [{name: entry for name, entry in run.items() if name != "seconds"} for run in value["runs"]]

    again = study.demo(num_seeds=2, progress=False)
    assert numbers(again) == numbers(report) and again["finding"] == report["finding"]


def test_the_finding_quotes_the_paired_differences(report):
    def accuracies(part: str, arm: str) -> list[float]:
        return [100 * run["accuracy"] for run in report["runs"] if (run["part"], run["arm"]) == (part, arm)]

    softness = paired_difference(accuracies(study.ALL, "soft labels"), accuracies(study.ALL, "teacher's hard labels"))
    assert f"{softness:+.1f} points" in report["finding"].split("labels and ")[1]
    marks = report["finding"].count("not distinguishable from 0")
    pairs = [(study.OWN, "soft labels"), (study.ALL, "soft labels"), (study.ALL, "teacher's hard labels")]
    base = accuracies(study.OWN, "ground truth")
    differences = [softness, *(paired_difference(accuracies(*pair), base) for pair in pairs)]
    assert marks == sum(not difference.excludes_zero for difference in differences)


def test_the_test_set_does_not_choose_the_temperature(monkeypatch):
    """A test set with every label wrong changes no choice, only what is reported."""
    digits = load_digits()
    rows = study.stratified_rows(digits.train, 60, 2)
    teacher = study.Teacher("drawn", torch.randn(2, 1200, 10), torch.randn(2, 400, 10))
    arm = study.Arm("own", "soft", [SoftLabels(t) for t in (1.0, 4.0)], digits.train, rows, teacher)
    honest = study.run_arm(arm, digits)
    wrong = digits._replace(test=Examples(digits.test.images, (digits.test.labels + 1) % 10))
    for run, other in zip(honest, study.run_arm(arm, wrong), strict=True):
        assert run["strategy"] == other["strategy"] and run["validation_accuracy"] == other["validation_accuracy"]
        assert run["accuracy"] != other["accuracy"]


def test_students_of_one_seed_share_images_and_initialisation():
    examples = load_digits().train
    rows = study.stratified_rows(examples, 60, 2)
    assert not torch.equal(*rows) and all(
        torch.equal(*pair) for pair in zip(rows, study.stratified_rows(examples, 60, 2), strict=True)
    )
    assert torch.equal(study.stratified_rows(examples, 1200, 2)[1], torch.arange(1200))
    logits = torch.zeros(2, 1200, 10)
    untrained = study.train_seeds(
        lambda: perceptron(64, 10), examples, rows, SoftLabels(), teacher_logits=logits, num_updates=0
    )
    again = study.train_seeds(
        lambda: perceptron(64, 10), examples, rows, SoftLabels(), teacher_logits=logits, num_updates=0
    )
    assert torch.equal(predict(untrained[0], examples.images), predict(again[0], examples.images))
    assert not torch.equal(predict(untrained[0], examples.images), predict(untrained[1], examples.images))
