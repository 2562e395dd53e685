"""A comparison of treatments of a problem, killed again and again, ends in the bits of one that was not."""

import importlib
import json
import signal
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import forked
import pytest
import tiny_problem

from frustration.problems import language

pytestmark = pytest.mark.slow

FLAGS = [
    *("--ablation-mode", "hidden", "plain", "dendrites:switch_mode=every:max_dendrites=2", "--trials", "1"),
    *("--until", "8", "--lr", "1e-2", "--batch-size", "8", "--threads", "1", "--json"),
]
LARGE = ("--batch-size", "32")
"""It is that of scores too, which take most of the time of a language model."""
KILLED = {
    "cnn": (2, ["--problem", f"{tiny_problem.__file__}:TinyCNN", "--set", "noise=0.1"]),
    "stacked": (1, ["--problem", f"{tiny_problem.__file__}:TinyCNN", "--stacked"]),
    "lora": (1, ["--problem", "language:Adapter", "--set", "samples=64", *LARGE]),
    "lora-whole": (1, ["--problem", "language:Adapter", "--set", "samples=64", "layers=whole", *LARGE]),
}
"""How often, and what."""


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """What every process would import by itself, and the base of adapters that it would train by itself."""
    importlib.import_module("frustration.commands.train")
    language.Adapter().build()


def words(model_dir: Path, problem: list[str]) -> list[str]:
    return ["train", *FLAGS, *problem, "--model-dir", str(model_dir)]


def start(model_dir: Path, problem: list[str]) -> BaseProcess:
    return forked.start(model_dir.parent, said(model_dir), forked.command, *words(model_dir, problem))


def said(model_dir: Path) -> Path:
    return model_dir.with_suffix(".txt")


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
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    if name == "cnn":  # with other hashes of texts than the forks have, which all have those of this process
        subprocess.run(
            [sys.executable, "-m", "frustration", *words(whole, problem)], cwd=tmp_path, check=True
        )
    else:
        assert forked.ended(start(whole, problem)) == 0, said(whole).read_text()
    for kill in range(times):
        run = start(killed, problem)
        before, deadline = loops(killed), time.monotonic() + 120
        while run.is_alive() and loops(killed) < before + 3 + kill and time.monotonic() < deadline:
            time.sleep(0.02)
        assert run.is_alive(), said(killed).read_text()
        assert forked.ended(run, seconds=0) == -signal.SIGKILL
        assert loops(killed) >= before + 3 + kill
    assert forked.ended(start(killed, problem)) == 0, said(killed).read_text()
    expected, found = records(tmp_path / "whole"), records(tmp_path / "killed")
    assert len(expected) == 3
    assert found == expected
    for path in (tmp_path / "whole").rglob("*_lkg.safetensors"):
        twin = tmp_path / "killed" / path.relative_to(tmp_path / "whole")
        assert twin.read_bytes() == path.read_bytes()
