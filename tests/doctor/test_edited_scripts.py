"""Scripts are edited, and then run as anybody would run them, until the library has added dendrites."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from doctor_kit import EXPECTED, SCRIPTS, first

from frustration.loops import Growth, Ratchet

pytestmark = pytest.mark.slow

RUNNER = Path(__file__).with_name("run_edited.py")


def test_every_edited_script_trains_until_dendrites_are_added_and_two_processes_add_them_together(tmp_path):
    pytest.importorskip("perforatedai", reason="perforatedai has no wheel for this Python or machine")
    folders = []
    for name in EXPECTED:
        folder = tmp_path / name.replace("/", "-").removesuffix(".py")
        if "/" in name:
            shutil.copytree((SCRIPTS / name).parent, folder)
        else:
            folder.mkdir()
        (folder / ("train.py" if "/" in name else "main.py")).write_text(first(name).after)
        folders.append(folder)
    shared = [tmp_path / f"{name}@2" for name in ("imagenet_ddp", "accelerate_cnn")]
    for folder in shared:
        folder.mkdir()
        (folder / "main.py").write_text(first(f"{folder.name.removesuffix('@2')}.py").after)
    ranks = {f"{folder.name} rank {rank}" for folder in shared for rank in (0, 1)}
    assert grown(*folders, *shared) == {folder.name for folder in folders} | ranks
    for folder in shared:
        logs = [(folder / f"log{rank}.txt").read_text().splitlines() for rank in (0, 1)]
        scores = [[line for line in log if "Adding validation score" in line] for log in logs]
        assert scores[0] == scores[1]
        assert len(scores[0]) == 4


def grown(*folders) -> set[str]:
    """Runs the script of each folder; all have to end well, with dendrites."""
    environment = {name: value for name, value in os.environ.items() if name != "RANK"}
    done = subprocess.run(
        [sys.executable, str(RUNNER), *map(str, folders)],
        capture_output=True,
        text=True,
        env={**environment, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert {name: entry for name, entry in outcome.items() if not entry["passed"] or entry["status"]} == {}
    return set(outcome)


@pytest.mark.parametrize("target, question", [("growth", "growth.scores"), ("ratchet", "ratchet.accepted")])
def test_a_script_edited_for_our_own_loops_runs_to_its_end(tmp_path, target, question):
    text = first("regression_mse.py", target).after
    (tmp_path / "main.py").write_text(f"{text}\nprint(len({question}), len(set({question})))\n")
    done = subprocess.run(
        [sys.executable, "main.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    scores, kinds = map(int, done.stdout.splitlines()[-1].split())
    assert scores > 10
    assert kinds > 1


@pytest.mark.parametrize("target, intervention", [("growth", Growth), ("ratchet", Ratchet)])
@pytest.mark.parametrize("name, epochs", [("lightning_classifier.py", 20), ("trainer_text.py", 3)])
def test_a_framework_s_script_edited_for_our_own_callbacks_ends_with_its_best_network(
    name, epochs, target, intervention, tmp_path, monkeypatch, capsys
):
    outcomes = []
    add_score = intervention.add_score

    def heard(self, score):
        outcomes.append(add_score(self, score))
        return outcomes[-1]

    monkeypatch.setattr(intervention, "add_score", heard)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main.py").write_text(first(name, target).after)
    runpy.run_path("main.py", run_name="__main__")
    if target == "growth":
        assert sum(outcome.grown for outcome in outcomes) >= 2
        assert [outcome.complete for outcome in outcomes].index(True) == len(outcomes) - 1
    else:
        assert len(outcomes) == epochs
        assert {outcome.why for outcome in outcomes} >= {"discarded"}
    last_score = re.findall(r"acc(?:uracy)?'?\W+(\d[.\d]*)", capsys.readouterr().out)[-1]
    assert float(last_score) == max(outcome.score for outcome in outcomes)
