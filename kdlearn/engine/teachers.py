"""Trained networks, and what they answer: of that teachers are made, such as ensembles."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from kdlearn.engine.run import Run
from kdlearn.engine.study import executed, machine_of_study, plan_of
from kdlearn.engine.tasks import trained_network
from kdlearn.training.machine import Machine
from kdlearn.training.outputs import predict


def trained_logits(
    runs: Sequence[Run],
    folder: str | Path | None = None,
    *,
    splits: Sequence[str] | None = None,
    machine: Machine = Machine(),
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = False,
) -> list[dict[str, Tensor]]:
    """Train networks, and say for each what it answers on the `splits` of its data, or on every one, as it is.

    Such a mapping can be a run's `teacher`, and so can what is made of several: the mean of an ensemble, labels with
    their classes permuted. Arguments and errors as in `study`; `folder` may be the students' own.

    Returns:
        For each run a mapping from the names of the splits to logits `(N, C)` float32.

    >>> from kdlearn import load_digits, small_convnet
    >>> [logits] = trained_logits([Run(load_digits(), small_convnet, lengths=(5,))])
    >>> logits["train"].shape, logits["test"].shape
    (torch.Size([1200, 10]), torch.Size([400, 10]))
    """
    there = [{name for name, _ in run.data.splits()} for run in runs]
    if splits is not None and not all(set(splits) <= names for names in there):
        raise ValueError(f"splits must name splits of the data, {', '.join(sorted(there[0]))}; got {splits!r}")
    networks = trained_networks(runs, folder, machine=machine, workers=workers, executor=executor, progress=progress)
    with machine_of_study(machine, workers, executor).threading():
        return [answers_of(network, run, machine, splits) for network, run in zip(networks, runs, strict=True)]


def trained_networks(
    runs: Sequence[Run],
    folder: str | Path | None = None,
    *,
    machine: Machine = Machine(),
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = False,
) -> list[nn.Module]:
    """Train networks, and give them: to ask what no split of the data asks, such as the text that they write.

    Arguments and errors as in `study`; in its folder what is trained already is read.

    Returns:
        For each run its network, on the machine's device, with the weights after the last of its lengths.

    >>> from kdlearn import load_digits, perceptron
    >>> [network] = trained_networks([Run(load_digits(), lambda: perceptron(64, 8, 10), lengths=(5,))])
    >>> network.training
    True
    """
    kept = [replace(run, keep=True) for run in runs]
    plan = plan_of(kept, machine_of_study(machine, workers, executor))
    with executed(plan, folder, workers, executor, progress) as (place, _):
        found = [trained_network(run, place, plan.weights[plan.keys.of(run)]) for run in kept]
    return [machine.place(network) for network in found]


def answers_of(network: nn.Module, run: Run, machine: Machine, splits: Sequence[str] | None) -> dict[str, Tensor]:
    data = run.data.to(machine.device)
    names = [name for name, _ in data.splits() if splits is None or name in splits]
    return {name: predict(network, data.inputs(name), machine=machine).cpu() for name in names}
