"""A mode of a user's own package is found by its entry point and judged by the contract, as are bad ones."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from frustration.modes import Mode, ModeError, registry
from frustration.testing import ContractBroken, contract

EXAMPLE = Path(__file__).parents[2] / "examples/own_mode"


@dataclass(frozen=True, kw_only=True)
class Liar(Mode):
    """Says that it takes a unit away, and only makes all weights a little smaller."""

    name: ClassVar[str] = "liar"
    damages: ClassVar[bool] = True

    def intervene(self, candidate, context):
        candidate.vector *= 0.99
        return {"units": [[0, 0]], "removed": 1.0}


@dataclass(frozen=True, kw_only=True)
class Blinding(Mode):
    """Blinds the trials beside it: it overwrites the samples that all modes look at."""

    name: ClassVar[str] = "blinding"

    def intervene(self, candidate, context):
        context.probe[...] = 0
        return {}


@dataclass(frozen=True, kw_only=True)
class Half(Mode):
    """Takes half of what it is told to take, and one part in a thousand when it is told to take nothing."""

    name: ClassVar[str] = "half"
    damages: ClassVar[bool] = True
    dose_knob: ClassVar[str] = "dose"
    dose: float = 1.0

    def intervene(self, candidate, context):
        candidate.vector *= 0.999 - self.dose / 2
        return {"factor": 1 - self.dose / 2}


def broken(mode: type[Mode], monkeypatch) -> dict[str, str]:
    """The promises that a mode breaks, with what is said of each."""
    known, _ = registry._modes()
    monkeypatch.setitem(known, mode.name, mode)
    said = {}
    for claim in contract(mode):
        try:
            claim.check()
        except ContractBroken as error:
            said[claim.promise.sentence] = str(error)
    return said


BY_NAME = """
from frustration.modes import mode_names
from frustration.testing import contract

def test_shrink_is_found_by_its_entry_point():
    assert "shrink" in mode_names()
    assert len(contract("shrink")) >= 15
"""


def test_an_honest_mode_of_another_package_fulfils_the_contract(tmp_path):
    """The example's own tests, with the example as an installed package."""
    info = tmp_path / "my_modes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-modes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[frustration.modes]\nshrink = shrink:Shrink\n")
    (tmp_path / "test_by_name.py").write_text(BY_NAME)
    paths = [str(tmp_path), str(EXAMPLE), *sys.path]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", str(tmp_path), str(EXAMPLE)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(done.stdout.split(" passed")[0].split()[-1]) >= 15 + 2


def test_a_mode_that_lies_is_found_out(monkeypatch):
    said = broken(Liar, monkeypatch)
    assert said.keys() == {"its evidence tells the truth about the weights"}
    (sentence,) = said.values()
    assert sentence.startswith(
        "liar: its evidence tells the truth about the weights? No: removed is told as 1.0"
    )


def test_a_mode_that_touches_what_it_shares_is_found_out(monkeypatch):
    said = broken(Blinding, monkeypatch)
    assert said
    assert all(sentence.startswith("what is trained beside it has the same bits") for sentence in said)


def test_a_mode_that_acts_at_dose_0_is_found_out(monkeypatch):
    said = broken(Half, monkeypatch)
    assert "at dose 0 it is its control to the bit (torch)" in said
    assert "at dose 0 it is reported as inert" in said


def test_a_second_mode_of_a_name_is_refused(monkeypatch):
    impostor = type("Hidden", (Liar,), {"name": "hidden"})
    with pytest.raises(ModeError, match='another mode named "hidden"'):
        contract(impostor)
