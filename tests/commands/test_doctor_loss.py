"""`kdlearn doctor --loss`: the report of `examine`, and one line for what names no loss."""

import pytest
from conftest import Command

REPORTS = {
    "mine:odd_loss": (1, ("0.9 · T² · KL(teacher ‖ student)", "divided-by-classes")),
    "mine:RightLoss": (0, ("Nothing odd was found", "T = 4")),
    "kdlearn:reverse_kl_loss": (0, ("reversed-divergence",)),  # it may be meant
}


@pytest.mark.parametrize("loss", REPORTS)
def test_what_is_odd_is_named_and_returns_1(loss, kdlearn_here: Command):
    code, said = REPORTS[loss]
    found = kdlearn_here("doctor", "--loss", loss, *["--sequences"] * (loss == "mine:RightLoss"))
    assert found.code == code and not found.err and all(one in found.out for one in said)


@pytest.mark.parametrize(
    "words, message",
    [
        (["--loss", "mine"], "module:name is expected"),
        (["--loss", "mine:number"], "it is int"),
        (["--loss", "mine:nothing_there"], "cannot be imported"),
        (["--loss", "mine:NeedsNumber"], "needs arguments"),
        (["--loss", "mine:dict_of_losses"], "a dict of 'soft'"),
        (["--sequences"], "name it with --loss"),
    ],
)
def test_what_names_no_loss_is_one_line(kdlearn_here: Command, words, message):
    found = kdlearn_here("doctor", *words)
    assert found.code == 2 and message in found.err and found.err.count("\n") == 1


def test_without_a_loss_it_tells_of_the_machine(kdlearn_here: Command):
    assert "free disk" in kdlearn_here("doctor").out
