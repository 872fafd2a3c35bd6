"""What the tests share: the devices to run on, and a random generator that is the same each time."""

import os

import pytest
import torch
from hypothesis import settings

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
