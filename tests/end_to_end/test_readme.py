"""What the README shows works as it stands there."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from frustration.commands.train_flags import build_request, parser

README = (Path(__file__).parents[2] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def command_lines() -> list[str]:
    """Every call of train: whole ones, and the flags in the table."""
    whole = [line for block in blocks("bash") for line in block.splitlines() if "run train" in line]
    flags = re.findall(r"`(--ablation-mode [^`]+)`", README)
    return [line.partition("#")[0].partition("run train")[2] for line in whole] + flags


@pytest.mark.parametrize("line", command_lines())
def test_every_command_line_is_accepted_and_can_be_run(line):
    options = parser("train").read(shlex.split(line))
    request = build_request(options)
    for mode in request.modes:
        from frustration.spec import TrialSpec

        TrialSpec.of(request.architecture, mode, meta_loops=request.meta_loops).check(classes=10)


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys) -> list[list[float]]:
    """What the Python examples print, run one after the other: the numbers of each line."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for block in blocks("python"):
        if "frustration.loops" not in block:
            exec(block, namespace)  # the README is ours
    return [[float(word) for word in line.split()] for line in capsys.readouterr().out.splitlines()]


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


def test_the_python_examples_run_and_a_loop_over_learning_rates_gives_a_result_for_each(printed):
    (bounty, test_accuracy), *rates = printed
    assert 80 < bounty < 100
    assert 80 < test_accuracy < 100
    assert [rate for rate, _ in rates] == [1e-4, 1e-3, 1e-2]
    assert len({bounty for _, bounty in rates}) == 3
