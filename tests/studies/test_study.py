"""The recorded study's scripts, on made-up pictures in place of CIFAR-10."""

import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import pytest
import torch
from conftest import ROOT

from kdlearn.data import load_images
from kdlearn.data.files import read_json
from kdlearn.formulas.metrics import accuracy, expected_calibration_error
from kdlearn.networks import load_weights
from kdlearn.studies import PRESETS

SMALLER = {"HELD_OUT": 30, "SHARES": (0.5, 0.25), "SEEDS": range(2), "FEW_LABEL_SEEDS": range(1)}


def script(path: str):
    spec = spec_from_file_location(path.rpartition("/")[2], ROOT / f"{path}.py")
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(ROOT / "results" / "cifar10")  # as it is for a script that is run
        spec.loader.exec_module(module)
    return module


def run(module, *arguments: object) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sys, "argv", ["script", *map(str, arguments)])
        module.main()


@pytest.fixture(scope="module")
def study():
    module = script("results/cifar10/study")
    for name, value in SMALLER.items():
        setattr(module, name, value)
    return module


@pytest.fixture(scope="module")
def work(study, pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    run(study, pictures, "--work", folder, "--preset", "tiny")
    return folder


@pytest.fixture(scope="module")
def gathered(work, pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gathered")
    run(script("results/cifar10/gather"), pictures, "--work", work, "--out", folder, "--preset", "tiny")
    return folder


def choice_of(run):
    return run["strategy"], run["learning_rate"]


def test_every_kind_of_label_has_the_same_budget(study):
    assert {len(candidates) for candidates in study.CANDIDATES.values()} == {6}
    assert all(len(set(candidates)) == 6 for candidates in study.CANDIDATES.values())


def test_it_chooses_on_held_out_images_and_reports_on_the_test_set(study, work):
    tuned = [read_json(path) for path in sorted(work.glob("tuning-*/runs/*/result.json"))]
    final = [read_json(path) for path in sorted(work.glob("final-*/runs/*/result.json"))]
    assert len(tuned) == 30 + 6 and {run["settings"]["evaluated_on"] for run in tuned} == {"validation"}
    assert len(final) == 16 and {run["settings"]["evaluated_on"] for run in final} == {"test"}
    assert {run["seed"] for run in tuned} == {study.TUNING_SEED} and study.TUNING_SEED not in study.SEEDS
    assert len(list(work.glob("final-*"))) == 1


def test_the_best_on_held_out_images_is_what_is_reported(study, work):
    tuned = [read_json(path) for path in sorted(work.glob("tuning-*/runs/*/result.json"))]
    final = [read_json(path) for path in sorted(work.glob("final-*/runs/*/result.json"))]
    smoothing = final[0]["settings"]["teacher_smoothing"]
    for name in study.CANDIDATES:
        same = [run for run in tuned if run["strategy"]["name"] == name]
        same = [run for run in same if run["settings"]["teacher_smoothing"] == smoothing]
        highest = max(run["accuracy"] for run in same)
        winners = [choice_of(run) for run in same if run["accuracy"] == highest]
        assert all(choice_of(run) in winners for run in final if run["strategy"]["name"] == name)


def test_what_is_gathered_is_what_the_predictions_say(work, pictures, gathered):
    report, labels = read_json(gathered / "study.json"), load_images(pictures).test.labels
    predictions = {
        path.parent.name: load_weights(path)["logits"] for path in work.glob("final-*/runs/*/predictions.safetensors")
    }
    assert len(report["runs"]) == len(predictions) == 16
    assert sorted(run["accuracy"] for run in report["runs"]) == sorted(
        accuracy(p, labels) for p in predictions.values()
    )
    assert [run["labelled"] for run in report["runs"]] == [1.0] * 10 + [0.5] * 3 + [0.25] * 3
    smooth = torch.cat([p for name, p in predictions.items() if "-smoothed-" in name])
    arm = report["arms"]["smoothed ground truth"]
    assert np.trace(arm["confusion"]) / np.sum(arm["confusion"]) == pytest.approx(accuracy(smooth, labels.repeat(2)))
    gap = sum(abs(b["accuracy"] - b["confidence"]) * b["images"] for b in arm["reliability"]) / len(smooth)
    assert gap == pytest.approx(expected_calibration_error(smooth, labels.repeat(2)), abs=1e-12)
    assert report["teacher"]["labelling_seconds"] > 0 and report["student"]["latency"].keys() == {"1", "256"}


def test_repeated_mistakes(work, pictures, gathered):
    labels = load_images(pictures).test.labels.tolist()
    (final,) = work.glob("final-*")
    (soft,) = (path for path in final.glob("runs/*-soft-labels-[1-4].0-*seed-0") if "labelled" not in path.name)
    told, said = (
        load_weights(part / "predictions.safetensors")["logits"].argmax(dim=1).tolist()
        for part in (final / "teacher", soft)
    )
    wrong = [(t, s) for t, s, label in zip(told, said, labels, strict=True) if t != label]
    (row,) = (
        run
        for run in read_json(gathered / "study.json")["runs"]
        if run["arm"] == "soft labels" and run["labelled"] == 1 and run["seed"] == 0
    )
    assert row["repeats_mistakes"] == pytest.approx(sum(t == s for t, s in wrong) / len(wrong))


def test_the_pictures_are_of_the_test_set_and_tell(pictures, gathered):
    test = load_images(pictures).test
    with np.load(gathered / "pictures.npz", allow_pickle=False) as kept:
        for name in ("telling", "differing"):
            for image, label in zip(kept[f"{name}_images"], kept[f"{name}_labels"], strict=True):
                places = (test.images == torch.from_numpy(image)).flatten(1).all(dim=1).nonzero().flatten()
                assert label in test.labels[places]
        assert kept["telling_labels"].tolist() == list(range(len(kept["telling_labels"])))
        assert kept["differing_votes_soft_labels"].sum(axis=1).tolist() == [2] * 8


@pytest.fixture(scope="module")
def lengths(pictures, tmp_path_factory):
    module, work = script("results/cifar10/lengths"), tmp_path_factory.mktemp("lengths")
    tiny = replace(PRESETS["tiny"], student_schooling=replace(PRESETS["tiny"].student_schooling, num_epochs=1))
    module.QUICK, module.LONG, module.HELD_OUT, module.SEEDS = tiny, PRESETS["tiny"], 30, range(2)
    module.ALONE_EPOCHS, module.ALONE_SEEDS = 3, range(1)
    run(module, pictures, "--work", work, "--out", work / "lengths.json")
    return module, work, read_json(work / "lengths.json")


def test_the_long_students_learn_at_the_rate_that_was_best_for_ground_truth(lengths):
    module, work, report = lengths
    long, tried = report["long"], report["long"]["tuning"]
    assert {run["learning_rate"] for run in tried} == set(module.RATES)
    best = max(run["accuracy"] for run in tried)
    assert {run["accuracy"] for run in tried if run["learning_rate"] == long["runs"][0]["learning_rate"]} == {best}
    assert len({run["learning_rate"] for run in long["runs"] + long["alone"]}) == 1
    plain = long["plain_teacher"]["settings"]
    assert plain["teacher_schooling"]["optimizer"]["learning_rate"] == long["runs"][0]["learning_rate"]
    assert plain["teacher_smoothing"] == 0 != long["settings"]["teacher_smoothing"]
    assert [(run["arm"], run["epochs"]) for run in long["alone"]] == [("ground truth", 3)]
    assert [(run["arm"], run["seed"]) for run in long["runs"]] == [
        (arm, seed) for arm in ("ground truth", "smoothed ground truth", "soft labels") for seed in range(2)
    ]
    tuned = [read_json(path) for path in work.glob("long-tuning/runs/*/result.json")]
    assert {run["settings"]["evaluated_on"] for run in tuned} == {"validation"}
    assert long["settings"]["evaluated_on"] == report["quick"]["settings"]["evaluated_on"] == "test"


def test_both_lengths_take_over_what_the_study_chose(lengths):
    smoothing, soft = lengths[0].chosen_by_the_study()
    for part in ("quick", "long"):
        report = lengths[2][part]
        assert report["settings"]["teacher_smoothing"] == smoothing and report["teacher"]["labelling_seconds"] > 0
        (taught,) = {run["strategy"]["temperature"] for run in report["runs"] if run["arm"] == "soft labels"}
        assert taught == soft.temperature
    assert [run["arm"] for run in lengths[2]["quick"]["runs"]] == ["ground truth", "soft labels"]
    assert {run["epochs"] for run in lengths[2]["quick"]["runs"]} == {1}
