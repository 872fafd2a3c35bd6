"""Draw a digit: its networks against PyTorch, the drawings that they read, what is told of them, hand and keys."""

import json
import math

import numpy as np
import pytest
import torch
from figures_in_page import drag, node, numbers, state
from safetensors.torch import load_file
from scipy.ndimage import label

import kdlearn
from kdcourse.figures import DrawADigit
from kdcourse.figures.draw_a_digit import accuracies, record

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


@pytest.fixture
def page(live):
    return live(DrawADigit())


@pytest.fixture
def plan(script_of):
    return script_of("draw_a_digit/plan")


def in_browser(script: str, given: object) -> object:
    return node(f"const {{ brush, cellsOf, textOf, countsOf, readers }} = P; {script}", given, module="draw_a_digit")


def test_the_logits_are_pytorchs_with_the_same_int8_weights(plan):
    teacher, students = plan.networks_of(load_file(plan.WEIGHTS))
    images = DrawADigit().examples
    script = "const read = readers(given[0]); return given[1].map((cells) => read(cellsOf(cells)));"
    found = in_browser(script, [DrawADigit().weights, images])
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


def test_the_teacher_reads_ten_of_ten_scripted_drawings_by_a_brush_as_wide_as_the_strokes_of_the_data(plan):
    strokes = [[points_of(stroke) for stroke in drawing] for drawing in DRAWINGS.values()]
    script = """const read = readers(given[0]);
        return given[1].map((strokes) => {
          const cells = new Uint8Array(1024);
          for (const points of strokes) points.forEach((point, k) => brush(cells, points[k && k - 1], point, 1));
          return [cells.reduce((sum, cell) => sum + cell, 0) / 1024, read(cells).logits];
        });"""
    drawings = in_browser(script, [DrawADigit().weights, strokes])
    assert [int(np.argmax(logits)) for _, logits in drawings] == list(DRAWINGS)
    ink = plan.digits()[0].inputs.mean().item()
    assert np.mean([share for share, _ in drawings]) == pytest.approx(ink, rel=0.2)


def test_cells_as_text_and_back():
    cells = np.random.default_rng(0).integers(0, 2, 1024)
    text = np.packbits(cells).tobytes().hex()
    found = in_browser("return [textOf(given[0]), [...cellsOf(given[1])]];", [cells.tolist(), text])
    assert found == [text, cells.tolist()]
    np.testing.assert_allclose(DrawADigit(cells=text).counts, cells.reshape(8, 4, 8, 4).mean(axis=(1, 3)))


def test_it_begins_with_a_nine_or_four_whose_second_class_is_the_other():
    figure = DrawADigit()
    order = np.argsort(-figure.logits)
    assert {*order[:2]} == {4, 9} and 0.1 < figure.soft_label[order[1]] < 0.5
    assert figure.guess["question"] == f"The teacher says {order[0]}. Which digit is second?"
    assert str(order[1]) in figure.guess["options"] and figure.guess["reply"].startswith(f"{order[1]} is second")
    assert f"is {order[0]}" in figure.alt


def drawn(page) -> DrawADigit:
    return DrawADigit(cells=state(page, "cells"), temperature=state(page, "temperature"))


def test_a_stroke_draws_and_the_keys_do(page):
    pad = page.locator(".pad")
    page.get_by_role("button", name="Clear").click()
    assert drawn(page).counts.sum() == 0
    box = pad.bounding_box()
    x = box["x"] + box["width"] * 0.5
    drag(page, *((x, box["y"] + box["height"] * share) for share in (0.2, 0.4, 0.6, 0.8)))
    figure = drawn(page)
    assert page.locator(".hard-label").inner_text() == str(int(figure.logits.argmax()))
    assert figure.counts[:, [0, 1, 6, 7]].sum() == 0 and (figure.counts[2:6, 3:5] > 0.2).all()
    page.get_by_role("button", name="Clear").click()
    marked = []
    for key in ("Space", "Shift+ArrowRight", "Delete"):
        pad.press(key)
        marked.append(drawn(page).counts.sum())
    assert marked[1] > marked[0] > 0 and marked[2] <= marked[1]


def test_the_temperature_moves_bars_and_no_rank(page):
    page.get_by_role("button", name="Another digit").click()
    ranks = page.locator(".rank").all_text_contents()
    for temperature in (1, 4, 20):
        page.get_by_role("button", name=f"T = {temperature}", exact=True).click()
        assert page.locator(".rank").all_text_contents() == ranks
        assert numbers(page.locator(".ten .room span")) == pytest.approx(100 * drawn(page).soft_label, abs=0.55)


def test_every_student_has_a_dot_and_tasks_are_seen_done(page):
    page.get_by_role("button", name="Clear").click()
    assert page.locator(".dots circle").count() == 40 and "Done" not in page.locator(".tasks").inner_text()
    pad = page.locator(".pad").bounding_box()
    page.mouse.move(pad["x"] + 5, pad["y"] + 5)
    page.mouse.down()
    for x, y in np.random.default_rng(0).uniform(0, 1, (60, 2)):
        page.mouse.move(pad["x"] + x * pad["width"], pad["y"] + y * pad["height"])
        if drawn(page).soft_label.max() >= 0.99:
            break
    page.mouse.up()
    assert "Done" in page.locator(".tasks").inner_text() and page.locator(".dots circle").count() == 40
