"""From a script, its log and its results to what went wrong, why, and what to change."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from frustration.errors import InputError
from frustration.integration.analyze import maximizes
from frustration.integration.examine import examine
from frustration.integration.messages import Cause, causes, raised_in
from frustration.integration.results import Run, runs_in
from frustration.integration.steps import Report, Step
from frustration.integration.targets import Wishes


@dataclass
class Diagnosis:
    """All that is known about a run that failed, or grew nothing, or grew worse."""

    report: Report
    causes: list[Cause] = field(default_factory=list)
    place: str = ""
    """Where the traceback ends in the user's own script."""
    steps: list[Step] = field(default_factory=list)
    """Steps of the script that are missing or wrong."""
    growth: list[str] = field(default_factory=list)
    """What the scores file says about growth."""


def debug(
    script: Path, log: str = "", results: Path | None = None, wishes: Wishes | None = None
) -> Diagnosis:
    """Reads the script, the log and the results; runs nothing."""
    report = examine(script, wishes)
    found = Diagnosis(report, list(causes(log)))
    found.place = _place(script, log)
    found.steps = [s for s in report.steps if s.state in ("missing", "wrong", "undecided")]
    folder = results or _results_beside(script, report)
    if folder is not None:
        for run in runs_in(folder):
            if said := re.search(r"maximizing_score\s*=\s*(True|False)", report.before):
                run.higher = said[1] == "True"
            found.growth += list(growth_of(run))
    found.growth += _counted_in(log)
    return found


def _place(script: Path, log: str) -> str:
    """The last line of the traceback that is in the user's script."""
    mine = [(file, line) for file, line in raised_in(log) if Path(file).name == script.name]
    if not mine:
        return ""
    file, line = mine[-1]
    try:
        text = script.read_text(encoding="utf-8", errors="replace").splitlines()[line - 1].strip()
    except (OSError, IndexError):
        text = ""
    return f"{Path(file).name}, line {line}: {text}"


def _results_beside(script: Path, report: Report) -> Path | None:
    """The folder of results that the script names, if it is beside it."""
    for name in re.findall(r"save_name\s*=\s*f?[\"'](\w+)", report.before):
        folder: Path = script.parent / name
        if not folder.is_dir():  # one for each process
            folder = script.parent / f"{name}0"
        if folder.is_dir() and any(folder.glob("*cores.csv")):
            return folder
    return None


def growth_of(run: Run) -> list[str]:
    """Whether dendrites came, from the files: patience and threshold are counted as the library counts."""
    from frustration.integration.analyze import PATIENCE, settings_of

    settings, scores = settings_of(run), run.final.scores
    patience = int(settings.get("n_epochs_to_switch", PATIENCE))
    lines = []
    if not run.before and not run.failed and run.grown == 0:
        best, last = _library_best(scores, settings, maximizes(run))
        since = len(scores) - 1 - last
        lines.append(
            f"no dendrite was added in {len(scores)} epochs: the best that counts is {best:.6g} of epoch "
            f"{last}, "
            f"{since} epochs before the end, and growth needs {patience} without a new best"
        )
        if since >= patience:
            lines.append(
                "that is long enough: was add_validation_score called with this score after every epoch?"
            )
    elif run.failed and run.grown == 0:
        lines.append(
            f"dendrites were added {len(run.failed)} times and taken back each time, for none beat the best "
            f"without "
            "them (files with noImprove_lr are such tries, not proof that nothing was added)"
        )
    lines += _wrong_way(run)
    return lines


def _library_best(scores: list[float], settings: dict[str, object], rising: bool) -> tuple[float, int]:
    """The best score and its epoch, with the margins that the library asks of a new best."""
    thresholds = settings.get("improvement_threshold", [0.001])
    first = thresholds[0] if isinstance(thresholds, list) and thresholds else thresholds
    margin = float(first) if isinstance(first, (int, float)) else 0.001
    raw = settings.get("improvement_threshold_raw", 1e-5)
    least = float(raw) if isinstance(raw, (int, float)) else 1e-5
    best, epoch = 0.0, 0
    for number, score in enumerate(scores):
        if rising:
            better = score * (1 - margin) > best and score - least > best
        else:
            better = score * (1 + margin) < best and score + least < best
        if number > 0 and (best == 0.0 or better):  # the first epoch is never a best
            best, epoch = score, number
    return best, epoch


def _wrong_way(run: Run) -> list[str]:
    """A score that moves against the configured direction while the network learns."""
    scores = run.final.scores
    if len(scores) < 4:
        return []
    rising = maximizes(run)
    half = len(scores) // 2
    first, second = sum(scores[:half]) / half, sum(scores[half:]) / (len(scores) - half)
    worse = second < first if rising else second > first
    if not worse:
        return []
    return [
        f"the score went from {first:.6g} (first half) to {second:.6g}, and maximizing_score is {rising}: "
        f"if it is a "
        f"{'loss' if rising else 'score that should rise'}, the direction is wrong"
    ]


def _counted_in(log: str) -> list[str]:
    """What the library itself printed about growth."""
    added = len(re.findall(r"Dendrites successfully integrated", log))
    told = len(re.findall(r"Adding validation score", log))
    if not told:
        return []
    if added == 0 and "no triggers to switch" in log:
        return [f"the log holds {told} scores and no growth: the library saw no plateau yet"]
    return [f"the log holds {told} scores and {added} growths"] if added else []


def text(found: Diagnosis) -> str:
    """The diagnosis in lines: what the log says, what the script lacks, what the results show."""
    lines = [f"{found.report.script}: {found.report.kind}"]
    if found.place:
        lines.append(f"the traceback ends at {found.place}")
    for cause in found.causes:
        lines += [
            f"log, line {cause.line}: {cause.said[:160]}",
            f"  cause: {cause.cause}",
            f"  cure:  {cause.cure}",
        ]
    for sentence in found.growth:
        lines.append(f"results: {sentence}")
    for step in found.steps:
        place = f", {step.place}" if step.place else ""
        lines.append(f"script: {step.name} {step.state}{place}: {step.reason}")
        if step.action == "edit":
            lines += [f"  + {line}" for line in step.edit[:4]]
    if not (found.causes or found.growth or found.steps):
        lines.append("nothing wrong was found; --log FILE reads what the run printed")
    return "\n".join(lines)


def read_log(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
