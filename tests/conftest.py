"""Data small enough that a test trains on it in a fraction of a second."""

import functools
import os
from collections.abc import Callable

import pytest
import torch
from hypothesis import settings

from frustration import load_dataset
from frustration.dataset import Split
from frustration.testing.trials import small_mnist

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.register_profile("thorough", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def load_once() -> Callable[[str], Split]:
    """`load` that remembers; a folder of tests lets it stand in for the real one, a test at a time."""
    return functools.cache(load_dataset)


@pytest.fixture(scope="session")
def mnist() -> Split:
    """All of MNIST, as the paper splits it."""
    return load_dataset("mnist")


@pytest.fixture(scope="session")
def data() -> Split:
    """The first 640 / 300 / 300 images of MNIST: ten batches of 64."""
    return small_mnist()
