"""Tables for papers: booktabs, compiling under pdflatex, and the original's two tables among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from frustration.architecture import Architecture
from frustration.original.tables import plain_name
from frustration.references import ProblemReference
from frustration.report.findings import Group
from frustration.report.formatting import amount, digits_of
from frustration.report.report import Report
from frustration.report.table import Table
from frustration.sinks import latex

LONG: Final = 30
"""From so many rows on, a table breaks over pages."""
DOCUMENT: Final = r"""\documentclass[10pt]{article}
\usepackage[a4paper,landscape,margin=12mm]{geometry}
\usepackage{booktabs}
\usepackage{longtable}
\begin{document}
%s
\end{document}
"""


def latex_files(report: Report) -> dict[str, str]:
    """Name -> content: a file for each table, and report.tex, which holds them all and compiles by itself."""
    files = {f"{table.name}.tex": latex_table(table) for table in report.tables}
    analysis = report.analysis
    if analysis.groups:
        plain = [g.architecture for g in analysis.groups if not isinstance(g.architecture, ProblemReference)]
        if plain:
            files["architectures.tex"] = architecture_table(plain)
        files["trial_accuracy.tex"] = accuracy_table(analysis.groups)
    inputs = "\n".join(rf"\input{{{name}}}" for name in files)
    return {**files, "report.tex": DOCUMENT % inputs}


def latex_table(table: Table) -> str:
    """A booktabs table; a long one is a longtable."""
    columns = "".join("l" if column in table.left else "r" for column in range(len(table.headers)))
    heads = " & ".join(rf"\textbf{{{latex(head)}}}" for head in table.headers) + r" \\"
    rows = [" & ".join(map(latex, row)) + r" \\" for row in table.rows]
    caption = f"{table.title}. {table.note}"
    return _set(columns, [heads], rows, latex(caption), f"tab:{table.name}")


def architecture_table(
    architectures: Sequence[Architecture],
    caption: str = "Parameters for Network Architectures",
    label: str = "tab:architecture_parameters",
) -> str:
    """The original's table: architecture, parameters, and whether it is one of those matched in parameters.

    The published grid matches shallow networks and squares in parameters and mirrors them: what is deeper
    than wide is such a mirror image, "Asymmetric".
    """
    heads = r"\textbf{Architecture} & \textbf{Parameters} & \textbf{Parameter Matching}\\"
    rows = [
        f"{latex(plain_name(one))} & {amount(one.parameters())} & {_matching(one)} " + r"\\"
        for one in dict.fromkeys(architectures)
    ]
    return _set("lrl", [heads], rows, latex(caption), label)


def _matching(architecture: Architecture) -> str:
    widths = set(architecture.hidden)
    if len(widths) != 1:
        return "--"
    return "Asymmetric" if architecture.depth > widths.pop() else "Matched"


def accuracy_table(
    groups: Sequence[Group],
    caption: str = "",
    label: str = "tab:results_summary_stats",
) -> str:
    """The original's table of bounties: mean and std (ddof 0) of each treatment, and the winner.

    A winner is named only where it beats every other treatment significantly by the report's headline;
    nothing else is printed bold.
    """
    metrics = dict.fromkeys(group.setting.metric for group in groups)
    metric = next(iter(metrics)) if len(metrics) == 1 else None
    unit = latex(f" ({metric.unit})") if metric and metric.unit else ""
    caption = caption or (
        f"Mean Peak Validation {latex(metric.name.title()) if metric else 'Score'}{unit} with Standard "
        "Deviation over Trials. Winner: beats every other treatment significantly"
    )
    labels = list(dict.fromkeys(name for group in groups for name in group.cells))
    heads = [
        r"\textbf{Architecture} & "
        + " & ".join(rf"\textbf{{{latex(name)}}}" for name in labels)
        + r" & \textbf{Winner} \\",
        " & ".join(["", *(rf"Mean $\pm$ Std{unit}" for _ in labels), ""]) + r" \\",
    ]
    rows = [" & ".join(_accuracy_row(group, labels)) + r" \\" for group in groups]
    return _set("l" + "c" * len(labels) + "l", heads, rows, caption, label)


def _accuracy_row(group: Group, labels: Sequence[str]) -> Iterator[str]:
    winner = group.winner.label if group.winner is not None and group.winner.decided else None
    yield latex(plain_name(group.architecture))
    for label in labels:
        bounty = group.cells[label].bounty if label in group.cells else None
        if bounty is None:
            yield "N/A"
        else:
            bold = r"\bfseries\boldmath " if label == winner else ""
            digits = digits_of(group.setting.metric, bounty.mean)
            yield rf"{bold}${bounty.mean:.{digits}f} \pm {bounty.std:.{digits}f}$"
    yield rf"\texttt{{{latex(winner)}}}" if winner else "undecided"


def _set(columns: str, heads: Sequence[str], rows: Sequence[str], caption: str, label: str) -> str:
    size = r"\tiny" if len(columns) > 8 else r"\footnotesize"
    head, body = "\n".join(heads), "\n".join(rows)
    if len(rows) > LONG:
        return (
            f"{{{size}\\setlength{{\\tabcolsep}}{{3pt}}\\setlength{{\\LTcapwidth}}{{\\linewidth}}\n"
            f"\\begin{{longtable}}{{@{{}}{columns}@{{}}}}\n"
            f"\\caption{{{caption}}}\\label{{{label}}}\\\\\n"
            f"\\toprule\n{head}\n\\midrule\n\\endfirsthead\n"
            f"\\toprule\n{head}\n\\midrule\n\\endhead\n"
            f"\\bottomrule\n\\endfoot\n{body}\n\\end{{longtable}}}}\n"
        )
    return (
        f"\\begin{{table}}[htbp]\n\\centering{size}\\setlength{{\\tabcolsep}}{{3pt}}"
        "\\setlength{\\belowcaptionskip}{4pt}\n"
        f"\\caption{{{caption}}}\\label{{{label}}}\n"
        f"\\begin{{tabular}}{{@{{}}{columns}@{{}}}}\n"
        f"\\toprule\n{head}\n\\midrule\n{body}\n\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n"
    )
