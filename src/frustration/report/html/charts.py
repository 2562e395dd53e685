"""The charts that the page draws itself: their places, captions and choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from frustration.report.figures.families import families, short
from frustration.report.findings import Analysis
from frustration.report.html.templates import drawn
from frustration.report.results import StudyResults

_COSTS: Final = (
    ("13", "parameters", "parameters"),
    ("14", "FLOPs of one forward pass", "flops"),
    ("15", "training FLOPs", "training_flops"),
    ("16", "CPU time (s)", "seconds"),
)
"""Column in the payload's cells, words, and name in the analysis."""
_LOOPED: Final = (
    ("accepted", "accepted loops"),
    ("harm", "harm"),
    ("recovery", "recovery"),
    ("late", "late gain"),
)


@dataclass(frozen=True)
class Choice:
    """A list to choose from, above a chart."""

    id: str
    label: str
    options: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Chart:
    """A chart that the page's script draws; `table` holds its numbers."""

    name: str
    title: str
    caption: str
    table: str
    choice: Choice | None = None


def all_charts(results: StudyResults, analysis: Analysis) -> Markup:
    """Those for which there are numbers."""
    headline = analysis.headline
    in_points = ", in points" if all(metric.in_points for metric in analysis.metrics) else ""
    curved = [cell for cell in results.cells if cell.curves is not None and cell.n]
    charts = []
    if analysis.comparisons:
        charts.append(
            Chart(
                "effects",
                "Effect of each treatment",
                f"Difference of the mean {headline} to control{in_points}, with its 95 % interval. Filled: "
                f"better or worse at {analysis.alpha:g} by exact tests, all verdicts together; "
                "hollow: not distinguished from control. The scale is linear near zero and logarithmic "
                "beyond.",
                "table-comparisons",
            )
        )
    if results.cells and not analysis.runs:
        options = [
            ("difference", "difference to control"),
            ("mean", f"mean {headline}"),
            ("std", "standard deviation"),
            *(_LOOPED if curved else ()),
        ]
        if not analysis.comparisons:
            options = options[1:]
        charts.append(
            Chart(
                "map",
                "Map of architectures",
                "One tile for each architecture and treatment. An asterisk or a dot marks differences that "
                "are better or worse than control; white ones are inert, or identical to "
                "control in every trial.",
                "table-cells",
                Choice("map-metric", "Colour", options),
            )
        )
    if curved:
        order = [a for family in families(results.architectures) for a in family.members]
        known = {cell.architecture for cell in curved}
        choices = [(str(index), short(a)) for index, a in enumerate(order) if a in known]
        charts.append(
            Chart(
                "curves",
                "Learning curves",
                f"Best validation {analysis.scores} so far: median over trials, and the middle half of the "
                "trials as a band.",
                "table-dynamics",
                Choice("curves-architecture", "Architecture", choices),
            )
        )
    if len(results.cells) > 1 and not analysis.runs:
        costs = [
            (column, words)
            for column, words, cost in _COSTS
            if any(
                getattr(summary, cost) > 0 for group in analysis.groups for summary in group.cells.values()
            )
        ]
        charts.append(
            Chart(
                "cost",
                f"{analysis.scores.capitalize()} against cost",
                f"Mean {headline} with its 95 % interval. The line joins the means that nothing as cheap "
                "surpasses.",
                "table-pareto",
                Choice("cost-axis", "Cost", costs),
            )
        )
    return drawn("charts.html", charts=charts) if charts else Markup()
