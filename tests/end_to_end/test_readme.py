"""What the README shows works as it stands there, and can be read in a minute."""

import importlib
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch

from frustration.commands import COMMANDS
from frustration.commands.train_flags import TrainOptions, build_request
from frustration.spec import TrialSpec

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text()
LINES, WIDTH, PARAGRAPH = 200, 100, 4
SMALLER = {
    "--trials": ("--trials", "2"),
    "--arch": ("--meta-loops", "2"),
    "--modes": ("--meta-loops", "2"),
    "--problem": ("--meta-loops", "2"),
    "studies/example.toml": ("--trials", "2", "--meta-loops", "6"),  # its last schedule begins at loop 6
}
"""What a test adds to a command that has such a flag: the last value counts."""
LESS_DATA = {"train": ("--train-fraction", "0.02"), "study run": ("train_fraction=0.02",)}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def command_lines() -> list[list[str]]:
    """Every command but those that set up, word by word."""
    lines = [shlex.split(line, comments=True) for block in blocks("bash") for line in block.splitlines()]
    return [words for words in lines if words and words[0] not in ("make", "source")]


def test_it_is_short_narrow_and_has_no_wall_of_text():
    lines = README.splitlines()
    assert len(lines) < LINES
    assert [line for line in lines if len(line) > WIDTH] == []
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    paragraphs = [part for part in prose.split("\n\n") if not part.lstrip().startswith(("|", "-", "[Doc"))]
    assert [part for part in paragraphs if len(part.strip().splitlines()) > PARAGRAPH] == []


def test_its_first_screen_has_a_picture_and_two_commands():
    first = README[: README.index("## Which")]
    assert re.search(r"!\[[^\]]+\]\(docs/images/[^)]+\)", first)
    assert blocks("bash")[0].count("\n") == 2
    assert "make study" in blocks("bash")[0]


@pytest.mark.parametrize("flags", re.findall(r"`(--ablation-mode [^`]+)`", README))
def test_every_flag_of_the_table_is_accepted_and_can_be_run(flags):
    request = build_request(TrainOptions.read(shlex.split(flags)))
    for mode in request.modes:
        TrialSpec.of(request.architecture, mode, meta_loops=request.meta_loops).check(classes=10)


def test_every_command_runs_in_a_clean_folder(tmp_path, monkeypatch, capsys):
    shutil.copytree(PROJECT / "studies", tmp_path / "studies")
    monkeypatch.chdir(tmp_path)
    lines = command_lines()
    assert len(lines) > 8
    for words in lines:
        name, *arguments = words[1:] if words[0] == "frustration" else words
        for flag, more in SMALLER.items():
            arguments += more if flag in arguments else ()
        arguments += ["--meta-loops", "2"] if words == ["train"] else []
        arguments += ["--threads", "1"] if name == "train" or arguments[:1] == ["run"] else []
        arguments += LESS_DATA.get(f"study {arguments[0]}" if name == "study" else name, ())
        module, function, _ = COMMANDS[name]
        command = getattr(importlib.import_module(f"frustration.{module}"), function)
        assert command(arguments) == 0, words
    said = capsys.readouterr().out
    assert Path("models/1x32/report/report.html").exists()
    assert "report: results/example/report/report.html" in said


def test_the_python_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for block in blocks("python"):
        if "frustration.loops" not in block:
            exec(block, namespace)  # the README is ours
    said = capsys.readouterr().out
    assert "hidden lowers accuracy" in said or "hidden: there is no difference" in said
    assert "test_accuracy" in said


def test_growth_in_a_loop_of_ones_own_runs_to_its_end():
    network = torch.nn.Linear(4, 2)
    scores = iter([0.1, 0.2, 0.3, *[0.3] * 100])
    optimizer = torch.optim.AdamW(network.parameters())
    given = {
        "network": network,
        "optimizer": optimizer,
        "scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 1),
        "train": lambda network, optimizer: optimizer.step(),
        "validate": lambda network: next(scores),
    }
    (block,) = (block for block in blocks("python") if "frustration.loops" in block)
    exec(block, given)
    assert given["growth"].schedule.ended
