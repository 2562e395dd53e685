"""Data of a few hundred images, and the engine compiled for this CPU."""

import pytest

from frustration.dataset import Split, load
from frustration.engine.native import NativeBackend, native_available


@pytest.fixture(scope="session")
def digits() -> Split:
    """The first images of MNIST: 21 batches of 64, the last one of 16."""
    return load("mnist").head(1296, 500, 300)


@pytest.fixture(scope="session")
def native() -> NativeBackend:
    reason = native_available()
    assert reason is None, reason
    return NativeBackend()
