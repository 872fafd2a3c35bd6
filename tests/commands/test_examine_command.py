"""`kdlearn examine`: the report of `examine`, and one line for what names no loss."""

import pytest
from conftest import Command


def test_an_odd_loss_is_named_and_returns_1(kdlearn_here: Command):
    found = kdlearn_here("examine", "mine:odd_loss")
    assert found.code == 1 and not found.err
    assert "0.9 · T² · KL(teacher ‖ student)" in found.out and "divided-by-classes" in found.out


def test_a_right_one_returns_0(kdlearn_here: Command):
    found = kdlearn_here("examine", "mine:RightLoss", "--sequences")
    assert found.code == 0 and "Nothing odd was found" in found.out and "T = 4" in found.out


def test_what_may_be_meant_returns_0(kdlearn_here: Command):
    found = kdlearn_here("examine", "kdlearn:reverse_kl_loss")
    assert found.code == 0 and "reversed-divergence" in found.out


@pytest.mark.parametrize(
    "words, message",
    [
        (["mine"], "module:name is expected"),
        (["mine.py:dict_of_losses"], "module:name is expected"),
        (["mine:number"], "got 3"),
        (["mine:nothing_there"], "cannot be imported"),
        (["mine:NeedsNumber"], "needs arguments"),
        (["mine:dict_of_losses"], "a dict of 'soft'"),
        (["--sequences"], "MODULE:FUNCTION"),
    ],
)
def test_what_names_no_loss_is_one_line(kdlearn_here: Command, words, message):
    found = kdlearn_here("examine", *words)
    assert found.code == 2 and message in found.err and found.err.count("\n") == 1
