"""A mode from a user's own package arrives by entry point, and the contract suite judges it."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SUITE = Path(__file__).with_name("test_every_mode.py")

MODULE = '''
    from dataclasses import dataclass, field
    from typing import ClassVar

    import numpy as np
    from frustration.modes import Mode


    @dataclass(frozen=True, kw_only=True)
    class Shrink(Mode):
        """Every weight is made smaller by a share, once a loop."""

        name: ClassVar[str] = "shrink"
        damages: ClassVar[bool] = True
        dose_knob: ClassVar[str] = "share"
        share: float = field(default=0.25)

        def intervene(self, candidate, context):
            if self.share == 0:
                return {}
            before = np.linalg.norm(candidate.vector.astype(np.float64))
            candidate.vector *= np.float32(1 - self.share)
            return {"removed": float(before - np.linalg.norm(candidate.vector.astype(np.float64)))}


    @dataclass(frozen=True, kw_only=True)
    class Liar(Mode):
        """Says that it takes a unit away, and only makes all weights a little smaller."""

        name: ClassVar[str] = "liar"
        damages: ClassVar[bool] = True

        def intervene(self, candidate, context):
            candidate.vector *= np.float32(0.99)
            return {"units": [[0, 0]], "removed": 1.0}
'''


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict[str, str]:
    """What the contract suite, run in a process of its own, says of both modes: test -> verdict."""
    site = tmp_path_factory.mktemp("site")
    (site / "my_modes.py").write_text(textwrap.dedent(MODULE))
    info = site / "my_modes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-modes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[frustration.modes]\nshrink = my_modes:Shrink\nliar = my_modes:Liar\n"
    )
    pytest_quietly = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "--tb=no", "-q"]
    done = subprocess.run(
        [*pytest_quietly, str(SUITE), "-k", "shrink or liar"],
        env={**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    lines = [line.split(" ", 1) for line in done.stdout.splitlines() if "::" in line]
    return {test.partition("::")[2].partition(" - ")[0]: verdict for verdict, test in lines}


def test_an_honest_mode_of_another_package_fulfils_the_contract(verdicts):
    of_mode = {test: verdict for test, verdict in verdicts.items() if "shrink" in test}
    assert len(of_mode) >= 15
    assert set(of_mode.values()) == {"PASSED"}


def test_a_mode_that_lies_is_found_out(verdicts):
    found_out = {test.partition("[")[0] for test, verdict in verdicts.items() if verdict == "FAILED"}
    assert found_out == {"test_its_evidence_tells_the_truth_about_the_weights"}
