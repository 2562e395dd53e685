"""A report as text and as a diff, and its edit written into the file, with a backup or git behind it."""

from __future__ import annotations

import difflib
import subprocess
from pathlib import Path

from frustration.errors import InputError
from frustration.files import write_atomically
from frustration.integration.source import Script
from frustration.integration.steps import Report, Step

BACKUP = ".before-dendrites"

_MARKS = {"done": "done", "missing": "missing", "wrong": "WRONG", "undecided": "decide", "not needed": "-"}
NOT_UNDERSTOOD = "look"


def text(report: Report) -> str:
    """The list of steps, one a line, with the reason and what happens about it."""
    lines = [f"{report.script}: {report.kind}; for {report.target}"]
    if report.refused:
        return "\n".join([*lines, f"nothing is edited: {report.refused}"])
    for step in report.steps:
        mark = NOT_UNDERSTOOD if step.action == "look" else _MARKS[step.state]
        lines.append(f"  {mark:<8} {step.name:<14} {step.place:<10} {step.reason}{_about(step)}")
    return "\n".join([*lines, "", _summary(report)])


def _about(step: Step) -> str:
    if step.action == "option":
        return f" [{step.option}]"
    return " [by hand]" if step.action == "hand" else ""


def _summary(report: Report) -> str:
    if report.undecided:
        names = ", ".join(dict.fromkeys(step.option for step in report.undecided))
        return f"nothing is edited before this is decided: {names}"
    made = sum(step.action == "edit" for step in report.steps)
    by_hand = sum(step.action == "hand" for step in report.steps)
    told = f"; {by_hand} to look at by hand" if by_hand else ""
    looks = sum(step.action == "look" for step in report.steps)
    told += f"; {looks} lines not understood: look at them" if looks else ""
    if report.changed:
        return f"{made} edits: --diff shows them, --write makes them{told}"
    return f"nothing to edit{told}"


def proposal(report: Report) -> str:
    """The edits that are not certain, for --diff: shown, and not made."""
    lines = []
    for step in report.steps:
        if step.action == "edit":
            lines += [f"# {step.name}, line {step.line}: {step.reason}", *(f"+ {line}" for line in step.edit)]
        elif step.action == "option":
            lines.append(f"? {step.name}, line {step.line}: {step.reason} [{step.option}]")
    return "\n".join(lines)


def diff(report: Report) -> str:
    return unified(report.script, report.before, report.after)


def unified(name: str, before: str, after: str) -> str:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, new, name, f"{name} (edited)"))


def write(path: Path, after: str, force: bool = False) -> Path | None:
    """Writes an edited script; returns the backup, or None where git has the file as it was.

    Where git shows changes in the file nothing is written, unless `force`: then a backup is made.
    """
    path = path.resolve()
    state = _git_state(path)
    if state == "dirty" and not force:
        raise InputError(
            f"{path} has changes that are not committed: commit them first, or say --force (a backup is made)"
        )
    original, mode = path.read_bytes(), path.stat().st_mode
    backup = None
    if state != "clean":
        backup = path.with_name(path.name + BACKUP)
        number = 1
        while backup.exists():
            backup = path.with_name(f"{path.name}{BACKUP}-{number}")
            number += 1
        write_atomically(backup, original)
    write_atomically(path, encoded(original, after))
    path.chmod(mode)
    return backup


def encoded(original: bytes, after: str) -> bytes:
    """A text in the encoding of the file that it replaces."""
    encoding = Script(original).module.encoding
    mark = b"\xef\xbb\xbf" if original.startswith(b"\xef\xbb\xbf") else b""
    return mark + after.encode(encoding).removeprefix(b"\xef\xbb\xbf")


def _git_state(path: Path) -> str:
    """clean, dirty, or outside: git does not know the file."""
    try:
        answer = subprocess.run(
            ["git", "status", "--porcelain", "--ignored", "--", path.name],
            cwd=path.resolve().parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # no git here
        return "outside"
    if answer.returncode != 0:
        return "outside"
    lines = answer.stdout.splitlines()
    if not lines:
        return "clean"
    return "outside" if all(line[:2] in ("??", "!!") for line in lines) else "dirty"
