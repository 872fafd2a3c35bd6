"""A pad to draw on, and what a teacher and forty students see in the drawing."""

import base64
import json
import struct
from functools import cache
from typing import Any

import numpy as np
import traitlets
from safetensors.numpy import load

from kdcourse.figures.figure import FOLDER, Figure
from kdcourse.figures.values import Number, log_softmax

PATTERN = "[0-9a-f]{256}"


@cache
def weights() -> bytes:
    """The networks that `studies/draw_a_digit/plan.py` trained."""
    return (FOLDER / "draw_a_digit.safetensors").read_bytes()


@cache
def record() -> dict[str, Any]:
    """What that study measured."""
    (size,) = struct.unpack("<Q", weights()[:8])
    return json.loads(json.loads(weights()[8 : 8 + size])["__metadata__"]["record"])


def accuracies() -> dict[str, Any]:
    """The record in the figure's words: each arm's mean accuracy, their difference with its interval."""
    arms = {arm: f"{np.mean(of['as they are']):.1f} %" for arm, of in record()["students"].items()}
    found = record()["soft labels - ground truth"]
    return {**arms, "mean": found["mean"], "half_width": found["half_width"], "count": 400}


class Cells(traitlets.Unicode):
    """1,024 cells, row by row, as 256 hexadecimal digits."""

    def validate(self, owner: Any, value: Any) -> str:
        text = super().validate(owner, value)
        if len(text) != 256 or set(text) - set("0123456789abcdef"):
            raise ValueError(f"{self.name} must be 32 × 32 cells as 256 hexadecimal digits 0 … f; got {value!r:.40}")
        return text


class DrawADigit(Figure):
    """Draw over a digit: the hard label, the soft label, and the digits that twenty students of two strategies name.

    Traits: `cells`, the pad of 32 × 32 cells as 256 hexadecimal digits, by default a digit that the teacher finds hard;
    `temperature` (0.25 to 20). The networks are those of `studies/draw_a_digit/plan.py`.
    """

    modules = ("networks", "draw_a_digit")
    cells = Cells().tag(sync=True, limits=lambda _: {"pattern": PATTERN})
    temperature = Number(1.0, min=0.25, max=20.0).tag(sync=True)
    weights = traitlets.Unicode(read_only=True).tag(sync=True)
    examples = traitlets.List(traitlets.Unicode(), read_only=True).tag(sync=True)
    accuracies = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        self.set_trait("weights", base64.b64encode(weights()).decode())
        self.set_trait("examples", [row.tobytes().hex() for row in load(weights())["examples"]])
        self.set_trait("accuracies", accuracies())
        super().__init__(**{"cells": self.examples[0]} | state)

    @traitlets.default("presets")
    def _presets(self) -> dict[str, dict[str, Any]]:
        return {f"T = {temperature:g}": {"temperature": temperature} for temperature in (1.0, 4.0, 20.0)}

    @traitlets.default("guess")
    def _guess(self) -> dict[str, Any]:
        order = np.argsort(-self.logits, kind="stable")
        first, second, third = (int(digit) for digit in order[:3])
        options = sorted({second, third, int(order[-1])})
        return {
            "question": f"The teacher says {first}. Which digit is second?",
            "options": [str(digit) for digit in options],
            "reply": f"{second} is second. The hard label drops this; the soft label keeps it. "
            "Draw over the digit, and see how the soft label follows each stroke.",
        }

    @property
    def counts(self) -> np.ndarray:
        """The share of marked cells in each block of 4 × 4, `(8, 8)`."""
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(self.cells), np.uint8)).reshape(8, 4, 8, 4)
        return bits.mean(axis=(1, 3))

    @property
    def logits(self) -> np.ndarray:
        """The teacher's, `(10,)`."""
        held, values = load(weights()), self.counts.ravel()
        for layer in (1, 3, 5):
            weight, scale, bias = (
                held[f"teacher.{layer}.{part}"].astype(float) for part in ("weight", "scale", "bias")
            )
            values = (weight * scale[:, None]) @ (np.maximum(values, 0) if layer > 1 else values) + bias
        return values

    @property
    def soft_label(self) -> np.ndarray:
        """The teacher's softmax at the temperature, `(10,)`."""
        return np.exp(log_softmax(self.logits, self.temperature))

    @property
    def alt(self) -> str:
        """What is seen now, in words."""
        soft = self.soft_label
        first, second = np.argsort(-soft, kind="stable")[:2]
        return (
            f"a drawn digit; the teacher's hard label is {first}, its soft label at temperature {self.temperature:.3g} "
            f"gives {soft[first]:.0%} to {first} and {soft[second]:.0%} to {second}"
        )

    def draw(self) -> Any:
        from kdcourse.plots import probability_bars
        from kdlearn.comparing.plot import new_axes

        image, bars = new_axes(8, 3, columns=2)
        image.imshow(self.counts, cmap="gray", vmin=0, vmax=1)
        image.set(title="the drawing in blocks of 4 × 4", xticks=[], yticks=[])
        probability_bars({"teacher": self.soft_label}, bars, [str(digit) for digit in range(10)])
        return image
