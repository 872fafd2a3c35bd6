"""Text as windows: labels are the next characters, splits follow each other, pieces do not overlap."""

import pytest
import torch

from kdcourse import load_characters

TEXT = "".join(chr(97 + (7 * place * place + place) % 23) for place in range(2000))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tinyshakespeare.txt").write_text(TEXT)
    return tmp_path


def said(data, characters) -> list[str]:
    return ["".join(data.class_names[one] for one in row) for row in characters]


def test_splits_are_the_text_in_its_order(folder):
    data = load_characters(folder, length=10)
    assert data.class_names == tuple(sorted(set(TEXT)))
    for name, start, stop in (("train", 0, 1800), ("validation", 1800, 1900), ("test", 1900, 2000)):
        part = getattr(data, name)
        assert part.inputs.dtype == part.labels.dtype == torch.int64
        count = (stop - start - 1) // 10
        assert "".join(said(data, part.inputs)) == TEXT[start : start + 10 * count]
        assert "".join(said(data, part.labels)) == TEXT[start + 1 : start + 1 + 10 * count]


def test_pieces_do_not_overlap_and_share_all_but_training(folder, monkeypatch):
    monkeypatch.setenv("KDLEARN_DATA", str(folder))
    whole = load_characters(length=10)
    for piece in (0, 4):
        data = load_characters(length=10, characters=200, piece=piece)
        assert "".join(said(data, data.train.inputs)) == TEXT[200 * piece :][:190]
        assert torch.equal(data.test.inputs, whole.test.inputs) and data.class_names == whole.class_names


def test_what_cannot_be_cut_is_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"curl -o tinyshakespeare\.txt https://"):
        load_characters(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="piece must lie in 0 … 8: 1800 characters are for training; got 9 of 200"):
        load_characters(folder, characters=200, piece=9)
    with pytest.raises(ValueError, match=r"characters must lie in 1 … 1800: .* got 0 of 5000"):
        load_characters(folder, characters=5000)
    with pytest.raises(ValueError, match="the text of train must have 65 characters for a window; it has 20"):
        load_characters(folder, characters=20)
    with pytest.raises(ValueError, match="the text of validation must have 201 characters for a window; it has 100"):
        load_characters(folder, length=200)
