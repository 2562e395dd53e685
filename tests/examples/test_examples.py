"""The scripts in examples/: they run, they grow, and their pages show how they differ."""

import difflib
import importlib
import json
import os
import re
import runpy
import sys
import warnings
from pathlib import Path

import forked
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


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """What every script would import by itself, for longer than it trains."""
    for name in ("lightning", "transformers", "peft"):
        importlib.import_module(name)


def one_after_another(scripts: tuple[list[str], ...]) -> None:
    constants = importlib.import_module("huggingface_hub.constants")
    constants.HF_HUB_OFFLINE = True
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.simplefilter("ignore")
    for sys.argv in scripts:
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise


def run(folder: Path, *scripts: list[str]) -> str:
    """What scripts print in one process."""
    output = folder / "said.txt"
    code = forked.ended(forked.start(folder, output, one_after_another, scripts))
    said = output.read_text()
    assert code == 0, said[-2000:]
    return said


@pytest.mark.parametrize("name", sorted(SMALL))
def test_with_dendrites_it_grows_and_with_ablation_it_stays_as_large(name, tmp_path):
    original, damaged, grown = (
        [str(EXAMPLES / name / f"{script}.py"), *SMALL[name]]
        for script in ("original", "with_ablation", "with_dendrites")
    )
    said = run(
        tmp_path, [*original, "--epochs", "1"], [*damaged, "--epochs", "3"], [*grown, "--patience", "1"]
    )
    # Each ends in a line such as `test 0.95 with 910 parameters`.
    before, after_damage, after_growth = map(
        int, re.findall(r" with (\d+) (?:trained )?parameters$", said, re.MULTILINE)
    )
    assert before == after_damage < after_growth


@pytest.mark.parametrize("script", TREATED, ids=lambda s: f"{s.parent.name}/{s.stem}")
def test_its_page_shows_the_difference(script):
    page = (script.parent / "README.md").read_text("utf-8")
    original = script.with_name("original.py").read_text("utf-8").splitlines()
    treated = script.read_text("utf-8").splitlines()
    shown = difflib.unified_diff(original, treated, "original.py", script.name, n=1, lineterm="")
    assert "\n".join(shown) in page


def test_the_published_flags_of_summaries_train_the_arm_that_they_name(tmp_path):
    arms = {"baseline": 48, "compressed_pai": 16, "compressed_control": 16}
    script = str(EXAMPLES / "summaries" / "train.py")
    words = ["--max-steps", "4", "--eval-steps", "2", "--wandb", "disabled"]
    said = run(tmp_path, *([script, "--experiment-type", arm, *words] for arm in arms))
    assert said.count("LKG test ROUGE-L") == len(arms)
    for arm, width in arms.items():
        (record,) = (tmp_path / "models" / arm).rglob("*.record.json")
        spec = json.loads(record.read_text())["spec"]
        assert spec["mode"] == ("dendrites" if arm == "compressed_pai" else "early-stop")
        assert spec["problem"]["fields"]["width"] == width
        assert (spec["loop_steps"], spec["meta_loops"]) == (2, 2)
