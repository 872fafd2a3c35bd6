"""The doctor on machines that lack something."""

import subprocess
from importlib import metadata, util
from types import SimpleNamespace

import pytest
import torch

from kdlearn.commands import doctor


def test_a_machine_that_has_everything(monkeypatch):
    monkeypatch.setattr(doctor, "is_installed", lambda requirement: True)
    assert doctor.report().count("works ") == 6 and "lacks" not in doctor.report()


@pytest.mark.parametrize("files", [[], ["Makefile"]])
def test_what_needs_the_source_is_said_of_the_source_alone(monkeypatch, tmp_path, files):
    """A wheel brings no Makefile."""
    for name in files:
        (tmp_path / name).touch()
    monkeypatch.setattr(doctor.kdlearn, "__file__", str(tmp_path / "kdlearn/__init__.py"))
    assert ("make test" in doctor.report()) == bool(files)


def test_what_is_missing_comes_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setattr(doctor, "is_installed", lambda requirement: requirement.name != "jupyterlab")
    report = doctor.report()
    assert "works      losses, train, compare" in report
    assert "lacks      kdlearn demo, the notebooks in JupyterLab" in report and '-m pip install "jupyterlab>=' in report


def test_what_the_package_itself_needs_is_needed_by_every_part(monkeypatch):
    monkeypatch.setattr(doctor, "is_installed", lambda requirement: requirement.name != "torch")
    assert doctor.report().count('"torch>=') == doctor.report().count("lacks ") == 6


def test_too_old_is_missing(monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: "0.0.1")
    assert any(name.startswith("torch>=") for name in doctor.missing_packages(""))


def test_torch_build_is_read_and_not_imported(monkeypatch, tmp_path):
    expected = f"cuda {torch.version.cuda}" if torch.version.cuda else "the CPU"
    assert doctor.torch_build().endswith(f"built for {expected}")
    (tmp_path / "version.py").write_text("cuda: Optional[str] = None\nhip: Optional[str] = '6.4'\n")
    monkeypatch.setattr(util, "find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / "__init__.py")))
    assert doctor.torch_build().endswith("built for hip 6.4")
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    assert doctor.torch_build() == "not installed"


def test_gpus(monkeypatch):
    monkeypatch.setattr(doctor.platform, "system", lambda: "Linux")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(stdout="A100, 40 GB\nA100, 40 GB\n"))
    assert doctor.gpu() == "A100, 40 GB; A100, 40 GB"
    monkeypatch.setenv("PATH", "")
    monkeypatch.undo()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(doctor.platform, "system", lambda: "Linux")
    assert doctor.gpu().startswith("none found")
    monkeypatch.setattr(doctor.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(doctor.platform, "machine", lambda: "arm64")
    assert doctor.gpu() == "Apple (mps)"


def test_memory_without_sysconf(monkeypatch):
    monkeypatch.delattr(doctor.os, "sysconf")
    assert doctor.memory() == "unknown"
