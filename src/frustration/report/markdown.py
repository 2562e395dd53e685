"""report.md: plain sentences first, then every table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from frustration.report.report import Report
from frustration.report.results import StudyResults
from frustration.report.sentences import Plain
from frustration.report.table import Table
from frustration.sinks import markdown

ANSWER = "The answer"
METHODS = """\
Every claim rests on an exact test. Where trials with the same number share weights and batch orders, it is
sign flips of the differences; otherwise rank-sum permutations. Where only some trials learn, their number is
tested. Each treatment is compared with the control that its mode names. All verdicts about treatments come
from one procedure, which holds its level for the whole report and over all looks at the study. Treatments
that did nothing in most trials are not tested. "n too small" means that no outcome of these trials could
have been significant.
docs/statistics.md explains what is computed and how well the intervals cover."""


def report_markdown(report: Report) -> str:
    """The whole document."""
    parts = [f"# Report: {markdown(report.results.name)}", *_sentences(report.plain)]
    parts += [f"## {table.title}\n\n{markdown(table.note)}\n\n{pipes(table)}" for table in report.tables]
    parts += _rest(report.results)
    parts.append(f"## How to read this\n\n{METHODS}")
    return "\n\n".join(parts) + "\n"


def _sentences(plain: Plain) -> Iterator[str]:
    titles = {
        "answer": ANSWER,
        "about": "What was run",
        "helps": "Which interventions help",
        "power_notes": "Power and error rate",
        "costs": "Cost",
        "withstand": "Robustness",
        "warnings": "Warnings",
    }
    for name, title in titles.items():
        if lines := getattr(plain, name):
            yield f"## {title}\n\n" + "\n".join(f"- {markdown(line)}" for line in lines)


def answer_in(text: str) -> Iterator[str]:
    """The sentences of the answer in a document that `report_markdown` made."""
    _, _, after = text.partition(f"## {ANSWER}\n\n")
    for line in after.partition("\n\n")[0].splitlines():
        if line.startswith("- "):
            yield line.removeprefix("- ")


def _rest(results: StudyResults) -> Iterator[str]:
    if results.failures:
        table = Table(
            name="failures",
            title="Failed trials",
            note="They were excluded from the tests; `frustration study retry` runs them again.",
            headers=("architecture", "treatment", "trial", "cause"),
            rows=tuple((one.architecture, one.label, str(one.trial), one.cause) for one in results.failures),
            left=(0, 1, 3),
        )
        yield f"## {table.title}\n\n{table.note}\n\n{pipes(table)}"
    if results.skipped:
        lines = "\n".join(f"- {markdown(f'{one.path.name}: {one.reason}')}" for one in results.skipped)
        yield f"## Skipped\n\n{lines}"
    if results.manifest:
        yield "## Made with\n\n" + "\n".join(f"- {markdown(run_line(run))}" for run in results.manifest)


def run_line(run: Mapping[str, Any]) -> str:
    """One run of the manifest: version, commit, machine and command line."""
    git = run.get("git") or {}
    commit = (
        f", commit {str(git.get('commit'))[:12]}{' with changes' if git.get('dirty') else ''}" if git else ""
    )
    libraries = ", ".join(f"{name} {found}" for name, found in (run.get("libraries") or {}).items())
    command = str(run.get("command", ""))
    return (
        f"frustration-engine {run.get('version', '?')}{commit}; Python {run.get('python', '?')}, "
        f"{libraries}; {run.get('cpu', 'a CPU that is not named')}, {run.get('system', '')}: {command}"
    )


def pipes(table: Table) -> str:
    """A table in Markdown."""
    lines = [_row(table.headers)]
    marks = [":---" if column in table.left else "---:" for column in range(len(table.headers))]
    lines.append(f"|{'|'.join(marks)}|")
    lines += [_row(row) for row in table.rows]
    return "\n".join(lines)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(markdown, cells))} |"
