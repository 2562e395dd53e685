"""MNIST is read once for all studies that run in this process."""

import pytest

from frustration.study import run


@pytest.fixture(autouse=True)
def read_once(monkeypatch, load_once):
    monkeypatch.setattr(run, "load", load_once)
