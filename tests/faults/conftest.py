"""One uninterrupted session, to which all interrupted ones are compared."""

import pytest
from train_command import SESSION, finished, kept


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The model directory of a session that nothing happened to."""
    model_dir = tmp_path_factory.mktemp("undisturbed") / "models"
    finished(model_dir, *SESSION, "--threads", "1")
    return model_dir


@pytest.fixture(scope="session")
def uninterrupted(undisturbed):
    """What it kept."""
    return kept(undisturbed)
