"""What the words of `kdlearn distill` must not say, found out before anything is loaded."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from kdlearn.commands.words import WrongWordsError

NAMED = ("cifar10", "mnist")
RANGES = {  # above (or from) the first, up to the second
    "temperature": (0.01, 10_000.0, True),
    "soft_weight": (0.0, 1.0, True),
    "learning_rate": (0.0, 100.0, False),
    "teacher_smoothing": (0.0, 1.0, True),
    "labelled": (0.0, 1.0, False),
}
SEVERAL = ("temperature", "soft_weight", "learning_rate")


def check_options(options: SimpleNamespace) -> None:
    """A WrongWordsError for the first thing that cannot be meant."""
    for problem in (*numbers(options), *repetitions(options), *contradictions(options)):
        raise WrongWordsError(problem)


def values_of(options: SimpleNamespace, name: str) -> list:
    found = getattr(options, name)
    return [] if found is None else list(found) if isinstance(found, list | tuple) else [found]


def word(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def numbers(options: SimpleNamespace) -> Iterator[str]:
    for name, (low, high, included) in RANGES.items():
        for value in values_of(options, name):
            if not (low <= value <= high and (included or value > low)):
                yield f"{word(name)} must be {'from' if included else 'above'} {low:g}, up to {high:,g}; got {value:g}"


def repetitions(options: SimpleNamespace) -> Iterator[str]:
    for name in (*SEVERAL, "students", "strategies"):
        values = values_of(options, name)
        if len(set(values)) < len(values):
            yield f"{word(name)} must name each value once; got {' '.join(map(str, values))}"


def contradictions(options: SimpleNamespace) -> Iterator[str]:
    if not options.source.strip() or "\0" in options.source:
        yield f"DATA must be cifar10, mnist or a folder; got {options.source!r}"
    if options.teacher_weights and (options.teacher_epochs or options.teacher_smoothing is not None):
        yield "--teacher-weights is of a teacher that is trained: leave --teacher-epochs and --teacher-smoothing away"
    if options.source not in NAMED and (options.download or options.root):
        yield "--download and --root are for cifar10 and mnist; a folder is read where it lies"
    if options.source in NAMED and options.resize:
        yield f"--resize is for a folder of images; {options.source} is used as it was published"
    several = [word(name) for name in SEVERAL if len(values_of(options, name)) > 1]
    if several and not options.validation:
        yield f"several values of {' and '.join(several)} are a choice: add --validation N; the test set is no judge"
    if options.workers and options.scheduler is not None:
        yield "--scheduler has workers of its own: leave --workers away"
    if (options.workers or options.scheduler is not None) and "LOCAL_RANK" in os.environ:
        yield "torchrun starts the processes: leave --workers and --scheduler away"
    if options.source not in NAMED and options.out.resolve().is_relative_to(Path(options.source).resolve()):
        yield f"--out must lie outside of the images in {options.source}; got {options.out}"
