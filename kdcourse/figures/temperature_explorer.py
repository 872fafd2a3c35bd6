"""The softmax of logits at a temperature that the reader moves."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import traitlets

from kdcourse.figures.figure import Figure
from kdcourse.figures.values import Logits, Number, log_softmax, to_data_uri, to_labels, to_logits, to_names, to_pixels

MOST_BYTES = 60_000  # of the test logits, so that a figure stays small in a notebook


class TemperatureExplorer(Figure):
    """Bars of softmax at a temperature, with entropy, effective number of classes and the largest probability.

    `logits` `(C,)` or `(N, C)`: one example or a batch to step through; `image` `(H, W)`, `(3, H, W)` or `(N, …)` of
    them; `labels` `(N,)`: the ground truth to mark, by default the hard label of the logits. `test` is a pair of logits
    `(M, C)`, kept to three decimals, and ground truth `(M,)`, whose calibration is shown too. Traits: `temperature`
    (0.1 to 100), `logits`, `index` (the example), `scale` ("linear" or "log"), `view` ("softmax" or "calibration").
    """

    modules = ("calibration", "temperature_explorer")
    counted: ClassVar[dict[str, str]] = {"index": "logits"}
    temperature = Number(1.0, min=0.1, max=100.0).tag(sync=True)
    logits = Logits().tag(sync=True)
    index = traitlets.Int(0).tag(sync=True)
    scale = traitlets.Enum(["linear", "log"], "linear").tag(sync=True)
    class_names = traitlets.List(traitlets.Unicode(), read_only=True).tag(sync=True)
    labels = traitlets.List(traitlets.Int(), read_only=True).tag(sync=True)
    image = traitlets.Unicode(read_only=True).tag(sync=True)
    test_logits = traitlets.List(read_only=True).tag(sync=True)
    test_labels = traitlets.List(traitlets.Int(), read_only=True).tag(sync=True)
    view = traitlets.Enum(["softmax", "calibration"], "softmax").tag(sync=True)

    @traitlets.default("presets")
    def _presets(self) -> dict[str, dict[str, Any]]:
        return {f"T = {temperature:g}": {"temperature": temperature} for temperature in (0.5, 1.0, 4.0, 20.0)}

    @traitlets.default("guess")
    def _guess(self) -> dict[str, Any]:
        return {
            "question": "The temperature T divides all logits. Which class is the most probable one when T grows?",
            "options": ["the same as before", "another one", "it depends on the logits"],
            "reply": "The same one. All logits are divided by the same number, so that their order stays; "
            "what shrinks are their distances, and with them the differences of the probabilities.",
        }

    def __init__(
        self,
        logits: Any,
        class_names: Sequence[str] | None = None,
        image: Any = None,
        labels: Any = None,
        test: tuple[Any, Any] | None = None,
        **state: Any,
    ) -> None:
        rows = to_logits("logits", logits)
        self.set_trait("class_names", to_names(class_names, len(rows[0])))
        self.set_trait("labels", [] if labels is None else to_labels(labels, len(rows), len(rows[0])))
        self.set_trait("image", "" if image is None else to_data_uri(to_pixels(image, len(rows))))
        if test is not None:
            self._set_test(*test)
        super().__init__(logits=rows, **state)

    def _set_test(self, logits: Any, labels: Any) -> None:
        rows = np.round(to_logits("test logits", logits), 3).tolist()
        if len(rows[0]) != len(self.class_names):
            expected = len(self.class_names)
            raise ValueError(f"test logits must hold a logit a class, {expected} in all; got {len(rows[0])}")
        if len(str(rows)) > MOST_BYTES:
            fitting = len(rows) * MOST_BYTES // len(str(rows))
            raise ValueError(f"{len(rows)} test logits take more than {MOST_BYTES // 1000} kB; give about {fitting}")
        self.set_trait("test_logits", rows)
        self.set_trait("test_labels", to_labels(labels, len(rows), len(self.class_names)))

    @traitlets.validate("logits")
    def _same_shape(self, proposal: Any) -> list[list[float]]:
        got, expected = np.shape(proposal["value"]), np.shape(self.logits or proposal["value"])
        if got != expected:
            raise ValueError(f"logits must keep their shape {expected}; got {got}")
        return proposal["value"]

    @traitlets.validate("index")
    def _an_example(self, proposal: Any) -> int:
        if not 0 <= proposal["value"] < len(self.logits):
            raise ValueError(f"index must lie in 0 … {len(self.logits) - 1}; got {proposal['value']}")
        return proposal["value"]

    @property
    def probabilities(self) -> np.ndarray:
        """Softmax of the example's logits at the temperature, `(C,)`."""
        return np.exp(log_softmax(self.logits[self.index], self.temperature))

    @property
    def alt(self) -> str:
        """What is seen now, in words."""
        p, log_p = self.probabilities, log_softmax(self.logits[self.index], self.temperature)
        return (
            f"softmax of {len(p)} logits at temperature {self.temperature:.3g}; largest probability {p.max():.2f} "
            f"for {self.class_names[p.argmax()]}; entropy {-p @ log_p:.2f} nats"
        )

    def draw(self) -> Any:
        from kdcourse.plots import probability_bars
        from kdlearn.comparing.plot import new_axes

        name = f"softmax at temperature {self.temperature:.3g}"
        return probability_bars({name: self.probabilities}, new_axes(), self.class_names)
