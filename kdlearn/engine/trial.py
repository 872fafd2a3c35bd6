"""A network is built and makes the first update of its run: what fails there would fail after a teacher's training."""

import copy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from kdlearn.data.batches import Batch, Order
from kdlearn.data.dataset import Dataset, logits_shape
from kdlearn.data.digests import digest
from kdlearn.data.views import training_inputs
from kdlearn.engine.run import Run
from kdlearn.formulas.arguments import are_distributions
from kdlearn.networks.basic import seeded
from kdlearn.networks.weights import initialise_from, weights_hash
from kdlearn.training.answers import LiveAnswers
from kdlearn.training.loop import OneNetwork, seeded_numbers, update
from kdlearn.training.machine import Machine
from kdlearn.training.outputs import predict
from kdlearn.training.strategy import Strategy


def built(run: Run) -> nn.Module:
    """The student's network; its function builds a new one each time, whose weights are those of the seed."""
    if isinstance(run.network, nn.Module) or not callable(run.network):
        raise TypeError(
            "a network must be given as a callable that builds it, such as lambda: kdlearn.perceptron(64, 32, 10), so "
            f"that each seed has its own; got {type(run.network).__name__}"
        )
    one, other = (seeded(run.network, run.own_seed) for _ in range(2))
    if not isinstance(one, nn.Module):
        raise TypeError(f"the callable must build a torch.nn.Module; got {type(one).__name__}")
    if one is other:
        raise ValueError("the callable must build a new network each time; it gives one. Build it inside the function")
    if weights_hash(one) != weights_hash(other):
        raise ValueError(
            "first weights must depend on torch's global random numbers alone, so that students can be paired; "
            "two networks of one seed differ. Take numpy's random numbers, or a generator, out of the function"
        )
    if run.start is not None:
        initialise_from(one, run.start)
    return one


def first_rows(run: Run, machine: Machine) -> tuple[Dataset, Tensor]:
    """The rows of the first update as a data set, and what a network takes of them."""
    rows = run.rows[Order(run.own_seed, len(run.rows))(0, run.batch_size)]
    data = replace(run.data, train=run.data.train.take(rows.to(run.data.train.inputs.device))).to(machine.device)
    return data, training_inputs(data, run.views)(0, torch.arange(len(rows), device=machine.device))


@contextmanager
def left_as_it_was(network: nn.Module, seed: int) -> Iterator[None]:
    """What a call or an update changes, weights, statistics, torch's random numbers, is put back."""
    state = copy.deepcopy(network.state_dict())
    try:
        with seeded_numbers(seed):
            yield
    finally:
        network.load_state_dict(state)


def num_classes(network: nn.Module, run: Run, machine: Machine) -> int:
    """How many logits a network gives, of which each label has a row."""
    data, inputs = first_rows(run, machine)
    try:
        with left_as_it_was(network, run.own_seed):
            logits = predict(network, inputs, len(inputs), machine)
    except Exception as problem:
        way = ". Inputs are whole numbers: inputs.float() / 255 makes pixels of them" * (inputs.dtype == torch.uint8)
        raise ValueError(f"the network cannot take inputs of shape {tuple(inputs.shape)}: {problem}{way}") from problem
    check_outputs(logits, run)
    check_one_for_each_label(logits, data.train.labels, run)
    return logits.shape[-1]


def check_outputs(logits: Tensor, run: Run) -> None:
    if logits.shape[-1] < (1 if estimates_numbers(run) else 2):
        raise ValueError(f"the network must give logits of at least two classes, (N, C); got {tuple(logits.shape)}")
    if not estimates_numbers(run) and are_distributions(logits.flatten(0, -2)):
        raise ValueError(
            "the network must give logits, before softmax: its rows are at least 0 and sum to 1, as probabilities do. "
            "Take its last softmax away"
        )


def check_one_for_each_label(logits: Tensor, labels: Tensor | None, run: Run) -> None:
    if labels is None or logits_shape(labels, logits.shape[-1]) == logits.shape:
        return
    expected, came = (f"({', '.join(map(str, ('N', *one.shape[1:])))})" for one in (labels, logits))
    way = "Labels of yes and no for each class take a network that ends in kdlearn.YesOrNo()"
    if estimates_numbers(run):
        way = "Labels that are numbers must have the shape of what the network gives: labels.unsqueeze(1) makes (N, 1)"
    shapes = f"labels are {expected}, logits {came}"
    raise ValueError(f"the network must give a row of logits for each label; {shapes}. {way}")


def estimates_numbers(run: Run) -> bool:
    """Whether labels are numbers that are to be estimated, and not classes."""
    return run.measured.labels.is_floating_point()


def first_batch(run: Run, classes: int, machine: Machine) -> Batch:
    """What the first update learns from; the teacher's logits are drawn, and its layers answer, trained or not."""
    data, inputs = first_rows(run, machine)
    train = data.train
    shape = (len(inputs), classes) if data.train.labels is None else logits_shape(data.train.labels, classes)
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(inputs.device)
    answers = features(run, inputs, machine) if run.strategy.layers else {}
    features_of_teacher = answers.get("teacher_features")
    return Batch(inputs, train.labels, drawn, train.labelled, train.mask, teacher_features=features_of_teacher)


def features(run: Run, inputs: Tensor, machine: Machine) -> dict[str, Any]:
    teacher = machine.place(run.teacher.build()) if isinstance(run.teacher, Run) else run.teacher
    if not isinstance(teacher, nn.Module):
        raise TypeError(f"a strategy with layers needs a torch network for a teacher; got {type(teacher).__name__}")
    layers = [layer for _, layer in run.strategy.layers]
    return LiveAnswers(teacher, lambda epoch, rows: inputs, layers, machine)(0, torch.arange(len(inputs)))


def try_update(run: Run, network: nn.Module, batch: Batch, machine: Machine) -> None:
    """A ValueError with the strategy's name, for what fails in an update."""
    if not torch.is_grad_enabled():
        raise ValueError("nothing can be trained inside torch.no_grad() or inference_mode(): call it outside")
    held = nn.ModuleList(one for one in vars(run.strategy).values() if isinstance(one, nn.Module))
    nn.ModuleList([network, held]).zero_grad()
    before, modules = state_of(run.strategy), len(sys.modules)
    weights, loss = first_update(run, network, batch, machine)
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    if not all(bool(found.isfinite().all()) for found in (loss, *gradients)):
        raise ValueError(f"strategy {told_of(run)} must give a finite loss and a finite gradient; its loss is {loss}")
    if any(weight.grad is not None for weight in held.parameters()):
        raise ValueError(
            f"strategy {run.strategy.name!r} holds weights that get a gradient, and nothing trains them: let "
            "prepare(example) make them, or take requires_grad_(False) for those that are to stay as they are"
        )
    if state_of(run.strategy) == before:
        return
    if len(sys.modules) > modules:  # its first call has imported what it looks names up in
        return try_update(run, network, batch, machine)
    raise ValueError(
        f"strategy {run.strategy.name!r} must stay as it is when it is called, since all seeds share it; it "
        "changes its attributes. What changes during a training takes several: Run(start=...) goes on from one"
    )


def first_update(run: Run, network: nn.Module, batch: Batch, machine: Machine) -> tuple[list[nn.Parameter], Tensor]:
    """The weights that it steps, with their gradients, and the loss."""
    try:
        with left_as_it_was(network, run.own_seed):
            learner = OneNetwork(network.train(), run.strategy, machine, lambda: batch)
            loss = update(learner, batch, run.recipe.optimizer(learner.whole))
    except Exception as problem:
        raise ValueError(f"strategy {told_of(run)} fails in its first update: {problem}. {way_out(run)}") from problem
    return list(learner.whole.parameters()), loss


def state_of(strategy: Strategy) -> str:
    try:
        return digest(strategy)
    except Exception:  # what pickle refuses
        return ""


def way_out(run: Run) -> str:
    """What a strategy that fails may lack."""
    way = "The loss must be a function of student_logits. It reads {}; fields of the batch that `reads` lacks are None"
    if type(run.strategy).__call__ is Strategy.__call__:
        way = "loss = staticmethod(function) declares it, of student_logits, {}, settings by name, and reduction"
    return way_for_numbers(run) or way.format(", ".join(run.strategy.reads) or "nothing")


def way_for_numbers(run: Run) -> str:
    return estimates_numbers(run) * (
        "Labels are numbers: the strategies of kdlearn.training.regression_strategies take them, with "
        "metric=kdlearn.formulas.regression.mean_squared_error and, in compare, baseline='true values'"
    )


def told_of(run: Run) -> str:
    return " ".join([repr(run.strategy.name), *([str(run.strategy.settings)] if run.strategy.settings else [])])
