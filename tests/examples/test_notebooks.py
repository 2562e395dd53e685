"""The notebooks run from top to bottom, and show a bar, sentences and pictures."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.slow

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples" / "notebooks").glob("*.ipynb"))
SECONDS = 600
"""A kernel that takes longer hangs: a notebook takes less than a minute where the machine is free."""


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def executed(request, tmp_path_factory):
    notebook = nbformat.read(request.param, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "notebooks are kept without outputs"
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path_factory.mktemp("notebook"))}},
    )
    client.execute()
    return notebook


def shown(notebook, kind: str) -> list[str]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [one.data[kind] for one in outputs if kind in one.get("data", {})]


def test_it_shows_progress_sentences_and_pictures(executed):
    pages = shown(executed, "text/html")
    assert any("<progress" in page and "trials" in page for page in pages)
    assert any("control" in page and "<table>" in page for page in pages)
    assert shown(executed, "image/png")


def test_there_are_two():
    assert {path.stem for path in NOTEBOOKS} == {"first_comparison", "own_network"}
