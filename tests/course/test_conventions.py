"""The record of published losses: complete, of the pinned versions, and the table in the book is made from it."""

import json
import re

import pytest
from conftest import ROOT

FOLDER = ROOT / "studies" / "conventions"
ROWS = json.loads((FOLDER / "record.json").read_text(encoding="utf-8"))


def names(library, call):
    (row,) = (row for row in ROWS if (row["library"], row["call"]) == (library, call))
    return {name for name, *_ in row["findings"]}


def test_the_page_shows_the_record(script_of):
    plan = script_of("conventions/plan")
    page = plan.PAGE.read_text(encoding="utf-8")
    assert page == plan.page_with(plan.table(ROWS), page) and plan.table(ROWS).count("\n") == len(ROWS) + 1


def test_it_holds_every_loss_of_the_plan_once(script_of):
    peers = script_of("conventions/peers").PEERS
    assert [(row["library"], row["call"]) for row in ROWS] == [(peer.library, peer.call) for peer in peers]
    assert len({row["library"] for row in ROWS if row["version"]}) >= 12
    assert all(bool(row["version"]) != bool(row["source"]) for row in ROWS)


def test_its_versions_are_the_pinned_ones(script_of):
    told = (ROOT / "pyproject.toml").read_text(encoding="utf-8") + (FOLDER / "alone.txt").read_text(encoding="utf-8")
    pinned = dict(re.findall(r'^\s*"?([\w-]+)==([\w.]+)', told, re.MULTILINE))
    versions = zip(script_of("conventions/peers").PEERS, ROWS, strict=True)
    found = {peer.distribution: row["version"] for peer, row in versions if peer.distribution}
    assert found == {name: pinned[name] for name in found}


def test_the_call_of_ours_has_the_same_gradient():
    equal = [row for row in ROWS if row["equal_to"]]
    assert len(equal) > 30 and all(row["difference"] <= 1e-5 for row in equal)
    assert all(row["difference"] is None for row in ROWS if not row["equal_to"])


PUBLISHED = {
    ("Keras", "LogitsDistillation()"): {"no-softmax", "temperature-squared-missing"},
    ("torchdistill", "KDLoss(temperature=4, alpha=0)"): {"temperature-squared-missing"},
    ("torchdistill", "KDLoss(temperature=4, alpha=0.5)"): {"temperature-squared-missing", "jumps-at-an-end"},
    ("torchtune", "ForwardKLLoss()"): {"nonzero-at-teacher"},
    ("TRL", "GKDTrainer.generalized_jsd_loss(…)"): {"jumps-at-an-end"},
    ("mdistiller", "DKD"): {"not-finite"},
    ("KD_Lib", "VanillaKD"): {"squared-error-of-probabilities"},
    ("NVIDIA ModelOpt", "LogitsDistillationLoss()"): {"divided-by-classes"},
}


@pytest.mark.parametrize("peer", PUBLISHED, ids=lambda peer: peer[0])
def test_what_is_odd_in_published_code_is_named(peer):
    assert PUBLISHED[peer] <= names(*peer)


def test_formulas_give_the_recorded_rows_again(script_of):
    plan, peers = script_of("conventions/plan"), script_of("conventions/peers").PEERS
    formulas = [(peer, row) for peer, row in zip(peers, ROWS, strict=True) if not peer.distribution]
    assert len(formulas) >= 6
    for peer, row in formulas:
        again = plan.row_of(peer)
        assert again["sentence"] == row["sentence"] and again["equal_to"] == row["equal_to"], peer.library
        assert again["difference"] is None or again["difference"] <= 1e-5, peer.library
        assert [name for name, *_ in again["findings"]] == [name for name, *_ in row["findings"]]
