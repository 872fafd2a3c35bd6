"""Hashed n-grams, against the hash's published values, a count written out, and JavaScript."""

import json
import shutil
import subprocess
from collections import Counter

import pytest
import torch
from conftest import require
from hypothesis import given
from hypothesis import strategies as st

from kdcourse import codes_of, hashed_ngrams, ngram_vectors
from kdcourse.data.ngrams import BUCKETS, WIDTHS, buckets_of, texts_of

TEXTS = ["Hvad hedder du?", "être né", "a", "", "ça 😀 va"]
PUBLISHED = {"a": 0xE40C292C, "b": 0xE70C2DE5, "foobar": 0xBF9CF968}  # RFC 9923, FNV-1a with 32 bits


def bucket(ngram: str, buckets: int = BUCKETS) -> int:
    found = 2166136261
    for letter in ngram:
        found = ((found ^ ord(letter)) * 16777619) % 2**32
    return (found ^ (found // 2**16)) % buckets


def ngrams(text: str, widths=WIDTHS) -> list[str]:
    return [text[at : at + width] for width in widths for at in range(len(text) - width + 1)]


@pytest.mark.parametrize("text, value", PUBLISHED.items())
def test_the_hash_is_fnv_1a(text, value):
    assert int(buckets_of(codes_of([text], len(text)), 2**32)) == value ^ (value >> 16)


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30), min_size=1))
def test_vectors_are_counts_of_buckets(texts):
    codes = codes_of(texts, 12)
    found = ngram_vectors(codes, buckets=512)
    for row, text in zip(found, texts_of(codes), strict=True):
        counted = Counter(bucket(one, 512) for one in ngrams(text))
        expected = torch.zeros(512)
        for place, times in counted.items():
            expected[place] = times / max(1, counted.total()) ** 0.5
        torch.testing.assert_close(row, expected)


def test_texts_are_composed_cut_off_and_filled_up():
    assert texts_of(codes_of(["e\u0301te\u0301", "to be"], 4)) == ["été", "to b"]
    assert codes_of([], 4).shape == (0, 4)


def test_what_the_filling_is_a_part_of_is_no_ngram():
    alone, filled = (hashed_ngrams(codes_of(["abc"], length)) for length in (3, 6))
    assert filled[filled < BUCKETS].tolist() == alone[0].tolist() and int((filled == BUCKETS).sum()) == 9


SCRIPT = """
const bucket = (ngram) => {
  let h = 2166136261;
  for (const c of ngram) h = Math.imul(h ^ c.codePointAt(0), 16777619) >>> 0;
  return (h ^ (h >>> 16)) >>> 0;
};
const texts = JSON.parse(process.argv[1]);
const found = texts.map((text) => [1, 2, 3].flatMap((width) => {
  const letters = [...text.normalize("NFC")];
  return letters.slice(width - 1).map((_, at) => bucket(letters.slice(at, at + width)) % 4096);
}));
console.log(JSON.stringify(found));
"""


def test_a_page_finds_the_same_buckets():
    require(shutil.which("node") is not None, "JavaScript runs in Node: https://nodejs.org, or apt-get install nodejs")
    told = subprocess.run(["node", "-e", SCRIPT, json.dumps(TEXTS)], check=True, capture_output=True, text=True)
    mine = hashed_ngrams(codes_of(TEXTS, 25))
    assert json.loads(told.stdout) == [row[row < BUCKETS].tolist() for row in mine]
