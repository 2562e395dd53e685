"""The notebooks run from top to bottom, show a bar, sentences and pictures, and take less than a minute."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples" / "notebooks").glob("*.ipynb"))
SECONDS = 60
"""Of CPU time, for the machine may be busy; a kernel that hangs is stopped after ten times that."""


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def executed(request, tmp_path_factory):
    notebook = nbformat.read(request.param, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "notebooks are kept without outputs"
    before = os.times()
    client = NotebookClient(
        notebook,
        timeout=10 * SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path_factory.mktemp("notebook"))}},
    )
    client.execute()
    after = os.times()
    spent = sum(after[i] - before[i] for i in range(4))
    return notebook, spent


def shown(notebook, kind: str) -> list[str]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [one.data[kind] for one in outputs if kind in one.get("data", {})]


def test_it_takes_less_than_a_minute(executed):
    assert executed[1] < SECONDS


def test_it_shows_progress_sentences_and_pictures(executed):
    notebook, _ = executed
    pages = shown(notebook, "text/html")
    assert any("<progress" in page and "trials" in page for page in pages)
    assert any("control" in page and "<table>" in page for page in pages)
    assert shown(notebook, "image/png")


def test_there_are_two():
    assert {path.stem for path in NOTEBOOKS} == {"first_comparison", "own_network"}
