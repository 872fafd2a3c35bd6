"""The distillation loss of one example, and what it does to the student's logits."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import traitlets

from kdcourse.figures.figure import Figure
from kdcourse.figures.values import Logits, Number, log_softmax, to_labels, to_logits, to_names

THINGS = ("cat", "dog", "fox", "car", "ship")


class LogitsOfOne(Logits):
    """Finite numbers of shape `(C,)`: the logits of one example."""

    def validate(self, owner: Any, value: Any) -> list[float]:
        rows = super().validate(owner, value)
        if len(rows) > 1:
            raise ValueError(f"{self.name} must be one example's, of shape (C,); got {np.shape(value)}")
        return rows[0]


class LossExplorer(Figure):
    """Teacher and student, whose bars can be dragged, their loss, and the push it gives each of the student's logits.

    `student_logits`, `teacher_logits` `(C,)`, `label` the ground truth's class index. Traits: these, `temperature`
    (0.1 to 100), `soft_weight` (0 to 1), `direction` ("forward": KL(teacher ‖ student), or "reverse"), `times_square`:
    T², `view`: "push" on each logit, or the "balance" of both parts over the temperatures.
    """

    modules = ("balance", "loss_explorer")
    counted: ClassVar[dict[str, str]] = {"label": "class_names"}
    class_names = traitlets.List(traitlets.Unicode(), read_only=True).tag(sync=True)
    student_logits = LogitsOfOne().tag(sync=True, limits=lambda logits: {"length": len(logits)})
    teacher_logits = LogitsOfOne().tag(sync=True, limits=lambda logits: {"length": len(logits)})
    label = traitlets.Int().tag(sync=True)
    temperature = Number(4.0, min=0.1, max=100.0).tag(sync=True)
    soft_weight = Number(0.9, min=0.0, max=1.0).tag(sync=True)
    direction = traitlets.Enum(["forward", "reverse"], "forward").tag(sync=True)
    times_square = traitlets.Bool(True).tag(sync=True)
    view = traitlets.Enum(["push", "balance"], "push").tag(sync=True)

    @traitlets.default("presets")
    def _presets(self) -> dict[str, dict[str, Any]]:
        return {
            "T = 1": {"temperature": 1.0, "times_square": True},
            "T = 10": {"temperature": 10.0, "times_square": True},
            "T = 10 without T²": {"temperature": 10.0, "times_square": False},
            "balance over T": {"view": "balance"},
            "push on each logit": {"view": "push"},
        }

    @traitlets.default("guess")
    def _guess(self) -> dict[str, Any]:
        return {
            "question": "The combined loss has a soft and a hard part. T grows from 1 to 10, and T² is left out. "
            "What becomes of the pull of the soft part on the logits?",
            "options": ["it stays as it was", "about a tenth", "about a hundredth"],
            "reply": "About a hundredth. One factor 1 / T comes from the chain rule, as the logits are divided by T; "
            "the difference of the two distributions shrinks by about 1 / T too. T² takes both back.",
        }

    def __init__(
        self,
        student_logits: Any = (2.0, 2.5, 0.5, 1.0, 0.0),
        teacher_logits: Any = (6.0, 3.0, 4.0, -1.0, -2.0),
        label: int = 0,
        class_names: Sequence[str] | None = None,
        **state: Any,
    ) -> None:
        num_classes = len(to_logits("teacher_logits", teacher_logits)[0])
        names = to_names(THINGS if class_names is None and num_classes == len(THINGS) else class_names, num_classes)
        self.set_trait("class_names", names)
        state |= {"student_logits": student_logits, "teacher_logits": teacher_logits}
        super().__init__(label=to_labels([label], 1, num_classes)[0], **state)

    @traitlets.validate("student_logits", "teacher_logits")
    def _a_logit_a_class(self, proposal: Any) -> list[float]:
        got, expected = len(proposal["value"]), len(self.class_names)
        if got != expected:
            raise ValueError(f"{proposal['trait'].name} must hold a logit a class, {expected} in all; got {got}")
        return proposal["value"]

    @traitlets.validate("label")
    def _a_class(self, proposal: Any) -> int:
        return to_labels([proposal["value"]], 1, len(self.class_names))[0]

    @property
    def losses(self) -> dict[str, float]:
        """The numbers of the table: "soft" with its T² if that is on, "hard", and "combined" by the soft weight."""
        log_q, log_p = (log_softmax(logits, self.temperature) for logits in (self.student_logits, self.teacher_logits))
        log_from, log_to = (log_p, log_q) if self.direction == "forward" else (log_q, log_p)
        factor = self.temperature**2 if self.times_square else 1.0
        soft = factor * float(np.exp(log_from) @ (log_from - log_to))
        hard = -float(log_softmax(self.student_logits, 1.0)[self.label])
        return {"soft": soft, "hard": hard, "combined": self.soft_weight * soft + (1 - self.soft_weight) * hard}

    @property
    def alt(self) -> str:
        """What is seen now, in words."""
        of = "KL(teacher ‖ student)" if self.direction == "forward" else "KL(student ‖ teacher)"
        soft = f"{'T² ' * self.times_square}{of} at temperature T = {self.temperature:.3g} is {self.losses['soft']:.3f}"
        return (
            f"distillation loss of a student on {self.class_names[self.label]}: {soft}, the hard loss "
            f"{self.losses['hard']:.3f}, combined with soft weight {self.soft_weight:.2f} {self.losses['combined']:.3f}"
        )

    def draw(self) -> Any:
        from kdcourse.plots import probability_bars
        from kdlearn.comparing.plot import new_axes

        rows = {"teacher": self.teacher_logits, "student": self.student_logits}
        distributions = {whose: np.exp(log_softmax(logits, self.temperature)) for whose, logits in rows.items()}
        return probability_bars(distributions, new_axes(), self.class_names)
