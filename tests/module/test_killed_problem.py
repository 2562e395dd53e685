"""A comparison of treatments of a problem, killed again and again, ends in the bits of one that was not."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_problem

pytestmark = pytest.mark.slow

FLAGS = [
    *("--ablation-mode", "hidden", "plain", "dendrites:switch_mode=every:max_dendrites=2", "--trials", "1"),
    *("--until", "8", "--lr", "1e-2", "--batch-size", "8", "--threads", "1", "--json"),
]
KILLED = {
    "cnn": (2, ["--problem", f"{tiny_problem.__file__}:TinyCNN", "--set", "noise=0.1"]),
    "stacked": (1, ["--problem", f"{tiny_problem.__file__}:TinyCNN", "--stacked"]),
    "lora": (1, ["--problem", "language:Adapter", "--set", "samples=64"]),
    "lora-whole": (1, ["--problem", "language:Adapter", "--set", "samples=64", "layers=whole"]),
}
"""How often, and what."""


def start(model_dir: Path, problem: list[str]) -> subprocess.Popen:
    paths = os.pathsep.join([str(Path(tiny_problem.__file__).parent), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-m", "frustration", "train", *problem, *FLAGS, "--model-dir", str(model_dir)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def loops(model_dir: Path) -> int:
    """Loops of all trials that are kept."""
    return sum(len(path.read_bytes().splitlines()) for path in model_dir.rglob("*curve*"))


def records(model_dir: Path) -> dict:
    found = {}
    for path in model_dir.rglob("*.record.json"):
        record = json.loads(path.read_text())
        left_out = ("seconds", "sha256", "digest")
        found[path.parent.name] = {name: v for name, v in record.items() if name not in left_out}
    return found


@pytest.mark.parametrize("name", KILLED)
def test_it_ends_in_the_same_bits(name, tmp_path):
    times, problem = KILLED[name]
    whole = start(tmp_path / "whole", problem)
    assert whole.wait(300) == 0, whole.stderr.read()
    for kill in range(times):
        run = start(tmp_path / "killed", problem)
        before, deadline = loops(tmp_path / "killed"), time.monotonic() + 120
        while run.poll() is None and loops(tmp_path / "killed") < before + 3 + kill:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert run.poll() is None, run.stderr.read()
        run.send_signal(signal.SIGKILL)
        run.wait()
    last = start(tmp_path / "killed", problem)
    assert last.wait(300) == 0, last.stderr.read()
    expected, found = records(tmp_path / "whole"), records(tmp_path / "killed")
    assert len(expected) == 3
    assert found == expected
    for path in (tmp_path / "whole").rglob("*_lkg.safetensors"):
        twin = tmp_path / "killed" / path.relative_to(tmp_path / "whole")
        assert twin.read_bytes() == path.read_bytes()
