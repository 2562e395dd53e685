"""One small study, trained once; and copies of it that a test may spoil."""

import shutil

import pytest
from probe_kit import STUDY

from frustration.study.definition import Study
from frustration.study.run import prepare, run_study
from frustration.study.store import Store


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Store:
    """Twelve trained networks; nobody writes here."""
    store = Store(tmp_path_factory.mktemp("results") / "small")
    outcome = run_study(prepare(Study.from_toml(STUDY)), store, workers=1)
    assert outcome.done == 12
    return store


@pytest.fixture
def store(finished, tmp_path) -> Store:
    """A copy of the study in tmp_path/small, not probed yet."""
    shutil.copytree(finished.root, tmp_path / "small")
    return Store(tmp_path / "small")
