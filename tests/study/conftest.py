"""MNIST is read once for all studies that run in this process."""

import functools

import pytest

from frustration.study import run


@pytest.fixture(scope="session", autouse=True)
def read_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "load", functools.cache(run.load))
        yield
