"""From records to what a scientist can say: tables, statistics, figures, one HTML page. Never imports torch.

results     the trials of a study, or of a published trials file, as arrays
reading     from the folder of a study to results (rows: one record after another)
published   from a trials file of the original project to results
yardstick   ZeroR and the number of images of a data set
findings    what an analysis comes to: plain data that text, figures and HTML all read
analysis    every test, effect, mask and regime, computed once, by
            cells, comparisons, overview, arms, probes
sentences   what the tests show, in plain sentences (cautions: and what they do not)
tables      as text cells, for Markdown, LaTeX, the terminal and HTML
original    the original project's files        exports   CSV        compare   two studies
figures     PNG and SVG                         html      the page
writing     all of it, into one folder
"""

from __future__ import annotations

from pathlib import Path


def write_report(folder: Path) -> Path:
    """Write the report of the study in this folder; returns the page to open."""
    from frustration.report.writing import write_report as write  # numpy and what is above, only when used

    return write(folder)
