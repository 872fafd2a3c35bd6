"""What bfloat16 and compiling give here: seconds a training step of the `cpu` preset's networks, in turns.

python benchmarks/devices.py [--compile]
"""

import sys
from statistics import median
from time import perf_counter

import torch

from kdcourse.data.stand_in import stand_in
from kdlearn import GroundTruth
from kdlearn.commands.presets import PRESETS, network_named
from kdlearn.data.batches import Batch
from kdlearn.training.loop import OneNetwork, update
from kdlearn.training.machine import Machine, best_machine

REPEATS, BATCH_SIZE = 7, 500


def main() -> None:
    device = best_machine().device
    images, labels = torch.randn(BATCH_SIZE, 3, 32, 32), torch.randint(10, (BATCH_SIZE,))
    batch, data = Batch(images.to(device), labels.to(device)), stand_in()
    machines = {"float32": Machine(device), "bfloat16": Machine(device, autocast=True)}
    if "--compile" in sys.argv:
        machines["bfloat16, compiled"] = Machine(device, autocast=True, compiled=True)
    print(f"chosen here: {best_machine()}")
    for network in (PRESETS["cpu"].teacher, PRESETS["cpu"].student):
        times = {name: [] for name in machines}
        model = machines["float32"].place(network_named(network, data)())
        stepper = torch.optim.SGD(model.parameters(), lr=0.01)
        learners = {
            name: OneNetwork(model, GroundTruth(), machine, lambda: batch) for name, machine in machines.items()
        }
        for _ in range(REPEATS + 1):
            for name, learner in learners.items():
                start = perf_counter()
                update(learner, batch, stepper).item()
                times[name].append(perf_counter() - start)
        for name, values in times.items():
            took = median(values[1:])
            print(f"{network:24} {name:20} {took:.3f} s, float32 / this {median(times['float32'][1:]) / took:.2f}")


if __name__ == "__main__":
    main()
