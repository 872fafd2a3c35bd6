"""Every static figure: takes data and an `ax`, returns the `ax`.

The colours are Okabe and Ito's, which stay apart under colour blindness; markers and order tell them apart in print.
"""

import base64
import html
import io
import textwrap
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdlearn.formulas.intervals import Interval, label_of, seeds_of

BLACK, ORANGE, BLUE, GREEN, VERMILION, PURPLE = "#000000", "#E69F00", "#0072B2", "#009E73", "#D55E00", "#CC79A7"
MARKERS = ((BLACK, "s"), (BLUE, "o"), (VERMILION, "^"), (GREEN, "D"), (PURPLE, "v"), (ORANGE, "P"))


def new_axes(width: float = 6.4, height: float = 3.6, columns: int = 1) -> Any:
    """Axes of a new figure on a white ground, which a dark theme leaves readable; an array of them for `columns`."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = figure.subplots(1, columns)
    for ax in np.atleast_1d(axes):
        ax.spines[["top", "right"]].set_visible(False)
    return axes


class Picture:
    """A figure for a notebook, with the alternative text that a screen reader says and that a test can compare.

    HTML comes first because JupyterLab shows a bare PNG without its alternative text.
    """

    def __init__(self, ax: Axes, alt: str, dpi: int = 100) -> None:
        self.figure, self.alt, self.dpi = ax.figure, alt, dpi

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        buffer = io.BytesIO()
        self.figure.savefig(buffer, dpi=self.dpi, metadata={"Software": None})
        png = base64.b64encode(buffer.getvalue()).decode()
        image = f'<img alt="{html.escape(self.alt)}" src="data:image/png;base64,{png}">'
        return {"text/plain": self.alt, "text/html": image, "image/png": png}


def probability_bars(
    distributions: Mapping[str, Sequence[float]], ax: Axes, class_names: Sequence[str] | None = None
) -> Axes:
    """Distributions over the same classes side by side, one colour each."""
    width = 0.8 / len(distributions)
    for place, ((name, probabilities), (colour, _)) in enumerate(zip(distributions.items(), MARKERS, strict=False)):
        positions = np.arange(len(probabilities)) + (place - (len(distributions) - 1) / 2) * width
        ax.bar(positions, np.asarray(probabilities, dtype=float), width, color=colour, label=name)
    names = class_names or [str(index) for index in range(len(probabilities))]
    ax.set_xticks(range(len(names)), names)
    ax.set(xlabel="class", ylabel="probability")
    if len(distributions) > 1:
        ax.legend(frameon=False)
    return ax


def lines_with_bands(
    curves: Mapping[str, Sequence[Interval | float]], x: Sequence[float], ax: Axes, xlabel: str, ylabel: str
) -> Axes:
    """A line a name over `x`; where its values are intervals, the band of their 95 %. Learning curves, sweeps."""
    for (name, values), (colour, marker) in zip(curves.items(), MARKERS, strict=False):
        means = np.array([value.mean if isinstance(value, Interval) else value for value in values])
        ax.plot(x, means, color=colour, marker=marker, markersize=4, markevery=max(1, len(means) // 12), label=name)
        if isinstance(values[0], Interval):
            half = np.array([value.half_width for value in values])
            ax.fill_between(x, means - half, means + half, color=colour, alpha=0.15, linewidth=0)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(frameon=False)
    return ax


def strategies_with_intervals(rows: Sequence[Mapping[str, Any]], ax: Axes) -> Axes:
    """Accuracy of each arm of `summarise` with its 95 % interval, by part, the difference to ground truth beside it."""
    height = 0.0
    labels: dict[float, str] = {}
    for (part, members), (colour, marker) in zip(groupby(rows, key=lambda row: row["part"]), MARKERS, strict=False):
        ax.text(0.01, height, part, transform=ax.get_yaxis_transform(), weight="bold", va="center", color=colour)
        for row in members:
            height -= 1
            labels[height] = label_of(row)
            mean, half_width = row["accuracy"][:2]
            ax.errorbar(mean, height, xerr=half_width, color=colour, marker=marker, capsize=3)
            difference = f"{Interval(*row['difference']):+.1f}" if row["difference"] else "reference"
            ax.text(1.02, height, difference, transform=ax.get_yaxis_transform(), va="center")
        height -= 1.4
    ax.set_yticks(list(labels), list(labels.values()))
    ax.set_ylim(height + 1, 0.7)
    ax.axvline(rows[0]["accuracy"][0], color="grey", linestyle="--", linewidth=1)
    ax.text(1.02, 0, "difference", transform=ax.get_yaxis_transform(), weight="bold", va="center")
    ax.set_xlabel(f"test accuracy in %, mean and 95 % interval over {seeds_of(rows)}")
    ax.grid(axis="x", alpha=0.3)
    return ax


def image_grid(images: Sequence[Any], titles: Sequence[str], axes: Sequence[Axes]) -> Sequence[Axes]:
    """One grey or colour image an axes, `(height, width)`, `(1, height, width)` or `(3, height, width)`."""
    for image, title, ax in zip(images, titles, np.ravel(axes), strict=True):
        pixels = np.asarray(image, dtype=float)
        pixels = pixels.transpose(1, 2, 0).squeeze() if pixels.ndim == 3 else pixels
        low, high = pixels.min(), pixels.max()
        ax.imshow((pixels - low) / max(high - low, 1e-12), cmap="gray")
        ax.set_title(textwrap.fill(title, 18), fontsize=9)
        ax.axis("off")
    return axes
