"""The verdict study: the rows that are kept in the repository, and every table made of them.

python scripts/verdict.py tables                     the tables of docs/verdict.md, made anew
python scripts/verdict.py tables --check             whether the tables are those of the rows
python scripts/verdict.py verify 60                  train so many of the rows again, to the bit
python scripts/verdict.py keep results/verdict       keep the rows of the study, its manifest and report
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from published_rows import Published

from frustration.report.findings import Claim
from frustration.report.formatting import DASH, p_value, points
from frustration.report.report import Report
from frustration.report.results import Setting, StudyResults

VERDICT = Published("verdict", "verdict")


def tables(results: StudyResults) -> str:
    """Everything between the two marks of the page."""
    report = Report.of(results)
    results = report.results
    parts = (
        _run(results),
        _answer(report),
        _questions(report),
        _beside(report),
        _withstand(report),
        _rates(results),
        _costs(results),
    )
    return "\n\n".join(text for part in parts if (text := "\n".join(part)))


def _run(results: StudyResults) -> Iterator[str]:
    rows = VERDICT.read()
    hours = sum(row.seconds for row in rows if not row.twin) / 3600
    yield "### What was run"
    yield ""
    yield (
        f"{len(rows):,} of {results.expected:,} trials, {hours:.1f} core-hours; "
        f"{sum(row.twin for row in rows):,} of them were not trained: they are their control to the bit."
    )


def _answer(report: Report) -> Iterator[str]:
    yield "### The answer"
    yield ""
    yield from (f"- {sentence}" for sentence in report.plain.answer)


def _questions(report: Report) -> Iterator[str]:
    yield "### The ten questions"
    yield ""
    yield (
        "Each treatment against its own control: mean difference in test accuracy over the networks that "
        "learn, in points, with its 95 % interval, the p adjusted for all questions, and in how many "
        "networks it is better and worse. **Bold**: the difference is distinguished from chance."
    )
    yield ""
    yield from _grid(report, ("own", "substitute"))


def _beside(report: Report) -> Iterator[str]:
    yield "### At equal parameters"
    yield ""
    yield "What grew, against an ordinary network with as many parameters; read as above."
    yield ""
    yield from _grid(report, ("size",))


def _grid(report: Report, kinds: Sequence[str]) -> Iterator[str]:
    settings = report.results.settings
    claims = {
        (one.treatment, one.setting): one for one in report.analysis.claims if one.main and one.kind in kinds
    }
    yield f"| treatment | control | {' | '.join(map(_short, settings))} |"
    yield "|---" * (len(settings) + 2) + "|"
    for treatment, control in dict.fromkeys((one.treatment, one.control) for one in claims.values()):
        cells = [_cell(claims.get((treatment, setting)), report.analysis.alpha) for setting in settings]
        yield f"| `{treatment}` | `{control}` | {' | '.join(cells)} |"


def _cell(claim: Claim | None, alpha: float) -> str:
    if claim is None or claim.member is None:
        return "no network learns"
    found = claim.difference
    effect = points(found.value)
    if claim.member.finding in ("better", "worse"):
        effect = f"**{effect}**"
    spread = "" if claim.one_effect(alpha) else ", networks differ"
    return (
        f"{effect} ({points(found.low)} to {points(found.high)}; p {p_value(claim.member.adjusted_p)}; "
        f"{claim.better} better, {claim.worse} worse of {claim.architectures}{spread})"
    )


def _short(setting: Setting) -> str:
    share = "all images" if setting.train_fraction == 1 else f"{100 * setting.train_fraction:g} %"
    return f"{setting.dataset}, {share}"


def _withstand(report: Report) -> Iterator[str]:
    """The measures of robustness: the median over networks and settings of the differences from control."""
    found = [one for one in report.analysis.probes if one.acted]
    if not found:
        return
    yield "### What the kept networks withstand"
    yield ""
    yield (
        "Each treatment against its own control, over all networks and settings in which it acted: median "
        "difference in accuracy with units silenced, with noise on the weights and on corrupted images, in "
        "points, and in how many it is better and worse. Holm within each network, setting and measure, "
        "each at 0.05: of 20 of these that hold no difference, chance alone makes a false claim in one."
    )
    yield ""
    measures = list(dict.fromkeys(one.measure for one in found))
    yield f"| treatment | control | {' | '.join(measures)} |"
    yield "|---" * (len(measures) + 2) + "|"
    for treatment, control in dict.fromkeys((one.treatment, one.control) for one in found):
        cells = []
        for measure in measures:
            those = [
                one
                for one in found
                if (one.treatment, one.control, one.measure) == (treatment, control, measure)
            ]
            counted = Counter(one.member.finding for one in those)
            effect = points(median(one.difference.value for one in those)) if those else DASH
            cells.append(f"{effect} ({counted['better']} better, {counted['worse']} worse of {len(those)})")
        yield f"| `{treatment}` | `{control}` | {' | '.join(cells)} |"


def _rates(results: StudyResults) -> Iterator[str]:
    yield "### Learning rates that the pilot chose"
    yield ""
    yield "In how many of the 24 networks and settings each arm took each rate."
    yield ""
    yield f"| arm | {' | '.join(f'{rate:g}' for rate in results.rates)} |"
    yield "|---" * (len(results.rates) + 1) + "|"
    for label in results.labels:
        chosen = Counter(cell.chosen_rate for cell in results.cells if cell.label == label)
        yield f"| `{label}` | {' | '.join(str(chosen[rate]) for rate in results.rates)} |"


def _costs(results: StudyResults) -> Iterator[str]:
    """Beside `plain`: the median over networks and settings of the ratios of the means."""
    plain = {(cell.setting, cell.architecture): cell for cell in results.cells if cell.label == "plain"}
    yield "### What the arms cost"
    yield ""
    yield "Parameters of the kept network and operations of training, as multiples of `plain`'s: medians."
    yield ""
    yield "| arm | parameters | training |"
    yield "|---|---|---|"
    for label in results.labels:
        pairs = [
            (cell, plain[cell.setting, cell.architecture])
            for cell in results.cells
            if cell.label == label and (cell.setting, cell.architecture) in plain
        ]
        if pairs:
            size = median(one.parameters.mean() / base.parameters.mean() for one, base in pairs)
            work = median(one.training_flops.mean() / base.training_flops.mean() for one, base in pairs)
            yield f"| `{label}` | {size:.2f} | {work:.2f} |"


if __name__ == "__main__":
    sys.exit(VERDICT.main(__doc__, lambda: tables(VERDICT.results())))
