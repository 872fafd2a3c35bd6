"""The class kit, unpacked: its pages open from a disk, lead to each other, and ask no host for anything."""

import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, install_npm_packages, looked_at, made_once

sys.path.insert(0, str(ROOT / "book/teaching"))
import decks
import kit

pytestmark = pytest.mark.release


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    install_npm_packages()
    folder = tmp_path_factory.mktemp("kit")
    (folder / "book").mkdir()
    for name in ("index", "launch"):  # a small book; `test_book` looks at the whole one
        (folder / f"book/{name}.html").write_text("<!doctype html><title>book</title><p>A page.", encoding="utf-8")
    shutil.copytree(made_once(tmp_path_factory, "slides", decks.write_decks), folder / "slides")
    (folder / "slides/exam_answers.html").write_text("not for a class", encoding="utf-8")
    with zipfile.ZipFile(kit.write_kit(folder / "book", folder / "slides", folder / "kit.zip")) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked/kdlearn-class-kit"


def test_every_link_of_the_kit_leads_to_a_page_that_stands_alone(unpacked, browser):
    waiting, seen = [(unpacked / "index.html").as_uri()], set()
    while waiting:
        address = waiting.pop()
        page, errors, strangers = looked_at(browser, address, unpacked.as_uri())
        assert errors == strangers == [], address
        seen.add(address)
        links = page.evaluate("[...document.querySelectorAll('main > :not(.slides) a[href]')].map(link => link.href)")
        waiting += [link for link in dict.fromkeys(links) if link.split("#")[0] not in {*seen, *waiting}]
        page.close()
    names = {address.split("/")[-1] for address in seen}
    assert {"figures.html", "lecture_90.html", "lecture_90_notes.html", "article_45.html?view=print&handout"} <= names


def test_it_holds_the_learners_notebooks_and_no_exam(unpacked):
    assert {path.name for path in (ROOT / "notebooks").glob("*.ipynb")} == {
        path.name for path in (unpacked / "notebooks").glob("*.ipynb")
    }
    assert not list(unpacked.rglob("*exam*"))


def test_what_was_not_built_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"book must hold a built index\.html"):
        kit.write_kit(tmp_path / "book", tmp_path, tmp_path / "kit.zip")
