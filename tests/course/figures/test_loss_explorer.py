"""LossExplorer: what it takes and says; in Chromium, that its numbers stay kdlearn's while hand and keys move them."""

import math

import numpy as np
import pytest
import torch
import traitlets
from figures_in_page import drag, numbers

import kdlearn
from kdcourse.figures import DarkKnowledge, LossExplorer

STUDENT, TEACHER, NAMES = [2.0, 2.5, 0.5, 1.0], [6.0, 3.0, 4.0, -1.0], ["cat", "dog", "fox", "car"]


def shares_and_push(student: list[float], soft_weight=0.9, temperature=4.0, direction="forward", square=True):
    """The soft and the hard share with their sum, and minus its gradient, by kdlearn and autograd."""
    z = torch.tensor([student], dtype=torch.float64, requires_grad=True)
    v = torch.tensor([TEACHER], dtype=torch.float64)
    log_q, log_p = (torch.log_softmax(logits / temperature, dim=-1) for logits in (z, v))
    reverse = (log_q.exp() * (log_q - log_p)).sum()
    kl = reverse if direction == "reverse" else kdlearn.kl_divergence(z, v, temperature).sum()
    soft = soft_weight * kl * (temperature**2 if square else 1)
    hard = (1 - soft_weight) * kdlearn.hard_label_loss(z, torch.tensor([0]))
    push = -torch.autograd.grad(soft + hard, z)[0][0]
    return [soft.item(), hard.item(), (soft + hard).item()], push.tolist()


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize("square", [True, False])
def test_its_losses_are_kdlearns(direction, square):
    figure = LossExplorer(STUDENT, TEACHER, 0, NAMES, direction=direction, times_square=square)
    (soft, hard, combined), _ = shares_and_push(STUDENT, direction=direction, square=square)
    assert figure.losses == pytest.approx({"soft": soft / 0.9, "hard": hard / 0.1, "combined": combined}, rel=1e-12)
    assert f"{combined:.3f}" in figure.alt and ("T² KL" in figure.alt) == square


def test_its_names_and_the_images_of_the_other_stay_as_they_are():
    knowledge = DarkKnowledge([[1.0, 2.0]], [1], np.ones((1, 8, 8)))
    for figure, name in ((LossExplorer(), "class_names"), (knowledge, "images")):
        with pytest.raises(traitlets.TraitError, match="read-only"):
            setattr(figure, name, [])


def test_it_needs_no_arguments_and_takes_rows_of_tensors():
    assert LossExplorer().class_names[0] == "cat"
    logits = torch.tensor([TEACHER], dtype=torch.bfloat16)
    assert LossExplorer(np.float32(STUDENT), logits, torch.tensor(2)).state["teacher_logits"] == TEACHER


def shown(page) -> tuple[list[float], list[float], list[float]]:
    """The student's logits, the soft and the hard share with their sum, and the pushes, as the page says them."""
    bars = page.get_by_role("slider", name="student's logit").all()
    logits = [float(bar.get_attribute("aria-valuenow")) for bar in bars]
    shares, push = (numbers(page.locator(of)) for of in ("td:last-child", ".numbers span:first-child"))
    return logits, shares, push


@pytest.fixture
def page(live):
    return live(LossExplorer(STUDENT, TEACHER, 0, NAMES))


def test_a_bar_follows_the_hand_and_all_numbers_follow_the_bar(page):
    bar, track = page.get_by_role("slider", name="student's logit of dog"), page.locator(".track").nth(2)
    box, place = bar.bounding_box(), track.bounding_box()
    target = track.evaluate("node => node.clientWidth") * 0.6
    drag(page, (place["x"] + 5, box["y"] + 8), (place["x"] + target, box["y"] + 30))
    assert bar.locator("svg").bounding_box()["width"] == pytest.approx(target, abs=1)
    logits, shares, push = shown(page)
    others = math.log(sum(math.exp(z / 4) for z in (2.0, 0.5, 1.0)))
    assert logits == pytest.approx([2.0, 4 * (math.log(0.6 / 0.4) + others), 0.5, 1.0], abs=0.03)
    expected_shares, expected_push = shares_and_push(logits)
    assert shares == pytest.approx(expected_shares, abs=0.01) and push == pytest.approx(expected_push, abs=0.01)


def test_keys_and_controls_give_the_closed_forms(page):
    bar = page.get_by_role("slider", name="student's logit of fox")
    bar.focus()
    for key in ("ArrowUp", "ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)
    student = [2.0, 2.5, -0.3, 1.0]
    page.get_by_role("combobox", name="Soft loss").select_option("reverse")
    page.get_by_role("checkbox", name="times T²").uncheck()
    page.get_by_role("slider", name="Soft weight").fill("0.5")
    page.get_by_role("slider", name="Temperature").fill(str(math.log10(2)))
    logits, shares, push = shown(page)
    settings = {"soft_weight": 0.5, "temperature": 2.0, "direction": "reverse"}
    expected_shares, expected_push = shares_and_push(student, **settings, square=False)
    assert logits == student
    assert shares == pytest.approx(expected_shares, abs=5.1e-4) and push == pytest.approx(expected_push, abs=5.1e-4)
    other = numbers(page.locator(".numbers span:last-child"))  # with T², beside it
    assert other == pytest.approx(shares_and_push(student, **settings)[1], abs=5.1e-4)
    page.get_by_role("button", name="Reset").click()
    assert shown(page)[0] == STUDENT


def test_the_axis_of_the_pushes_stays(page):
    axis = page.locator(".axis").nth(1)
    before = axis.inner_text()
    for value in ("-1", "2", "0"):
        page.get_by_role("slider", name="Temperature").fill(value)
        assert axis.inner_text() == before
    page.get_by_role("slider", name="teacher's logit of cat").press("End")
    assert axis.inner_text() == before and page.locator(".push svg svg path").count() > 0
