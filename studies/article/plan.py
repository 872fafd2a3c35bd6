"""The article on trial, on digits: what do its losses, its labels and its teacher do to a small student?

The source article says of soft and of hard labels what they do to mistakes, overfitting, stability, noise and
agreement. It measures none of it. Here each statement is one column of a table. Student, teacher and rate are those
of `kdlearn demo`.

Arms. 60 or all 1,200 images: ground truth, the teacher's hard labels, its soft labels at T = 1 and T = 2. Beside them
the article's own pieces: its hard loss L_hard of section 4.2 alone (the logarithm of a mean over the batch), on 60
images, where the batch is all of them, and on 1,200, of which each batch draws 60; its sum of two unweighted losses at
T = 1, other weights of that sum, and a teacher that was never trained, as in its script.
Wrong labels: 30 % of all training labels are another class; the teacher learned those. Fewer classes: a student of
the classes 0 to 4 on 30 images, whose teacher knows all ten and is cut to the five.

Columns. `repeats`: the share of the test images on which the replicate's teacher is wrong where the student gives the
same wrong class. A student on ground truth never met that teacher. `gap`: accuracy on the images seen, as they were
labelled, less accuracy on the test set. `train_agreement`: with the teacher, on the images seen. `first_variance` and
`last_variance`: natural logarithm of the summed variance of the loss's gradient between the images seen (the first
300 of them), at the first weights and at the last. `seed_deviation`: standard deviation of the test accuracy over a
replicate's seeds.

Repetition. 24 replicates, each with a split, teachers and four seeds of its own, numbers 200 to 223: no pilot has
used them. Within a replicate all arms of a seed share images, first weights and order. Nothing is chosen on these
images.

Planned, one Holm family, at 3,000 updates, two-sided, Student's t over the replicates' means:
1. `repeats` on 1,200 images: soft labels (T = 2) - ground truth (soft labels do not keep mistakes away);
2. `gap` on 60 images: the teacher's hard labels - soft labels (T = 2) (hard labels overfit more);
3. `first_variance` on 1,200 images: soft labels (T = 1) - ground truth (soft labels steady the gradient);
4. `train_agreement` on 1,200 images: hard labels - soft labels (T = 2) (hard labels make students agree);
5. accuracy with 30 % wrong labels: soft labels (T = 2) - those labels themselves (noise is averaged out).
All else that is read from this record is exploratory. A pilot of replicates 0 and 1 measured the speed; its means had
the signs + + - + + in this order. L_hard on 60 images was added when the pilot had shown that on 1,200 images it
teaches.

Command: `python studies/article/plan.py FOLDER` writes comparison.parquet beside this file, and goes on in FOLDER
where it was stopped. On one thread of a machine that others used too: 21 minutes, about eleven of them computing.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

import kdlearn
from kdcourse.demo import BATCH_SIZE, STUDENT, teacher
from kdlearn.comparing.pairing import REPEATED
from kdlearn.data.dataset import generator_of
from kdlearn.formulas.intervals import Interval

RECORD = Path(__file__).with_name("comparison.parquet")
REPLICATES, SEEDS, LENGTHS = range(200, 224), range(4), (300, 3000)
ONE_THREAD, MOST_GRADIENTS = kdlearn.Machine(threads=1), 300
CLEAN, WRONG, FIVE = "all classes", "30 % wrong labels", "classes 0 to 4"
NOBODY, TRAINED, UNTRAINED = "", "trained", "never trained"
TRUTH, HARD = kdlearn.GroundTruth(), kdlearn.TeachersHardLabels()


@dataclass(frozen=True)
class ArticlesHardLoss(kdlearn.Strategy):
    """Section 4.2 as it is written: minus the logarithm of the *batch's* mean probability of the teacher's class."""

    name = "the article's L_hard"
    reads = ("teacher_logits",)

    def __call__(self, student_logits: Tensor, batch: kdlearn.Batch) -> Tensor:
        mean = student_logits.softmax(dim=-1).mean(dim=0)
        return -mean.log()[kdlearn.hard_labels(batch.teacher_logits)]


soft, both = kdlearn.SoftLabels, kdlearn.SoftLabelsAndGroundTruth
ARMS = (  # data, images, teacher, strategies
    (CLEAN, 60, NOBODY, [TRUTH]),
    (CLEAN, 60, TRAINED, [HARD, soft(1.0), soft(2.0), *(both(T, w) for T in (1.0, 2.0) for w in (0.5, 0.9))]),
    (CLEAN, 60, TRAINED, [ArticlesHardLoss()]),
    (CLEAN, 1200, NOBODY, [TRUTH]),
    (CLEAN, 1200, TRAINED, [HARD, soft(1.0), soft(2.0), both(1.0, 0.5), ArticlesHardLoss()]),
    (CLEAN, 1200, UNTRAINED, [soft(1.0), both(1.0, 0.5)]),
    (WRONG, 1200, NOBODY, [TRUTH]),
    (WRONG, 1200, TRAINED, [HARD, soft(1.0), soft(2.0)]),
    (FIVE, 30, NOBODY, [TRUTH]),
    (FIVE, 30, TRAINED, [HARD, soft(2.0)]),
)


class FirstClasses(nn.Module):
    """A teacher cut to its first classes: the softmax of the cut logits is its distribution, renormalised over them."""

    def __init__(self, network: nn.Module, count: int) -> None:
        super().__init__()
        self.network, self.count = network, count

    def forward(self, inputs: Tensor) -> Tensor:
        return self.network(inputs)[:, : self.count]


def with_wrong_labels(data: kdlearn.Dataset, replicate: int, share: float = 0.3) -> kdlearn.Dataset:
    """A share of the training labels is another class, each of the nine equally likely."""
    generator, labels = generator_of(replicate, 3), data.train.labels
    changed = torch.rand(len(labels), generator=generator) < share
    moved = (labels + torch.randint(1, 10, labels.shape, generator=generator)) % 10
    return replace(data, train=data.train._replace(labels=torch.where(changed, moved, labels)))


def first_classes(data: kdlearn.Dataset, count: int = 5) -> kdlearn.Dataset:
    """The images of the first classes alone."""
    parts = {name: part.take(part.labels < count) for name, part in data.splits()}
    return replace(data, **parts, class_names=data.class_names[:count])


@dataclass(frozen=True)
class World:
    """A replicate's split in its three forms, and its teachers."""

    replicate: int

    @cached_property
    def data(self) -> dict[str, kdlearn.Dataset]:
        clean = kdlearn.load_digits(self.replicate)
        return {CLEAN: clean, WRONG: with_wrong_labels(clean, self.replicate), FIVE: first_classes(clean)}

    @cached_property
    def teachers_runs(self) -> dict[str, kdlearn.Run]:
        return {
            which: replace(teacher(self.data[which], self.replicate), keep=True, names={"data": which})
            for which in (CLEAN, WRONG)
        }

    def teacher(self, which: str, kind: str, trained: Mapping[str, nn.Module]) -> nn.Module | None:
        """Who teaches on this data; None for nobody."""
        untrained = kdlearn.seeded(kdlearn.small_convnet, self.replicate)
        cut = FirstClasses(trained[CLEAN], 5) if which == FIVE else trained[which]
        return {NOBODY: None, TRAINED: cut, UNTRAINED: untrained}[kind]


def arms_of(world: World, trained: Mapping[str, nn.Module], seeds: Iterable[int] = SEEDS) -> Iterator[kdlearn.Run]:
    """A replicate's students, by arm, length and seed."""
    for which, images, kind, strategies in ARMS:
        teaches = world.teacher(which, kind, trained)
        network = partial(kdlearn.perceptron, 64, 32, 5) if which == FIVE else STUDENT
        names = {"data": which, "images": images, "taught by": kind, "teacher": "of the replicate" if kind else ""}
        options: dict[str, Any] = {"replicate": world.replicate, "batch_size": min(BATCH_SIZE, images), "names": names}
        for strategy in strategies:
            for length in LENGTHS:
                for seed in seeds:
                    told = {"sample": images if images < 1200 else None, "keep": True, **options}
                    yield kdlearn.Run(world.data[which], network, strategy, teaches, (length,), seed, **told)


def trained_networks(runs: list[kdlearn.Run], folder: Path, **where: Any) -> tuple[pd.DataFrame, list[nn.Module]]:
    """The table of the runs, and each one's trained network."""
    where |= {"folder": folder, "machine": ONE_THREAD}
    table, networks = kdlearn.study(runs, **where), kdlearn.trained_networks(runs, **where)
    return table, [network.eval() for network in networks]


def gradient_variance(run: kdlearn.Run, network: nn.Module, seen: kdlearn.Batch) -> float:
    """ln of the gradient's variance between images, summed over the weights; NaN where rows share a loss."""
    if isinstance(run.strategy, ArticlesHardLoss):
        return float("nan")
    weights = {name: weight.detach() for name, weight in network.named_parameters()}

    def loss(weights: dict[str, Tensor], inputs: Tensor, labels: Tensor, told: Tensor) -> Tensor:
        logits = functional_call(network, weights, (inputs[None],))
        return run.strategy(logits, kdlearn.Batch(inputs[None], labels[None], told[None])).sum()

    told = (values[:MOST_GRADIENTS] for values in (seen.inputs, seen.labels, seen.teacher_logits))
    each = vmap(grad(loss), in_dims=(None, 0, 0, 0))(weights, *told).values()
    return float(torch.cat([values.flatten(1) for values in each], dim=1).var(dim=0).sum().log())


@cache
def answers(network: nn.Module, data: kdlearn.Dataset, split: str) -> Tensor:
    """A teacher's logits, asked for once."""
    return kdlearn.predict(network, data.inputs(split))


def measured(run: kdlearn.Run, network: nn.Module, examiner: nn.Module) -> dict[str, float]:
    """A row's own columns; `examiner` is the replicate's trained teacher, whether it taught this student or not."""
    taught_by = examiner if run.teacher is None else run.teacher
    images, labels = run.data.train.inputs[run.rows], run.data.train.labels[run.rows]
    seen = kdlearn.Batch(images, labels, answers(taught_by, run.data, "train")[run.rows])
    mine, its = kdlearn.predict(network, run.measured.inputs), answers(examiner, run.data, "test")
    said, wrong = its.argmax(dim=1), its.argmax(dim=1) != run.measured.labels
    logits = kdlearn.predict(network, images)
    return {
        "repeats": (mine.argmax(dim=1) == said)[wrong].double().mean().item(),
        "gap": kdlearn.accuracy(logits, labels) - kdlearn.accuracy(mine, run.measured.labels),
        "train_agreement": kdlearn.agreement(logits, seen.teacher_logits),
        "first_variance": gradient_variance(run, run.build(), seen),
        "last_variance": gradient_variance(run, network, seen),
    }


def carried_out(folder: Path, replicates: Iterable[int] = REPLICATES, **where: Any) -> kdlearn.Comparison:
    """The whole study; `where` as in `kdlearn.study`."""
    worlds = [World(replicate) for replicate in replicates]
    _, found = trained_networks([run for world in worlds for run in world.teachers_runs.values()], folder, **where)
    taught = [dict(zip((CLEAN, WRONG), found[2 * place :][:2], strict=True)) for place in range(len(worlds))]
    by_replicate = {world.replicate: trained for world, trained in zip(worlds, taught, strict=True)}
    runs = [run for world in worlds for run in arms_of(world, by_replicate[world.replicate])]
    table, networks = trained_networks(runs, folder, **where)
    rows = [measured(run, network, examiner_of(run, by_replicate)) for run, network in zip(runs, networks, strict=True)]
    return as_record(pd.concat([table, pd.DataFrame(rows)], axis=1))


def examiner_of(run: kdlearn.Run, trained: Mapping[int, Mapping[str, nn.Module]]) -> nn.Module:
    networks, which = trained[run.replicate], run.names["data"]
    return FirstClasses(networks[CLEAN], 5) if which == FIVE else networks[which]


def as_record(table: pd.DataFrame) -> kdlearn.Comparison:
    arm = ["strategy", "temperature", "soft_weight", "data", "images", "taught by", "replicate", "length"]
    spread = table.groupby(arm, dropna=False)["accuracy"].transform("std")
    kept = table.drop(columns=["rows", "learning_rate", "parameters", "seconds"])
    return kdlearn.Comparison(kept.assign(seed_deviation=spread))


def planned(record: kdlearn.Comparison) -> Mapping[str, Interval]:
    """The five planned differences; shares in points, variances as natural logarithms."""

    def of(measure: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Interval:
        about = [*record.settings, *REPEATED, "length", measure]
        asked = replace(record, table=record.table[about], metric=measure, share=not measure.endswith("variance"))
        return asked.difference(a, b)

    truth, hard = {"strategy": TRUTH.name}, {"strategy": HARD.name}
    one, two = ({"strategy": "soft labels", "temperature": T, "taught by": TRAINED} for T in (1.0, 2.0))
    few, all_of_them = ({"data": CLEAN, "images": images} for images in (60, 1200))
    wrong = {"data": WRONG, "images": 1200}
    return {
        "repeated mistakes": of("repeats", two | all_of_them, truth | all_of_them),
        "gap of hard labels": of("gap", hard | few, two | few),
        "variance of the gradient": of("first_variance", one | all_of_them, truth | all_of_them),
        "agreement on training images": of("train_agreement", hard | all_of_them, two | all_of_them),
        "wrong labels": of("accuracy", two | wrong, truth | wrong),
    }


if __name__ == "__main__":
    record = carried_out(Path(sys.argv[1]), progress=True)
    record.save(RECORD)
    print(record)
    print(record.planned(planned(record)).to_string(index=False))
