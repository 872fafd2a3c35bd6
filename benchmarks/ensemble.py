"""Many students of the digits trained together against one after another: student-updates a second, in one run.

The students are those of the first distillation: a perceptron of 2,410 parameters on 60 images, half of them on ground
truth, half on a teacher's soft labels. One after another, a few of the same students are timed, by the training loop
alone. Target: together at least 20 times as many student-updates a second. With --full also 10,000 students of 300
updates; target: at most two minutes on two cores.

python benchmarks/ensemble.py [--students 1000] [--alone 10] [--full]
"""

import argparse
from time import perf_counter

from torch import nn

from kdlearn import (
    BatchStream,
    GroundTruth,
    Machine,
    Run,
    SoftLabels,
    load_digits,
    perceptron,
    seeded,
    small_convnet,
    study,
    train,
)
from kdlearn.training.answers import StoredAnswers, ask

NUM_UPDATES, FULL = 300, 10_000


def student() -> nn.Module:
    return perceptron(64, 32, 10)


def runs_of(num_students: int) -> list[Run]:
    """Half on ground truth, half on soft labels of a teacher that is not trained: what it says costs the same."""
    data, teacher = load_digits(), seeded(small_convnet, 0)
    kinds = ((GroundTruth(), None), (SoftLabels(2.0), teacher))
    return [
        Run(data, student, strategy, asked, (NUM_UPDATES,), seed, batch_size=60, sample=60)
        for seed in range(num_students // 2)
        for strategy, asked in kinds
    ]


def together(runs: list[Run], machine: Machine) -> float:
    """Student-updates a second of `study`, all included: its checks, the answers, the measurements."""
    start = perf_counter()
    study(runs, machine=machine)
    return NUM_UPDATES * len(runs) / (perf_counter() - start)


def one_after_another(runs: list[Run], machine: Machine) -> float:
    """The same of the training loop alone, with the teacher's answers stored before."""
    data = runs[0].data
    answers = StoredAnswers([ask(runs[1].teacher, data, lambda epoch, rows: data.inputs("train", rows), 0)])
    start = perf_counter()
    for run in runs:
        batches = BatchStream(data.train, run.batch_size, seed=run.own_seed, rows=run.rows, answers=answers)
        train(run.build(), batches, run.strategy, num_epochs=NUM_UPDATES, machine=machine, progress=False)
    return NUM_UPDATES * len(runs) / (perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=1000, help="trained together (default: 1000)")
    parser.add_argument("--alone", type=int, default=10, help="trained one after another (default: 10)")
    parser.add_argument("--full", action="store_true", help=f"{FULL:,} students too")
    options = parser.parse_args()
    machine, runs = Machine(), runs_of(options.students)
    one_after_another(runs[:2], machine)  # the first time is slower
    alone, stacked = one_after_another(runs[: options.alone], machine), together(runs, machine)
    print(f"one after another {alone:10,.0f} student-updates a second ({options.alone} students)")
    print(f"together          {stacked:10,.0f} student-updates a second ({len(runs):,} students)")
    print(f"together / one after another: {stacked / alone:.1f} (target: at least 20)")
    if options.full:
        rate = together(runs_of(FULL), machine)
        print(f"{FULL:,} students of {NUM_UPDATES} updates: {FULL * NUM_UPDATES / rate:.0f} s (target: at most 120 s)")


if __name__ == "__main__":
    main()
