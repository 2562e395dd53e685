"""One script in, one report out: which kind of training it is, its steps, and the script as it would be."""

from __future__ import annotations

import re
import warnings
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
    if report.changed and (error := _error(report.after)) and not _error(report.before):
        report.refused = f"the edited script would not compile ({error})"
        report.after = report.before
    return report


def _error(source: str) -> str:
    """Why a text does not compile, as one for a newer Python than this may not; empty where it does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the script's own
        try:
            compile(source.removeprefix("\ufeff"), "the edited script", "exec", dont_inherit=True)
        except SyntaxError as error:
            return f"line {error.lineno}: {error.msg}"
    return ""


def real(source: str) -> str:
    """The script with the library's test of four epochs switched off: one edit, and only when asked for."""
    return re.sub(r"(set_testing_dendrite_capacity\()True(\))(  # four epochs[^\n]*)?", r"\1False\2", source)
