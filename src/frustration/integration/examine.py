"""One script in, one report out: which kind of training it is, its steps, and the script as it would be."""

from __future__ import annotations

import re
from pathlib import Path

from frustration.integration.findings import findings
from frustration.integration.lightning import is_lightning, lightning
from frustration.integration.plain import plain
from frustration.integration.source import Script
from frustration.integration.steps import Report
from frustration.integration.targets import Wishes
from frustration.integration.trainer import is_trainer, trainer


def examine(path: Path, wishes: Wishes | None = None) -> Report:
    """The report on a file; nothing is written."""
    return examine_script(Script.read(path), wishes or Wishes())


def examine_script(script: Script, wishes: Wishes) -> Report:
    if is_lightning(script):
        report = lightning(script, wishes)
    elif is_trainer(script):
        report = trainer(script, wishes)
    else:
        report = plain(script, wishes)
    if wishes.target == "perforatedai" and not report.refused:
        report.steps += findings(script)
        report.sorted()
    if wishes.real and wishes.target == "perforatedai":
        report.after = real(report.after)
    return report


def real(source: str) -> str:
    """The script with the library's test of four epochs switched off: one edit, and only when asked for."""
    return re.sub(r"(set_testing_dendrite_capacity\()True(\))(  # four epochs[^\n]*)?", r"\1False\2", source)
