"""The slides' static pictures, each drawn from a record."""

import html
import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
import torch
from measured import (
    PLAIN,
    SOFT,
    TEMPERATURES,
    TRUTH,
    example,
    gains_of_each,
    gradient_lengths,
    misread,
    recorded_teacher,
)
from scipy import stats

import kdlearn
from kdcourse.claims import record
from kdcourse.plots import image_grid, probability_bars
from kdlearn.comparing.plot import BLACK, BLUE, GREEN, ORANGE, VERMILION, new_axes
from kdlearn.formulas.intervals import interval

WIDTH, HEIGHT = 1700, 780  # pixels, at one point a pixel
STYLE = {
    "font.size": 30,
    "lines.linewidth": 4,
    "lines.markersize": 13,
    "svg.fonttype": "none",
    "savefig.transparent": True,
}
ARMS = {  # name, colour and marker on the slide -> the arm
    ("teacher's hard labels", BLACK, "s"): {"strategy": "teacher's hard labels", **PLAIN},
    ("soft labels, T = 2", BLUE, "o"): SOFT,
    ("same entropy, spread evenly", VERMILION, "^"): {"strategy": "same entropy, spread evenly"},
}

Drawn = tuple[Any, str]  # axes, and what they show in words


def svg_of(draw: Callable[[], Drawn]) -> str:
    """An SVG whose text is text. A group with the identifier `step-2-…` appears at the second key."""
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": draw.__name__}):
        ax, alt = draw()
        buffer = io.StringIO()
        ax.figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = re.sub(
        r"^.*?<svg", f'<svg role="img" aria-label="{html.escape(alt)}"', buffer.getvalue(), count=1, flags=re.DOTALL
    )
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    return re.sub(r'id="step-(\d+)-', r'class="fragment" data-fragment-index="\1" id="step-\1-', text)


def axes(width: int = WIDTH, height: int = HEIGHT, columns: int = 1) -> Any:
    return new_axes(width / 72, height / 72, columns)


def gains_at_60() -> Drawn:
    ax, found = axes(height=780), record("digits", "comparison.parquet")
    for height, ((_, colour, marker), arm) in enumerate(ARMS.items()):
        each = found.each(arm, TRUTH, length=3000, images=60)
        gain = interval(each)
        marks = ax.plot(
            each, height + np.linspace(-0.25, 0.25, len(each)), ".", color=colour, alpha=0.45, markersize=22
        )
        bar = ax.errorbar(gain.mean, height, xerr=gain.half_width, color=colour, marker=marker, capsize=10)
        said = ax.text(
            1.0, height, f"{gain:+.1f}".replace("-", "−"), transform=ax.get_yaxis_transform(), va="center", ha="right"
        )
        for part, artist in enumerate((*marks, *bar.get_children(), said)):
            artist.set_gid(f"step-{height}-{part}")
    ax.set_yticks(range(len(ARMS)), [name.replace(", ", ",\n") for name, _, _ in ARMS])
    ax.set(
        ylim=(len(ARMS) - 0.5, -0.5),
        xlim=(-7, 12.5),
        xlabel="points of accuracy above ground truth, 95 % interval over 24 teachers",
    )
    ax.axvline(0, color="grey", linestyle="--", linewidth=2)
    return ax, "gains over ground truth at 60 labels after 3,000 updates, a dot a teacher, for three kinds of label"


def gain_by_length() -> Drawn:
    ax, found = axes(), record("digits", "comparison.parquet")
    for place, (images, colour, marker) in enumerate(((60, BLUE, "o"), (240, GREEN, "D"), (1200, ORANGE, "P"))):
        gains = [found.difference(SOFT, TRUTH, length=length, images=images) for length in found.lengths]
        means, half = ([getattr(gain, name) for gain in gains] for name in ("mean", "half_width"))
        bars = ax.errorbar(found.lengths, means, half, color=colour, marker=marker, capsize=8)
        name = ax.text(3400, means[-1], f"{images:,} labels", va="center", color=BLACK)
        for part, artist in enumerate((*bars.get_children(), name)):
            artist.set_gid(f"step-{place}-{part}")
    ax.set_xscale("log")
    ax.set_xticks(found.lengths, [f"{length:,}" for length in found.lengths])
    ax.minorticks_off()
    ax.set(xlim=(85, 9000), xlabel="updates", ylabel="points above\nground truth")
    ax.axhline(0, color="grey", linestyle="--", linewidth=2)
    return ax, "gain of soft labels over ground truth by number of updates, a line for 60, 240 and 1,200 labels"


def intervals_of_each() -> Drawn:
    ax, found = axes(), gains_of_each()
    for place, row in enumerate(found[found.mean(axis=1).argsort()]):
        one = interval(row)
        ax.errorbar(place, one.mean, one.half_width, color=BLUE, marker="o", capsize=6)
    over = interval(found.mean(axis=1))
    ax.axhspan(over.low, over.high, color=VERMILION, alpha=0.4, linewidth=0).set_gid("step-0-band")
    ax.axhline(0, color="grey", linestyle="--", linewidth=2)
    ax.set(xlabel="24 teachers, each with six seeds", ylabel="gain in points, 95 % interval", xticks=[])
    return ax, f"24 intervals, each over six seeds of one teacher, and the interval {over:+.1f} over teachers"


def half_width_by_teachers() -> Drawn:
    ax, means = axes(), gains_of_each().mean(axis=1)
    counts = np.array([3, 6, 12, 24])
    widths = [stats.t.ppf(0.975, count - 1) * means.std(ddof=1) / count**0.5 for count in counts]
    (line,) = ax.loglog(counts, widths, color=BLUE, marker="o")
    line.set_gid("step-0-line")
    for part, (count, width) in enumerate(zip(counts, widths, strict=True)):
        ax.text(count, 1.12 * width, f"± {width:.1f}", ha="center").set_gid(f"step-0-{part}")
    ax.set_xticks(counts, [f"{count}" for count in counts])
    ax.set_yticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
    ax.minorticks_off()
    ax.set(ylim=(0.3, 6), xlim=(2.5, 29), xlabel="teachers with six seeds each", ylabel="half width in points")
    return ax, "half width of the interval over teachers, by their number, for the spread that was recorded"


def gradient_over_temperature() -> Drawn:
    ax, found = axes(height=560), gradient_lengths()
    (line,) = ax.loglog(TEMPERATURES, found, color=BLUE, marker="o", label="untrained student, without T²")
    line.set_gid("step-0-line")
    for power, colour, dash in ((1, ORANGE, ":"), (2, VERMILION, "--")):
        ax.loglog(
            TEMPERATURES,
            found[-1] * (TEMPERATURES / TEMPERATURES[-1]) ** -power,
            dash,
            color=colour,
            label=f"slope of 1/T{'²' * (power == 2)}",
        )
    ax.set_xticks(TEMPERATURES, [f"{T:g}" for T in TEMPERATURES])
    ax.set_yticks([1, 0.1, 0.01, 0.001], ["1", "0.1", "0.01", "0.001"])
    ax.minorticks_off()
    ax.set(xlabel="temperature", ylabel="length of the gradient")
    ax.legend(frameon=False)
    return ax, "an untrained student's gradient of KL: its length by temperature, and lines of slope one and two"


def three_labels() -> Drawn:
    held, (image, bars) = recorded_teacher(), axes(height=400, columns=2)
    place = misread()
    image_grid([held["images"][place]], [""], [image])
    soft = kdlearn.soft_labels(torch.as_tensor(held["teacher_logits"][[place]]))[0]
    probability_bars({"": soft}, bars)
    return image, f"a handwritten digit, and the teacher's ten probabilities for it: {example()['soft']}"


DRAWN = (
    three_labels,
    gradient_over_temperature,
    gains_at_60,
    gain_by_length,
    intervals_of_each,
    half_width_by_teachers,
)
PICTURES = {draw.__name__: draw for draw in DRAWN}
