"""The page, from the answer to the manifest."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markupsafe import Markup

from frustration.report.about_runs import table_of_runs
from frustration.report.each_comparison import comparisons_in_short
from frustration.report.figures.drawn import DrawnFigure
from frustration.report.figures.mode_style import looks_of
from frustration.report.findings import Analysis
from frustration.report.html import charts
from frustration.report.html.forest import forest
from frustration.report.html.images import gallery
from frustration.report.html.payload import MOST_TRIALS, Names, payload
from frustration.report.html.templates import At, asset, data, drawn
from frustration.report.report import Report
from frustration.report.results import StudyResults
from frustration.report.sentences import Plain
from frustration.report.table import Table, place_of

SCRIPTS: Final = ("tables.js", "drawing.js", "charts.js", "map.js", "start.js")
"""In this order they are one script."""
_ABOVE: Final = ("claims",)
"""Tables that belong to the answer."""
_TITLES: Final = {
    "costs": "Cost",
    "warnings": "Warnings",
    "together": "Averages and counts",
    "power_notes": "Power and error rate",
    "withstand": "Robustness",
}


@dataclass(frozen=True)
class Section:
    """A part of the page that the menu leads to."""

    name: str
    title: str
    content: Markup | None = None
    tables: Sequence[Table] = ()
    texts: Sequence[tuple[str, str]] = ()
    """(title, text as it is)"""


def render(report: Report, figures: Sequence[DrawnFigure], path: Path) -> str:
    """The whole page as one text; `path` is where it will be saved, which links depend on."""
    results, analysis, plain, tables = report.results, report.analysis, report.plain, report.tables
    names = Names(results)
    script = "\n".join(asset(name) for name in SCRIPTS)
    sections = (
        Section("charts", "Charts", charts.all_charts(results, analysis)),
        Section("tables", "Tables", tables=[made for made in tables if made.name not in _ABOVE]),
        Section("trials", "Trials", tables=[] if analysis.runs else _trials(results, analysis)),
        Section("figures", "Figures", gallery(figures, path)),
        Section("about", "About", tables=_about(results, analysis), texts=_texts(results)),
    )
    return drawn(
        "page.html",
        results=results,
        policy=_policy(script),
        style=Markup(asset("report.css") + _colours(results)),
        plain=plain,
        first_boxes=_boxes(plain, "costs", "warnings"),
        boxes=_boxes(plain, "together", "power_notes", "withstand"),
        forest=forest(analysis, names),
        each=_each(analysis),
        above=[made for made in tables if made.name in _ABOVE],
        at=_at(results, analysis, names),
        settings=[(index, setting.name) for setting, index in names.settings.items()],
        sections=[one for one in sections if one.content or one.tables],
        payload=data(payload(results, analysis, names)),
        script=Markup(script),
    )


def _policy(script: str) -> str:
    """Nothing is loaded from anywhere, and no script runs but the page's own."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _colours(results: StudyResults) -> str:
    """One class for each treatment: m0, m1, …, with its colour on light and on dark."""
    given = looks_of(results.labels)
    found = [given[label] for label in results.labels]
    light = "".join(f".m{index}{{--c:{look.colour}}}" for index, look in enumerate(found))
    dark = "".join(f"[data-theme=dark] .m{index}{{--c:{look.dark}}}" for index, look in enumerate(found))
    automatic = "".join(
        f":root:not([data-theme=light]) .m{index}{{--c:{look.dark}}}" for index, look in enumerate(found)
    )
    return f"{light}{dark}@media screen and (prefers-color-scheme:dark){{{automatic}}}"


def _at(results: StudyResults, analysis: Analysis, names: Names) -> At:
    places = {
        place_of(analysis, group.setting, group.architecture): (
            names.settings[group.setting],
            names.architectures[group.architecture],
        )
        for group in analysis.groups
    }
    labels = dict(names.labels)
    for setting in names.settings:
        labels |= {f"{label} ({setting.name})": index for label, index in names.labels.items()}
    several = len(names.settings) > 1
    return {
        **({"s": {place: s for place, (s, _) in places.items()}} if several else {}),
        "a": {place: a for place, (_, a) in places.items()},
        "m": {label: index for label, index in labels.items() if label not in places},
    }


def _each(analysis: Analysis) -> Table:
    made = comparisons_in_short(analysis)
    return table_of_runs(made, analysis.column(analysis.scores)) if analysis.runs else made


def _boxes(plain: Plain, *parts: str) -> list[tuple[str, str, Sequence[str]]]:
    """The boxes of these parts that have a sentence: (class, title, sentences)."""
    return [(name, _TITLES[name], getattr(plain, name)) for name in parts if getattr(plain, name)]


def _trials(results: StudyResults, analysis: Analysis) -> list[Table]:
    """A head without rows: the script fills it from the payload."""
    if not results.trials:
        return []
    limit = f" The first {MOST_TRIALS:,} of {results.trials:,}." if results.trials > MOST_TRIALS else ""
    scores = analysis.column("LKG test"), analysis.column("bounty")
    headers = ("architecture", "treatment", "trial", *scores, "at loop", "loops", "CPU s")
    note = f"One row per finished trial, page by page; the CSV file of the report has all of them.{limit}"
    return [Table(name="trials", title="All trials", note=note, headers=headers, rows=())]


def _about(results: StudyResults, analysis: Analysis) -> list[Table]:
    """Inert treatments, failed trials, what was skipped."""
    inert = [
        (place_of(analysis, group.setting, group.architecture), label, str(summary.cell.n))
        for group in analysis.groups
        for label, summary in group.cells.items()
        if summary.inert
    ]
    return [
        Table(
            name="inert",
            title="Inert treatments",
            note="Treatments that never acted, by the trials' records. They were excluded from the tests.",
            headers=("architecture", "treatment", "trials"),
            rows=tuple(inert),
        ),
        Table(
            name="failures",
            title="Failed trials",
            note="Trials that ended with an error instead of a record. They were excluded from the tests.",
            headers=("architecture", "treatment", "trial", "cause", "id"),
            rows=tuple(
                (one.architecture, one.label, "" if one.trial is None else str(one.trial), one.cause, one.id)
                for one in results.failures
            ),
            left=(0, 1, 3, 4),
        ),
        Table(
            name="skipped",
            title="Skipped",
            note="Files that could not be used. Everything else is reported.",
            headers=("file", "why"),
            rows=tuple((one.path.name, one.reason) for one in results.skipped),
        ),
    ]


def _texts(results: StudyResults) -> list[tuple[str, str]]:
    manifest = (
        json.dumps(list(results.manifest), indent=2, ensure_ascii=False, default=str)
        if results.manifest
        else ""
    )
    return [("Manifest", manifest), ("Definition", results.definition or "")]
