"""What bfloat16 and compiling give here: seconds a training step of the `cpu` preset's networks, in turns.

python benchmarks/devices.py [--compile]
"""

import sys
from statistics import median
from time import perf_counter

import torch

from kdlearn import GroundTruth
from kdlearn.data import Batch
from kdlearn.studies import PRESETS
from kdlearn.training.loop import step
from kdlearn.training.machine import Machine, best_machine
from kdlearn.training.processes import forward_of

REPEATS, BATCH_SIZE = 7, 500


def main() -> None:
    device = best_machine().device
    images, labels = torch.randn(BATCH_SIZE, 3, 32, 32, device=device), torch.randint(10, (BATCH_SIZE,), device=device)
    machines = {"float32": Machine(device), "bfloat16": Machine(device, autocast=True)}
    if "--compile" in sys.argv:
        machines["bfloat16, compiled"] = Machine(device, autocast=True, compiled=True)
    print(f"chosen here: {best_machine()}")
    for network in (PRESETS["cpu"].teacher, PRESETS["cpu"].student):
        times = {name: [] for name in machines}
        model = machines["float32"].place(network.build(10, 3))
        stepper = torch.optim.SGD(model.parameters(), lr=0.01)
        forwards = {name: forward_of(model, machine) for name, machine in machines.items()}
        for _ in range(REPEATS + 1):
            for name, machine in machines.items():
                start = perf_counter()
                step(forwards[name], Batch(images, labels), GroundTruth(), stepper, machine).item()
                times[name].append(perf_counter() - start)
        for name, values in times.items():
            took = median(values[1:])
            print(f"{network!s:24} {name:20} {took:.3f} s, float32 / this {median(times['float32'][1:]) / took:.2f}")


if __name__ == "__main__":
    main()
