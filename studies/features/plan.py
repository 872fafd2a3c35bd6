"""Do features and relations of a teacher teach more than its logits, at equal tuning?

Published tables rank methods of feature distillation by fractions of a point, mostly of one teacher and with each
method's own tuning. Here all have the same candidates, and each replicate a teacher of its own.

Arms. A student of 1,458 parameters, `small_convnet(4)`, on 60 images of the digits, measured after 300 and 1,000
updates: ground truth; soft labels; soft labels beside one loss on features, of the last convolution (hint, attention)
or of the layer before the logits (relations, similarities, contrast). The teacher is `small_convnet()` on 1,200 images,
as in `kdlearn demo`: the same architecture, eight times as wide, so that every method has what it needs.

Equal tuning. Each arm has three candidates at three shared learning rates: of soft labels T = 1, 2 and 4; of a loss on
features T = 2 and three weights, a factor of ten apart. Ground truth has nothing to choose but the rate. Scored on
validation, by four other replicates and two other seeds; a choice at the end of the rates extends them for all.

Control. The hint beside ground truth, without the teacher's logits, of the trained teacher (`hint alone`) and of a
teacher that was never trained (`untrained hint`): what the second gains is no knowledge of the teacher's.

Repetition. Replicates 4000 to 4015, each with a split, a teacher and two seeds of its own.

Planned, one Holm family of five, at 1,000 updates, two-sided, Student's t over the replicates' means: hint, attention,
relations, similarities, contrast, each less soft labels. All else is exploratory, the control and the costs too.

Costs. `costs()` times updates of each arm alone, on one thread, since students by logits are trained in stacks and
those by features are not: a ratio to soft labels, whose teacher has answered before, the median of 200.

After it was read: soft labels alone took T = 4, at the end of their candidates, and losses on features had T = 2. So
the planned differences hold the temperature too. `soft labels, T = 2` was added, at the rate that is best for it on
validation; what is compared with it is exploratory.

Before it ran: replicate 0, with students of 5 updates, tried the code. There was no pilot.

Command: `python studies/features/plan.py FOLDER --workers 2` writes comparison.parquet and costs.json beside this file.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pandas as pd
import typer
from torch import nn

import kdlearn
from kdlearn import (
    AttentionTransfer,
    Choice,
    Contrastive,
    Dataset,
    GroundTruth,
    Hint,
    Relational,
    Run,
    SimilarityPreserving,
    SoftLabels,
    Strategy,
)
from kdlearn.data.batches import BatchStream
from kdlearn.data.files import write_json
from kdlearn.formulas.intervals import Interval
from kdlearn.training.answers import LiveAnswers, StoredAnswers
from kdlearn.training.loop import OneNetwork, update
from kdlearn.training.machine import Machine

RECORD, COSTS = (Path(__file__).with_name(name) for name in ("comparison.parquet", "costs.json"))
REPLICATES, SEEDS, LENGTHS, IMAGES, BATCH_SIZE = range(4000, 4016), range(2), (300, 1000), 60, 60
RATES, WEIGHTS = (1e-3, 3e-3, 1e-2), (0.1, 1.0, 10.0)
STUDENT = partial(kdlearn.small_convnet, 4)
MAPS, LAST = ("4", "4"), ("7", "7")  # after the ReLU of the last convolution; of the layer before the logits
ALONE, UNTRAINED, SAME_TEMPERATURE = "hint alone", "untrained hint", "soft labels, T = 2"
SOFT = SoftLabels(2.0)
FEATURES = {
    "hint": Hint(*MAPS, beside=SOFT),
    "attention": AttentionTransfer(*MAPS, beside=SOFT),
    "relations": Relational(*LAST, beside=SOFT),
    "similarities": SimilarityPreserving(*LAST, beside=SOFT),
    "contrast": Contrastive(*LAST, beside=SOFT),
}

digits = cache(kdlearn.load_digits)  # of a replicate: one object, so that its runs share it


def teacher(replicate: int, data: Dataset, num_updates: int = 300) -> Run:
    """15 epochs of ground truth."""
    return Run(data, kdlearn.small_convnet, lengths=(num_updates,), replicate=replicate, batch_size=BATCH_SIZE)


def untrained(replicate: int, data: Dataset) -> nn.Module:
    return kdlearn.seeded(kdlearn.small_convnet, replicate)


def of_truth(strategy: Any) -> Strategy:
    """The same beside ground truth instead of soft labels."""
    return replace(strategy, beside=GroundTruth())


def weighted(strategy: Any) -> list[Strategy]:
    return [replace(strategy, feature_weight=weight) for weight in WEIGHTS]


def candidates() -> dict[str, Sequence[Strategy]]:
    """Three for each arm but ground truth, which has one."""
    soft = [SoftLabels(temperature) for temperature in (1.0, 2.0, 4.0)]
    features = {name: weighted(strategy) for name, strategy in FEATURES.items()}
    return {"soft labels": soft, **features, ALONE: weighted(of_truth(FEATURES["hint"]))}


def carried_out(
    replicates: Iterable[int] = REPLICATES,
    seeds: Iterable[int] = SEEDS,
    lengths: Sequence[int] = LENGTHS,
    rates: Sequence[float] = RATES,
    **where: Any,
) -> kdlearn.Comparison:
    """The whole study; nothing is chosen where there are no rates. `where` as in `kdlearn.compare`."""
    options = {"seeds": seeds, "lengths": lengths, "replicates": list(replicates), **where}
    options |= {"batch_size": BATCH_SIZE, "sample": IMAGES}
    tried = candidates()
    arms = {
        "ground truth": GroundTruth(),
        "soft labels": SOFT,
        **FEATURES,
        ALONE: of_truth(FEATURES["hint"]),
    }
    found = kdlearn.compare(
        STUDENT, arms, digits, teacher=teacher, choose=Choice(tried, rates) if rates else None, **options
    )
    choose = Choice({UNTRAINED: tried[ALONE]}, rates) if rates else None
    arms = {UNTRAINED: of_truth(FEATURES["hint"])}
    control = kdlearn.compare(STUDENT, arms, digits, teacher=untrained, choose=choose, **options)
    table = pd.concat([found.table, control.table[control.table["strategy"] == UNTRAINED]], ignore_index=True)
    measured = ["accuracy", "loss", "agreement", "teacher_accuracy"]
    front = [name for name in table if name not in (*measured, "rows", "parameters", "seconds")]
    return replace(found, table=table[[*front, *measured]])


def at_the_same_temperature(**options: Any) -> pd.DataFrame:
    """Exploratory, added after the record was read: soft labels alone at T = 2, at the rate best for them."""
    arms = {SAME_TEMPERATURE: SOFT}
    options |= {"seeds": SEEDS, "lengths": LENGTHS, "replicates": list(REPLICATES), "optimizer": kdlearn.Adam(1e-3)}
    options |= {"batch_size": BATCH_SIZE, "sample": IMAGES}
    table = kdlearn.compare(STUDENT, arms, digits, teacher=teacher, **options).table
    return table[table["strategy"] == SAME_TEMPERATURE].assign(learning_rate=1e-3)


def planned(record: kdlearn.Comparison) -> Mapping[str, Interval]:
    """The five planned differences, in points."""
    return {name: record.difference(name, "soft labels") for name in FEATURES}


def answers_for(strategy: Strategy, taught: nn.Module, data: Dataset) -> StoredAnswers | LiveAnswers:
    """Stored where logits are enough; features are heard anew for each batch."""
    if not strategy.layers:
        return StoredAnswers([kdlearn.predict(taught, data.train.inputs)])
    layers = [layer for _, layer in strategy.layers]
    return LiveAnswers(taught, lambda epoch, rows: data.train.inputs[rows], layers, Machine())


def seconds_of_update(strategy: Strategy, repeats: int) -> float:
    """The median of so many updates of one student, on one thread."""
    data, machine = digits(0), Machine(threads=1)
    answers = answers_for(strategy, untrained(0, data), data)
    stream, times = BatchStream(data.train, BATCH_SIZE, seed=0, answers=answers), []
    learner = OneNetwork(kdlearn.seeded(STUDENT, 0), strategy, machine, lambda: stream(0))
    stepper = kdlearn.Adam().optimizer(learner.whole)
    with machine.threading():
        for step in range(repeats):
            start = perf_counter()
            update(learner, stream(step), stepper)
            times.append(perf_counter() - start)
    return median(times)


def costs(repeats: int = 200) -> dict[str, float]:
    """The time of an update by each arm over that by soft labels."""
    arms = {"soft labels": SOFT, **FEATURES}
    seconds = {name: seconds_of_update(strategy, repeats) for name, strategy in arms.items()}
    return {name: one / seconds["soft labels"] for name, one in seconds.items()}


def main(folder: Path, workers: int = 2) -> None:
    """Carry the study out, and tell the planned claims."""
    found = carried_out(folder=folder, workers=workers, progress=True)
    beside = at_the_same_temperature(folder=folder, workers=workers)
    found = replace(found, table=pd.concat([found.table, beside], ignore_index=True)[list(found.table)])
    found.save(RECORD)
    write_json(COSTS, costs())
    print(found)
    print(found.planned(planned(found)).to_string(index=False))


if __name__ == "__main__":
    typer.run(main)
