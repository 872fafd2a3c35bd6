"""Three classes: where hard, soft and mixed labels pull a student's distribution."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import traitlets

from kdcourse.figures.figure import Figure
from kdcourse.figures.loss_explorer import LogitsOfOne
from kdcourse.figures.values import Number, log_softmax, to_labels, to_names


class Simplex(Figure):
    """All distributions over three classes as a triangle, with the field of a loss and the path of gradient descent.

    `student_logits`, `teacher_logits` `(3,)`, `label` the ground truth's class index. Traits: these, `temperature` (0.1
    to 100), `soft_weight` (0 to 1), `loss` ("hard", "soft", "mixed"), `times_square`: whether the soft loss has its T².
    """

    modules = ("simplex",)
    counted: ClassVar[dict[str, str]] = {"label": "class_names"}
    class_names = traitlets.List(traitlets.Unicode(), read_only=True).tag(sync=True)
    student_logits = LogitsOfOne().tag(sync=True, limits=lambda logits: {"length": len(logits)})
    teacher_logits = LogitsOfOne().tag(sync=True, limits=lambda logits: {"length": len(logits)})
    label = traitlets.Int().tag(sync=True)
    temperature = Number(2.0, min=0.1, max=100.0).tag(sync=True)
    soft_weight = Number(0.5, min=0.0, max=1.0).tag(sync=True)
    loss = traitlets.Enum(["hard", "soft", "mixed"], "soft").tag(sync=True)
    times_square = traitlets.Bool(True).tag(sync=True)

    def __init__(
        self,
        student_logits: Any = (-0.5, 1.5, -1.0),
        teacher_logits: Any = (1.5, -0.5, -1.0),
        label: int = 0,
        class_names: Sequence[str] | None = ("cat", "dog", "fox"),
        **state: Any,
    ) -> None:
        self.set_trait("class_names", to_names(class_names, 3))
        state |= {"student_logits": student_logits, "teacher_logits": teacher_logits}
        super().__init__(label=to_labels([label], 1, 3)[0], **state)

    @traitlets.default("presets")
    def _presets(self) -> dict[str, dict[str, Any]]:
        return {
            "hard": {"loss": "hard"},
            "soft": {"loss": "soft", "times_square": True},
            "mixed": {"loss": "mixed", "times_square": True},
            "T = 10 with T²": {"temperature": 10.0, "loss": "mixed", "times_square": True},
            "T = 10 without T²": {"temperature": 10.0, "loss": "mixed", "times_square": False},
        }

    @traitlets.default("guess")
    def _guess(self) -> dict[str, Any]:
        return {
            "question": "Gradient descent follows the hard loss, then the soft loss. Where does the student end?",
            "options": ["both in the corner of the ground truth", "hard: the corner, soft: the teacher's point"],
            "reply": "The hard loss falls all the way into the corner and never ends, since its gradient is 0 nowhere "
            "inside. The soft loss ends where the student's distribution is the teacher's.",
        }

    @traitlets.validate("student_logits", "teacher_logits")
    def _three(self, proposal: Any) -> list[float]:
        if len(proposal["value"]) != 3:
            raise ValueError(f"{proposal['trait'].name} must hold 3 logits; got {len(proposal['value'])}")
        return proposal["value"]

    @traitlets.validate("label")
    def _a_class(self, proposal: Any) -> int:
        return to_labels([proposal["value"]], 1, 3)[0]

    @property
    def distributions(self) -> dict[str, np.ndarray]:
        """Of teacher and student at the temperature, `(3,)` each."""
        pairs = {"teacher": self.teacher_logits, "student": self.student_logits}
        return {whose: np.exp(log_softmax(logits, self.temperature)) for whose, logits in pairs.items()}

    @property
    def alt(self) -> str:
        """What is seen now, in words."""
        said = {
            whose: ", ".join(f"{name} {share:.2f}" for name, share in zip(self.class_names, p, strict=True))
            for whose, p in self.distributions.items()
        }
        return (
            f"the triangle of all distributions over three classes at temperature {self.temperature:.3g}: teacher "
            f"{said['teacher']}; student {said['student']}; the {self.loss} loss, ground truth "
            f"{self.class_names[self.label]}"
        )

    def draw(self) -> Any:
        from kdcourse.plots import probability_bars
        from kdlearn.comparing.plot import new_axes

        return probability_bars(self.distributions, new_axes(), self.class_names)
