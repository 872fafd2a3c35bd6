"""The recorded study's script, on made-up pictures in place of CIFAR-10."""

import sys
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from conftest import ROOT

from kdlearn.files import read_json


@pytest.fixture(scope="module")
def study():
    spec = spec_from_file_location("study", ROOT / "results" / "cifar10" / "study.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(study, monkeypatch, pictures, work) -> None:
    for name, value in {"HELD_OUT": 30, "SHARES": (0.5, 0.25), "SEEDS": range(2), "FEW_LABEL_SEEDS": range(1)}.items():
        monkeypatch.setattr(study, name, value)
    monkeypatch.setattr(sys, "argv", ["study.py", str(pictures), "--work", str(work), "--preset", "tiny"])
    study.main()


@pytest.fixture(scope="module")
def work(study, pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as monkeypatch:
        run(study, monkeypatch, pictures, folder)
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
