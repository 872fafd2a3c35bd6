"""The plot of gains, and what every static figure begins with: axes, and colours and markers that tell arms apart.

The colours are Okabe and Ito's, which stay apart under colour blindness; markers and order tell them apart in print.
"""

import textwrap
from typing import Any

import numpy as np

from kdlearn.comparing.printed import written
from kdlearn.data.extras import extra

with extra("plots"):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLACK, ORANGE, BLUE, GREEN, VERMILION, PURPLE = "#000000", "#E69F00", "#0072B2", "#009E73", "#D55E00", "#CC79A7"
LETTERS_AN_INCH = 10  # of a label
FEWEST_DOTS = 5  # fewer tell more than an interval over them
MARKERS = ((BLACK, "s"), (BLUE, "o"), (VERMILION, "^"), (GREEN, "D"), (PURPLE, "v"), (ORANGE, "P"))


def new_axes(width: float = 6.4, height: float = 3.6, columns: int = 1) -> Any:
    """Axes of a new figure on a white ground, which a dark theme leaves readable; an array of them for `columns`."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = figure.subplots(1, columns)
    for ax in np.atleast_1d(axes):
        ax.spines[["top", "right"]].set_visible(False)
    return axes


def gains(comparison: Any, ax: Axes, length: int | None = None) -> Axes:
    """Each arm's difference to the reference of a `Comparison`: 95 % interval, a dot a replicate, teacher or seed.

    Arms below one another in the order of the table; with fewer than five dots no interval is drawn. A figure without a
    layout engine gets one, so that names and numbers fit.
    """
    figure: Any = ax.figure
    if figure.get_layout_engine() is None:
        figure.set_layout_engine("constrained")
    rows = [row for row in comparison.arms(length) if row["difference"] is not None]
    for height, row in enumerate(rows):
        colour, marker = MARKERS[height % len(MARKERS)]
        spread = np.linspace(-0.18, 0.18, len(row["dots"])) if len(row["dots"]) > 1 else np.zeros(1)
        ax.plot(row["dots"], height + spread, ".", color=colour, alpha=0.35, markeredgewidth=0)
        gain = row["difference"]
        if len(row["dots"]) >= FEWEST_DOTS and gain.half_width:
            ax.errorbar(gain.mean, height, xerr=gain.half_width, color=colour, marker=marker, capsize=3)
        ax.text(1.02, height, written(gain, comparison.digits), transform=ax.get_yaxis_transform(), va="center")
    ax.set_yticks(range(len(rows)), [textwrap.fill(row["arm"], 34) for row in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.axvline(0, color="grey", linestyle="--", linewidth=1)
    unit = f"points of {comparison.metric}" if comparison.share else comparison.metric
    told = f"{unit} above {comparison.baseline}, 95 % interval over {comparison.over()}"
    ax.set_xlabel(textwrap.fill(told, int(LETTERS_AN_INCH * figure.get_figwidth())))
    ax.grid(axis="x", alpha=0.3)
    return ax
