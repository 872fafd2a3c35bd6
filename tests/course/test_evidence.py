"""The page of evidence and the glossary: made from records and notebooks, and nothing is left out."""

import re
import sys

import pandas as pd
import pytest
from conftest import ROOT
from docutils import nodes

from kdcourse.claims import load_claims

sys.path.insert(0, str(ROOT / "book"))
import evidence
import glossary


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("book") / "evidence.md"
    evidence.write_evidence(path)
    return path.read_text(encoding="utf-8")


def test_planned_claims_are_those_of_the_records(page):
    """By hand, from the table of the digits: the softness, 24 replicates of six seeds."""
    rows = pd.read_parquet(ROOT / "studies/digits/comparison.parquet")
    rows = rows[(rows["images"] == 60) & (rows["length"] == 3000) & (rows["teacher saw"] == "as they are")]
    hard, soft = (
        rows[(rows["strategy"] == name) & temperature].groupby("replicate")["accuracy"].mean()
        for name, temperature in (("teacher's hard labels", True), ("soft labels", rows["temperature"] == 2.0))
    )
    (section,) = re.findall(r"^### digits$(.*?)^##", page, re.MULTILINE | re.DOTALL)
    (line,) = re.findall(r"\| softness \| .*", section)
    assert f"{100 * (soft - hard).mean():+.2f}" in line and "24 teachers × 6 seeds" in section
    assert "`python studies/digits/plan.py [FOLDER]`" in section


def test_every_claim_on_the_article_stands_there_and_every_record_has_a_command(page):
    assert all(f"| `{claim.id}` |" in page for claim in load_claims())
    for claim in load_claims():
        for one in claim.evidence:
            if "record" in one:
                (command,) = evidence.commands(one)
                (named,) = re.findall(r"studies/[\w/.]+", command)
                assert (ROOT / named).exists(), command


def test_assertions_about_trainings_are_listed(page):
    cells = {"first-solution-permuted": "left.mean < 1", "doctor-right-check": "right.gain > 3"}
    assert all(f"| `{cell}` | `{claim}" in page for cell, claim in cells.items())
    text = "%pip list\nassert gain > 0, f'seed {SEED}'"
    assert list(evidence.asserted(text)) == []
    assert list(evidence.asserted(text.splitlines()[1])) == ["gain > 0"]
    assert list(evidence.asserted("assert values.shape == (10,)")) == []


def test_only_the_first_use_of_a_term_is_explained():
    waiting = {
        "soft label": {"zh": "软标签", "says": "probabilities"},
        "teacher": {"zh": "教师模型", "says": "a network"},
    }
    found = list(glossary.marked("Soft labels of a teacher: a soft label, teachers.", waiting))
    explained = [node for node in found if isinstance(node, nodes.abbreviation)]
    assert [node.astext() for node in explained] == ["Soft labels", "teacher"] and waiting == {}
    assert explained[0]["explanation"] == "软标签: probabilities"
    nobody = {"student": {"zh": "学生模型", "says": "a network"}}
    assert all(isinstance(node, nodes.Text) for node in glossary.marked("Student's t has heavier tails.", nobody))
    assert "".join(node.astext() for node in found) == "Soft labels of a teacher: a soft label, teachers."


def test_terms_are_in_both_languages_and_once():
    words = [word.lower() for one in glossary.entries() for word in (one["term"], *one.get("also", ()))]
    assert len(words) == len(set(words)) >= 30
    assert all(one["zh"] and one["says"] for one in glossary.entries())


def test_words_of_the_trade_name_the_cell_that_shows_them():
    placed = {word for one in glossary.entries() if "shown" in one for word in (one["term"], *one.get("also", ()))}
    assert placed >= {
        "token-level", "sequence-level", "on-policy", "off-policy", "white-box", "black-box", "logits", "logprobs",
        "top-k", "forward KL", "reverse KL",
    }  # fmt: skip
    told = glossary.shown("11_a_ready_made_teacher#ready-logprobs-lost")
    assert told == "[11](notebooks/11_a_ready_made_teacher.ipynb), 4 · If you get probabilities only"
    assert all(glossary.shown(one.get("shown", "")) or "shown" not in one for one in glossary.entries())
    with pytest.raises(ValueError, match=r"teacher\.ipynb has no cell 'none'"):
        glossary.shown("11_a_ready_made_teacher#none")
