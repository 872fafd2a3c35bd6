"""The study of encoders: its sizes, that it runs through `compare`, and its record as the book tells it."""

import re
from functools import partial

import pytest
import torch
from conftest import ROOT

from kdcourse import TextEncoder
from kdcourse.data.languages import LANGUAGES
from kdlearn import Comparison, Dataset, Split


@pytest.fixture
def plan(script_of):
    return script_of("encoders/plan")


@pytest.fixture
def record(plan) -> Comparison:
    return Comparison.load(plan.RECORD)


def made_up(replicate: int) -> Dataset:
    """Instead of the declaration: every language has a letter of its own."""
    draw = torch.Generator().manual_seed(replicate)
    labels = torch.arange(24).repeat_interleave(4)
    letters = torch.randint(97, 123, (96, 25), generator=draw)
    letters[:, 3] = 300 + labels
    part = Split(letters, labels)
    return Dataset(part, part, part, tuple(LANGUAGES), name="languages")


def test_a_small_one_goes_from_the_data_to_the_planned_differences(plan, monkeypatch):
    small = {"REPLICATES": range(2), "LENGTHS": (1, 2), "TEMPERATURES": (1.0, 4.0), "RATES": (0.003, 0.01), "FEW": 2}
    small |= {"TEACHER_UPDATES": 2, "TEACHER": partial(TextEncoder, 24, width=8, depth=1), "data_of": made_up}
    for name, value in small.items():
        monkeypatch.setattr(plan, name, value)
    found = plan.carried_out(workers=None)
    assert set(found.table["strategy"]) == {plan.TRUTH, plan.HARD, plan.SOFT, plan.EVENLY}
    differences = plan.planned(found)
    assert len(differences) == 3 and all(one.degrees_of_freedom == 1 for one in differences.values())
    rows = found.table[found.table["length"] == 2].pivot(index="replicate", columns="strategy", values="accuracy")
    by_hand = 100 * (rows[plan.SOFT] - rows[plan.HARD]).mean()
    assert differences["softness"].mean == pytest.approx(by_hand)


def test_the_book_tells_what_the_record_holds(plan, record):
    found = record.planned(plan.planned(record)).set_index("claim")
    assert (found["holm"] < 0.001).all()
    differences = [*plan.planned(record).values(), record.difference(plan.HARD, plan.TRUTH, length=400)]
    epochs = [round(updates * plan.BATCH_SIZE / (plan.FEW * len(LANGUAGES))) for updates in plan.LENGTHS]
    assert f"are {epochs[0]} and {epochs[1]} epochs" in plan.__doc__
    page = (ROOT / "book" / "transformers.md").read_text(encoding="utf-8")
    told = re.findall(r"\d+\.\d ± \d+\.\d", page)
    assert told == [f"{one:.1f}" for one in differences]
    rows = record.table[record.table["length"] == 400].groupby("strategy")
    means = 100 * rows[["accuracy", "teacher_accuracy"]].mean()
    told = [means.loc[plan.TRUTH, "accuracy"], *means.loc[plan.SOFT]]
    assert all(f"{share:.1f} %" in page for share in told)
    assert rows["temperature"].first()[plan.SOFT] == 4
    least = [rows["learning_rate"].first()[plan.TRUTH], record.scores["learning_rate"].min()]
    assert least == pytest.approx([0.0009, 0.0009])
