"""Two small students that learn in the page, each on labels that the reader picks, for twenty seeds at once."""

from typing import Any

import traitlets

from kdcourse.figures.figure import Figure
from kdcourse.figures.values import Number

LABELS = ["ground truth", "teacher's hard labels", "soft labels", "soft labels + ground truth"]
# Right - left in points with its 95 % interval, after 1,000 steps at the other default settings.
RECORDED = {"blobs": (4.4, 1.3), "spiral": (2.3, 1.8), "moons": (4.5, 1.6), "circles": (3.6, 1.6)}


class Playground(Figure):
    """Trains two students on points in the plane, each on labels of one of the `LABELS`. Nothing runs in Python.

    Traits: `data_set` ("blobs", "spiral", "moons", "circles"); `left` and `right`, the students' labels; `temperature`
    (0.5 to 20); `soft_weight` (0 to 1); `labelled_points` (8 to 400); `label_noise` (share of wrong ground truth, 0 to
    0.5); `seed` (which of 20 pairs is shown large); `running`. The page sets `result` when it rests: `steps`, the mean
    test accuracies `left`, `right` in %, their paired `difference` in points, the `half_width` of its 95 % interval; it
    adds each run that ended to `history`, with its `settings`.
    """

    modules = ("learning", "painting", "playground")
    data_set = traitlets.Enum(list(RECORDED), "blobs").tag(sync=True)
    left = traitlets.Enum(LABELS, "ground truth").tag(sync=True)
    right = traitlets.Enum(LABELS, "soft labels").tag(sync=True)
    temperature = Number(2.0, min=0.5, max=20.0).tag(sync=True)
    soft_weight = Number(0.9, min=0.0, max=1.0).tag(sync=True)
    labelled_points = traitlets.Int(40, min=8, max=400).tag(sync=True)
    label_noise = Number(0.0, min=0.0, max=0.5).tag(sync=True)
    seed = traitlets.Int(10, min=1, max=20).tag(sync=True)
    running = traitlets.Bool(False).tag(sync=True, address=False)
    result = traitlets.Dict().tag(sync=True)
    history = traitlets.List(traitlets.Dict()).tag(sync=True)

    @traitlets.default("presets")
    def _presets(self) -> dict[str, dict[str, Any]]:
        return {
            "softness": {"left": "teacher's hard labels", "right": "soft labels"},
            "many labels": {"labelled_points": 400},
            "wrong labels": {"label_noise": 0.3, "right": "soft labels"},
            "moons": {"data_set": "moons"},
        }

    @traitlets.default("guess")
    def _guess(self) -> dict[str, Any]:
        return {
            "question": "Two students learn from the same 40 points, one from ground truth, one from a teacher's soft "
            "labels. Which one is right more often on new points?",
            "options": ["the one on ground truth", "the one on soft labels", "no difference is seen"],
            "reply": "Train, and look at the interval over twenty seeds. Where points of two classes overlap, a chance "
            "label pulls the border; the soft label says how the teacher divides that place.",
        }

    @property
    def differences(self) -> dict[str, tuple[float, float]]:
        """By data set, right - left and the half width of its interval: of this training, or as recorded before it."""
        if self.result.get("steps"):
            return {self.data_set: (self.result["difference"], self.result["half_width"])}
        return RECORDED

    @property
    def alt(self) -> str:
        steps, labels = self.result.get("steps"), f"the left on {self.left}, the right on {self.right}"
        found = ", ".join(f"{name} {mean:+.1f} ± {half:.1f}" for name, (mean, half) in self.differences.items())
        return (
            f"two students on {self.labelled_points} labelled points of {self.data_set}, {labels}, temperature "
            f"{self.temperature:.3g}, label noise {self.label_noise:.2g}; test accuracy right − left in points, "
            f"{f'after {steps} steps' if steps else 'recorded at the default settings'}, over 20 seeds: {found}"
        )

    def draw(self) -> Any:
        from kdlearn.comparing.plot import BLUE, new_axes

        ax = new_axes(height=0.8 + 0.4 * len(self.differences))
        for name, (mean, half_width) in reversed(self.differences.items()):
            ax.errorbar(mean, name, xerr=half_width, color=BLUE, marker="o", capsize=3)
        ax.axvline(0, color="grey", linewidth=1)
        ax.margins(y=0.3)
        ax.set_xlabel("test accuracy right − left in points, mean and 95 % interval over 20 seeds")
        return ax
