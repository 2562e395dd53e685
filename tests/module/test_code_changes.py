"""Records outlive the code of their problem, and whoever runs the study again is told."""

from pathlib import Path

import forked
import pytest

pytestmark = pytest.mark.slow

PROBLEM = """
import torch
from torch import nn

import frustration


class Points(frustration.Problem):
    def build(self):
        return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))

    def data(self):
        x = torch.randn(90, 2, generator=torch.Generator().manual_seed(0))
        y = (x[:, 0] > 0).long()
        return frustration.Parts((x[:50], y[:50]), (x[50:70], y[50:70]), (x[70:], y[70:]))
"""
STUDY = """
name = "points"
problems = ["points.py:Points"]
modes = ["none"]
trials = 2
meta_loops = 2
learning_rate = 1e-2
batch_size = 16
"""


def study(folder: Path, *arguments: str, code: int = 0) -> str:
    """What a process of its own prints: a module is imported once in each."""
    output = folder / "said.txt"
    assert forked.ended(forked.start(folder, output, forked.command, "study", *arguments)) == code
    return output.read_text()


def test_finished_trials_of_other_code_are_named_and_kept(tmp_path):
    (tmp_path / "points.py").write_text(PROBLEM)
    (tmp_path / "points.toml").write_text(STUDY)
    run = ("run", "points.toml", "--threads", "1", "--no-estimate")
    assert "other code" not in study(tmp_path, *run)
    records = sorted((tmp_path / "results" / "points" / "trials").rglob("*.json"))
    before = [path.read_bytes() for path in records]
    assert len(before) == 2

    (tmp_path / "points.py").write_text(PROBLEM + "\n# a comment costs nothing\n")
    assert "other code" not in study(tmp_path, *run)

    (tmp_path / "points.py").write_text(PROBLEM.replace("nn.ReLU()", "nn.Tanh()"))
    said = study(tmp_path, *run)
    assert "warning: 2 finished trials of points:Points were trained by other code than it has now" in said
    assert [path.read_bytes() for path in records] == before

    assert "the problem has other code by now" in study(tmp_path, "verify", "points", "--count", "1", code=1)
