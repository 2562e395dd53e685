"""A table of a report as text cells: Markdown, LaTeX, terminal and HTML print the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from frustration.metric import ACCURACY, Metric
from frustration.report.findings import Analysis, CellSummary, Group
from frustration.report.formatting import apart, listed
from frustration.report.results import Setting


@dataclass(frozen=True, kw_only=True)
class Table:
    """Headers and rows of text; `left` are the columns that are not numbers."""

    name: str
    """For file names and anchors."""
    title: str
    note: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[int, ...] = (0, 1)

    def without(self, *headers: str) -> Table:
        """The same without the columns of these names."""
        kept = [at for at, header in enumerate(self.headers) if header not in headers]
        return replace(
            self,
            headers=tuple(self.headers[at] for at in kept),
            rows=tuple(tuple(row[at] for at in kept) for row in self.rows),
            left=tuple(new for new, at in enumerate(kept) if at in self.left),
        )


def several_settings(analysis: Analysis) -> bool:
    """Whether what is about a treatment must name its setting."""
    return len({group.setting for group in analysis.groups}) > 1


def in_several(analysis: Analysis) -> bool:
    """Whether rows must name their setting: some architecture is in more than one."""
    return len(analysis.groups) > len({group.architecture for group in analysis.groups})


def place_of(analysis: Analysis, setting: Setting, architecture: object) -> str:
    if not in_several(analysis):
        return str(architecture)
    # A problem brings its data, which are called after it.
    return f"{architecture} ({setting.name.removeprefix(f'{architecture}, ')})"


def what_scores_are(analysis: Analysis) -> str:
    """A sentence for the note of a table, where scores are not all accuracies."""
    if analysis.metrics == (ACCURACY,):
        return ""
    told = [f"{of_metric(m)}{_of(analysis, m)}" for m in analysis.metrics]
    return f" Scores: {'; '.join(told)}."


def of_metric(metric: Metric) -> str:
    """`ROUGE-L (points)`, `mean squared error (lower is better)`."""
    more = [*([metric.unit] if metric.unit else []), *(["lower is better"] if metric.sign < 0 else [])]
    return f"{metric.name} ({', '.join(more)})" if more else metric.name


def _of(analysis: Analysis, metric: Metric) -> str:
    """Of what, where there are several."""
    if len(analysis.metrics) == 1:
        return ""
    having = [str(group.architecture) for group in analysis.groups if group.setting.metric == metric]
    return f" of {listed(list(dict.fromkeys(having)), 4)}"


def margins(analysis: Analysis) -> str:
    """`0.5 points`: within what two arms are equivalent."""
    known = [(metric, metric.margin_or(analysis.margin)) for metric in analysis.metrics]
    told = [
        f"{apart(f'{margin:g}', metric)}{_of(analysis, metric).replace(' of ', ' in ', 1)}"
        for metric, margin in known
        if margin is not None
    ]
    return listed(list(dict.fromkeys(told))) if told else "a margin that the metric does not say"


def each_cell(analysis: Analysis) -> Iterator[tuple[str, Group, str, CellSummary]]:
    for group in analysis.groups:
        for label, cell in group.cells.items():
            yield place_of(analysis, group.setting, group.architecture), group, label, cell
