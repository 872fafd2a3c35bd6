"""A spoken digit, by microphone or from a file, and what a student of 4,700 parameters hears in it, in the page."""

import base64
import json
import struct
from functools import cache
from typing import Any, ClassVar

import numpy as np
import traitlets
from safetensors.numpy import load

from kdcourse.figures.figure import FOLDER, Figure
from kdcourse.figures.values import Number, log_softmax

STAYS = "What you record or open stays in this page: it is not sent, not kept, and in no link."
TEACHER = (
    "The teacher has 618,000 parameters. The student answers one of ten digits whatever it hears, a tone or a cough "
    "too: a sure answer is no sign that a digit was said. The page refuses only a sound that is too quiet."
)
SOURCE = (
    "The sounds to choose from are spectrograms of recordings by theo, of the Free Spoken Digit Dataset (Jackson et "
    "al.), rounded to a byte a place; like it they are licensed under CC BY-SA 4.0."
)


@cache
def weights() -> bytes:
    """The student that `studies/speak_a_digit/plan.py` trained."""
    return (FOLDER / "speak_a_digit.safetensors").read_bytes()


@cache
def examples() -> bytes:
    """Spectrograms of sounds, with the logits of that study's teacher."""
    return (FOLDER / "spoken_examples.safetensors").read_bytes()


def told_by(file: bytes) -> dict[str, str]:
    """What a safetensors file says of itself."""
    (size,) = struct.unpack("<Q", file[:8])
    return json.loads(file[8 : 8 + size])["__metadata__"]


@cache
def record() -> dict[str, Any]:
    """What that study measured."""
    return json.loads(told_by(weights())["record"])


def accuracies() -> str:
    """The record in a sentence."""
    student, teacher = (record()[who] for who in ("student", "teacher"))
    return (
        f"Of {record()['recordings']} recordings by theo, of whom neither network heard anything before, the student "
        f"reads {student['as recorded']:.1f} % rightly and the teacher {teacher['as recorded']:.1f} %; somewhere in "
        f"two seconds of faint noise {student['in noise']:.1f} % and {teacher['in noise']:.1f} %. All six speakers of "
        "the data are men: how other voices are understood was not measured."
    )


class SpeakADigit(Figure):
    """Speak a digit into the microphone, or open a sound: its spectrogram, and the soft label of a small student.

    Nothing that is recorded or opened leaves the page, so Python knows of it nothing either. The student is that of
    `studies/speak_a_digit/plan.py`, which learned the soft labels of a teacher of 618,000 parameters; the teacher's
    answers are there for six recordings of a man of whom neither heard anything before.

    Traits: `sound`, which of these is heard (0 to 5); `temperature` (0.25 to 20).

    >>> from kdcourse.figures import SpeakADigit
    >>> SpeakADigit(sound=0).soft_label.shape
    (10,)
    """

    modules = ("networks", "speak_a_digit")
    counted: ClassVar[dict[str, str]] = {"sound": "names"}
    sound = traitlets.Int(0).tag(sync=True)
    temperature = Number(1.0, min=0.25, max=20.0).tag(sync=True)
    weights = traitlets.Unicode(read_only=True).tag(sync=True)
    examples = traitlets.Unicode(read_only=True).tag(sync=True)
    names = traitlets.List(traitlets.Unicode(), read_only=True).tag(sync=True)
    notes = traitlets.List(traitlets.Unicode(), read_only=True).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        self.set_trait("weights", base64.b64encode(weights()).decode())
        self.set_trait("examples", base64.b64encode(examples()).decode())
        self.set_trait("names", json.loads(told_by(examples())["names"]))
        self.set_trait("notes", [STAYS, accuracies(), TEACHER, SOURCE])
        super().__init__(**state)

    @traitlets.validate("sound")
    def _one_of_them(self, proposal: Any) -> int:
        if not 0 <= proposal["value"] < len(self.names):
            raise ValueError(f"sound must lie in 0 … {len(self.names) - 1}; got {proposal['value']}")
        return proposal["value"]

    @traitlets.default("presets")
    def _presets(self) -> dict[str, dict[str, Any]]:
        return {f"T = {temperature:g}": {"temperature": temperature} for temperature in (1.0, 4.0, 20.0)}

    @traitlets.default("guess")
    def _guess(self) -> dict[str, Any]:
        order = [int(digit) for digit in np.argsort(-self.logits, kind="stable")]
        return {
            "question": f"{self.names[self.sound]}, and the student hears {order[0]}. Which digit is second in its "
            "soft label?",
            "options": [str(digit) for digit in sorted((order[1], order[2], order[-1]))],
            "reply": f"{order[1]} is second. The hard label drops this; the soft label keeps it. The student learned "
            "from a teacher's labels of this kind. Say a digit yourself, and see what is second.",
        }

    @property
    def spectrogram(self) -> np.ndarray:
        """Of the sound, `(32, 64)`: bands, low ones first, and frames."""
        held = load(examples())
        floor, step = held["levels"].astype(float)
        return floor + step * held["spectrograms"][self.sound]

    @property
    def logits(self) -> np.ndarray:
        """The student's, `(10,)`."""
        held = load(weights())
        mean, deviation = held["standard"].astype(float)
        maps = ((self.spectrogram - mean) / deviation)[None]
        for layer in (0, 3):
            weight, bias = parameters(held, layer)
            around = np.lib.stride_tricks.sliding_window_view(np.pad(maps, ((0, 0), (1, 1), (1, 1))), (3, 3), (1, 2))
            maps = np.einsum("cyxij,ocij->oyx", around[:, ::2, ::2], weight) + bias[:, None, None]
            channels, height, width = maps.shape
            maps = np.maximum(maps, 0).reshape(channels, height // 2, 2, width // 2, 2).max(axis=(2, 4))
        weight, bias = parameters(held, 7)
        return weight @ maps.ravel() + bias

    @property
    def teacher_logits(self) -> np.ndarray:
        """The teacher's, recorded, `(10,)`."""
        return load(examples())["teacher"][self.sound].astype(float)

    @property
    def soft_label(self) -> np.ndarray:
        """The student's softmax at the temperature, `(10,)`."""
        return np.exp(log_softmax(self.logits, self.temperature))

    @property
    def alt(self) -> str:
        """What is seen now, in words."""
        soft = self.soft_label
        first, second = np.argsort(-soft, kind="stable")[:2]
        return (
            f"the log-mel spectrogram of a sound, {self.names[self.sound]}; the student's soft label at temperature "
            f"{self.temperature:.3g} gives {soft[first]:.0%} to {first} and {soft[second]:.0%} to {second}; the hard "
            f"label of its teacher is {self.teacher_logits.argmax()}"
        )

    def draw(self) -> Any:
        from kdcourse.plots import probability_bars
        from kdlearn.comparing.plot import new_axes

        image, bars = new_axes(9, 3, columns=2)
        image.imshow(self.spectrogram, cmap="Blues", origin="lower", aspect="auto", extent=(0, 1.04, 0, 32))
        image.set(title=self.names[self.sound], xlabel="seconds", ylabel="band of the mel scale")
        teacher = np.exp(log_softmax(self.teacher_logits, self.temperature))
        probability_bars({"student": self.soft_label, "teacher": teacher}, bars, [str(digit) for digit in range(10)])
        return image


def parameters(held: dict[str, np.ndarray], layer: int) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias of the student's layer, in float64."""
    weight, scale, bias = (held[f"student.{layer}.{part}"].astype(float) for part in ("weight", "scale", "bias"))
    return weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), bias
