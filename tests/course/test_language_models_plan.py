"""The plan on language models: its choices, a few updates of each unit of work; it goes on from a record."""

from functools import partial

import pandas as pd
import pytest
import torch

from kdcourse import character_transformer
from kdlearn import Comparison, hard_label_loss, predict


@pytest.fixture
def plan(script_of, monkeypatch, tmp_path):
    """The study on a short text, with networks and lengths of next to nothing, recorded in a temporary folder."""
    plan = script_of("language_models/plan")
    text = "".join(chr(97 + (7 * place * place + place) % 23) for place in range(2400))
    (tmp_path / "tinyshakespeare.txt").write_text(text)
    monkeypatch.setenv("KDLEARN_DATA", str(tmp_path))
    small = {
        "LENGTH": 8, "WINDOWS": 6, "PROMPT": 2, "SAMPLES": 4, "RATES": (0.01, 0.03), "LENGTHS": (1, 2, 3), "LONGEST": 2,
        "WHOLE_LENGTHS": (1, 2), "LONGER_LENGTHS": (3,), "LAST_EPOCHS": 1,
        "SMALL_UPDATES": (1, 2), "TEACHER_UPDATES": 3,
        "STUDENT": partial(character_transformer, 23, width=8, depth=1, length=8),
        "TEACHER": partial(character_transformer, 23, width=12, depth=1, length=8),
        "RECORD": tmp_path / "comparison.parquet", "TUNING": tmp_path / "tuning.parquet",
    }  # fmt: skip
    for name, value in small.items():
        monkeypatch.setattr(plan, name, value)
    return plan


@pytest.mark.release
def test_every_unit_of_work_does_what_it_says(plan, tmp_path):
    scores = plan.keep_scores(plan.recorded(plan.TUNING, plan.SCORED), plan.tuned(6006, (0.01, 0.03), tmp_path / "w"))
    assert len(scores) == 2 + len(plan.ARMS) * 2 * 3 and scores["loss"].between(0, 10).all()
    chosen = plan.choices(scores)
    assert set(chosen) == {*plan.ARMS, plan.SMALL_TEACHER}
    record = plan.recorded(plan.RECORD, plan.KEPT)
    for unit in plan.PARTS.values():
        for replicate in (6000, 6001):
            record = plan.keep(record, unit(replicate, chosen, tmp_path / "w"))
    pd.testing.assert_frame_equal(record, plan.recorded(plan.RECORD, plan.KEPT))
    assert record.groupby("part")["strategy"].nunique().to_dict() == {
        plan.ARMS_PART: len(plan.ARMS), plan.LAST_PART: 4, plan.WHOLE_PART: 2, plan.SLOWER_PART: 2,
        plan.TEACHERS_PART: 2,
    }  # fmt: skip
    last = record.groupby(["part", "strategy", "replicate"]).tail(1)
    assert last[["loss", "accuracy", "teachers_nats", "own_nats"]].notna().all(axis=None)
    found = plan.planned(Comparison(record, "loss", share=False))
    assert len(found) == 5 and all(one.half_width > 0 for one in found.values())
    first = record.set_index(["part", "strategy"]).loc[(plan.ARMS_PART, plan.TRUTH)].iloc[0]
    assert (first["learning_rate"], first["length"]) == chosen[plan.TRUTH]


def test_the_teachers_text_continues_the_piece_and_is_kept(plan, tmp_path):
    material = plan.Material(6002, 1, tmp_path / "w")
    material.add_written()
    written, more = (material.texts[name].train for name in (plan.WRITTEN, plan.MORE_WRITTEN))
    assert written.inputs.shape == material.texts[plan.PIECE].train.inputs.shape
    assert len(more.inputs) == 4 * len(written.inputs) and torch.equal(
        more.inputs[: len(written.inputs)], written.inputs
    )
    assert torch.equal(written.inputs[:, 1:], written.labels[:, :-1])
    [file] = (tmp_path / "w").glob("*.safetensors")
    before = file.stat().st_mtime_ns
    material.add_written()
    assert file.stat().st_mtime_ns == before


def test_nats_are_of_what_follows_the_prompt_alone(plan):
    network = plan.STUDENT()
    text = torch.randint(23, (5, 8), generator=torch.Generator().manual_seed(0))
    logits = predict(network, text)
    places = [hard_label_loss(logits[:, place - 1], text[:, place]).item() for place in range(2, 8)]
    assert plan.nats_of(network, text) == pytest.approx(sum(places) / 6, rel=1e-5)


def test_the_best_rate_and_length_are_chosen_among_those_that_fit_the_machine(plan):
    scores = [
        {"strategy": plan.SOFT, "learning_rate": rate, "replicate": 6006, "length": n, "loss": abs(rate - 0.03) - n}
        for rate in plan.RATES
        for n in plan.LENGTHS
    ]
    assert plan.choices(pd.DataFrame(scores))[plan.SOFT] == (0.03, plan.LONGEST)


def test_what_is_recorded_is_not_carried_out_again(plan, monkeypatch, tmp_path):
    asked = []

    def unit(name: str):
        def carried_out(*given) -> pd.DataFrame:
            asked.append((name, given[0]))
            return done(name, given[0])

        return carried_out

    def done(part: str, replicate: int) -> pd.DataFrame:
        rows = [
            {"part": part, "strategy": one, "learning_rate": rate, "length": 1, "seed": 0, "text": "", "teacher": ""}
            | {"replicate": replicate, "loss": 1.0 + rate + replicate % 7, "teachers_nats": 1.0}
            for one in [*plan.ARMS, plan.SMALL_TEACHER]
            for rate in (plan.RATES if part == "tuning" else (0.01,))
        ]
        return pd.DataFrame(rows)

    monkeypatch.setattr(plan, "carried_out", lambda work, calls, workers: [work(*call) for call in list(calls)])
    monkeypatch.setattr(plan, "PARTS", {name: unit(name) for name in plan.PARTS})
    monkeypatch.setattr(plan, "tuned", unit("tuning"))
    plan.main(tmp_path / "w")
    tuning, parts = asked[:1], asked[1:]
    assert tuning == [("tuning", one) for one in plan.TUNED_ON]
    assert parts == [(name, one) for name in plan.PARTS for one in plan.REPLICATES]
    asked.clear()
    plan.main(tmp_path / "w")
    assert asked == []


def test_what_the_plan_tells_of_its_sizes_is_so(script_of):
    plan = script_of("language_models/plan")
    assert f"{plan.WINDOWS * plan.LENGTH + 1:,} characters" in plan.__doc__
    assert not set(plan.REPLICATES) & set(plan.TUNED_ON) and len(plan.REPLICATES) >= 5
    pieces = [plan.APART * (one - plan.REPLICATES[0]) for one in (*plan.REPLICATES, *plan.TUNED_ON)]
    assert len(set(pieces)) == 6 and (max(pieces) + 1) * (plan.WINDOWS * plan.LENGTH + 1) < 0.9 * 1_115_394
    epoch = round(plan.WINDOWS / plan.BATCH_SIZE)
    assert plan.LAST_EPOCHS * epoch == 180 and 50 * epoch == plan.LONGEST
