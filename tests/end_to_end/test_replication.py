"""The page on the published grid says what its rows say; the rows are what training and records give."""

import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from frustration.report.reading import read_study
from frustration.study.definition import Study
from frustration.study.run import prepare, run_study
from frustration.study.store import Store

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from published_rows import Published, Row
from replication import PAPER, tables

pytestmark = pytest.mark.slow

SMALL = """
name = "small"
architectures = ["[1*2]", "[1*3]"]
modes = ["none/equal-updates", "decay/equal-updates", "hidden/equal-updates", "redo/equal-updates"]
trials = 2
meta_loops = 3
train_fraction = 0.02
learning_rate = [1e-4, 1e-3]
"""


def test_the_tables_of_the_page_are_those_of_the_rows():
    assert PAPER.write_tables(lambda: tables(PAPER.read()), check=True) == 0


def test_a_row_that_is_trained_again_is_the_same_to_the_bit(monkeypatch):
    assert PAPER.verify(1, seed=3, most_seconds=1.0, say=lambda line: None) == 0
    rows = PAPER.read()
    monkeypatch.setattr(
        Published, "read", lambda kept: [replace(row, curve="0" * 16) for row in rows if row.seconds < 1]
    )
    assert PAPER.verify(1, seed=3, most_seconds=1.0, say=lambda line: None) == 1


@pytest.mark.parametrize("mode", ["decay", "none"])
def test_only_decay_was_not_trained(mode):
    twins = {row.twin for row in PAPER.read() if row.mode == mode}
    assert twins == {int(mode == "decay")}


def test_rows_give_the_cells_that_the_records_give(tmp_path, monkeypatch):
    study = Study.from_toml(SMALL)
    store = Store(tmp_path / "small")
    store.create(study)
    run_study(prepare(study), store, workers=1)
    kept = Published("small", "none")
    monkeypatch.setattr(Published, "study", study)
    rows = [Row.of(record) for record in store.records(pytest.fail)]
    monkeypatch.setattr(Published, "read", lambda kept: rows)
    of_rows = {cell.key: cell for cell in kept.results().cells}
    of_records = {cell.key: cell for cell in read_study(store.root).cells}
    assert of_rows.keys() == of_records.keys()
    for key, cell in of_rows.items():
        told, known = (known_of(one) for one in (cell, of_records[key]))
        assert told.keys() == known.keys()
        for name in told:
            np.testing.assert_equal(told[name], known[name], err_msg=name)
    assert len({row.curve for row in rows}) > len({row.course for row in rows}) > 1
    assert all(asdict(row) for row in rows)


def known_of(cell) -> dict[str, object]:
    """Everything but the loops, the backend, and seconds, which rows round."""
    left_out = ("curves", "backends", "seconds", "diverged")
    return {name: value for name, value in vars(cell).items() if name not in left_out}


def test_a_page_without_a_place_for_tables_is_refused():
    with pytest.raises(SystemExit, match=r"index\.md has no place for the tables"):
        Published("paper-98", "index").write_tables(lambda: "", check=True)
