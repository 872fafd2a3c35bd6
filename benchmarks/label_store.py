"""What n distilled students cost over n plain ones: with the teacher's labels made once, and with the teacher run anew.

Networks of the `cpu` preset, one epoch of 2,000 random images each, in turns; a study of k epochs makes k epochs of
labels, so that its ratios are those of one epoch.

python benchmarks/label_store.py
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch

from kdlearn import BatchStream, Dataset, GroundTruth, SoftLabels, Split, Views, train
from kdlearn.commands.presets import PRESETS, network_named
from kdlearn.data.dataset import Normalise
from kdlearn.networks.basic import seeded
from kdlearn.training.answers import LiveAnswers, StoredAnswers, ask
from kdlearn.training.machine import best_machine

REPEATS, BATCH_SIZE, NUM_IMAGES, NUM_STUDENTS = 5, 500, 2_000, (1, 3, 12)


def seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def noise(device: str) -> Dataset:
    """Random images of ten classes."""
    images = torch.randint(256, (NUM_IMAGES, 3, 32, 32), dtype=torch.uint8)
    examples = Split(images, torch.randint(10, (NUM_IMAGES,)))
    names = tuple("0123456789")
    return Dataset(examples, examples, class_names=names, normalise=Normalise((0.5,) * 3, (0.25,) * 3)).to(device)


def main() -> None:
    machine, preset = best_machine(), PRESETS["cpu"]
    data = noise(machine.device)
    views = Views().of(data)
    teacher, student = (
        machine.place(seeded(network_named(name, data), 0)) for name in (preset.teacher, preset.student)
    )

    def labels() -> torch.Tensor:
        return ask(teacher, data, views, 0, machine=machine)

    def epoch(strategy, answers=None) -> None:
        batches = BatchStream(data.train, BATCH_SIZE, seed=0, inputs=views, answers=answers)
        train(student, batches, strategy, num_epochs=1, machine=machine, progress=False)

    stored, live = StoredAnswers([labels()]), LiveAnswers(teacher, views, [], machine)
    works = {
        "plain": lambda: epoch(GroundTruth()),
        "distilled": lambda: epoch(SoftLabels(2.0), stored),
        "anew": lambda: epoch(SoftLabels(2.0), live),
        "labels": labels,
    }
    for work in works.values():
        work()  # the first time is slower
    times = {name: [] for name in works}
    for _ in range(REPEATS):
        for name, work in works.items():
            times[name].append(seconds(work))
    plain, distilled, anew, labelling = (median(times[name]) for name in works)
    print(f"{machine}; seconds an epoch of {NUM_IMAGES:,} images, median of {REPEATS}:")
    print(", ".join(f"{name} {median(values):.2f}" for name, values in times.items()))
    print(f"a distilled epoch / a plain one, once the store is made: {distilled / plain:.2f}")
    for n in NUM_STUDENTS:
        stored = (labelling + n * distilled) / (n * plain)
        print(f"{n:3} distilled students / {n:2} plain: {stored:.2f} with the store, {anew / plain:.2f} teacher anew")


if __name__ == "__main__":
    main()
