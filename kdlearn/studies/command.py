"""From the words of `kdlearn distill` to a study and its runs."""

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

from kdlearn.data import load_images
from kdlearn.formulas.arguments import check_temperature, check_weight
from kdlearn.networks import load_weights
from kdlearn.studies.images import Study
from kdlearn.studies.plan import PRESETS, STRATEGIES, Network, Preset, Run
from kdlearn.training.machine import Machine
from kdlearn.training.strategies import Strategy


def study_of(options: Namespace, machine: Machine) -> Study:
    images = load_images(
        options.source,
        root=options.root,
        download=options.download,
        num_validation=options.validation,
        device=machine.device,
        progress=not options.quiet,
    )
    preset = replace(PRESETS[options.preset], teacher_smoothing=options.teacher_smoothing)
    if options.teacher:
        preset = replace(preset, teacher=Network.parse(options.teacher))
    if options.epochs:
        preset = replace(preset, student_schooling=replace(preset.student_schooling, num_epochs=options.epochs))
    return Study(
        options.source,
        images,
        preset,
        options.out,
        machine,
        teacher_file=options.teacher_weights,
        flip=not options.no_flip and options.source != "mnist",
        labels_dtype="float16" if options.half_labels else "float32",
        progress=not options.quiet,
    )


def runs_of(options: Namespace, preset: Preset) -> list[Run]:
    """Every student with every strategy and seed; seeds outermost, so that what is there early can be compared."""
    if options.start not in ("random", "teacher"):
        load_weights(Path(options.start))  # what cannot be used is refused before anything is trained
    students = [Network.parse(text) for text in options.students or []] or [preset.student]
    names = options.strategies or [name for name in STRATEGIES if options.labelled == 1 or name != "both"]
    strategies = [one for name in names for one in strategies_of(name, options)]
    usual = preset.student_schooling.optimizer.learning_rate
    rate = None if options.learning_rate == usual else options.learning_rate  # the same run by either name
    return [
        Run(student, strategy, seed, options.start, rate, options.labelled)
        for seed, student, strategy in product(range(options.seeds), students, strategies)
    ]


def strategies_of(name: str, options: Namespace) -> Iterator[Strategy]:
    """A strategy at each temperature and weight that it knows."""
    if name not in STRATEGIES:
        raise ValueError(f"a strategy is one of {', '.join(STRATEGIES)}; got {name}")
    for temperature, weight in product(options.temperature, options.soft_weight):
        check_temperature(temperature)
        check_weight("soft_weight", weight)
    if name == "soft":
        yield from map(STRATEGIES[name], options.temperature)
    elif name == "both":
        yield from (STRATEGIES[name](*pair) for pair in product(options.temperature, options.soft_weight))
    else:
        yield STRATEGIES[name]()
