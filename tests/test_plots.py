"""Figures: what is drawn is what was given."""

import base64

import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from small import made_comparison

from kdcourse.plots import Picture, gain_map, image_grid, lines_with_bands, probability_bars
from kdlearn.comparing.plot import gains, new_axes
from kdlearn.formulas.intervals import Interval


def test_probability_bars():
    ax = probability_bars({"teacher": [0.2, 0.8], "student": torch.tensor([0.5, 0.5])}, new_axes(), ["cat", "dog"])
    assert [round(bar.get_height(), 3) for bar in ax.patches] == [0.2, 0.8, 0.5, 0.5]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["cat", "dog"]
    assert len({bar.get_facecolor() for bar in ax.patches}) == 2 and ax.get_legend() is not None
    assert probability_bars({"teacher": [1.0]}, new_axes()).get_legend() is None


def test_lines_with_bands():
    curves = {"soft": [Interval(1, 0.5), Interval(2, 0.25)], "hard": [3.0, 4.0]}
    ax = lines_with_bands(curves, [10, 20], new_axes(), "images", "accuracy")
    assert [line.get_ydata().tolist() for line in ax.lines] == [[1, 2], [3, 4]]
    (band,) = ax.collections
    edges = band.get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == (0.5, 2.25)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("images", "accuracy")


def test_a_line_looks_as_it_is_told():
    looks = [("#D55E00", "^"), ("#000000", "s", "--")]
    ax = lines_with_bands({"one": [1.0, 2.0], "other": [3.0, 4.0]}, [10, 20], new_axes(), "x", "y", looks)
    drawn = [(line.get_color(), line.get_marker(), line.get_linestyle()) for line in ax.lines]
    assert drawn == [("#D55E00", "^", "-"), ("#000000", "s", "--")]


def test_a_plot_fits_a_figure_of_ones_own():
    figure = Figure(figsize=(5, 3))
    ax = gains(made_comparison(strategies=4), figure.subplots())
    figure.draw_without_rendering()
    texts = [*ax.get_yticklabels(), ax.xaxis.label, *ax.texts]
    boxes = [text.get_window_extent() for text in texts]
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= 500 and box.y1 <= 300 for box in boxes)


def test_gains_are_a_dot_a_replicate_and_the_interval_over_them():
    comparison = made_comparison(replicates=6, seeds=1)
    ax = gains(comparison, new_axes())
    dots = ax.lines[0].get_xdata()
    assert dots == pytest.approx([10 + r for r in range(6)])
    (low, high), interval = ax.containers[0].lines[2][0].get_segments()[0][:, 0], comparison.difference("soft labels")
    assert (low, high) == pytest.approx((interval.low, interval.high))
    assert f"{interval:+.1f}" in [text.get_text() for text in ax.texts]


def test_four_replicates_are_dots_without_an_interval():
    ax = gains(made_comparison(replicates=4, seeds=1), new_axes())
    assert len(ax.lines[0].get_xdata()) == 4 and not ax.containers


def test_more_arms_than_colours_are_all_drawn():
    ax = gains(made_comparison(replicates=5, seeds=1, strategies=9), new_axes())
    assert len(ax.containers) == len(ax.get_yticklabels()) == 9


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (3, 8, 8)])
def test_image_grid(shape):
    axes = new_axes(columns=2)
    image_grid([torch.rand(shape), torch.zeros(shape)], ["a 3", "nothing"], axes)
    assert [ax.get_title() for ax in axes] == ["a 3", "nothing"]
    drawn = axes[0].images[0].get_array()
    assert drawn.shape[:2] == (8, 8) and (drawn.min(), drawn.max()) == (0, 1)


def test_a_picture_carries_its_alternative_text():
    picture = Picture(new_axes(), 'a "falling" line < 1')
    data = picture._repr_mimebundle_()
    assert data["text/plain"] == repr(picture) == 'a "falling" line < 1'
    assert data["text/html"].startswith('<img alt="a &quot;falling&quot; line &lt; 1" src="data:image/png;base64,iVBOR')
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG") and data["image/png"] in data["text/html"]


def test_a_gain_map_says_every_number_and_frames_the_marked_cells():
    table = pd.DataFrame([[1.0, -2.0], [0.5, 8.0]], pd.Index([1.0, 4.0], name="T"), pd.Index([0.5, 1.0], name="w"))
    ax = gain_map(table, new_axes(), marked=[(4.0, 1.0)])
    assert [text.get_text() for text in ax.texts] == ["+1.0", "-2.0", "+0.5", "+8.0"]
    (frame,) = ax.patches
    assert (round(frame.get_x() + 0.46), round(frame.get_y() + 0.46)) == (1, 1)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("w", "T")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1", "4"]
