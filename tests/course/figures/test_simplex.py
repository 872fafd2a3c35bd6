"""The simplex: its geometry, its gradients against autograd, its path against torch's own descent, hand and keys."""

import numpy as np
import pytest
import torch
from conftest import looked_at
from test_figures_learning import node

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
    given = [kind, Z, V, 3.0, 0.4, square]
    found = node(
        """const [kind, z, v, T, w, square] = given;
        return P.pathOf(z, (logits) => P.gradientOf(kind, logits, v, 0, T, w, square)).slice(0, 101);""",
        given,
        module="simplex",
    )
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
    places, back = node(
        "return [given.map(P.placeOf), given.map(P.placeOf).map(P.distributionAt)];", p.tolist(), "simplex"
    )
    corners = np.array([[0, np.sqrt(3) / 2], [1, np.sqrt(3) / 2], [0.5, 0]])
    np.testing.assert_allclose(places, p @ corners, atol=1e-12)
    np.testing.assert_allclose(back, p, atol=1e-12)


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    path = tmp_path_factory.mktemp("simplex") / "figure.html"
    Simplex().save(path)
    page, errors, strangers = looked_at(browser, path.as_uri(), path.as_uri())
    yield page
    assert errors == strangers == []
    page.close()


def numbers(page) -> list[float]:
    """The logits of the student, as the figure holds them."""
    return page.evaluate("[...kdlearnStates.values()][0].get('student_logits')")


def test_hand_and_keys_move_the_student(page):
    dot = page.get_by_role("slider", name="student's distribution")
    box, triangle = dot.locator("circle").bounding_box(), page.locator(".triangle").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(triangle["x"] + triangle["width"] / 2, triangle["y"] + triangle["height"] * (0.12 + 0.577) / 1.106)
    page.mouse.up()
    centre = np.exp(np.array(numbers(page)) / 2)
    np.testing.assert_allclose(centre / centre.sum(), 1 / 3, atol=0.02)
    before = numbers(page)
    dot.press("ArrowRight")
    assert numbers(page)[1] > before[1]


def test_its_words_are_the_gradients_of_kdlearn(page):
    page.get_by_role("button", name="T = 10 without T²").click()
    z = torch.tensor([numbers(page)], dtype=torch.float64, requires_grad=True)
    v = torch.tensor([Simplex().teacher_logits], dtype=torch.float64)
    soft = torch.autograd.grad(kdlearn.kl_divergence(z, v, 10.0).sum(), z)[0].norm()
    hard = torch.autograd.grad(kdlearn.hard_label_loss(z, torch.tensor([0])), z)[0].norm()
    said = page.locator("section.figure").inner_text()
    assert f"the hard loss pulls with {hard:.3f}, the soft loss without T² with {soft:.3f}" in said


def test_it_says_what_is_seen_and_refuses_what_cannot_be():
    assert "teacher cat 0.60" in Simplex().alt and "the soft loss, ground truth cat" in Simplex().alt
    for state, message in (
        ({"student_logits": [1.0, 2.0]}, "student_logits must hold 3 logits; got 2"),
        ({"label": 3}, "labels must be whole numbers in 0 … 2"),
        ({"temperature": 0.0}, "temperature must lie in 0.1 … 100"),
        ({"presets": {"a": {"tau": 1}}}, "Simplex has no tau"),
    ):
        with pytest.raises(ValueError, match=message):
            Simplex(**state)
