"""When does distillation help? What the atlas measured, by temperature and weight."""

from functools import cache
from typing import Any

import traitlets

from kdcourse.figures.figure import FOLDER, Figure
from kdlearn.data.files import read_json

DATA = FOLDER / "atlas.json"
KINDS = {
    "as they are": "saw the images as they are",
    "shifted, short": "saw shifted images, 300 updates",
    "shifted, long": "saw shifted images, 900 updates",
    "small": "a quarter of the channels",
    "large": "one and a half times the channels",
    "trained long": "900 updates in place of 300",
    "smoothed": "learned smoothed labels",
    "ensemble": "five as one, probabilities below 1e-6 raised",
    "student's size": "a perceptron of the student's size",
    "student's labels": "learned the student's images alone",
    "untrained": "untrained",
}
CHOICES = ("images", "kind", "width", "length", "rate")


@cache
def measured() -> dict[str, Any]:
    """What `studies/atlas/figure.py` took from the record."""
    if not DATA.exists():
        raise FileNotFoundError(f"{DATA} is not there; python studies/atlas/figure.py makes it from the atlas's record")
    return read_json(DATA)


class Atlas(Figure):
    """Gains over ground truth by temperature and weight, and what of them is labels and what softness.

    Traits: `images` (20, 60, 240 or 1200 labelled ones), `kind` (of teacher, a key of `KINDS`), the student's `width`
    (8, 32, 128), `length` (100 to 10,000 updates), `rate` (of learning: "0.003 for all", "each its own"); `temperature`
    (1, 2 … 32) and `soft_weight` (0.25, 0.5, 0.75, 0.9, 1) of the cell that is told; `part` ("gain", "softness"), which
    the map shows. Not all of these were measured together: the figure says what was not; nothing is interpolated.

    `record` is what `studies/atlas/figure.py` writes, by default that of the package, without which it is a
    FileNotFoundError.

    >>> where = {"images": 60, "kind": "as they are", "width": 32, "length": 1000, "rate": "0.003 for all"}
    >>> cells = [[4.0, 1.0, 3.0, 0.5, 2.8, 0.6]]  # T, weight, gain and softness, each with its half width
    >>> Atlas({"replicates": 80, "scenes": [{**where, "labels": [0.2, 0.3], "cells": cells}]}).found["softness"]
    (2.8, 0.6)
    """

    modules = ("atlas",)
    images = traitlets.Enum([20, 60, 240, 1200], 60).tag(sync=True)
    kind = traitlets.Enum(list(KINDS), "as they are").tag(sync=True)
    width = traitlets.Enum([8, 32, 128], 32).tag(sync=True)
    length = traitlets.Enum([100, 300, 1000, 3000, 10000], 1000).tag(sync=True)
    rate = traitlets.Enum(["0.003 for all", "each its own"], "0.003 for all").tag(sync=True)
    temperature = traitlets.Enum([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], 4.0).tag(sync=True)
    soft_weight = traitlets.Enum([0.25, 0.5, 0.75, 0.9, 1.0], 1.0).tag(sync=True)
    part = traitlets.Enum(["gain", "softness"], "gain").tag(sync=True)
    kinds = traitlets.Dict(KINDS, read_only=True).tag(sync=True)
    scenes = traitlets.List(traitlets.Dict(), read_only=True).tag(sync=True)
    replicates = traitlets.Int(read_only=True).tag(sync=True)

    def __init__(self, record: dict[str, Any] | None = None, **state: Any) -> None:
        record = measured() if record is None else record
        self.set_trait("scenes", record["scenes"])
        self.set_trait("replicates", record["replicates"])
        super().__init__(**state)

    @traitlets.default("presets")
    def _presets(self) -> dict[str, dict[str, Any]]:
        start = {"images": 60, "kind": "as they are", "width": 32, "length": 1000, "rate": "0.003 for all"}
        own = {**start, "rate": "each its own", "length": 3000}
        return {
            "60 images": start,
            "20 images": {**own, "images": 20},
            "1,200 images": {**own, "images": 1200},
            "wide student": {**start, "width": 128},
            "teacher of shifted images": {**start, "kind": "shifted, long"},
        }

    @traitlets.default("guess")
    def _guess(self) -> dict[str, Any]:
        return {
            "question": f"A teacher labels {self.images:,} images, whose ground truth is known too. What gives the "
            f"student more: the teacher's hard labels, or their softness at T = {self.temperature:g}?",
            "options": ["its hard labels", "their softness", "neither: no gain is seen"],
            "reply": f"{self.said} A hard label differs from the ground truth only where the teacher is wrong about an "
            "image. A soft label also says how much the image resembles every other class.",
        }

    def scene(self) -> dict[str, Any] | None:
        """What was measured at the present choices; None if nothing was."""
        here = {name: getattr(self, name) for name in CHOICES}
        return next((scene for scene in self.scenes if {name: scene[name] for name in CHOICES} == here), None)

    @property
    def found(self) -> dict[str, tuple[float, float]]:
        """Mean and half width, in points, of "labels", "softness" and "gain" in the cell told; {} if not measured."""
        scene = self.scene() or {"labels": [], "cells": []}
        for *where, gain, its_half, softness, half in scene["cells"]:
            if where == [self.temperature, self.soft_weight]:
                return {"labels": tuple(scene["labels"]), "softness": (softness, half), "gain": (gain, its_half)}
        return {}

    @property
    def said(self) -> str:
        """The cell that is told, in a sentence."""
        cell = f"T = {self.temperature:g}, weight {self.soft_weight:g}"
        where = f"With {self.images:,} images, {self.length:,} updates, {cell}"
        if not self.found:
            return f"{where}, nothing was measured."
        parts = {name: f"{mean:+.1f} ± {half:.1f}" for name, (mean, half) in self.found.items()}
        return (
            f"{where}, soft labels gain {parts['gain']} points over ground truth: {parts['labels']} by the teacher's "
            f"hard labels, {parts['softness']} by softness."
        )

    @property
    def alt(self) -> str:
        about = f"Teacher: {KINDS[self.kind]}. Student of width {self.width}, learning rate {self.rate}."
        return f"{self.said} {about} 95 % intervals over {self.replicates} replicates, unadjusted."

    def draw(self) -> Any:
        from kdlearn.comparing.plot import BLUE, new_axes

        ax = new_axes(height=2.4)
        for name, (mean, half) in reversed(self.found.items()):
            colour = BLUE if abs(mean) > half else "grey"
            ax.errorbar(mean, name, xerr=half, color=colour, marker="o", capsize=3)
        ax.axvline(0, color="grey", linewidth=1)
        ax.margins(y=0.3)
        ax.set_xlabel("points over ground truth, of softness over hard labels; 95 % interval")
        return ax
