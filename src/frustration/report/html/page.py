"""The page, from the answer down to the manifest."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from frustration.report.figures.drawn import DrawnFigure
from frustration.report.figures.mode_style import looks_of
from frustration.report.findings import Analysis
from frustration.report.html import charts
from frustration.report.html.forest import forest
from frustration.report.html.images import gallery
from frustration.report.html.markup import At, data, marked, section, sentences, table, text
from frustration.report.html.payload import MOST_TRIALS, Names, payload
from frustration.report.results import StudyResults
from frustration.report.sentences import Plain, plain_sentences
from frustration.report.table import Table, place_of
from frustration.report.tables import all_tables

SCRIPTS: Final = ("tables.js", "drawing.js", "charts.js", "map.js", "start.js")
"""In this order they are one script."""
_ABOVE: Final = ("claims",)
"""Tables that belong to the answer."""


def render(results: StudyResults, analysis: Analysis, figures: Sequence[DrawnFigure], path: Path) -> str:
    """The whole page as one text; `path` is where it will lie, so that links to other files hold."""
    names = Names(results)
    at = _at(results, analysis, names)
    tables = {made.name: made for made in all_tables(analysis)}
    above = [table(tables[name], at) for name in _ABOVE if name in tables]
    below = [made for name, made in tables.items() if name not in _ABOVE]
    parts = (
        ("charts", "Charts", charts.all_charts(results, analysis)),
        ("tables", "Tables", "".join(table(made, at) for made in below)),
        ("trials", "Trials", "" if analysis.runs else _trials(results, analysis)),
        ("figures", "Figures", gallery(figures, path)),
        ("about", "About this study", _about(results, analysis)),
    )
    content = [section(name, title, inner) for name, title, inner in parts]
    there = [(name, title) for name, title, inner in parts if inner]
    script = "\n".join(asset(name) for name in SCRIPTS)
    return _PAGE.format(
        title=text(f"{results.name}: report"),
        policy=_policy(script),
        style=asset("report.css") + _colours(results),
        name=text(results.name),
        menu="".join(f'<li><a href="#{name}">{text(title)}</a></li>' for name, title in there),
        answer=_answer(plain_sentences(results, analysis), forest(analysis, names)),
        claims="".join(above),
        filters=_filters(results, names),
        content="".join(content),
        payload=data(payload(results, analysis, names)),
        script=script,
    )


@cache
def asset(name: str) -> str:
    return resources.files("frustration.report.html").joinpath(name).read_text(encoding="utf-8")


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


def _answer(plain: Plain, drawn: str) -> str:
    """The answer in three sentences, the forest plot, cost; then every test, and what to beware of."""
    answer = sentences(plain.answer) or (
        "<p>There is nothing to compare yet: no treatment stands beside a control.</p>"
    )
    parts = [
        ("costs", "At what cost", plain.costs),
        ("warnings", "Beware", plain.warnings),
        ("helps", "Every comparison, with its test", plain.helps),
        ("power_notes", "How surely", plain.power_notes),
        ("withstand", "What the networks withstand", plain.withstand),
    ]
    boxes = "".join(
        f'<div class="{name}"><h3>{title}</h3>{sentences(lines)}</div>'
        for name, title, lines in parts
        if lines
    )
    about = " ".join(marked(line) for line in plain.about)
    return (
        f'<div class="short"><h3>Which interventions help</h3>{answer}</div>{drawn}'
        f'<div class="answers">{boxes}</div><p class="lead">{about}</p>'
    )


def _filters(results: StudyResults, names: Names) -> str:
    boxes = "".join(
        f'<label class="mode m{index}"><input type="checkbox" name="mode" value="{index}" checked>'
        f'<span class="swatch" aria-hidden="true"></span>{text(label)}</label>'
        for label, index in names.labels.items()
    )
    setting = ""
    if len(names.settings) > 1:
        options = "".join(
            f'<option value="{index}">{text(one.name)}</option>' for one, index in names.settings.items()
        )
        setting = f'<label>Setting <select id="filter-setting">{options}</select></label>'
    return (
        '<form id="filters" aria-label="Filters for charts and tables">'
        '<label>Architectures <input id="filter-architecture" type="search" autocomplete="off" '
        'placeholder="all; for example 1* 8*8" aria-describedby="filter-hint"></label>'
        '<label>Family <select id="filter-family"><option value="">all</option></select></label>'
        f"{setting}<fieldset><legend>Treatments</legend>{boxes}</fieldset>"
        '<button type="reset">Show all</button>'
        '<p id="filter-hint" class="away">Words apart by spaces; 1* means one hidden layer, *4 four units, '
        "32 any name with 32 in it. Charts and tables below follow.</p>"
        '<output id="filter-count" aria-live="polite"></output></form>'
    )


def _trials(results: StudyResults, analysis: Analysis) -> str:
    if not results.trials:
        return ""
    limit = f" The first {MOST_TRIALS:,} of {results.trials:,}." if results.trials > MOST_TRIALS else ""
    scores = analysis.column("LKG test"), analysis.column("bounty")
    headers = ("architecture", "treatment", "trial", *scores, "at loop", "loops", "CPU s")
    made = Table(
        name="trials",
        title="All trials",
        note=f"One row per finished trial, page by page; the CSV file of the report has all of them.{limit}",
        headers=headers,
        rows=(),
    )
    pages = (
        '<div class="pages"><button type="button" id="trials-back">Back</button>'
        '<output id="trials-page" aria-live="polite"></output>'
        '<button type="button" id="trials-on">On</button></div>'
    )
    return table(made, {}) + pages


def _about(results: StudyResults, analysis: Analysis) -> str:
    """Inert treatments, failed trials, what was passed over, the manifest, the definition."""
    inert = [
        (place_of(analysis, group.setting, group.architecture), label, str(summary.cell.n))
        for group in analysis.groups
        for label, summary in group.cells.items()
        if summary.inert
    ]
    made = [
        Table(
            name="inert",
            title="Inert treatments",
            note="Treatments that, by the trials' own records, never acted. They are in no family of tests.",
            headers=("architecture", "treatment", "trials"),
            rows=tuple(inert),
        ),
        Table(
            name="failures",
            title="Failed trials",
            note="Trials that left an error instead of a record. They are in no test.",
            headers=("architecture", "treatment", "trial", "cause", "id"),
            rows=tuple(
                (one.architecture, one.label, "" if one.trial is None else str(one.trial), one.cause, one.id)
                for one in results.failures
            ),
            left=(0, 1, 3, 4),
        ),
        Table(
            name="skipped",
            title="Passed over",
            note="Files that could not be used. Everything else is reported.",
            headers=("file", "why"),
            rows=tuple((one.path.name, one.reason) for one in results.skipped),
        ),
    ]
    parts = [
        table(one, {}) if one.rows else f'<h3>{text(one.title)}</h3><p class="note">None.</p>' for one in made
    ]
    if results.manifest:
        said = json.dumps(list(results.manifest), indent=2, ensure_ascii=False, default=str)
        parts.append(f"<h3>Manifest</h3><pre tabindex=0>{text(said)}</pre>")
    if results.definition:
        parts.append(f"<h3>Definition</h3><pre tabindex=0>{text(results.definition)}</pre>")
    return "".join(parts)


_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the answer</a>
<header>
<p class="brand">Frustration Engine</p>
<nav aria-label="Parts of this report"><ul>{menu}</ul></nav>
<button type="button" id="theme" aria-pressed="false">Dark colours</button>
</header>
<main id="main" tabindex="-1">
<h1>{name}</h1>
<section id="answer" aria-labelledby="answer-title">
<h2 id="answer-title" class="away">Which interventions help, how surely, at what cost?</h2>
{answer}
{claims}
</section>
<noscript><p class="note">Charts, filters, sorting and the table of trials need JavaScript; the answer and
the other tables do not.</p></noscript>
{filters}
{content}
</main>
<script type="application/json" id="payload">{payload}</script>
<script>{script}</script>
</body>
</html>
"""
