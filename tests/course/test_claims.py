"""The article on trial: the form of its claims, that quotations are the article's, and that each evidence is there."""

import hashlib
import json
import os
import re
from pathlib import Path

import pandas as pd
import pytest
from cells import NOTEBOOKS
from conftest import ROOT
from jsonschema import Draft202012Validator

from kdcourse.claims import VERDICTS, Factor, count_verdicts, figure, load_claims, load_trial, repetition, shows
from kdcourse.records import recorded
from kdlearn.data.files import read_json
from kdlearn.formulas.intervals import Interval, interval

TRIAL, CLAIMS = load_trial(), load_claims()
ARTICLE = Path(os.environ.get("KDLEARN_ARTICLE", ROOT.parent / "shared" / "article.md"))
PIECES = [pytest.param(one, id=f"{claim.id}-{place}") for claim in CLAIMS for place, one in enumerate(claim.evidence)]
HAN = "[\u4e00-\u9fff]"


@pytest.fixture(scope="module")
def article() -> str:
    """The text itself, which the repository does not hold: the quotations were checked against this version of it."""
    if not ARTICLE.is_file():
        pytest.skip("the article is not part of the repository: KDLEARN_ARTICLE names a file that holds it")
    text = ARTICLE.read_text(encoding="utf-8")
    assert hashlib.sha256(text.encode()).hexdigest() == TRIAL["article"]["sha256"], "another version of the article"
    return text


def sections_of(article: str) -> dict[str, str]:
    """The text of each numbered section, the sections within it included; of a number used twice, both."""
    parts = re.split(r"^#{2,3} ([\d.]+?)\.? ", article, flags=re.MULTILINE)[1:]
    found: dict[str, str] = {}
    for number, text in zip(parts[::2], parts[1::2], strict=True):
        for name in {number, number.split(".")[0]}:
            found[name] = found.get(name, "") + text
    return found


def test_the_file_has_the_form_that_its_schema_says():
    schema = read_json(recorded("article") / "claims.schema.json")
    Draft202012Validator.check_schema(schema)
    assert [error.message for error in Draft202012Validator(schema).iter_errors(json.loads(json.dumps(TRIAL)))] == []


def test_every_claim_has_an_id_and_a_quotation_of_its_own():
    assert len({claim.id for claim in CLAIMS}) == len({claim.quotation for claim in CLAIMS}) == len(CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_quotations_stand_in_the_article_in_the_section_that_is_named(claim, article):
    assert claim.quotation in sections_of(article)[claim.section]


def test_references_are_printed_so(article):
    assert all(one["printed"] in article for one in TRIAL["references"])


def test_the_notebook_runs_the_script_as_it_is_printed(article):
    cells = [cell for cell in NOTEBOOKS["08_article_audit"] if cell["id"].startswith("audit-printed-")]
    printed = re.search(r"```python\n(.*?)```", article, re.DOTALL)[1]
    run = "\n".join("".join(cell["source"]) for cell in cells)
    assert [line for line in run.splitlines() if line] == [line for line in printed.splitlines() if line]


@pytest.mark.parametrize("evidence", PIECES)
def test_every_evidence_is_there(evidence):
    if "equation" in evidence:
        chapter = evidence["equation"].split(".")[0]
        (cells,) = (cells for name, cells in NOTEBOOKS.items() if re.match(f"0*{chapter}_", name))
        assert any(f'check("{evidence["equation"]}"' in "".join(cell["source"]) for cell in cells)
    elif "notebook" in evidence:
        assert evidence["cell"] in [cell["id"] for cell in NOTEBOOKS[evidence["notebook"]]]
    elif "record" in evidence:
        found = figure(evidence)
        assert isinstance(found, Interval | int | float) and all(shows(evidence)), f"{evidence['name']}: {found}"


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_statements_use_the_figures_of_their_evidence_in_both_languages(claim):
    """A number of ours cannot stand in a text: it would go stale. Citations, settings and the article's own may."""
    used = {language: set(re.findall(r"{(\w+)[:}]", text)) for language, text in claim.corrected.items()}
    assert used["en"] == used["zh"] <= set(claim.figures)
    assert re.search(HAN, claim.statement("zh")) and len(claim.statement("en").split()) <= 75


def test_what_an_experiment_settles_has_a_run_or_a_record():
    for claim in CLAIMS:
        if claim.group == "claims an experiment settles":
            assert any(one["kind"] == "run" for one in claim.evidence), claim.id


def test_a_measured_verdict_of_right_or_wrong_rests_on_an_interval_or_a_count():
    for claim in CLAIMS:
        if claim.group == "claims an experiment settles" and claim.verdict in ("right", "wrong"):
            told = [one for one in claim.evidence if "shows" in one or "value" in one or one.get("unit") == "number"]
            assert told, claim.id


def test_counts_add_up():
    table = count_verdicts(CLAIMS)
    assert list(table.columns) == [*VERDICTS, "all"] and table.loc["all", "all"] == len(CLAIMS) >= 45
    assert (table.drop(index="all").sum() == table.loc["all"]).all()


def test_questions_are_answered_from_the_claims_that_they_name():
    claims = {claim.id: claim for claim in CLAIMS}
    for question in TRIAL["questions"]:
        figures = {name for one in question["claims"] for name in claims[one].figures}
        for text in question["answer"].values():
            assert set(re.findall(r"{(\w+)[:}]", text)) <= figures


def test_figures_are_what_pandas_finds():
    """By hand, from the table: a level, a paired difference, and a factor."""
    table = pd.read_parquet(recorded("article") / "comparison.parquet")
    rows = table[(table["images"] == 60) & (table["data"] == "all classes") & (table["length"] == 3000)]
    by_arm = {
        name: rows[rows["strategy"] == name].groupby("replicate")["gap"].mean()
        for name in ("ground truth", "teacher's hard labels")
    }
    arms = [{"strategy": name, "data": "all classes", "images": 60} for name in by_arm]
    asked = {"record": "article/comparison.parquet", "measure": "gap", "length": 3000}
    truth, hard = (100 * means for means in by_arm.values())
    level, difference = figure({**asked, "of": arms[0]}), figure({**asked, "of": arms[1], "minus": arms[0]})
    for found, mine in ((level, interval(truth)), (difference, interval(hard - truth))):
        assert [found.mean, found.half_width] == pytest.approx([mine.mean, mine.half_width])
    assert repetition({**asked, "of": arms[0]}) == (len(truth), rows["seed"].nunique())
    assert f"{Factor(0.0, 0.6931471805599453):.2f}" == "1.00 (0.50–2.00)"
