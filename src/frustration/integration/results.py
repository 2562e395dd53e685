"""The files that a run with dendrites leaves behind: what each size reached, and when the network grew.

The library writes groups of CSV files into a folder. Those with `_beforeSwitch_K` show the state before
a growth. Those with `noImprove_lr` belong to a dendrite that was tried and taken back: the final files
forget it.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from frustration.errors import InputError
from frustration.files import open_file


@dataclass(frozen=True)
class Architecture:
    """One size of the network: what it reached on validation, and what the extra scores were then."""

    parameters: int
    score: float
    extra: dict[str, float] = field(default_factory=dict)


@dataclass
class Group:
    """The files of one moment of a run."""

    tag: str
    """Empty: the end of the run."""
    architectures: list[Architecture] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    """Validation scores by epoch; epochs that were rolled back are missing."""
    running: list[float] = field(default_factory=list)
    extra: dict[str, list[float]] = field(default_factory=dict)
    switches: list[int] = field(default_factory=list)
    """Epochs after which the network grew."""
    learning_rates: list[float] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether it is a dendrite that was tried and taken back."""
        return "noImprove" in self.tag


@dataclass
class Run:
    """All that one folder tells of one run."""

    folder: Path
    name: str
    final: Group
    failed: list[Group] = field(default_factory=list)
    before: list[Group] = field(default_factory=list)
    """States before a growth, in their order."""
    higher: bool | None = None
    """Whether a higher score is better, where the library's files do not say it; None: not known."""

    @property
    def grown(self) -> int:
        """Dendrites that were kept, on each neuron."""
        return max(0, len(self.final.architectures) - 1)

    @property
    def epochs(self) -> int:
        """Epochs that were kept and those that were rolled back, as far as the files know."""
        return len(self.final.scores) + sum(
            max(0, len(group.scores) - (group.switches[-1] + 1 if group.switches else 0))
            for group in self.failed
        )


def read_run(folder: Path) -> Run:
    """The run in a folder of the library's."""
    groups: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.glob("*.csv")):
        for kind, pattern in (
            ("best", r"(.*?)(_best_arch_scores|_?best_test_scores|_?bestTestScores)\.csv"),
            ("scores", r"(.*?)(?<!Best PB)(?<!arch_)Scores\.csv"),
            ("switches", r"(.*?)switch_epochs\.csv"),
            ("rates", r"(.*?)learning_rate\.csv"),
        ):
            if hit := re.fullmatch(pattern, path.name):
                groups.setdefault(hit[1], {})[kind] = path
                break
    if not any("best" in files or "scores" in files for files in groups.values()):
        raise InputError(
            f"{folder} holds no scores of perforatedai (NAMEScores.csv, NAME_best_arch_scores.csv): was "
            "making_graphs=False given to perforate_model?"
        )
    name = _name(folder, list(groups))
    run = Run(folder, name, Group(""))
    for prefix, files in groups.items():
        tag = prefix.removeprefix(name)
        group = _group(tag, files)
        if not tag:
            run.final = group
        elif group.failed:
            run.failed.append(group)
        elif "beforeSwitch" in tag:
            run.before.append(group)
    run.before.sort(key=lambda group: int(re.sub(r"\D", "", group.tag) or 0))
    return run


def _name(folder: Path, prefixes: list[str]) -> str:
    """The run's name: that of the folder, or the shortest."""
    return folder.name if folder.name in prefixes else min(prefixes, key=len)


def _group(tag: str, files: dict[str, Path]) -> Group:
    group = Group(tag)
    if "best" in files:
        for row in _rows(files["best"]):
            numbers = {key: value for key, text in row.items() if (value := _number(text)) is not None}
            parameters = next((v for k, v in numbers.items() if k.lower().startswith("param")), None)
            score = next((v for k, v in numbers.items() if "valid" in k.lower()), None)
            if parameters is not None and score is not None:
                others = {
                    k: v for k, v in numbers.items() if "valid" not in k.lower() and "param" not in k.lower()
                }
                group.architectures.append(Architecture(int(parameters), score, others))
    if "scores" in files:
        for row in _rows(files["scores"]):
            for key, text in row.items():
                value = _number(text)
                if value is None or key.lower().startswith("epoch"):
                    continue
                if "running" in key.lower():
                    group.running.append(value)
                elif "valid" in key.lower():
                    group.scores.append(value)
                else:
                    group.extra.setdefault(key, []).append(value)
    if "switches" in files:
        found = [_number(text) for row in _rows(files["switches"]) for text in [list(row.values())[-1]]]
        group.switches = sorted({int(value) for value in found if value is not None})
    if "rates" in files:
        rates = [_number(list(row.values())[-1]) for row in _rows(files["rates"])]
        group.learning_rates = [rate for rate in rates if rate is not None]
    return group


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        with io.TextIOWrapper(open_file(path), "utf-8", errors="replace", newline="") as file:
            for row in csv.DictReader(file):
                yield {str(key).strip(): str(value or "").strip() for key, value in row.items() if key}
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def runs_in(folder: Path) -> list[Run]:
    """The run in a folder, or those in the folders in it: repetitions with other seeds."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder")
    if any(folder.glob("*.csv")):
        return [read_run(folder)]
    found = [
        read_run(path) for path in sorted(folder.iterdir()) if path.is_dir() and any(path.glob("*cores.csv"))
    ]
    if not found:
        raise InputError(f"{folder} holds no run: neither CSV files of perforatedai nor folders with them")
    return found


@dataclass
class Analysis:
    """The tables and sentences for one folder."""

    runs: list[Run]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
