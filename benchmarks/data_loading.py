"""Cropped and flipped batches a second: views made as whole batches against torchvision's transforms in a DataLoader.

Both cut 32×32 from images padded by reflection, mirror, normalise, and give float32 batches of 500. One run, in turns.

python benchmarks/data_loading.py
"""

from collections.abc import Iterable
from statistics import median
from time import perf_counter

import torch
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from kdlearn import BatchStream, Dataset, Split, Views
from kdlearn.data.dataset import Normalise

MEAN, DEVIATION, BATCH_SIZE, NUM_IMAGES = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26), 500, 10_000


class Pictures(torch.utils.data.Dataset):
    """Tensors in memory, transformed one by one: what a DataLoader does for most courses."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images
        self.transform = v2.Compose(
            [
                v2.RandomCrop(32, padding=2, padding_mode="reflect"),
                v2.RandomHorizontalFlip(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(MEAN, DEVIATION),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> torch.Tensor:
        return self.transform(self.images[row])


def batches_a_second(batches: Iterable[object]) -> float:
    start = perf_counter()
    count = sum(1 for _ in batches)
    return count / (perf_counter() - start)


def main() -> None:
    images = torch.randint(256, (NUM_IMAGES, 3, 32, 32), dtype=torch.uint8)
    loaders = {
        f"DataLoader, {workers} workers": DataLoader(
            Pictures(images), BATCH_SIZE, shuffle=True, num_workers=workers, persistent_workers=workers > 0
        )
        for workers in (0, 2)
    }
    data = Dataset(Split(images), test=Split(images[:1]), normalise=Normalise(MEAN, DEVIATION))
    ours = BatchStream(data.train, BATCH_SIZE, seed=0, inputs=Views().of(data))
    rates = {name: [] for name in (*loaders, "kdlearn")}
    for _ in range(5):
        for name, batches in {**loaders, "kdlearn": ours}.items():
            rates[name].append(batches_a_second(batches))
    fastest = max(median(rates[name]) for name in loaders)
    for name, values in rates.items():
        print(
            f"{name:22} {median(values):8.1f} batches of {BATCH_SIZE} a second ({min(values):.1f} to {max(values):.1f})"
        )
    print(f"kdlearn / the faster DataLoader: {median(rates['kdlearn']) / fastest:.1f}")


if __name__ == "__main__":
    main()
