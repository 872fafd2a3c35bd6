"""Why does it not help? What is odd about a training, beside its loss: `kdlearn.examine_training`."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import ne
from typing import Any

import torch
from torch import Tensor, nn

from kdlearn.examination.captured_outputs import RecordedStep, differs_in_training, recorded_step
from kdlearn.examination.findings import Finding, in_order
from kdlearn.examination.fitting import fits
from kdlearn.examination.forms import HARD, Probe
from kdlearn.formulas.labels import entropy, soft_labels
from kdlearn.formulas.metrics import accuracy, expected_calibration_error
from kdlearn.networks.weights import weights_hash
from kdlearn.training.outputs import predict

SURE, EVEN, NEGLIGIBLE = 0.02, 0.98, 0.05  # of log C, of log C, of the hard gradient
STILL_FALLING = 0.02  # the share that the loss loses between the last two quarters of its curve
CHANGED_ROWS, TOLERANCE = 4, 1e-3
BALANCE, ENTROPY = "soft gradient over hard", "entropy of soft labels / log C"


@dataclass(frozen=True)
class TrainingReport:
    """What `examine_training` found; `str(report)` is for people.

    `figures` are what was measured, by name: accuracies, calibration error, the entropy of the soft labels as a share
    of log C, and, where a step was carried out, the soft gradient over the hard one.
    """

    figures: dict[str, float]
    findings: tuple[Finding, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the findings."""
        return tuple(finding.name for finding in self.findings)

    def __str__(self) -> str:
        lines = [f"{name:32} {value:.3g}" for name, value in self.figures.items()]
        lines += ["Nothing odd was found."] if not self.findings else []
        return "\n".join([*lines, *(f"\n{finding}" for finding in self.findings)])


def examine_training(
    student: nn.Module,
    teacher: nn.Module,
    loader: Iterable[Any],
    *,
    train_step: Callable[[Any], Any] | None = None,
    temperature: float = 4.0,
    curve: Sequence[float] | None = None,
    baseline: nn.Module | None = None,
) -> TrainingReport:
    """Look at a training from outside: modes, rows and views, the balance of its losses, and the teacher itself.

    Args:
        student, teacher: torch networks that give logits.
        loader: gives batches whose first two parts are inputs and labels, best of data that neither was trained on;
            its first batch is what `train_step` gets.
        train_step: takes a batch and makes one update of the student. It is carried out several times; both networks
            are put back, an optimiser's momentum is not. None: nothing is said about modes, rows and gradients.
        temperature: at which the teacher is asked how sure it is.
        curve: the training losses so far, one a step or an epoch.
        baseline: the untrained network of the arm that is compared, to be asked before the student is trained.

    Returns:
        `.findings`, each with a stable `name`, and `.figures`.

    >>> import kdlearn
    >>> student, teacher = kdlearn.perceptron(4, 3), kdlearn.perceptron(4, 8, 3)
    >>> batches = [(torch.randn(32, 4), torch.randint(3, (32,)))]
    >>> "teacher's accuracy" in examine_training(student, teacher, batches).figures
    True
    """
    batches = list(loader)
    figures, found = {}, [*of_start(student, baseline), *of_curve(curve)]
    if train_step is not None:
        record = partial(recorded_step, train_step, batches[0], student, teacher)
        step = record()
        figures = balance(step, batches[0][1])
        found += [*of_modes(step, student), *of_pairs(step, record)]
    figures |= measured(student, teacher, batches, temperature)
    return TrainingReport(figures, in_order([*found, *of_figures(figures, temperature)]))


def of_modes(step: RecordedStep, student: nn.Module) -> Iterator[Finding]:
    """The teacher answers in eval() and stays as it is; the student learns in train()."""
    if step.in_training.get("teacher"):
        yield Finding("teacher-in-training-mode", "the teacher answers in train() mode", 1.0)
    if step.teacher_changes:
        yield Finding("teacher-changes", "the step changes weights or statistics of the teacher", 1.0)
    if step.in_training.get("student") is False and any(map(differs_in_training, student.modules())):
        yield Finding("student-in-eval-mode", "the student learns in eval() mode", 0.0)
    if not step.student_learns:
        yield Finding("student-unchanged", "the step leaves every weight of the student as it was", 0.0)


def of_pairs(step: RecordedStep, record: Callable[..., RecordedStep]) -> Iterator[Finding]:
    """The same rows and views for both, in the same order."""
    if len(step.inputs) < 2:
        return
    inputs = [step.inputs[one].flatten(1).double().cpu().numpy() for one in ("student", "teacher")]
    ours, theirs = ([row.tobytes() for row in rows] for rows in inputs)
    share = sum(map(ne, ours, theirs)) / len(ours)
    if share and set(ours) == set(theirs):
        yield Finding("rows-mixed", f"{share:.0%} of the teacher's rows stand in another place", share)
    elif share and inputs[0].shape == inputs[1].shape:
        yield Finding("other-views", f"{share:.0%} of the rows reach teacher and student as other pictures", share)
    elif wrong := elsewhere(step, record):
        yield Finding("rows-mixed", f"{wrong:.0%} of the teacher's answers reach another row of the student", wrong)


def elsewhere(step: RecordedStep, record: Callable[..., RecordedStep]) -> float:
    """The share of the teacher's first rows that move the student's gradient in another row and not in their own."""
    if step.gradient is None or step.in_training["teacher"]:
        return 0.0
    rows = range(min(CHANGED_ROWS, len(step.logits["teacher"])))
    changed = [record(partial(with_other_row, j)).gradient for j in rows]
    moved = [(one - step.gradient).flatten(1).norm(dim=1) for one in changed if one is not None]
    return sum(bool(one[j] < 1e-3 * one.max()) for j, one in enumerate(moved)) / len(rows)


def with_other_row(j: int, logits: Tensor) -> Tensor:
    """The teacher's answer with row j shifted by one class."""
    return torch.cat([logits[:j], logits[j : j + 1].roll(1, -1), logits[j + 1 :]])


def balance(step: RecordedStep, labels: Tensor) -> dict[str, float]:
    """The soft gradient over the hard one, from the form of the loss that the step computes; empty where none fits."""
    if len(step.logits) < 2 or step.gradient is None:
        return {}
    logits = (step.logits["student"], step.logits["teacher"], step.gradient)
    z, v, gradient = (one.detach().double().cpu() for one in logits)
    if z.shape != v.shape or z.shape[:-1] != labels.shape:
        return {}
    probe = Probe(z, v, labels.cpu())
    found = fits(probe, gradient, with_teacher=True, with_labels=True)
    fit = next((fit for fit in found if fit.error < TOLERANCE), None)
    if fit is None or fit.hard is not HARD[0]:
        return {}
    count, parts = len(fit.soft.terms), fit.terms(probe)[1] * torch.tensor(fit.weights, dtype=torch.float64)
    return {BALANCE: float(parts[:, :count].sum(1).norm() / parts[:, count:].sum(1).norm().clamp_min(1e-300))}


def measured(student: nn.Module, teacher: nn.Module, batches: list[Any], temperature: float) -> dict[str, float]:
    """Accuracies, and how right and how sure the teacher is."""
    inputs, labels = (torch.cat([batch[part] for batch in batches]) for part in (0, 1))
    own, teachers = predict(student, inputs), predict(teacher, inputs)
    return {
        "student's accuracy": accuracy(own, labels),
        "teacher's accuracy": accuracy(teachers, labels),
        "teacher's calibration error": expected_calibration_error(teachers, labels),
        ENTROPY: float(entropy(soft_labels(teachers, temperature)).mean()) / math.log(teachers.shape[-1]),
    }


def of_figures(figures: dict[str, float], temperature: float) -> Iterator[Finding]:
    """A soft loss that weighs something; a teacher that is better, and neither too sure nor too even."""
    ratio, share = figures.get(BALANCE, 1.0), figures[ENTROPY]
    if ratio < NEGLIGIBLE:
        yield Finding("soft-loss-negligible", f"the soft gradient is {ratio:.2g} times the hard one", ratio)
    sentence = f"at T = {temperature:g} the entropy of its soft labels is {share:.1%} of an even one's"
    if share < SURE:
        yield Finding("teacher-too-sure", sentence, share)
    if share > EVEN:
        yield Finding("teacher-almost-even", sentence, share)
    if (ahead := figures["teacher's accuracy"] - figures["student's accuracy"]) <= 0:
        yield Finding("teacher-not-better", f"the teacher is {100 * ahead:+.1f} points from the student", ahead)


def of_curve(curve: Sequence[float] | None) -> Iterator[Finding]:
    """A loss that still falls at the end."""
    if curve is None or len(curve) < 8:
        return
    quarter = len(curve) // 4
    before, last = (sum(part) / quarter for part in (curve[-2 * quarter : -quarter], curve[-quarter:]))
    if (fall := (before - last) / abs(before)) > STILL_FALLING:
        yield Finding("still-falling", f"in its last quarter the loss is {fall:.1%} lower than in the one before", fall)


def of_start(student: nn.Module, baseline: nn.Module | None) -> Iterator[Finding]:
    """Arms that are compared begin alike."""
    if baseline is not None and weights_hash(student) != weights_hash(baseline):
        yield Finding("other-first-weights", "student and baseline begin with other weights", 1.0)
