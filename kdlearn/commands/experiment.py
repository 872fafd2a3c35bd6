"""What `kdlearn distill` carries out: from its options to runs, their table, and what was found."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from torch import nn

from kdlearn.commands.messages import UsageError, say
from kdlearn.commands.named import Network, network_of, strategy_named
from kdlearn.commands.presets import PRESETS, Preset
from kdlearn.commands.results import FILE, comparison_in
from kdlearn.commands.scheduler import executor_at
from kdlearn.comparing.comparison import Comparison
from kdlearn.comparing.notes import notes_of
from kdlearn.data.dataset import Dataset
from kdlearn.data.images import NAMED, load_images
from kdlearn.data.views import Views
from kdlearn.engine.folders import check_folder
from kdlearn.engine.run import Run
from kdlearn.engine.study import UnreadableSource, study
from kdlearn.training.machine import Machine, best_machine
from kdlearn.training.processes import joined
from kdlearn.training.strategies import Strategy


def execute(options: SimpleNamespace) -> None:
    """Train what is missing in the folder, then print its table."""
    check_folder(options.out)
    if options.source not in NAMED and options.out.resolve().is_relative_to(Path(options.source).resolve()):
        raise UsageError(f"--out must lie outside of the images in {options.source}; got {options.out}")
    scheduled, joint = executor_at(options.scheduler), joined(best_machine())
    with scheduled as executor, joint as machine, warnings.catch_warnings():
        warnings.simplefilter("error", UnreadableSource)  # what could not be kept is not begun
        comparison = compared(options, machine, executor)
        comparison.save(options.out / FILE)
    say(comparison)


def compared(options: SimpleNamespace, machine: Machine, executor: Executor | None) -> Comparison:
    """The table holds what these options ask for, whether it was trained now or before."""
    preset = preset_of(options)
    networks = [network_of(name) for name in (preset.teacher, preset.student)]  # wrong names, before images are read
    strategies = [strategy_named(name, options.temperature) for name in options.strategies.split(",")]
    progress = not options.quiet
    size = (options.resize, options.resize) if options.resize else None
    data = load_images(options.source, resize=size, progress=progress and sys.stderr.isatty())
    check_same_data(options.out, data)
    runs = list(runs_of(preset, networks, strategies, data, options))
    where: dict[str, Any] = {"machine": machine, "workers": options.workers, "executor": executor}
    found = Comparison(study(runs, options.out, **where, progress=progress))
    return replace(found, notes=tuple(notes_of(found)))


def preset_of(options: SimpleNamespace) -> Preset:
    """The preset, with the user's networks in the place of its own."""
    if options.preset not in PRESETS:
        raise UsageError(f"--preset must be one of {', '.join(PRESETS)}; got {options.preset}")
    given = {who: name for who in ("teacher", "student") if (name := getattr(options, who)) is not None}
    return replace(PRESETS[options.preset], **given)


def check_same_data(folder: Path, data: Dataset) -> None:
    """A ValueError for a folder that holds results of other images."""
    if (folder / FILE).exists() and set(comparison_in(folder).table.get("data_key", ())) != {data.key[:16]}:
        raise ValueError(f"--out {folder} holds results of other data; name another folder")


def runs_of(
    preset: Preset, networks: Sequence[Network], strategies: Sequence[Strategy], data: Dataset, options: SimpleNamespace
) -> Iterator[Run]:
    """A run for each strategy and seed; they share their teacher."""
    teacher, student = (network(data) for network in networks)
    rows, flip, title = len(data.train.inputs), data.name != "mnist", preset.teacher
    if not isinstance(teacher, nn.Module):
        teacher = Run(data, teacher, views=Views(flip=flip), **preset.teacher_schedule.settings(rows))
        title += f", {teacher.lengths[-1]} updates"
    shared = {"views": Views(flip=flip, period=preset.period), **preset.student_schedule.settings(rows)}
    told = {"student": preset.student, "preset": options.preset, "data_key": data.key[:16]}
    for strategy, seed in product(strategies, range(options.seeds)):
        names = {**told, "teacher": title if strategy.asks_teacher else ""}
        yield Run(data, student, strategy, teacher, seed=seed, keep=True, names=names, **shared)
