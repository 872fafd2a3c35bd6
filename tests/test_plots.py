"""Figures: what is drawn is what was given."""

import base64

import pytest
import torch

from kdlearn.plots import Picture, image_grid, lines_with_bands, new_axes, probability_bars, strategies_with_intervals
from kdlearn.studies import Interval

ROWS = [
    {"part": "own", "arm": "ground truth", "temperature": None, "seeds": 3, "accuracy": [80, 2], "difference": None},
    {"part": "own", "arm": "soft labels", "temperature": 2.0, "seeds": 3, "accuracy": [85, 1], "difference": [5, 1.5]},
    {"part": "all", "arm": "soft labels", "temperature": 4.0, "seeds": 3, "accuracy": [90, 3], "difference": [10, 2]},
]


def test_probability_bars():
    ax = probability_bars({"teacher": [0.2, 0.8], "student": torch.tensor([0.5, 0.5])}, new_axes(), ["cat", "dog"])
    assert [round(bar.get_height(), 3) for bar in ax.patches] == [0.2, 0.8, 0.5, 0.5]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["cat", "dog"]
    assert len({bar.get_facecolor() for bar in ax.patches}) == 2 and ax.get_legend() is not None


def test_a_single_distribution_needs_no_legend():
    assert probability_bars({"teacher": [1.0]}, new_axes()).get_legend() is None


def test_lines_with_bands():
    curves = {"soft": [Interval(1, 0.5), Interval(2, 0.25)], "hard": [3.0, 4.0]}
    ax = lines_with_bands(curves, [10, 20], new_axes(), "images", "accuracy")
    assert [line.get_ydata().tolist() for line in ax.lines] == [[1, 2], [3, 4]]
    (band,) = ax.collections
    edges = band.get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == (0.5, 2.25)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("images", "accuracy")


def test_strategies_with_intervals():
    ax = strategies_with_intervals(ROWS, new_axes())
    means = [bar.lines[0].get_xdata()[0] for bar in ax.containers]
    assert means == [80, 85, 90]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "ground truth",
        "soft labels, T = 2",
        "soft labels, T = 4",
    ]
    texts = [text.get_text() for text in ax.texts]
    assert {"own", "all", "reference", "+5.0 ± 1.5", "+10.0 ± 2.0"} <= set(texts)


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
