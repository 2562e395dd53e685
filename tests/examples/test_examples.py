"""The scripts in examples/: they run, they grow, and their pages show how they differ."""

import difflib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = {
    "mnist": ["--epochs", "8", "--samples", "3000", "--lr", "0.01"],
    "cnn": ["--epochs", "14"],
    "lightning": ["--epochs", "25"],
    "transformers": ["--epochs", "6", "--samples", "400"],
    "t5": ["--epochs", "12", "--samples", "128"],
    "lora": ["--epochs", "10", "--samples", "500"],
}
TREATED = sorted(EXAMPLES.glob("*/with_*.py"))


def run(script: Path, folder: Path, *words: str) -> str:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, str(script), *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def parameters(output: str) -> int:
    """From the last line: `test 0.95 with 910 parameters`."""
    return int(output.splitlines()[-1].partition(" with ")[2].split()[0])


@pytest.mark.parametrize("name", sorted(SMALL))
def test_with_dendrites_it_grows(name, tmp_path):
    before = run(EXAMPLES / name / "original.py", tmp_path, *SMALL[name])
    after = run(EXAMPLES / name / "with_dendrites.py", tmp_path, *SMALL[name], "--patience", "1")
    assert parameters(after) > parameters(before)


@pytest.mark.parametrize(
    "script", [s for s in TREATED if s.name == "with_ablation.py"], ids=lambda s: s.parent.name
)
def test_with_ablation_it_runs_and_stays_as_large(script, tmp_path):
    name = script.parent.name
    small = [*SMALL[name], "--epochs", "3"]
    assert parameters(run(script, tmp_path, *small)) == parameters(
        run(script.with_name("original.py"), tmp_path, *small)
    )


@pytest.mark.parametrize("script", TREATED, ids=lambda s: f"{s.parent.name}/{s.stem}")
def test_its_page_shows_the_difference(script):
    page = (script.parent / "README.md").read_text("utf-8")
    original = script.with_name("original.py").read_text("utf-8").splitlines()
    treated = script.read_text("utf-8").splitlines()
    shown = difflib.unified_diff(original, treated, "original.py", script.name, n=1, lineterm="")
    assert "\n".join(shown) in page


@pytest.mark.parametrize("arm", ["baseline", "compressed_pai", "compressed_control"])
def test_the_published_flags_of_summaries_train_the_arm_that_they_name(arm, tmp_path):
    script = EXAMPLES / "summaries" / "train.py"
    words = ["--experiment-type", arm, "--max-steps", "4", "--eval-steps", "2", "--wandb", "disabled"]
    said = run(script, tmp_path, *words)
    assert "LKG test ROUGE-L" in said
    (record,) = (tmp_path / "models" / arm).rglob("*.record.json")
    spec = json.loads(record.read_text())["spec"]
    assert spec["mode"] == ("dendrites" if arm == "compressed_pai" else "early-stop")
    assert spec["problem"]["fields"]["width"] == (48 if arm == "baseline" else 16)
    assert (spec["loop_steps"], spec["meta_loops"]) == (2, 2)
