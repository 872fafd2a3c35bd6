"""A class on a few seats: one file each, pooled, and every file that does not belong is named with its reason."""

import json

import numpy as np
import pytest
from conftest import Command
from hypothesis import given
from hypothesis import strategies as st

from kdcourse import classroom
from kdcourse.classroom import Plan, plan_of, pooled, seal_of, write_seat
from kdlearn.formulas.intervals import interval

PLAN = Plan(60, 2.0, 300)


def content(seat, soft=0.9, plan=PLAN):
    rest = {"ground truth": 0.85 + 0.001 * seat, "hard labels": 0.86, "soft labels": soft}
    told = {"plan": plan.code, "seat": seat, "kdlearn": "0.1.0", "accuracy": rest}
    return {**told, "seal": seal_of(told)}


@given(images=st.integers(20, 1200), temperature=st.floats(0.1, 50), updates=st.integers(1, 10_000))
def test_a_code_says_the_plan_and_no_character_can_be_mistyped(images, temperature, updates):
    plan = Plan(images, float(f"{temperature:g}"), updates)
    assert plan_of(plan.code) == plan
    for place in range(len(plan.code)):
        other = "1" if plan.code[place] != "1" else "2"
        mistyped = plan.code[:place] + other + plan.code[place + 1 :]
        with pytest.raises(ValueError, match=r"a code looks like|is wrong|a plan has"):
            plan_of(mistyped)


def test_seats_are_pooled_into_the_interval_of_their_gains(tmp_path):
    gains = [0.90, 0.93, 0.88, 0.95]
    for seat, soft in enumerate(gains, 1):
        write_seat(tmp_path, content(seat, soft))
    pool = pooled(tmp_path)
    by_hand = interval(100 * (np.array(gains) - 0.85 - 0.001 * np.arange(1, 5)))
    assert pool.difference().mean == pytest.approx(by_hand.mean) and pool.left_out == {}
    assert pool.difference().half_width == pytest.approx(by_hand.half_width)
    assert len(pool.shrinking()) == 3 and pool.shrinking()[-1].mean == pytest.approx(by_hand.mean)


def test_files_that_do_not_belong_are_named_with_their_reason(tmp_path, kdlearn_here: Command):
    for seat in (1, 2, 3):
        write_seat(tmp_path, content(seat))
    write_seat(tmp_path, content(4, plan=Plan(60, 4.0, 300)))
    (tmp_path / "z-copy.json").write_text(json.dumps(content(2)), encoding="utf-8")
    (tmp_path / "z-second.json").write_text(json.dumps(content(3, soft=0.99)), encoding="utf-8")
    (tmp_path / "z-better.json").write_text(json.dumps({**content(5), "seat": 6}), encoding="utf-8")
    (tmp_path / "z-other.json").write_text("[1, 2]", encoding="utf-8")
    (tmp_path / "z-torn.json").write_text('{"plan": ', encoding="utf-8")
    found = kdlearn_here("class", "pool", tmp_path)
    assert found.code == 0 and "3 laptops" in found.out and f"class-{PLAN.code}.png" in found.out
    reasons = ("belongs to plan 60i-4T", "with the same numbers", "with other numbers", "altered", "no file of a class")
    assert all(reason in found.out for reason in (*reasons, "cannot be read"))
    assert (tmp_path / f"class-{PLAN.code}.png").read_bytes().startswith(b"\x89PNG")


HOSTILE = [
    {"plan": None},
    {"plan": ["60i"]},
    {"seat": [1]},
    {"seat": {}},
    {"accuracy": None},
    {"accuracy": {"soft labels": 1}},
    {"accuracy": dict.fromkeys(("ground truth", "hard labels", "soft labels"), "much")},
    {"accuracy": dict.fromkeys(("ground truth", "hard labels", "soft labels"), float("nan"))},
    {"accuracy": dict.fromkeys(("ground truth", "hard labels", "soft labels"), 1e300)},
]


@pytest.mark.parametrize("odd", [*HOSTILE, "[" * 100_000], ids=lambda odd: str(odd)[:40])
def test_whatever_is_handed_in_is_named_and_stops_nothing(tmp_path, kdlearn_here: Command, odd):
    for seat in (1, 2, 3):
        write_seat(tmp_path, content(seat))
    told = odd if isinstance(odd, str) else {**content(4), **odd}
    if isinstance(told, dict):
        del told["seal"]
        told = json.dumps({**told, "seal": seal_of(told)})
    (tmp_path / "hostile.json").write_text(told, encoding="utf-8")
    found = kdlearn_here("class", "pool", tmp_path)
    assert found.code == 0 and "3 laptops" in found.out and "hostile.json" in found.out


def test_the_same_seat_gives_the_same_file_and_another_seat_another(kdlearn_here: Command, here):
    code = kdlearn_here("class", "plan", "--images", 30, "--updates", 5).out.strip()
    for folder, seat in (("a", 7), ("b", 7), ("a", 8)):
        done = kdlearn_here("class", "join", code, "--seat", seat, "--out", folder)
        assert done.code == 0 and "hand in" in done.out, done.err
    files = [
        here / folder / classroom.file_name(plan_of(code), seat) for folder, seat in (("a", 7), ("b", 7), ("a", 8))
    ]
    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()
    assert len(pooled(here / "a").table) == 2 and files[0].stat().st_size < 1000


@pytest.mark.parametrize(
    "words, message",
    [
        (["join", "60i-2T-300u-0000", "--seat", 1], "is wrong"),
        (["join", "tomorrow", "--seat", 1], "a code looks like"),
        (["join", PLAN.code, "--seat", 0], "a seat is a whole number"),
        (["plan", "--images", 3], "a plan has 20"),
        (["pool", "."], "two seats"),
    ],
)
def test_what_cannot_be_meant_is_one_line(kdlearn_here: Command, words, message):
    found = kdlearn_here("class", *words)
    assert found.code != 0 and message in found.err and found.err.count("\n") == 1


def test_a_file_that_is_there_is_not_replaced(kdlearn_here: Command, here):
    write_seat(here, content(1))
    assert "is there already" in kdlearn_here("class", "join", PLAN.code, "--seat", 1).err
