"""From records to what a scientist can say: tables, statistics, figures, one HTML page. Never imports torch.

results       the trials of a study as arrays
reading       from the folder of a study to results (rows: one record after another)
chance_level  ZeroR and the number of images of a data set
findings      what an analysis comes to: plain data that text, figures and HTML all read
analysis      every test, effect, mask and regime, computed once, by
              cells, comparisons, overview, arms, probes
sentences     what the tests show, in plain sentences (cautions: and what they do not)
tables        as text cells, for Markdown, LaTeX, the terminal and HTML
exports       CSV                compare   two studies
figures       PNG and SVG        html      the page
writing       all of it, into one folder
"""

from __future__ import annotations

from pathlib import Path

from frustration.callable_package import make_callable
from frustration.errors import InputError
from frustration.report.names import PAGE, REPORT

make_callable(__name__)


def write_report(folder: Path) -> Path:
    """Write the report of the study in this folder; returns the page to open."""
    from frustration.report.writing import write_study  # numpy and what is above, only when used

    return write_study(folder)


def report_line(folder: Path) -> str:
    """`report: PAGE`, written anew if a record or a probe came since; or why there is none."""
    page = folder / "report" / PAGE
    try:
        return f"report: {page if _is_fresh(page, folder) else write_report(folder)}"
    except InputError as error:
        return f"no report: {error}"


def answer_of(folder: Path) -> tuple[str, ...]:
    """The sentences at the top of the report in this study's folder; none where there is no report."""
    from frustration.report.markdown import answer_in

    try:
        text = (folder / "report" / REPORT).read_text(encoding="utf-8")
    except OSError:
        return ()
    return tuple(answer_in(text))


def _is_fresh(page: Path, folder: Path) -> bool:
    """Whether nothing was written into the study since; folders change when a file is renamed into them."""
    if not page.exists():
        return False
    inside = (path for part in ("trials", "probes") for path in (folder / part).glob("*"))
    return all(path.stat().st_mtime < page.stat().st_mtime for path in inside)
