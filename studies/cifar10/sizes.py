"""How large must the student be? Students of other sizes, a single run each, which ranks nothing that is close.

Four networks of a pair of plan.py, of which the second is the student of the plan: airbench in three widths, and a
ResNet-18 (torchvision's, its first convolution 3 × 3) so thin that it has as many weights as that student, but for 3 %.
Each on ground truth and on soft labels, 9 epochs, with that pair's first seed, order, views and teacher. Rates were
chosen for the plan's student and are not chosen again, so a network that wants another rate is told at its worse.
Exploratory.

Command: `python studies/cifar10/sizes.py FOLDER`, with the folder that plan.py carried the pair out in, writes
sizes.parquet beside this file. Reckoned at 25 minutes of a core.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import plan
import typer
from students import FIRST, SOFT, TRUTH, Choices, Setting, cell_of, photographs, student_of, teacher_of

import kdlearn
from kdlearn import Run
from kdlearn.commands.presets import network_named
from kdlearn.data.files import write_table

RECORD = Path(__file__).with_name("sizes.parquet")
NETWORKS = ("airbench:8,40,48", "airbench:16,80,96", "airbench:24,120,144", "resnet18:9")
TOLD = ["network", "parameters", "strategy", "learning_rate", "epochs", "replicate", "seed", "accuracy", "agreement"]


def students(setting: Setting, pair: int, chosen: Choices) -> Iterator[Run]:
    """Ground truth and soft labels for each network."""
    taught = teacher_of(setting, FIRST + pair)
    for name in NETWORKS:
        other = replace(setting, student=network_named(name, setting.data))
        for arm in (TRUTH, SOFT):
            cell = cell_of(setting, arm, setting.lengths[1])
            run = student_of(other, cell, chosen[cell], taught)
            yield replace(run, names={**run.names, "network": name})


def main(folder: Path, pair: int = 0, workers: int = 2) -> None:
    """Train what is not trained yet, and write a row a student."""
    setting = photographs()
    where = {"folder": folder, "workers": workers, "machine": plan.MACHINE, "progress": True}
    chosen = plan.tuned(plan.HERE, setting, plan.RATES, where)
    table = kdlearn.study(list(students(setting, pair, chosen)), **where)[TOLD]
    write_table(RECORD, table, "students of other sizes on CIFAR-10, a single run each")
    print(table.to_string(index=False))


if __name__ == "__main__":
    typer.run(main)
