"""The figures' numbers as text against Python's decimals; calibration and balance against kdlearn and autograd."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
import torch
from conftest import ROOT
from figures_in_page import node

import kdlearn
from kdcourse.figures import LossExplorer

VALUES = [*np.random.default_rng(0).normal(0, 30, 400).tolist(), 0.0, -0.0, -0.001, 0.005, 0.125, 99.995, -1e-09]
SHARES = [*np.random.default_rng(1).uniform(0, 1, 300).tolist(), 0.0, 1.0, 0.0995, 0.01, 0.0099]


def rounded(value: float, digits: int) -> str:
    text = str(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))
    return text.removeprefix("-") if Decimal(text) == 0 else text.replace("-", "−")


@pytest.mark.parametrize("digits", [0, 1, 2, 3])
def test_numbers_are_rounded_as_decimals_with_a_true_minus(digits):
    found = node("return given[0].map((value) => P.formatNumber(value, given[1]));", [VALUES, digits], "maths")
    assert found == [rounded(value, digits) for value in VALUES]


def test_shares_are_percents_and_temperatures_have_three_digits():
    found = node("return given.map(P.formatPercent);", SHARES, "maths")
    assert found == [f"{rounded(100 * share, 1 if share < 0.0995 else 0)}\u00a0%" for share in SHARES]
    temperatures = [0.1, 0.125, 1, 4, 31.4159, 99.96, 100]
    assert node("return given.map(P.formatTemperature);", temperatures, "maths") == [f"{T:.3g}" for T in temperatures]


def test_small_probabilities_are_powers_of_ten():
    found = node("return given.map(P.formatProbability);", [0, 0.621, 0.0043, 2.1e-7, 9.7e-13], "maths")
    assert found == ["0.00", "0.62", "0.0043", "2·10⁻⁷", "1·10⁻¹²"]


def test_ranks_are_those_of_a_stable_sort():
    values = np.random.default_rng(2).integers(0, 5, (50, 8)).astype(float)
    found = node("return given.map(P.ranked);", values.tolist(), "maths")
    assert found == np.argsort(-values, axis=1, kind="stable").tolist()


@pytest.mark.parametrize("temperature", [0.25, 1.0, 5.0])
def test_calibration_is_kdlearns_and_accuracy_stands_still(temperature):
    with np.load(ROOT / "notebooks/digits_logits.npz") as file:
        logits, labels = (torch.tensor(file[name]) for name in ("teacher_logits", "labels"))
    found = node("return P.calibrationOf(...given);", [logits.tolist(), labels.tolist(), temperature], "calibration")
    scaled = logits.double() / temperature
    assert found["error"] == pytest.approx(kdlearn.expected_calibration_error(scaled, labels, num_bins=10), abs=1e-9)
    assert found["right"] == pytest.approx(kdlearn.accuracy(logits, labels))
    assert found["sure"] == pytest.approx(scaled.softmax(dim=-1).amax(dim=-1).mean().item())
    assert sum(one["count"] for one in found["bins"]) == len(labels)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_the_balance_is_the_length_of_each_gradient(direction):
    figure = LossExplorer()
    z = torch.tensor([figure.student_logits], dtype=torch.float64, requires_grad=True)
    v = torch.tensor([figure.teacher_logits], dtype=torch.float64)
    for temperature in (0.3, 1.0, 10.0):
        log_q, log_p = (torch.log_softmax(logits / temperature, dim=-1) for logits in (z, v))
        first, second = (log_p, log_q) if direction == "forward" else (log_q, log_p)
        soft = torch.autograd.grad((first.exp() * (first - second)).sum(), z)[0].norm().item()
        hard = torch.autograd.grad(kdlearn.hard_label_loss(z, torch.tensor([0])), z)[0].norm().item()
        given = [figure.student_logits, figure.teacher_logits, 0, temperature, 0.9, direction]
        found = node("return P.pulls(...given);", given, "balance")
        assert found == pytest.approx([0.9 * temperature**2 * soft, 0.9 * soft, 0.1 * hard])


def test_without_its_square_the_soft_pull_is_about_a_hundredth_at_ten_times_the_temperature():
    figure = LossExplorer()
    given = [figure.student_logits, figure.teacher_logits, 0]
    at_1, at_10 = (node("return P.pulls(...given);", [*given, T, 1, "forward"], "balance")[1] for T in (1, 10))
    assert 1 / 30 > at_10 / at_1 > 1 / 300 and "About a hundredth" in figure.guess["reply"]
