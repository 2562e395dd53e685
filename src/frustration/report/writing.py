"""Writes all parts of a report into one folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from frustration.errors import InputError
from frustration.files import PARTIAL, StorageError, make_folder, write_atomically
from frustration.original.published import read_trials_file
from frustration.original.tables import original_files
from frustration.report.analysis import ALPHA, MARGIN
from frustration.report.exports import curves_csv, trials_csv
from frustration.report.latex import latex_files
from frustration.report.markdown import report_markdown
from frustration.report.names import PAGE, REPORT
from frustration.report.reading import read_study
from frustration.report.report import Report
from frustration.report.results import StudyResults
from frustration.report.sessions import holds_sessions, read_sessions
from frustration.study.store import Store


def write_study(folder: Path) -> Path:
    """The report of the study in this folder, into its folder `report`; returns the page to open."""
    Store(folder).keep_look()
    return write_all(usable(read_study(folder)), folder / "report")


def results_of(source: str, results: Path) -> StudyResults:
    """Of a trials file, of a study's folder, or of a study by its name in `results`."""
    return read_trials_file(Path(source)) if Path(source).is_file() else study_named(source, results)


def study_named(name: str, results: Path) -> StudyResults:
    """The results of a study, by its name in `results` or its folder, or of a folder of `train`."""
    if holds_sessions(Path(name)):
        return usable(read_sessions(Path(name)))
    return usable(read_study(Store.open(name, results).root))


def default_folder(results: StudyResults, root: Path) -> Path:
    """Where a report goes: beside the records, or where there is none of ours, into the folder of studies."""
    elsewhere = results.published or results.runs is not None
    return (root / results.name if elsewhere else results.source) / "report"


def usable(results: StudyResults) -> StudyResults:
    """The same results, or InputError where there is nothing to report."""
    if results.trials:
        return results
    what = [f"{len(results.failures):,} failed"] if results.failures else []
    what += [f"{len(results.skipped):,} cannot be used"] if results.skipped else []
    first = f" ({results.skipped[0].path.name} {results.skipped[0].reason})" if results.skipped else ""
    run = f"; `frustration study run {results.name}` runs its trials"
    counted = f": {' and '.join(what)}{first}" if what else run
    raise InputError(f'the study "{results.name}" has no finished trial to report{counted}')


def write_all(
    results: StudyResults,
    folder: Path,
    *,
    figures: bool = True,
    alpha: float = ALPHA,
    margin: float = MARGIN,
    control: str | None = None,
) -> Path:
    """Text, tables, CSV, figures and the page; returns the page (or, without figures, report.md)."""
    report = Report.of(results, alpha=alpha, margin=margin, control=control)
    return write_files(report, folder, figures=figures)


def write_files(report: Report, folder: Path, *, figures: bool = True) -> Path:
    """The same for an analysis that exists already."""
    write_text(report, folder)
    if not figures:
        return folder / REPORT
    from frustration.report import html
    from frustration.report.figures import draw_all

    drawn = draw_all(report.results, report.analysis, folder / "figures")
    html.write(report, drawn, folder / PAGE)
    return folder / PAGE


def write_text(report: Report, folder: Path) -> None:
    """All that needs no drawing."""
    make_folder(folder)
    results = report.results
    files = {REPORT: report_markdown(report), "trials.csv": trials_csv(results)}
    if results.runs is None:
        files |= original_files(results)
    files |= {f"latex/{name}": content for name, content in latex_files(report).items()}
    for name, content in files.items():
        make_folder((folder / name).parent)
        write_atomically(folder / name, content.encode())
    if any(cell.curves is not None for cell in results.cells):
        write_pieces(folder / "curves.csv", curves_csv(results))


def write_pieces(path: Path, pieces: Iterable[str]) -> None:
    """A large file in one step, without having all of it in memory."""
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(pieces)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path}: {error.strerror}") from None
