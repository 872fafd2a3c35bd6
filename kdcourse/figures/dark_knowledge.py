"""What a teacher knows of real images beside its hard label."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import traitlets

from kdcourse.figures.figure import Figure
from kdcourse.figures.values import Logits, Number, log_softmax, to_data_uri, to_labels, to_logits, to_names, to_pixels

MOST_BYTES = 38_000  # of images and logits, so that a figure with its picture stays below 100 kB of a notebook


class DarkKnowledge(Figure):
    """The teacher's opinion of each image at a temperature, what its hard label hides, and the classes it finds alike.

    `teacher_logits` `(N, C)`, kept to four decimals; `labels` `(N,)` ground truth; `images` `(N, H, W)`, `(N, 1, H, W)`
    or `(N, 3, H, W)` in any range. They stay as they are; the traits to set: `temperature` (0.1 to 100), `selected` (an
    image's index), `order` ("given", "entropy": most uncertain first, "disagreement": least of the label first).
    """

    modules = ("dark_knowledge",)
    counted: ClassVar[dict[str, str]] = {"selected": "labels"}
    class_names = traitlets.List(traitlets.Unicode(), read_only=True).tag(sync=True)
    teacher_logits = Logits(read_only=True).tag(sync=True)
    labels = traitlets.List(traitlets.Int(), read_only=True).tag(sync=True)
    images = traitlets.Unicode(read_only=True).tag(sync=True)
    temperature = Number(4.0, min=0.1, max=100.0).tag(sync=True)
    selected = traitlets.Int(0).tag(sync=True)
    order = traitlets.Enum(["given", "entropy", "disagreement"], "given").tag(sync=True)

    @traitlets.default("presets")
    def _presets(self) -> dict[str, dict[str, Any]]:
        uncertain: dict[str, Any] = {"order": "entropy"}
        return {f"T = {T:g}": {"temperature": T} for T in (1.0, 4.0, 20.0)} | {"most uncertain first": uncertain}

    @traitlets.default("guess")
    def _guess(self) -> dict[str, Any]:
        return {
            "question": "The teacher's hard label is right for nearly all images. Does its soft label hold more?",
            "options": ["no, it says the same", "yes, how sure it is", "yes, which classes look alike too"],
            "reply": "It holds both. The share beside the hard label says how sure the teacher is; how that share is "
            "divided says which other classes it finds alike, image by image.",
        }

    def __init__(
        self, teacher_logits: Any, labels: Any, images: Any, class_names: Sequence[str] | None = None, **state: Any
    ) -> None:
        logits = np.round(to_logits("teacher_logits", teacher_logits), 4).tolist()
        self._pixels = to_pixels(images, len(logits))
        fixed = {"teacher_logits": logits, "images": to_data_uri(self._pixels)}
        fixed["labels"] = to_labels(labels, len(logits), len(logits[0]))
        fixed["class_names"] = to_names(class_names, len(logits[0]))
        size = len(str(logits)) + len(fixed["images"])
        if size > MOST_BYTES:
            fitting = len(logits) * MOST_BYTES // size
            raise ValueError(
                f"{len(logits)} images and their logits take {size // 1000} kB of a notebook, more than "
                f"{MOST_BYTES // 1000}; show about {fitting}: teacher_logits[:{fitting}], and the others alike"
            )
        for name, value in fixed.items():
            self.set_trait(name, value)
        super().__init__(**state)

    @traitlets.validate("selected")
    def _an_image(self, proposal: Any) -> int:
        if not 0 <= proposal["value"] < len(self.labels):
            raise ValueError(
                f"selected must be an image's index in 0 … {len(self.labels) - 1}; got {proposal['value']}"
            )
        return proposal["value"]

    @property
    def soft_labels(self) -> np.ndarray:
        """The teacher's softmax at the temperature, `(N, C)`."""
        return np.exp(log_softmax(self.teacher_logits, self.temperature))

    @property
    def similarity(self) -> np.ndarray:
        """The mean soft label of each class by ground truth, `(C, C)`; NaN for a class without images."""
        members = [self.soft_labels[np.equal(self.labels, label)] for label in range(len(self.class_names))]
        return np.array([soft.mean(axis=0) if len(soft) else soft.sum(axis=0) + np.nan for soft in members])

    @property
    def alt(self) -> str:
        """What is seen now, in words."""
        soft, truth = self.soft_labels[self.selected], self.labels[self.selected]
        first, second = np.argsort(-soft, kind="stable")[:2]
        truth, hard, runner_up = (self.class_names[k] for k in (truth, first, second))
        return (
            f"teacher's opinion of image {self.selected}, ground truth {truth}, at temperature {self.temperature:.3g}: "
            f"its hard label {hard} hides {1 - soft[first]:.1%}; {runner_up} comes second with {soft[second]:.1%}"
        )

    def draw(self) -> Any:
        from kdcourse.plots import probability_bars
        from kdlearn.comparing.plot import new_axes

        names, (image, bars, matrix) = self.class_names, new_axes(9, 3, columns=3)
        image.imshow(self._pixels[self.selected], cmap="gray", vmin=0, vmax=255)
        image.set(title=f"image {self.selected}", xticks=[], yticks=[])
        probability_bars({"teacher": self.soft_labels[self.selected]}, bars, names)
        matrix.imshow(np.where(np.eye(len(names), dtype=bool), np.nan, self.similarity), cmap="Oranges")
        matrix.set(title="mean soft label by class,\ndiagonal left out", xlabel="class", ylabel="ground truth")
        matrix.set_yticks(range(len(names)), names)
        for ax in (bars, matrix):
            ax.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 2 else 0)
        return image
