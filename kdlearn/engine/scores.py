"""What is measured of a run: the metric, the loss, and how often student and teacher agree on a class."""

from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from kdlearn.engine.run import Run
from kdlearn.formulas.metrics import agreement

NO_NUMBER = float("nan")


class Scores:
    """The scores of a run's logits, of the labels that count."""

    def __init__(self, run: Run, teacher_logits: Tensor | None) -> None:
        mask = run.measured.mask
        self.run, self.counted = run, slice(None) if mask is None else mask.cpu()
        self.labels = run.measured.labels.cpu()[self.counted]
        self.teacher_logits = None if teacher_logits is None else teacher_logits[self.counted]
        self.teacher = NO_NUMBER if self.teacher_logits is None else float(run.metric(self.teacher_logits, self.labels))

    def of(self, logits: Tensor) -> dict[str, float]:
        """By the table's columns; NaN of a student whose logits are not finite."""
        found = self.of_finite(logits[self.counted]) if logits.isfinite().all() else (NO_NUMBER,) * 3
        names = (self.run.metric_name, "loss", "agreement", f"teacher_{self.run.metric_name}")
        return dict(zip(names, (*found, self.teacher), strict=True))

    def of_finite(self, logits: Tensor) -> tuple[float, float, float]:
        classes = not self.labels.is_floating_point()
        loss = cross_entropy(logits.flatten(0, -2), self.labels.flatten()) if classes else mse_loss(logits, self.labels)
        agrees = agreement(logits, self.teacher_logits) if classes and self.teacher_logits is not None else NO_NUMBER
        return float(self.run.metric(logits, self.labels)), float(loss), agrees
