"""Why does a more accurate teacher teach worse? And which teacher teaches well?

The atlas compares eleven kinds of teacher. Here each explanation gets its control, on the same recipe: digits, 60
labelled images, students of 2,410 parameters, 1,000 updates at rate 0.003, soft labels at T = 4 unless told otherwise.
Replicates 3000 and later; each has a split and teachers of its own. The two teachers that are to be explained: the one
of images as they are (15 epochs), and the more accurate one of images that are shifted by up to a pixel (45 epochs).

views: the student sees shifted images too, with what the teacher says of those very images (Beyer et al. 2022). If the
    teacher of shifted images teaches badly because its student sees no shifts, it now teaches well. 24 replicates × 3.
network: the student is a convolutional network of about as many parameters. If a perceptron cannot follow a function
    that does not change with shifts, this one can. 24 × 2.
scale: the logits of the teacher of shifted images, multiplied so that their mean entropy at T = 4 is the other's; both
    sides standardised (Sun et al. 2024). If the scale were the reason, this would mend it. 40 × 4.
truth: a made-up set whose true probabilities are known: ten classes, Gaussian in eight dimensions. Teachers that have
    the same arg max, and so the same accuracy, but other probabilities: the true ones, colder, hotter, spread evenly;
    drawn labels; and trained networks. Does the student profit from accuracy or from probabilities (Menon et al. 2021)?
    40 × 4.
generations: the teacher is a student's own twin of the same 60 images, its teacher the twin before it (Mobahi et al.
    2020: help, then harm?). Five generations at T = 1 and at T = 4. 40 × 2.
assistant: for a student of 8 units, does a network between teacher and student help (Mirzadeh et al. 2020)? 40 × 4.

Planned, one Holm family of five, two-sided, t over replicates:
1. views: for the teacher of shifted images, (soft labels - ground truth) with views - the same without views;
2. network: for the teacher of shifted images, (soft labels - ground truth) of the convolutional student - the same of
   the perceptron;
3. scale: soft labels of scaled logits - soft labels of the logits as they are, both of the teacher of shifted images;
4. truth: soft labels of the true probabilities - of evenly spread ones of the same entropy and arg max;
5. generations, T = 4: the fifth generation - the first (ground truth).
All else is exploratory. Two replicates, 600 and 601, that tried the code have shown 3 (nothing), 4 (many points) and 5
(nothing); of 1 and 2 there was no pilot. What 60 images and T = 2 gave in studies/digits is known.

Command: `python studies/which_teacher/plan.py FOLDER --workers 2` writes comparison.parquet beside this file; it took
45 minutes on one busy core of an AMD EPYC without AMX (recorded 2026-11-25).
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import torch
import typer
from scipy.optimize import brentq
from torch import Tensor

import kdlearn
from kdlearn import Comparison, Dataset, GroundTruth, Run, SoftLabels, Split, Strategy, TeachersHardLabels
from kdlearn.data.dataset import generator_of
from kdlearn.formulas.intervals import Interval, interval
from kdlearn.formulas.labels import entropy, evenly_spread, logits_from, one_hot, soft_labels

sys.path.append(str(Path(__file__).parents[1] / "atlas"))
from teachers import BATCH_SIZE, PLAIN, convnet, digits, shifted

RECORD = Path(__file__).with_name("comparison.parquet")
FIRST, IMAGES, RATE, SHIFTED = 3000, 60, 0.003, "shifted, long"
TRUTH, HARD, SOFT = GroundTruth(), TeachersHardLabels(), SoftLabels(4.0)
PERCEPTRON, SMALL = partial(kdlearn.perceptron, 64, 32, 10), partial(kdlearn.perceptron, 64, 8, 10)
CONVOLUTIONAL = partial(kdlearn.small_convnet, 4)
Where = Mapping[str, Any]


def two_teachers(replicate: int) -> dict[str, Run]:
    data = digits(replicate)
    return {PLAIN: convnet(data, replicate)[0], SHIFTED: shifted(data, replicate, num_updates=900)[0]}


def student(
    part: str,
    data: Dataset,
    replicate: int,
    seed: int,
    strategy: Strategy = TRUTH,
    taught: Any = None,
    kind: str = "",
    network: Callable[[], Any] = PERCEPTRON,
    **other: Any,
) -> Run:
    told = {"part": part, "kind": kind, "teacher": "of the replicate" if strategy.asks_teacher else ""}
    options = {"optimizer": kdlearn.Adam(RATE), "batch_size": BATCH_SIZE, "sample": IMAGES, "lengths": (1000,), **other}
    return Run(data, network, strategy, taught, seed=seed, replicate=replicate, names=told, **options)


def views(replicates: Iterable[int]) -> Iterator[Run]:
    for one in replicates:
        seen = kdlearn.Views(pixels=1, flip=False, seed=one, border="darkest", period=50)
        for name, recipe in (("views", seen), ("no views", None)):
            for seed in range(3):
                yield student(name, digits(one), one, seed, views=recipe)
                for kind, teacher in two_teachers(one).items():
                    yield student(name, digits(one), one, seed, SOFT, teacher, kind, views=recipe)


def networks(replicates: Iterable[int]) -> Iterator[Run]:
    for one in replicates:
        for part, network in (("convolutional", CONVOLUTIONAL), ("perceptron", PERCEPTRON)):
            for seed in range(2):
                yield student(part, digits(one), one, seed, network=network)
                for kind, teacher in two_teachers(one).items():
                    yield student(part, digits(one), one, seed, SOFT, teacher, kind, network)


def scaled_to(logits: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """Logits times the number that gives them the mean entropy of `wanted` at a temperature."""

    def too_soft(factor: float) -> float:
        mean = [entropy(soft_labels(one.double(), temperature)).mean() for one in (factor * logits, wanted)]
        return float(mean[0] - mean[1])

    return brentq(too_soft, 1e-3, 1e3) * logits


def scale(replicates: Iterable[int], where: Where) -> Iterator[Run]:
    runs = [run for one in replicates for run in two_teachers(one).values()]
    found = iter(kdlearn.trained_logits(runs, **where))
    for one in replicates:
        plain, other = next(found), next(found)
        mended = {**other, "train": scaled_to(other["train"], plain["train"], 4.0)}
        for seed in range(4):
            yield student("scale", digits(one), one, seed)
            for kind, taught in ((PLAIN, plain), (SHIFTED, other), ("shifted, long, scaled", mended)):
                yield student("scale", digits(one), one, seed, SOFT, taught, kind)
            for kind, taught in ((PLAIN, plain), (SHIFTED, other)):
                standardised = kdlearn.StandardisedSoftLabels(2.0)
                yield student("scale", digits(one), one, seed, standardised, taught, kind)


@cache
def gaussian(replicate: int) -> tuple[Dataset, dict[str, Tensor]]:
    """Ten classes in eight dimensions, 1,200 points to train on, 4,000 to test, and log posteriors of each split."""
    generator = generator_of(replicate, 7)
    means = 1.1 * torch.randn(10, 8, generator=generator)
    sizes, parts, posteriors = {"train": 1200, "validation": 400, "test": 4000}, {}, {}
    for name, size in sizes.items():
        labels = torch.arange(size) % 10
        points = means[labels] + torch.randn(size, 8, generator=generator)
        parts[name] = Split(points, labels)
        posteriors[name] = (-0.5 * torch.cdist(points, means).square()).log_softmax(dim=-1)
    return Dataset(**parts, class_names=tuple("abcdefghij"), name="ten Gaussian classes"), posteriors


def drawn_once(log_posterior: Tensor, seed: int) -> Tensor:
    """One label a row, drawn by its probabilities, as logits."""
    generator = generator_of(seed, 8)
    labels = torch.multinomial(log_posterior.exp(), 1, generator=generator).squeeze(1)
    return logits_from(one_hot(labels, log_posterior.shape[-1]))


def same_arg_max(posteriors: Mapping[str, Tensor], replicate: int) -> dict[str, dict[str, Tensor]]:
    """Teachers of the same accuracy, the best one there is, and one that draws its labels."""

    def changed(how: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        return {split: how(logits) for split, logits in posteriors.items()}

    return {
        "true probabilities": dict(posteriors),
        "true, logits × 4": changed(lambda logits: 4 * logits),
        "true, logits / 4": changed(lambda logits: logits / 4),
        "true arg max, spread evenly": changed(lambda logits: logits_from(evenly_spread(logits.exp()), eps=1e-9)),
        "drawn from the true": {**posteriors, "train": drawn_once(posteriors["train"], replicate)},
    }


def truth(replicates: Iterable[int], where: Where) -> Iterator[Run]:
    options = {"optimizer": kdlearn.Adam(1e-3), "batch_size": BATCH_SIZE}
    build = partial(kdlearn.perceptron, 8, 128, 10)
    lengths = {"trained, 100 updates": 100, "trained, 1,000 updates": 1000, "trained, 10,000 updates": 10000}
    of_set = partial(student, "truth", network=partial(kdlearn.perceptron, 8, 32, 10))
    places = [(one, kind) for one in replicates for kind in lengths]
    runs = [Run(gaussian(one)[0], build, lengths=(lengths[kind],), replicate=one, **options) for one, kind in places]
    trained = dict(zip(places, kdlearn.trained_logits(runs, **where), strict=True))
    for one in replicates:
        data, posteriors = gaussian(one)
        kinds = same_arg_max(posteriors, one) | {kind: trained[one, kind] for kind in lengths}
        for seed in range(4):
            yield of_set(data, one, seed)
            yield of_set(data, one, seed, HARD, kinds["true probabilities"], "true probabilities")
            for kind, taught in kinds.items():
                yield of_set(data, one, seed, SoftLabels(1.0), taught, kind)


def generations(replicates: Iterable[int]) -> Iterator[Run]:
    for one in replicates:
        for seed in range(2):
            first = student("generations", digits(one), one, seed, kind="generation 1")
            yield first
            for strategy in (SoftLabels(1.0), SOFT):
                taught = first
                for number in range(2, 6):
                    kind = f"generation {number}"
                    taught = student("generations", digits(one), one, seed, strategy, taught, kind)
                    yield taught


def assistant(replicates: Iterable[int]) -> Iterator[Run]:
    for one in replicates:
        data, teacher = digits(one), two_teachers(one)[PLAIN]
        middle = Run(
            data, partial(kdlearn.perceptron, 64, 64, 10), SOFT, teacher, (3000,), replicate=one,
            optimizer=kdlearn.Adam(RATE), batch_size=BATCH_SIZE,
        )  # fmt: skip
        for seed in range(4):
            yield student("assistant", data, one, seed, network=SMALL)
            for kind, taught in ((PLAIN, teacher), ("assistant", middle)):
                yield student("assistant", data, one, seed, SOFT, taught, kind, network=SMALL)


def parts(first: int, where: Where) -> Iterator[tuple[str, list[Run]]]:
    """Each part's runs; a part is carried out before the next is planned."""
    few, many = range(first, first + 24), range(first, first + 40)
    yield "truth", list(truth(many, where))
    yield "scale", list(scale(many, where))
    yield "generations", list(generations(many))
    yield "assistant", list(assistant(many))
    yield "views", list(views(few))
    yield "networks", list(networks(few))


def planned(record: Comparison) -> Mapping[str, Interval]:
    """The five planned differences, in points."""

    def arm(part: str, strategy: str = SOFT.name, **told: Any) -> dict[str, Any]:
        return {"part": part, "strategy": strategy, **told}

    def gain(part: str) -> pd.Series:
        return record.each(arm(part, kind=SHIFTED), arm(part, TRUTH.name))

    def of_truth(kind: str) -> dict[str, Any]:
        return arm("truth", kind=kind)

    scaled, as_it_is = arm("scale", kind="shifted, long, scaled"), arm("scale", kind=SHIFTED)
    fifth = arm("generations", kind="generation 5", temperature=4.0)
    return {
        "views for the student too": interval(gain("views") - gain("no views")),
        "a convolutional student": interval(gain("convolutional") - gain("perceptron")),
        "scaled logits": record.difference(scaled, as_it_is),
        "true probabilities, not softness": record.difference(
            of_truth("true probabilities"), of_truth("true arg max, spread evenly")
        ),
        "five generations": record.difference(fifth, arm("generations", TRUTH.name)),
    }


def main(
    folder: Path, first: Annotated[int, typer.Option(help="the first replicate")] = FIRST, workers: int = 2
) -> None:
    """Carry all parts out, and tell the planned claims."""
    where = {"folder": folder, "workers": workers, "progress": True}
    tables = [kdlearn.study(runs, **where) for _, runs in parts(first, where)]
    table = pd.concat(tables, ignore_index=True).drop(columns=["rows", "learning_rate", "parameters", "seconds"])
    measured = ["accuracy", "loss", "agreement", "teacher_accuracy"]
    record = Comparison(table[[*(name for name in table if name not in measured), *measured]])
    print(record.planned(planned(record)).to_string(index=False))
    if first == FIRST:
        record.save(RECORD)


if __name__ == "__main__":
    typer.run(main)
