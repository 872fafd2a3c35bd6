"""DarkKnowledge: what it takes and says; in Chromium, that what it shows of real digits is what kdlearn computes."""

import re

import numpy as np
import pytest
import torch
from conftest import ROOT

import kdlearn
from kdcourse.figures import DarkKnowledge

with np.load(ROOT / "notebooks/digits_logits.npz") as file:
    DIGITS = {name: file[name][:60] for name in ("teacher_logits", "labels", "images")}
SOFT = kdlearn.soft_labels(torch.tensor(DIGITS["teacher_logits"]), temperature=4.0).numpy()
BY_CLASS = np.stack([SOFT[DIGITS["labels"] == label].mean(axis=0) for label in range(10)])


def percent(share: float) -> str:
    return f"{100 * share:.{1 if share < 0.0995 else 0}f}"


def test_it_takes_tensors_and_computes_what_kdlearn_does():
    figure = DarkKnowledge(*(torch.tensor(value) for value in DIGITS.values()))
    np.testing.assert_allclose(figure.soft_labels, SOFT, atol=1e-4)
    np.testing.assert_allclose(figure.similarity, BY_CLASS, atol=1e-4)
    assert np.isnan(DarkKnowledge([[1.0, 2.0]], [0], np.zeros((1, 8, 8))).similarity[1]).all()


def test_its_words_say_what_is_seen():
    figure = DarkKnowledge([[2.0, 0.0, 1.0]], [2], np.zeros((1, 8, 8)), ["cat", "dog", "fox"], temperature=1.0)
    assert repr(figure) == (
        "DarkKnowledge: teacher's opinion of image 0, ground truth fox, at temperature 1: "
        "its hard label cat hides 33.5%; fox comes second with 24.5%"
    )


@pytest.mark.parametrize("shape", [(60, 8, 8), (60, 3, 8, 8), (60, 8, 8, 3)])
def test_a_figure_adds_less_than_100_kb_to_a_notebook(shape):
    images = np.broadcast_to(DIGITS["images"].reshape(60, *(8 if size == 8 else 1 for size in shape[1:])), shape)
    html = DarkKnowledge(**DIGITS | {"images": images})._repr_mimebundle_()["text/html"]
    assert len(re.sub(r'<script type="module">.*?</script>', "", html, flags=re.DOTALL)) < 100_000


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (np.array([[[0, 255]], [[51, 102]]], dtype=np.uint8), [0, 255, 51, 102]),
        (np.array([[[0.0, 1.0]], [[0.2, 0.4]]]), [0, 255, 51, 102]),
        (np.array([[[-1.0, 4.0]], [[0.0, 1.0]]]), [0, 255, 51, 102]),
        (np.array([[[16, 16]], [[16, 16]]]), [0, 0, 0, 0]),
    ],
)
def test_images_of_any_range_become_bytes(images, expected):
    assert DarkKnowledge([[1.0, 2.0]] * 2, [0, 1], images)._pixels.ravel().tolist() == expected


@pytest.fixture
def page(live):
    return live(DarkKnowledge(**DIGITS))


def bars(page) -> list[str]:
    return [text.removesuffix("\u00a0%") for text in page.locator(".bars > :nth-child(3n)").all_text_contents()]


def test_it_shows_the_soft_label_of_the_chosen_image_and_what_its_hard_label_hides(page):
    for index in (0, 17):
        page.get_by_role("option", name=f"image {index}:").click()
        assert bars(page) == [percent(share) for share in SOFT[index]]
        second, first = np.argsort(SOFT[index])[-2:]
        said = page.locator(".chosen").inner_text().replace("\u00a0%", "")
        assert f"The teacher's hard label: {first}" in said and f"hides {percent(1 - SOFT[index][first])} of" in said
        assert f"{second} comes second with {percent(SOFT[index][second])}." in said
        assert f"Ground truth: {DIGITS['labels'][index]}" in said


def test_the_matrix_is_the_mean_soft_label_by_class_and_its_diagonal_has_no_colour(page):
    rows = page.locator("tbody tr").all()
    for label, row in enumerate(rows):
        cells = row.locator("td")
        assert cells.all_text_contents() == [percent(share) for share in BY_CLASS[label]]
        coloured = cells.evaluate_all("cells => cells.map((cell) => +cell.firstChild.style.fillOpacity > 0)")
        assert coloured == [column != label for column in range(10)]
    page.get_by_role("slider", name="Temperature").fill("2")  # T = 100: nearly uniform
    assert {text[:2] for text in rows[0].locator("td").all_text_contents()} <= {"9.", "10", "11"}


@pytest.mark.parametrize("order", ["entropy", "disagreement"])
def test_images_are_sorted_and_chosen_by_keys(page, order):
    p = kdlearn.soft_labels(torch.tensor(DIGITS["teacher_logits"]).double().round(decimals=4))
    rank = kdlearn.entropy(p) if order == "entropy" else 1 - p[range(60), DIGITS["labels"]]
    expected = rank.argsort(descending=True, stable=True).tolist()
    page.get_by_role("combobox", name="Images").select_option(order)
    options = page.get_by_role("option", name="image ")
    ids = options.evaluate_all("nodes => nodes.map((node) => Number(node.id.slice(6)))")
    assert ids == expected
    images = page.get_by_role("listbox", name="Images")
    images.press("Home")
    images.press("ArrowRight")
    assert bars(page) == [percent(share) for share in SOFT[expected[1]]]
    images.press("ArrowDown")
    images.press("End")
    assert page.locator("[aria-selected=true]").get_attribute("id") == f"image-{expected[-1]}"
    assert images.get_attribute("aria-activedescendant") == f"image-{expected[-1]}"
