"""What can be found out before anything is trained or written: networks, samples, strategies, optimisers, settings."""

import math
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdlearn.data.batches import Batch
from kdlearn.data.dataset import Dataset, logits_shape
from kdlearn.engine.digests import digest
from kdlearn.engine.run import Run
from kdlearn.formulas.arguments import are_distributions
from kdlearn.formulas.metrics import accuracy
from kdlearn.networks.basic import seeded
from kdlearn.networks.weights import weights_hash
from kdlearn.training.answers import DTYPES, StoredTeacher
from kdlearn.training.loop import OneNetwork, seeded_numbers
from kdlearn.training.machine import Machine
from kdlearn.training.outputs import captured_outputs, eval_mode, layer_of
from kdlearn.training.strategies import Strategy
from kdlearn.training.together import can_be_stacked

ROWS = 4  # of an example batch
COLUMNS = {
    "strategy",
    "teacher",
    "replicate",
    "seed",
    "length",
    "loss",
    "agreement",
    "parameters",
    "seconds",
    "place",
    "key",
}


class Checks:
    """Checks of runs, those that share a network and a strategy once."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.done = machine, {}

    def once(self, name: Any, make: Callable[[], Any]) -> Any:
        if name not in self.done:
            self.done[name] = make()
        return self.done[name]

    def of(self, run: Run) -> None:
        """A ValueError or TypeError that says what to do, for a run that could not be carried out."""
        check_numbers(run)
        self.once(("network", id(run.network)), lambda: check_builds(run))
        self.once(("data", id(run.data), run.measured_on), lambda: check_data(run))
        check_sample(run)
        classes = self.once(self.name("update", run), lambda: self.check_update(run))
        self.once(("labels", id(run.data), classes), lambda: check_labels_fit(run, classes))

    def name(self, what: str, run: Run) -> tuple:
        # A teacher run of another data set of the same shape has the same layers and classes.
        taught = id(run.teacher.network) if isinstance(run.teacher, Run) else id(run.teacher)
        strategy = (type(run.strategy), repr(vars(run.strategy)), run.strategy.layers)
        shape = (run.data.train.inputs.shape[1:], run.data.train.inputs.dtype, run.data.class_names)
        return what, id(run.network), strategy, shape, repr(run.recipe.settings()), taught, id(run.start)

    def can_be_stacked(self, run: Run) -> bool:
        if self.machine.autocast or self.machine.compiled or self.machine.processes > 1:
            return False
        if run.asks_teacher and not run.stores_answers:
            return False
        return self.once(self.name("stack", run), lambda: self.stacks(run))

    def stacks(self, run: Run) -> bool:
        pair = [seeded(run.network, seed) for seed in (run.own_seed, run.own_seed + 1)]
        return can_be_stacked(pair, run.strategy, run.recipe, example_of(run, num_classes(pair[0], run)))

    def check_update(self, run: Run) -> int:
        """One update on a few rows: what fails in it would fail after the teacher's training. The number of classes."""
        network = run.build()
        classes = num_classes(network, run)
        check_labels_fit(run, classes)  # before its loss is asked for
        check_layers(run, network)
        if isinstance(run.teacher, Run) and run.asks_teacher:
            taught = num_classes(run.teacher.build(), run)
            if taught != classes:
                raise ValueError(f"teacher and student must name the same classes; they name {taught} and {classes}")
        check_metric(run, classes)
        stepper = run.recipe.optimizer(network)
        example = example_of(run, classes)
        check_loss(run, network, with_features(run, example) if run.strategy.layers else example)
        check_step(stepper)
        return classes


def check_numbers(run: Run) -> None:
    if not isinstance(run.data, Dataset):
        raise TypeError(f"data of a Run must be a kdlearn.Dataset; got {type(run.data).__name__}: see compare")
    lengths = run.lengths
    if (
        not lengths
        or any(not isinstance(n, Integral) or n < 1 for n in lengths)
        or list(lengths) != sorted(set(lengths))
    ):
        raise ValueError(f"lengths must be whole numbers of updates, at least 1, rising; got {lengths}")
    for name, lowest in (("seed", 0), ("replicate", 0), ("batch_size", 1), ("sample", 1)):
        value = getattr(run, name)
        if value is not None and (not isinstance(value, Integral) or value < lowest):
            raise ValueError(f"{name} must be a whole number of at least {lowest}; got {value!r}")
    if run.metric_name in COLUMNS:
        raise ValueError(f"metric must have a name that is no other column's; {run.metric_name!r} is one: rename it")
    if run.answers not in (*DTYPES, "live"):
        raise ValueError(f"answers must be one of {', '.join(DTYPES)} and live; got {run.answers!r}")
    reads = run.strategy.reads
    if not isinstance(reads, tuple) or not set(reads) <= set(Batch._fields):
        raise ValueError(
            f"reads of strategy {run.strategy.name!r} must be a tuple of {', '.join(Batch._fields)}; got {reads!r}"
        )
    if isinstance(run.teacher, Tensor | np.ndarray | Mapping | StoredTeacher) and (run.views or run.answers == "live"):
        raise ValueError("stored logits are of the rows as they are: give no views, and do not ask live")
    if run.asks_teacher and run.teacher is None:
        raise ValueError(f"strategy {run.strategy.name!r} reads a teacher's answers: give a teacher")
    if len(lengths) > 1 and not run.recipe.constant:
        raise ValueError("an optimiser whose learning rate changes has one length a run; compare makes one for each")


def check_builds(run: Run) -> None:
    """The student's function builds a network, each time a new one."""
    if isinstance(run.network, nn.Module) or not callable(run.network):
        raise TypeError(
            "a network must be given as a callable that builds it, such as lambda: kdlearn.perceptron(64, 32, 10), so "
            f"that each seed has its own; got {type(run.network).__name__}"
        )
    one, other = (seeded_network(run) for _ in range(2))
    if one is other:
        raise ValueError(
            "the callable must build a new network each time, so that no run begins where another ended; it gives the "
            "same one. Build it inside the function"
        )
    if weights_hash(one) != weights_hash(other):
        raise ValueError(
            "first weights must depend on torch's global random numbers alone, so that students can be paired; "
            "two networks of one seed differ. Take numpy's random numbers, or a generator, out of the function"
        )


def seeded_network(run: Run) -> nn.Module:
    with seeded_numbers(run.own_seed):
        network = run.network()
    if not isinstance(network, nn.Module):
        raise TypeError(f"the callable must build a torch.nn.Module; got {type(network).__name__}")
    return network


def check_data(run: Run) -> None:
    """Labels are there where they are read, and every class that is measured is one that can be learned."""
    if run.measured is None or len(run.measured.inputs) == 0:
        raise ValueError(f"data must have a {run.measured_on} split to measure on; it has none")
    if run.measured.labels is None:
        raise ValueError(f"data must have labels of {run.measured_on} to measure on; they are None")
    for name, part in run.data.splits():
        if part.labels is not None and len(part.labels) != len(part.inputs):
            raise ValueError(f"{name} must have a label for each of {len(part.inputs)} inputs; got {len(part.labels)}")
        if part.inputs.is_floating_point() and not bool(part.inputs.isfinite().all()):
            raise ValueError(f"inputs of {name} must be finite; they hold NaN or infinity")


def check_sample(run: Run) -> None:
    train = run.data.train
    if "labels" in run.strategy.reads and train.labels is None:
        raise ValueError(f"strategy {run.strategy.name!r} reads ground truth; data.train.labels is None")
    reads_every_label = "labels" in run.strategy.reads and "known" not in run.strategy.reads and run.asks_teacher
    if reads_every_label and train.known is not None and not bool(train.known.all()):
        raise ValueError(
            f"strategy {run.strategy.name!r} reads the ground truth of every row, which is not known: wrap another "
            "one in TruthWhereKnown(...)"
        )
    if run.sample is None:
        return
    if train.labels is None:
        raise ValueError("sample draws by the classes of ground truth, and data.train.labels is None")
    if estimates_numbers(run):
        raise ValueError("sample draws by classes, and labels are numbers: give a Dataset of fewer training rows")
    there = train.labels if train.known is None or run.asks_teacher else train.labels[train.known]
    classes = len(there.unique())
    if not classes <= run.sample <= len(there):
        raise ValueError(f"sample must lie in {classes} … {len(there)}, a row a class at least; got {run.sample}")
    _ = run.rows


def num_classes(network: nn.Module, run: Run) -> int:
    """How many logits a network gives for these inputs; that it gives `(N, C)` is checked."""
    inputs = run.data.inputs("train", slice(0, ROWS))
    try:
        with torch.no_grad():
            logits = network.eval()(inputs)
    except (RuntimeError, ValueError, TypeError, IndexError) as problem:
        way = ". Inputs are whole numbers: inputs.float() / 255 makes pixels of them" * (inputs.dtype == torch.uint8)
        raise ValueError(f"the network cannot take inputs of shape {tuple(inputs.shape)}: {problem}{way}") from problem
    finally:
        network.train()
    least = 1 if estimates_numbers(run) else 2
    if not isinstance(logits, Tensor) or logits.ndim < 2 or len(logits) != len(inputs) or logits.shape[-1] < least:
        came = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"the network must give logits of at least two classes, ({len(inputs)}, C); got {came}")
    if not logits.isfinite().all():
        raise ValueError("the network's first logits must be finite; its first weights or the inputs are not")
    if not estimates_numbers(run) and are_distributions(logits.flatten(0, -2)):
        raise ValueError(
            "the network must give logits, before softmax: its rows are at least 0 and sum to 1, as probabilities do. "
            "Take its last softmax away"
        )
    check_one_for_each_label(logits, run)
    return logits.shape[-1]


def estimates_numbers(run: Run) -> bool:
    """Whether labels are numbers that are to be estimated, and not classes."""
    return run.measured.labels.is_floating_point()


def check_one_for_each_label(logits: Tensor, run: Run) -> None:
    """The network has a row of logits for each label of an input, or a number for each number."""
    labels = run.data.train.labels
    if labels is None or logits_shape(labels[: len(logits)], logits.shape[-1])[1:] == logits.shape[1:]:
        return
    expected, came = (shown(("N", *one.shape[1:])) for one in (labels, logits))
    if estimates_numbers(run):
        way = "Labels that are numbers must have the shape of what the network gives: labels.unsqueeze(1) makes (N, 1)"
    else:
        way = "Labels of yes and no for each class take a network that ends in kdlearn.YesOrNo()"
    raise ValueError(
        f"the network must give a row of logits for each label; labels are {expected}, logits {came}. {way}"
    )


def shown(shape: tuple[Any, ...]) -> str:
    return f"({', '.join(map(str, shape))})"


def check_metric(run: Run, classes: int) -> None:
    """A metric gives a finite number for logits of the measured rows, here drawn."""
    if not callable(run.metric):
        raise TypeError(
            f"metric must be a function metric(logits, labels), such as kdlearn.accuracy; got {run.metric!r}"
        )
    counted = run.measured.labels if run.measured.mask is None else run.measured.labels[run.measured.mask]
    labels = counted.cpu()
    drawn = torch.randn(logits_shape(labels, classes), generator=torch.Generator().manual_seed(0))
    if estimates_numbers(run) and run.metric is accuracy:
        raise ValueError(
            "labels are numbers, which have no accuracy: say metric=kdlearn.mean_squared_error, and in compare "
            "against='true values'"
        )
    try:
        value = float(run.metric(drawn, labels))
    except (TypeError, RuntimeError, ValueError) as problem:
        raise ValueError(f"metric {run.metric_name!r} must give a number for logits and labels: {problem}") from problem
    if not math.isfinite(value):
        raise ValueError(
            f"metric {run.metric_name!r} must give a finite number; it gave {value} for logits that were drawn"
        )


def check_labels_fit(run: Run, classes: int) -> None:
    for name, part in run.data.splits():
        if part.labels is None:
            continue
        read = part if part.known is None else part.take(part.known)
        counted = read.labels if read.mask is None else read.labels[read.mask]
        if counted.numel() == 0:
            raise ValueError(f"labels of {name} must hold at least one that is known and counts; got none")
        if estimates_numbers(run):
            if not counted.is_floating_point() or not bool(counted.isfinite().all()):
                raise ValueError(f"labels of {name} must be finite numbers, as those that are measured; they are not")
            continue
        if counted.dtype != torch.int64 or int(counted.min()) < 0 or int(counted.max()) >= classes:
            reach = f"{counted.dtype} from {int(counted.min())} to {int(counted.max())}"
            way = way_to_classes(int(counted.min()), int(counted.max()), classes)
            raise ValueError(
                f"labels of {name} must be int64 in 0 … {classes - 1}, the network's classes; got {reach}{way}"
            )


def way_to_classes(lowest: int, highest: int, classes: int) -> str:
    if lowest < 0:
        return '. Rows whose label is not known stand in the entry "unlabelled" of a mapping, as inputs alone'
    return ". labels - 1 makes them so" if (lowest, highest) == (1, classes) else ""


def check_layers(run: Run, network: nn.Module) -> None:
    for student, teacher in run.strategy.layers:
        layer_of(network, student)
        if isinstance(run.teacher, Run):
            layer_of(run.teacher.build(), teacher)
        elif not isinstance(run.teacher, nn.Module):
            raise TypeError(
                f"a strategy with layers needs a torch network for a teacher; got {type(run.teacher).__name__}"
            )
        else:
            layer_of(run.teacher, teacher)


def example_of(run: Run, classes: int) -> Batch:
    """A few rows, with logits drawn for the teacher's."""
    train, rows = run.data.train, run.rows[:ROWS]
    inputs = run.data.inputs("train", rows)
    shape = (len(rows), classes) if train.labels is None else logits_shape(train.labels[rows], classes)
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    told = {name: None if one is None else one[rows].cpu() for name, one in train._asdict().items() if name != "inputs"}
    return Batch(inputs=inputs.cpu(), teacher_logits=drawn.to(torch.float32), **told)


@torch.no_grad()
def with_features(run: Run, example: Batch) -> Batch:
    """The few rows with what the teacher's layers give, trained or not: their shapes are those of later."""
    teacher: Any = run.teacher.build() if isinstance(run.teacher, Run) else run.teacher
    device = next((weight.device for weight in teacher.parameters()), example.inputs.device)
    with captured_outputs(teacher, [layer for _, layer in run.strategy.layers]) as heard, eval_mode(teacher):
        teacher(example.inputs.to(device))
    return example._replace(teacher_features=tuple(one.float().cpu() for one in heard))


def check_step(stepper: torch.optim.Optimizer) -> None:
    try:
        stepper.step()
    except TypeError as problem:  # one that wants to compute the loss itself, several times a step
        raise ValueError(
            f"{type(stepper).__name__} cannot be used, since an update calls step() alone: {problem}"
        ) from None


def check_loss(run: Run, network: nn.Module, example: Batch) -> None:
    """The strategy gives one finite value for each label, and a finite gradient."""
    with seeded_numbers(0):
        learner = OneNetwork(network.train(), run.strategy, Machine(), lambda: example)
        try:
            before = state_of(run.strategy)
            loss = learner.loss(example)
            changed = state_of(run.strategy) != before
        except (AttributeError, TypeError, IndexError, ValueError) as problem:
            if isinstance(problem, ValueError) and not estimates_numbers(run):
                raise
            raise ValueError(
                f"strategy {run.strategy.name!r} fails on a few rows: {problem}. {way_out(run)}"
            ) from problem
        if changed:
            raise ValueError(
                f"strategy {run.strategy.name!r} must stay as it is when it is called, since all seeds share it; it "
                "changes its attributes. What changes during a training takes several: Run(start=...) goes on from one"
            )
        if not loss.isfinite():
            raise ValueError(f"strategy {told_of(run)} must give a finite loss; got {loss}")
        if not loss.requires_grad:
            raise ValueError(
                f"strategy {run.strategy.name!r} must be a function of student_logits; its loss has no gradient"
            )
        loss.backward()
    gradients = [weight.grad for weight in learner.whole.parameters() if weight.grad is not None]
    if not all(bool(gradient.isfinite().all()) for gradient in gradients):
        raise ValueError(f"strategy {told_of(run)} must give a finite gradient")


def way_out(run: Run) -> str:
    """What a strategy that fails on a few rows may lack."""
    if estimates_numbers(run):
        return (
            "Labels are numbers: TrueValues, TeachersValues, BoundedByTeacher take them, compare(against='true values')"
        )
    read = ", ".join(run.strategy.reads) or "nothing"
    return f"It reads {read}; fields of the batch that `reads` does not name are None"


def told_of(run: Run) -> str:
    return " ".join([repr(run.strategy.name), *([str(run.strategy.settings)] if run.strategy.settings else [])])


def state_of(strategy: Strategy) -> str:
    try:
        return digest(strategy)
    except Exception:  # what pickle refuses
        return ""
