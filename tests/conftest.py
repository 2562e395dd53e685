"""Data small enough that a test trains on it in a fraction of a second; MNIST, which is read once."""

import functools
import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from frustration import load_dataset
from frustration.dataset import Split
from frustration.dataset.catalogue import ENTRIES
from frustration.dataset.places import locate
from frustration.testing.trials import small_mnist

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.register_profile("thorough", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

torch.set_num_threads(1)


OURS = Path(__file__).parents[1] / "dataset" / "mnist"
read_ours = functools.cache(load_dataset)


def load(name: str = "mnist", folder: Path | None = None) -> Split:
    """As frustration's own, but that the MNIST of this checkout is read once."""
    ours = name == "mnist" and folder is None and locate(ENTRIES[name]) == OURS
    return read_ours(name) if ours else load_dataset(name, folder)


@pytest.fixture(scope="session", autouse=True)
def commands_read_mnist_once() -> Iterator[None]:
    """For a command that runs in this process: reading takes longer than most trainings here."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("session", "study.run", "probes.plan"):
            patch.setattr(importlib.import_module(f"frustration.{module}"), "load", load)
        yield


@pytest.fixture(scope="session")
def mnist() -> Split:
    """All of MNIST, as the paper splits it."""
    return read_ours("mnist")


@pytest.fixture(scope="session")
def data() -> Split:
    """The first 640 / 300 / 300 images of MNIST: ten batches of 64."""
    return small_mnist()
