"""What the tests share: devices, a random generator that is the same each time, made-up pictures, the command."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

settings.register_profile("kdlearn", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("kdlearn")

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    torch.manual_seed(0)


def require(there: bool, reason: str) -> None:
    """Skip for want of something, with a reason that tells how to get it; under KDLEARN_STRICT=1 fail instead."""
    if not there:
        (pytest.fail if os.environ.get("KDLEARN_STRICT") == "1" else pytest.skip)(reason)


def make_pictures(folder: Path, per_class: int = 60, test_per_class: int = 20) -> Path:
    """Three classes of noisy pictures, 32×32 RGB, each class with a colour of its own, in train/ and test/."""
    generator = np.random.default_rng(0)
    for split, count in {"train": per_class, "test": test_per_class}.items():
        for label, name in enumerate(("ball", "cube", "rod")):
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = generator.normal(110 + 40 * (np.arange(3) == label), 60, (32, 32, 3)).clip(0, 255)
                Image.fromarray(pixels.astype(np.uint8)).save(folder / split / name / f"{i:02}.png")
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("data") / "pictures")


def kdlearn_command(*arguments: object, launcher: Sequence[str] = (), **options) -> subprocess.Popen:
    """`python -m kdlearn …` on one thread, with what it prints piped as text."""
    command = [sys.executable, *launcher, "-m", "kdlearn", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen(command, env=environment, stdout=PIPE, stderr=PIPE, text=True, **options)
