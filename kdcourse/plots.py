"""Every static figure of the course: takes data and an `ax`, returns the `ax`. kdlearn's own stand here too."""

import base64
import html
import io
import textwrap
from collections.abc import Collection, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from kdlearn.comparing.plot import BLACK, BLUE, MARKERS, ORANGE
from kdlearn.comparing.plot import VERMILION as VERMILION
from kdlearn.comparing.plot import gains as gains
from kdlearn.comparing.plot import new_axes as new_axes
from kdlearn.formulas.intervals import Interval


class Picture:
    """A figure for a notebook, with the alternative text that a screen reader says and that a test can compare.

    HTML comes first because JupyterLab shows a bare PNG without its alternative text.
    """

    def __init__(self, ax: Axes, alt: str, dpi: int = 100) -> None:
        self.figure: Any = ax.figure
        self.alt, self.dpi = alt, dpi

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        buffer = io.BytesIO()
        self.figure.savefig(buffer, dpi=self.dpi, metadata={"Software": None})
        png = base64.b64encode(buffer.getvalue()).decode()
        image = f'<img alt="{html.escape(self.alt)}" src="data:image/png;base64,{png}">'
        return {"text/plain": self.alt, "text/html": image, "image/png": png}


def probability_bars(distributions: Mapping[str, Any], ax: Axes, class_names: Sequence[str] | None = None) -> Axes:
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
    curves: Mapping[str, Sequence[Interval | float]],
    x: Sequence[float],
    ax: Axes,
    xlabel: str,
    ylabel: str,
    looks: Sequence[tuple[str, ...]] = MARKERS,
) -> Axes:
    """A line a name over `x`; where its values are intervals, the band of their 95 %. Learning curves, sweeps.

    `looks` has a colour and a marker for each line, so that an arm looks the same in several figures, and a line style
    where the line is not solid.
    """
    for (name, values), (colour, marker, *style) in zip(curves.items(), looks, strict=False):
        means = np.array([value.mean if isinstance(value, Interval) else value for value in values])
        line, every = style[0] if style else "-", max(1, len(means) // 12)
        ax.plot(x, means, line, color=colour, marker=marker, markersize=4, markevery=every, label=name)
        bands = [value for value in values if isinstance(value, Interval)]
        if bands:
            half = np.array([value.half_width for value in bands])
            ax.fill_between(x, means - half, means + half, color=colour, alpha=0.15, linewidth=0)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(frameon=False)
    return ax


def gain_map(
    table: pd.DataFrame, ax: Axes, marked: Collection[tuple[Any, Any]] = (), limit: float | None = None
) -> Axes:
    """A number a cell of a table, blue above 0 and orange below; the `marked` cells, (row, column), have a frame.

    `limit` is the number of the full colour, the same for maps side by side; None takes the table's largest.
    """
    colours = LinearSegmentedColormap.from_list("", [ORANGE, "white", BLUE])
    full = limit or float(table.abs().max().max())
    ax.imshow(table, cmap=colours, vmin=-full, vmax=full, aspect="auto")
    values = table.to_numpy()
    for (down, row), (along, column) in product(enumerate(table.index), enumerate(table.columns)):
        value = values[down, along]
        ax.text(along, down, f"{value:+.1f}", ha="center", va="center", color="white" if value > 0.6 * full else BLACK)
        if (row, column) in marked:
            ax.add_patch(Rectangle((along - 0.46, down - 0.46), 0.92, 0.92, fill=False, edgecolor=BLACK, linewidth=1.5))
    ax.set_xticks(range(len(table.columns)), [f"{column:g}" for column in table.columns])
    ax.set_yticks(range(len(table.index)), [f"{row:g}" for row in table.index])
    ax.set(xlabel=table.columns.name, ylabel=table.index.name)
    return ax


def image_grid(images: Sequence[Any], titles: Sequence[str], axes: Any) -> Any:
    """One grey or colour image an axes, `(height, width)`, `(1, height, width)` or `(3, height, width)`."""
    for image, title, ax in zip(images, titles, np.ravel(axes), strict=True):
        pixels = np.asarray(image, dtype=float)
        pixels = pixels.transpose(1, 2, 0).squeeze() if pixels.ndim == 3 else pixels
        low, high = pixels.min(), pixels.max()
        ax.imshow((pixels - low) / max(high - low, 1e-12), cmap="gray")
        ax.set_title(textwrap.fill(title, 18), fontsize=9)
        ax.axis("off")
    return axes
