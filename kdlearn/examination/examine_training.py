"""Why does it not help? What is odd about a training, beside its loss: `kdlearn.examine_training`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from kdlearn.examination.findings import Finding, in_order
from kdlearn.examination.fitting import Fit, columns, fitted
from kdlearn.examination.forms import HARD, Probe
from kdlearn.examination.listening import Heard, differs_in_training, heard_step
from kdlearn.formulas.labels import entropy, soft_labels
from kdlearn.formulas.metrics import accuracy, expected_calibration_error
from kdlearn.networks.weights import weights_hash
from kdlearn.training.outputs import predict

SURE, EVEN, NEGLIGIBLE = 0.02, 0.98, 0.05  # of log C, of log C, of the hard gradient
STILL_FALLING = 0.02  # the share that the loss loses between the last two quarters of its curve
ASKED_ROWS, TOLERANCE = 4, 1e-3


@dataclass(frozen=True)
class TrainingReport:
    """What `examine_training` found; `str(report)` is for people.

    `figures` are what was measured, by name: accuracies, calibration error, the entropy of the soft labels as a share
    of log C, and, where a step was heard, the soft gradient over the hard one.
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


@dataclass
class Training:
    """What the tests look at; they add to `figures`."""

    student: nn.Module
    teacher: nn.Module
    inputs: Tensor
    labels: Tensor
    temperature: float
    heard: Heard | None = None
    influence: Tensor | None = None
    figures: dict[str, float] = field(default_factory=dict)


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
    inputs, labels = (torch.cat([batch[part] for batch in batches]) for part in (0, 1))
    training = Training(student, teacher, inputs, labels, temperature)
    if train_step is not None:
        training.heard = heard_step(train_step, batches[0], student, teacher)
        training.influence = influence_of(train_step, batches[0], training)
    found = [*of_modes(training), *of_pairs(training), *of_balance(training, batches[0]), *of_teacher(training)]
    found += [*of_curve(curve), *of_start(student, baseline)]
    return TrainingReport(training.figures, in_order(found))


def of_modes(training: Training) -> Iterator[Finding]:
    """The teacher answers in eval() and stays as it is; the student learns in train()."""
    heard = training.heard
    if heard is None:
        return
    if heard.modes.get("teacher"):
        yield Finding("teacher-in-training-mode", "the teacher answers in train() mode", 1.0)
    if heard.teacher_changes:
        yield Finding("teacher-changes", "the step changes weights or statistics of the teacher", 1.0)
    if heard.modes.get("student") is False and has_modes(training.student):
        yield Finding("student-in-eval-mode", "the student learns in eval() mode", 0.0)
    if not heard.student_learns:
        yield Finding("student-unchanged", "the step leaves every weight of the student as it was", 0.0)


def has_modes(network: nn.Module) -> bool:
    return any(differs_in_training(one) for one in network.modules())


def of_pairs(training: Training) -> Iterator[Finding]:
    """The same rows and views for both, in the same order."""
    heard = training.heard
    if heard is None or heard.student_inputs is None or heard.teacher_inputs is None:
        return
    ours, theirs = heard.student_inputs.flatten(1), heard.teacher_inputs.flatten(1)
    if ours.shape == theirs.shape and not torch.equal(ours, theirs):
        distance = torch.cdist(ours.double(), theirs.double(), compute_mode="donot_use_mm_for_euclid_dist")
        own = distance.argmin(1)
        moved = float((own != torch.arange(len(own), device=own.device)).double().mean())
        if float(distance.amin(1).max()) == 0:
            yield Finding("rows-mixed", f"{moved:.0%} of the teacher's rows stand in another place", moved)
        else:
            other = float((distance.diag() > 0).double().mean())
            yield Finding("other-views", f"{other:.0%} of the rows reach teacher and student as other pictures", other)
    elif training.influence is not None and (wrong := elsewhere(training.influence)):
        yield Finding("rows-mixed", f"{wrong:.0%} of the teacher's answers reach another row of the student", wrong)


def influence_of(step: Callable[[Any], Any], batch: Any, training: Training) -> Tensor | None:
    """How much the student's gradient in each row moves when the teacher's answer about row j changes, `(j, N)`."""
    heard = training.heard
    if heard is None or heard.gradient is None or heard.teacher_logits is None or heard.modes.get("teacher"):
        return None
    found = []
    for j in range(min(ASKED_ROWS, len(heard.teacher_logits))):
        other = heard_step(step, batch, training.student, training.teacher, changed_row(j)).gradient
        if other is None:
            return None
        found.append((other - heard.gradient).flatten(1).norm(dim=1))
    return torch.stack(found)


def changed_row(j: int) -> Callable[[Tensor], Tensor]:
    """The teacher's answer with row j shifted by one class."""

    def change(logits: Tensor) -> Tensor:
        other = logits.clone()
        other[j] = logits[j].roll(1, -1)
        return other

    return change


def elsewhere(influence: Tensor) -> float:
    """The share of changed rows that move another row and not their own."""
    rows = range(len(influence))
    wrong = [row for row in rows if influence[row].max() > 0 and influence[row, row] < 1e-3 * influence[row].max()]
    return len(wrong) / len(influence)


def of_balance(training: Training, batch: Any) -> Iterator[Finding]:
    """The soft gradient over the hard one, from the form of the loss that the step computes."""
    heard = training.heard
    if heard is None or heard.gradient is None or heard.teacher_logits is None:
        return
    logits = (heard.student_logits, heard.teacher_logits, heard.gradient)
    z, v, gradient = (one.detach().double().cpu() for one in logits if one is not None)
    if z.shape != v.shape or z.shape[:-1] != batch[1].shape:
        return
    probe = Probe(z, v, batch[1].cpu())
    fit = fitted(probe, gradient, TOLERANCE, with_teacher=True, with_labels=True)
    if fit is None or fit.hard is not HARD[0]:
        return
    ratio = balance(fit, probe)
    training.figures["soft gradient over hard"] = ratio
    if ratio < NEGLIGIBLE:
        yield Finding("soft-loss-negligible", f"the soft gradient is {ratio:.2g} times the hard one", ratio)


def balance(fit: Fit, probe: Probe) -> float:
    parts = columns(fit.terms, probe, torch.tensor([fit.temperature], dtype=torch.float64))[0]
    weights, soft = torch.tensor(fit.weights, dtype=torch.float64), len(fit.soft.terms)
    hard = (parts[:, soft:] @ weights[soft:]).norm()
    return float((parts[:, :soft] @ weights[:soft]).norm() / hard.clamp_min(1e-300))


def of_teacher(training: Training) -> Iterator[Finding]:
    """Better than the student, and neither too sure nor too even at the temperature."""
    logits = {name: predict(one, training.inputs) for name, one in vars(training).items() if isinstance(one, nn.Module)}
    figures = {f"{name}'s accuracy": accuracy(one, training.labels) for name, one in logits.items()}
    figures["teacher's calibration error"] = expected_calibration_error(logits["teacher"], training.labels)
    evenness = entropy(soft_labels(logits["teacher"], training.temperature)).mean()
    share = float(evenness / torch.tensor(float(logits["teacher"].shape[-1])).log())
    training.figures |= {**figures, "entropy of soft labels / log C": share}
    told = f"at T = {training.temperature:g} the entropy of its soft labels is {share:.1%} of an even one's"
    if share < SURE:
        yield Finding("teacher-too-sure", told, share)
    if share > EVEN:
        yield Finding("teacher-almost-even", told, share)
    ahead = figures["teacher's accuracy"] - figures["student's accuracy"]
    if ahead <= 0:
        yield Finding("teacher-not-better", f"the teacher is {100 * ahead:+.1f} points from the student", ahead)


def of_curve(curve: Sequence[float] | None) -> Iterator[Finding]:
    """A loss that still falls at the end."""
    if curve is None or len(curve) < 8:
        return
    quarter = len(curve) // 4
    before, last = (sum(part) / quarter for part in (curve[-2 * quarter : -quarter], curve[-quarter:]))
    fall = (before - last) / abs(before)
    if fall > STILL_FALLING:
        yield Finding("still-falling", f"in its last quarter the loss is {fall:.1%} lower than in the one before", fall)


def of_start(student: nn.Module, baseline: nn.Module | None) -> Iterator[Finding]:
    """Arms that are compared begin alike."""
    if baseline is not None and weights_hash(student) != weights_hash(baseline):
        yield Finding("other-first-weights", "student and baseline begin with other weights", 1.0)
