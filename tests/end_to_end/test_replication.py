"""The page on the published grid says what its rows say, and the rows are what training gives."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import replication


def test_the_tables_of_the_page_are_those_of_the_rows():
    assert replication.write_page(check=True) == 0


def test_a_row_that_is_trained_again_is_the_same_to_the_bit(monkeypatch):
    assert replication.verify(2, seed=3, most_seconds=1.0, say=lambda line: None) == 0
    rows = replication.read_rows()
    monkeypatch.setattr(
        replication, "read_rows", lambda: [replace(row, curve="0" * 16) for row in rows if row.seconds < 1]
    )
    assert replication.verify(1, seed=3, most_seconds=1.0, say=lambda line: None) == 1


@pytest.mark.parametrize("mode", ["decay", "none"])
def test_only_decay_was_not_trained(mode):
    twins = {row.twin for row in replication.read_rows() if row.mode == mode}
    assert twins == {int(mode == "decay")}
