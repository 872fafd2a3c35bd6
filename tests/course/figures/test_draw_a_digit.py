"""Draw a digit: its networks against PyTorch, the drawings that they read, what is told of them, hand and keys."""

import json
import math

import numpy as np
import pytest
import torch
from conftest import looked_at
from figures_in_page import node
from safetensors.torch import load_file
from scipy.ndimage import label

import kdlearn
from kdcourse.figures import DrawADigit
from kdcourse.figures.draw_a_digit import accuracies, record

STATE = "[...kdlearnStates.values()][0]"
# Strokes in units of the pad's 32 cells, a polyline each; loops as (x, y, radius across, radius down, from, to turns).
DRAWINGS = {
    0: [(16, 16, 7, 11, 0, 1)],
    1: [[(12, 9), (17, 4), (17, 28)]],
    2: [(15, 10, 6, 6, 0.5, 1.1), [(20, 14), (10, 27), (22, 27)]],
    3: [(15, 10, 6, 6, 0.55, 1.25), (15, 21, 7, 6, 0.75, 1.45)],
    4: [[(14, 4), (8, 19), (23, 19)], [(19, 11), (19, 29)]],
    5: [[(22, 5), (12, 5), (11, 14)], (15, 20, 7, 7, 0.65, 1.4)],
    6: [[(19, 4), (12, 11), (10, 20)], (16, 21, 6, 6, 0, 1)],
    7: [[(9, 6), (22, 6), (14, 28)], [(12, 17), (21, 17)]],
    8: [(16, 10, 5, 6, 0, 1), (16, 22, 6, 6, 0, 1)],
    9: [(15, 11, 6, 6, 0, 1), [(21, 11), (20, 20), (17, 28)]],
}


def points_of(stroke: list | tuple) -> list[tuple[float, float]]:
    if isinstance(stroke, list):
        return stroke
    x, y, across, down, start, end = stroke
    turns = np.linspace(2 * math.pi * start, 2 * math.pi * end, 40)
    return [(x + across * math.cos(turn), y + down * math.sin(turn)) for turn in turns]


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    path = tmp_path_factory.mktemp("digit") / "figure.html"
    DrawADigit().save(path)
    page, errors, strangers = looked_at(browser, path.as_uri(), path.as_uri())
    yield page
    assert errors == strangers == []
    page.close()


@pytest.fixture
def plan(script_of):
    return script_of("draw_a_digit/plan")


def in_browser(script: str, given: object) -> object:
    return node(f"const {{ brush, cellsOf, textOf, countsOf, readers }} = P; {script}", given, module="draw_a_digit")


def test_the_logits_are_pytorchs_with_the_same_int8_weights(plan):
    teacher, students = plan.networks_of(load_file(plan.WEIGHTS))
    images = DrawADigit().examples
    found = in_browser(
        "const read = readers(given[0]); return given[1].map((cells) => read(cellsOf(cells)));",
        [DrawADigit().weights, images],
    )
    for cells, seen in zip(images, found, strict=True):
        figure = DrawADigit(cells=cells)
        counts = torch.tensor(figure.counts).view(1, 1, 8, 8)
        with torch.no_grad():
            assert seen["logits"] == pytest.approx(teacher(counts)[0].tolist(), abs=1e-9)
            votes = [[int(one(counts).argmax()) for one in arm] for arm in students.values()]
        assert seen["votes"] == votes
        assert figure.logits == pytest.approx(seen["logits"], abs=1e-9)


def test_its_weights_are_small_and_what_is_told_of_them_is_measured(plan):
    held = load_file(plan.WEIGHTS)
    assert plan.WEIGHTS.stat().st_size <= 190_000
    assert all(one.dtype == torch.int8 for name, one in held.items() if name.endswith("weight"))
    measured = plan.measured(held)
    assert {**measured, "seconds": record()["seconds"]} == record() == json.loads(plan.RECORD.read_text())
    pairs = [measured["students"][arm]["as they are"] for arm in ("soft labels", "ground truth")]
    expected = kdlearn.paired_difference(*pairs)
    assert (accuracies()["mean"], accuracies()["half_width"]) == pytest.approx(expected[:2])


def test_warped_copies_are_whole_counts_and_cells_have_the_images_counts(plan):
    images = plan.digits()[1].inputs[:20]
    for values in (images, plan.warped(images, 3, 0)):
        assert ((16 * values) % 1 == 0).all() and values.min() >= 0 and values.max() <= 1
    counts = torch.nn.functional.avg_pool2d(plan.cells_of(images).float(), 4)
    torch.testing.assert_close(counts, images)


def test_its_examples_are_those_of_the_plan_and_the_first_has_no_crumbs(plan):
    held = load_file(plan.WEIGHTS)
    assert torch.equal(plan.examples_of(plan.networks_of(held)[0], plan.digits()[1]), held["examples"])
    first = np.unpackbits(held["examples"][0].numpy()).reshape(32, 32)
    assert label(first)[1] == 1 and not first[[0, -1]].any() and not first[:, [0, -1]].any()


@pytest.fixture(scope="module")
def drawings() -> list:
    """The scripted drawings: the share of marked cells of each, and the teacher's logits."""
    strokes = [[points_of(stroke) for stroke in drawing] for drawing in DRAWINGS.values()]
    return in_browser(
        """const read = readers(given[0]);
        return given[1].map((strokes) => {
          const cells = new Uint8Array(1024);
          for (const points of strokes) points.forEach((point, k) => brush(cells, points[k && k - 1], point, 1));
          return [cells.reduce((sum, cell) => sum + cell, 0) / 1024, read(cells).logits];
        });""",
        [DrawADigit().weights, strokes],
    )


def test_the_teacher_reads_ten_of_ten_scripted_drawings(drawings):
    assert [int(np.argmax(logits)) for _, logits in drawings] == list(DRAWINGS)


def test_the_brush_is_as_wide_as_the_strokes_of_the_data(drawings, plan):
    ink = plan.digits()[0].inputs.mean().item()
    assert np.mean([share for share, _ in drawings]) == pytest.approx(ink, rel=0.2)


def test_cells_as_text_and_back():
    cells = np.random.default_rng(0).integers(0, 2, 1024)
    text = np.packbits(cells).tobytes().hex()
    assert in_browser("return [textOf(given[0]), [...cellsOf(given[1])]];", [cells.tolist(), text]) == [
        text,
        cells.tolist(),
    ]
    np.testing.assert_allclose(DrawADigit(cells=text).counts, cells.reshape(8, 4, 8, 4).mean(axis=(1, 3)))


def test_what_is_no_drawing_is_refused():
    for cells in ("", "0" * 255, "0" * 255 + "g", "0" * 255 + "A"):
        with pytest.raises(ValueError, match="cells must be 32 × 32 cells as 256 hexadecimal digits"):
            DrawADigit(cells=cells)


def test_it_begins_with_a_nine_or_four_whose_second_class_is_the_other():
    figure = DrawADigit()
    order = np.argsort(-figure.logits)
    assert {*order[:2]} == {4, 9} and 0.1 < figure.soft_label[order[1]] < 0.5
    assert figure.guess["question"] == f"The teacher says {order[0]}. Which digit is second?"
    assert str(order[1]) in figure.guess["options"] and f"is {order[0]}" in figure.alt


def cells(page) -> str:
    return page.evaluate(f"{STATE}.get('cells')")


def test_a_stroke_draws_and_the_keys_do(page):
    pad = page.locator(".pad")
    page.get_by_role("button", name="Clear").click()
    assert int(cells(page), 16) == 0
    box = pad.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.8, steps=4)
    page.mouse.up()
    drawn = DrawADigit(cells=cells(page))
    assert page.locator(".hard-label").inner_text() == str(int(drawn.logits.argmax()))
    assert drawn.counts[:, [0, 1, 6, 7]].sum() == 0 and (drawn.counts[2:6, 3:5] > 0.2).all()
    page.get_by_role("button", name="Clear").click()
    pad.press("Space")
    marked = bin(int(cells(page), 16)).count("1")
    pad.press("Shift+ArrowRight")
    assert bin(int(cells(page), 16)).count("1") > marked > 0
    pad.press("Delete")
    assert bin(int(cells(page), 16)).count("1") <= marked


def test_the_temperature_moves_bars_and_no_rank(page):
    page.get_by_role("button", name="Another digit").click()
    ranks = page.locator(".rank").all_text_contents()
    for temperature in (1.0, 4.0, 20.0):
        page.get_by_role("button", name=f"T = {temperature:g}", exact=True).click()
        assert page.locator(".rank").all_text_contents() == ranks
        soft = DrawADigit(cells=cells(page), temperature=temperature).soft_label
        shown = page.locator(".ten .room span").all_text_contents()
        for text, share in zip(shown, soft, strict=True):
            assert float(text or 0) == pytest.approx(100 * share, abs=0.55)


def test_every_student_has_a_dot_and_tasks_are_seen_done(page):
    page.evaluate("history.replaceState(null, '', location.pathname)")
    page.reload()
    page.get_by_role("button", name="Clear").click()
    assert page.locator(".dots circle").count() == 40 and "Done" not in page.locator(".tasks").inner_text()
    pad = page.locator(".pad").bounding_box()
    page.mouse.move(pad["x"] + 5, pad["y"] + 5)
    page.mouse.down()
    for x, y in np.random.default_rng(0).uniform(0, 1, (60, 2)):
        page.mouse.move(pad["x"] + x * pad["width"], pad["y"] + y * pad["height"])
        if DrawADigit(cells=cells(page)).soft_label.max() >= 0.99:
            break
    page.mouse.up()
    assert "Done" in page.locator(".tasks").inner_text()
    assert page.locator(".dots circle").count() == 40


def test_the_digit_is_seen_while_the_guess_waits(browser, tmp_path):
    DrawADigit(ask=True).save(tmp_path / "figure.html")
    page = browser.new_page()
    page.goto((tmp_path / "figure.html").as_uri())
    assert page.locator(".pad").is_visible() and page.locator(".hard-label").is_visible()
    assert not page.locator(".ten").is_visible() and not page.get_by_role("button", name="T = 4").is_visible()
    page.get_by_role("button", name="Show me").click()
    assert page.locator(".ten").is_visible() and page.get_by_role("button", name="T = 4").is_visible()
    page.close()
