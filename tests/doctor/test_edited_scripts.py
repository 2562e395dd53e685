"""Scripts are edited, and then run as anybody would run them, until the library has added dendrites."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from doctor_kit import EXPECTED, SCRIPTS, first

RUNNER = Path(__file__).with_name("run_edited.py")


def test_every_edited_script_trains_until_dendrites_are_added(tmp_path):
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
    assert grown(*folders) == {folder.name for folder in folders}


def test_two_processes_add_dendrites_together(tmp_path):
    pytest.importorskip("perforatedai", reason="perforatedai has no wheel for this Python or machine")
    folder = tmp_path / "imagenet_ddp@2"
    folder.mkdir()
    (folder / "main.py").write_text(first("imagenet_ddp.py").after)
    assert grown(folder) == {f"{folder.name} rank 0", f"{folder.name} rank 1"}
    logs = [(folder / f"log{rank}.txt").read_text().splitlines() for rank in (0, 1)]
    scores = [[line for line in log if "Acc@1" in line] for log in logs]
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
