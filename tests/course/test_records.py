"""Where a result comes from, told of a source tree that is made here."""

import shutil
import subprocess

import pytest

from kdcourse import records


@pytest.mark.skipif(shutil.which("git") is None, reason="commits are told by git: install git")
def test_the_commit_is_gits_and_a_change_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "__file__", str(tmp_path / "kdcourse/records.py"))
    assert records.commit() is None, "no source tree yet"

    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        return subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    (tmp_path / "file").write_text("one")
    git("add", ".")
    git("commit", "-qm", "one")
    assert records.commit() == git("rev-parse", "HEAD")[:12]
    (tmp_path / "file").write_text("two")
    assert records.commit() == git("rev-parse", "HEAD")[:12] + "+"
    assert records.provenance()["commit"] == records.commit()
