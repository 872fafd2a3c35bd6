"""What trained networks answer, so that teachers can be made of it: ensembles, labels with their classes permuted."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from kdlearn.studies.carry_out import Task, network_of
from kdlearn.studies.plan import Plan
from kdlearn.studies.run import Run
from kdlearn.studies.study import carried_out, plan_of
from kdlearn.training.loop import predict
from kdlearn.training.machine import Machine


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
    kept = [replace(run, keep=True) for run in runs]
    for run in kept:
        check_splits(run, splits)
    plan = plan_of(kept, machine, spread=executor is not None or workers is not None)
    with carried_out(plan, folder, workers, executor, progress) as (place, _):
        return [answers_of_trained(run, plan, place, splits) for run in kept]


def check_splits(run: Run, splits: Sequence[str] | None) -> None:
    there = [name for name, _ in run.data.splits()]
    if splits is not None and not set(splits) <= set(there):
        raise ValueError(f"splits must name splits of the data, {', '.join(there)}; got {splits!r}")


def answers_of_trained(run: Run, plan: Plan, folder: Path, splits: Sequence[str] | None) -> dict[str, Tensor]:
    weights = plan.weights[plan.keys.of(run)]
    network = plan.machine.place(network_of(run, Task("", (), folder, plan.machine), weights))
    data = run.data.to(plan.machine.device)
    names = [name for name, _ in data.splits() if splits is None or name in splits]
    with plan.machine.threading():
        return {name: predict(network, data.inputs(name), machine=plan.machine).cpu() for name in names}
