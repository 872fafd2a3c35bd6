"""The simplex: its geometry, its gradients against autograd, its path against torch's own descent, hand and keys."""

import numpy as np
import pytest
import torch
from figures_in_page import drag, node, state, words

import kdlearn
from kdcourse.figures import Simplex

Z, V = [0.5, 1.5, -2.0], [2.0, -0.5, -1.5]


def loss_of(kind: str, z: torch.Tensor, temperature: float, weight: float, square: bool) -> torch.Tensor:
    v = torch.tensor([V], dtype=torch.float64)
    soft = kdlearn.kl_divergence(z, v, temperature).sum() * (temperature**2 if square else 1)
    hard = kdlearn.hard_label_loss(z, torch.tensor([0]))
    return {"soft": soft, "hard": hard, "mixed": weight * soft + (1 - weight) * hard}[kind]


@pytest.mark.parametrize("kind", ["hard", "soft", "mixed"])
@pytest.mark.parametrize("square", [True, False])
def test_the_path_is_gradient_descent(kind, square):
    script = """const [kind, z, v, T, w, square] = given;
        return P.pathOf(z, (logits) => P.gradientOf(kind, logits, v, 0, T, w, square)).slice(0, 101);"""
    found = node(script, [kind, Z, V, 3.0, 0.4, square], "simplex")
    z = torch.tensor([Z], dtype=torch.float64, requires_grad=True)
    descent = torch.optim.SGD([z], lr=0.2)
    for place in found:
        assert place == pytest.approx(z[0].tolist(), abs=1e-9)
        descent.zero_grad()
        loss_of(kind, z, 3.0, 0.4, square).backward()
        descent.step()


def test_places_are_corners_mixed_by_the_probabilities():
    p = np.random.default_rng(0).dirichlet([1, 1, 1], 200).clip(0.01)
    p /= p.sum(axis=1, keepdims=True)
    script = "const places = given.map(P.placeOf); return [places, places.map(P.distributionAt)];"
    places, back = node(script, p.tolist(), "simplex")
    corners = np.array([[0, np.sqrt(3) / 2], [1, np.sqrt(3) / 2], [0.5, 0]])
    np.testing.assert_allclose(places, p @ corners, atol=1e-12)
    np.testing.assert_allclose(back, p, atol=1e-12)


@pytest.fixture
def page(live):
    return live(Simplex())


def test_hand_and_keys_move_the_student(page):
    dot = page.get_by_role("slider", name="student's distribution")
    box, triangle = dot.locator("circle").bounding_box(), page.locator(".triangle").first.bounding_box()
    centre = triangle["x"] + triangle["width"] / 2, triangle["y"] + triangle["height"] * (0.12 + 0.577) / 1.106
    drag(page, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), centre)
    before = state(page, "student_logits")
    np.testing.assert_allclose(torch.tensor(before).div(2).softmax(dim=0), 1 / 3, atol=0.02)
    dot.press("ArrowRight")
    assert state(page, "student_logits")[1] > before[1]


def test_its_words_are_the_gradients_of_kdlearn(page):
    page.get_by_role("button", name="T = 10 without T²").click()
    figure = Simplex()
    z = torch.tensor([figure.student_logits], dtype=torch.float64, requires_grad=True)
    v = torch.tensor([figure.teacher_logits], dtype=torch.float64)
    losses = kdlearn.hard_label_loss(z, torch.tensor([0])), kdlearn.kl_divergence(z, v, 10.0).sum()
    hard, soft = (torch.autograd.grad(loss, z)[0].norm() for loss in losses)
    assert f"the hard loss pulls with {hard:.3f}, the soft loss without T² with {soft:.3f}" in words(page)
    assert "teacher cat 0.60" in figure.alt and "the soft loss, ground truth cat" in figure.alt
