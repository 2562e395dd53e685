"""A grid as commands of `train`: one per architecture and mode, and a script that runs them all."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from frustration.architecture import Architecture
from frustration.study.definition import Study

PAPER_MODES = ("none", "decay", "dropout", "full", "hidden", "output")


@dataclass(frozen=True)
class Command:
    """One call of `train` that brings one cell of the grid to its end, and does nothing when run again."""

    architecture: Architecture
    mode: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(("poetry", "run", "train", *self.words))


def paper_study(trials: int = 10) -> Study:
    """The published grid."""
    return Study.from_toml(
        f'name = "paper-98"\narchitectures = ["paper-98"]\nmodes = {list(PAPER_MODES)}\n'.replace("'", '"')
        + f"trials = {trials}\n"
    )


def commands(study: Study, model_dir: str = "models/reproduction") -> Iterator[Command]:
    """The commands of a study, architecture by architecture. `--until` makes each one safe to repeat.

    Cells that differ in data, fraction or learning rate get model directories of their own.
    """
    for architecture in study.architectures:
        for dataset in study.datasets:
            for fraction in study.train_fractions:
                for rate in study.learning_rates:
                    parts = [name for name, axis in _varying(study, dataset, fraction, rate) if axis]
                    folder = str(PurePosixPath(model_dir, *parts))
                    for mode in filter(functools.partial(study.has, architecture), study.modes):
                        words = _words(study, architecture, mode, dataset, fraction, rate, folder)
                        yield Command(architecture, mode, words)


def _varying(study: Study, dataset: str, fraction: float, rate: float) -> list[tuple[str, bool]]:
    """Names of folders for the axes that have more than one value."""
    return [
        (dataset, len(study.datasets) > 1),
        (f"fraction-{fraction:g}", len(study.train_fractions) > 1),
        (f"lr-{rate:g}", len(study.learning_rates) > 1),
    ]


def _words(
    study: Study,
    architecture: Architecture,
    mode: str,
    dataset: str,
    fraction: float,
    rate: float,
    folder: str,
) -> tuple[str, ...]:
    words = ["--arch", str(architecture), "--ablation-mode", _with_knobs(study, mode)]
    words += ["--trials", str(study.trials), "--until", str(study.meta_loops), "--seed", str(study.seed)]
    words += ["--lr", repr(rate), "--batch-size", str(study.batch_size), "--dataset", dataset]
    if fraction != 1.0:
        words += ["--train-fraction", repr(fraction)]
    for flag, value in (("--optimizer", study.optimizer), ("--acceptance", study.acceptance)):
        if value:
            words += [flag, value]
    return (*words, "--model-dir", folder)


def _with_knobs(study: Study, mode: str) -> str:
    """The mode with the study's knobs written into it, so that the command means the same."""
    from frustration.modes.grammar import ModeChoice

    choice = ModeChoice.parse(mode, study.knobs)
    policies = mode.partition("/")[2]
    return choice.program.label + (f"/{policies}" if policies else "")


def listing(study: Study, model_dir: str) -> str:
    """All commands, under a header for each architecture."""
    lines: list[str] = []
    last: Architecture | None = None
    for command in commands(study, model_dir):
        if command.architecture != last:
            last = command.architecture
            lines += ["", f"# {last}: {last.parameters():,} parameters"]
        lines.append(str(command))
    return "\n".join(lines[1:]) + "\n"


def script(study: Study, model_dir: str) -> str:
    """A shell script that runs every command, stops at the first failure and resumes when run again."""
    every = list(commands(study, model_dir))
    lines = [
        "#!/usr/bin/env bash",
        f"# {study.name}: {len(study.architectures)} architectures x {len(study.modes)} modes"
        f"{', of which some cells' if study.only else ''}, "
        f"{study.trials} trials each to meta-loop {study.meta_loops}: {len(every)} commands.",
        "# Stops at the first failure. Run again, it continues where it was: what is done takes a moment.",
        "set -euo pipefail",
        "# In a checkout the commands run from its root; elsewhere, or without Poetry, train is called.",
        'checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)',
        'while [ "$checkout" != / ] && [ ! -f "$checkout/pyproject.toml" ]; do',
        '    checkout=$(dirname "$checkout")',
        "done",
        'if [ "$checkout" != / ]; then cd "$checkout"; fi',
        "poetry=yes",
        'if [ "$checkout" = / ] || ! command -v poetry > /dev/null; then poetry=no; fi',
        "",
        f"total={len(every)}",
        "number=0",
        "run() {",
        "    number=$((number + 1))",
        '    echo "[$number/$total] $*"',
        "    if [ $poetry = no ]; then shift 2; fi",
        '    "$@"',
        "}",
    ]
    last: Architecture | None = None
    for command in every:
        if command.architecture != last:
            last = command.architecture
            lines += ["", f"# {last}: {last.parameters():,} parameters"]
        lines.append(f"run {command}")
    return "\n".join(lines) + "\n"
