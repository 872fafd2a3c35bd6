"""DarkKnowledge: what it takes and says; in Chromium, that what it shows of real digits is what kdlearn computes."""

import re

import numpy as np
import pytest
import torch
from conftest import ROOT, looked_at

import kdlearn
from kdcourse.figures import DarkKnowledge

with np.load(ROOT / "notebooks/digits_logits.npz") as file:
    DIGITS = {
        "teacher_logits": file["teacher_logits"][:60],
        "labels": file["labels"][:60],
        "images": file["images"][:60],
    }
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
    ("arguments", "message"),
    [
        ({"teacher_logits": DIGITS["teacher_logits"] * np.nan}, "teacher_logits must be finite; row 0"),
        ({"labels": DIGITS["labels"][:3]}, r"labels must hold one class index an example, 60 in all; got shape \(3,\)"),
        ({"labels": DIGITS["labels"] + 5}, "labels must be whole numbers in 0 … 9"),
        ({"images": DIGITS["images"][:3]}, "images must be 60 of shape"),
        ({"images": np.zeros((60, 2, 8, 8))}, "images must be 60 of shape"),
        ({"images": DIGITS["images"] * np.nan}, "images must be finite"),
        ({"images": np.random.default_rng(0).random((60, 3, 32, 32))}, "kB of a notebook, more than 38; show about"),
        ({"class_names": ["zero"]}, "class_names must hold one name a class, 10 in all; got 1"),
        ({"selected": 60}, "selected must be an image's index in 0 … 59; got 60"),
        ({"temperature": 1e3}, "temperature must lie in 0.1 … 100"),
    ],
)
def test_what_it_cannot_show_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DarkKnowledge(**DIGITS | arguments)


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
def page(browser, tmp_path):
    DarkKnowledge(**DIGITS).save(tmp_path / "figure.html")
    page, errors, strangers = looked_at(browser, (tmp_path / "figure.html").as_uri(), tmp_path.as_uri())
    yield page
    assert errors == strangers == []
    page.close()


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


def test_names_are_text_and_never_html(browser, tmp_path):
    attack = "</script><script>document.title = 'broken'</script><img src=x onerror=\"document.title = 'broken'\">"
    DarkKnowledge([[1.0, 2.0]], [1], np.zeros((1, 8, 8)), [attack, "'\"&lt;"]).save(tmp_path / "figure.html")
    page, errors, strangers = looked_at(browser, (tmp_path / "figure.html").as_uri(), tmp_path.as_uri())
    assert page.title() == "Dark knowledge" and errors == strangers == []
    assert page.locator("tbody th").all_text_contents() == [attack, "'\"&lt;"]
