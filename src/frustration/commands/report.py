"""report: the report of a study, from its records alone; and the comparison of two studies."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frustration.commands.arguments import real, run
from frustration.commands.options import InResults, Options, argument, option, wide
from frustration.errors import InputError
from frustration.files import StorageError

if TYPE_CHECKING:
    from frustration.report.results import StudyResults
    from frustration.report.table import Table

NAME = "frustration report"
EXAMPLES = """\
examples:
  frustration report quickstart                             written to results/quickstart/report/
  frustration report quickstart --print                     the main table in the terminal; nothing is written
  frustration report --from-trials psa_simplemlp_trials.md  the same for a trials file of the original project
  frustration report models/1x32                            a comparison that `train` has kept there
  frustration report --from-csv runs.csv --treatment optimizer --score accuracy --pair seed    other runs
  frustration report compare A B                            two studies, or trials files

Files: report.html, report.md, trials.csv, curves.csv, figures/, latex/, and the original project's
psa_simplemlp_summary.md and the like. docs/reports.md explains them."""

NAME_ONE = "name a study, as in `frustration report quickstart`, or give --from-trials or --from-csv FILE"


def main(argv: Sequence[str] | None = None) -> int:
    return run(NAME, _dispatch, argv)


def _dispatch(arguments: list[str]) -> int:
    if arguments[:1] == ["compare"]:
        return _compare(arguments[1:])
    return _report(arguments)


class Common(InResults):
    """What both have."""

    output: Path | None = option("", read=Path, metavar="DIR")
    margin: float | None = option(
        "within which two arms count as equivalent (default: 0.5)",
        read=real(0.0, above=True),
        metavar="POINTS",
    )
    alpha: float = option(
        "level of all tests (default: 0.05)", 0.05, read=real(0.0, 0.49, above=True), metavar="P"
    )


class Runs(Options):
    heading = "runs of any kind, with --from-csv"

    treatment: tuple[str, ...] = option(
        "what is compared; several columns make one name", (), metavar="COLUMN"
    )
    score: str | None = option("the number that is compared", metavar="COLUMN")
    pair: tuple[str, ...] = option(
        "runs that belong together: a seed, a fold (default: none)", (), metavar="COLUMN"
    )
    group: tuple[str, ...] = option(
        "compare within these: a task, a data set (default: all together)", (), metavar="COLUMN"
    )
    where: tuple[str, ...] = option("only these rows: State=finished", (), metavar="COLUMN=VALUE")
    lower_is_better: bool = option("as of a loss or an error", False)
    unit: str = option("behind scores: %% makes them percentages", "", metavar="TEXT")


class ReportOptions(Runs, Common):
    """Write the report of a study: tests, effects with intervals, tables, figures and one page.
    `frustration report compare A B` compares two."""

    command = NAME
    epilog = EXAMPLES

    study: str | None = argument("a study in results/, its folder, or models/1x32", None, metavar="STUDY")
    from_trials: Path | None = option(
        "a trials file of the original project instead", read=Path, metavar="FILE"
    )
    from_csv: Path | None = option("runs of any program, one per row; see below", read=Path, metavar="FILE")
    to_terminal: bool = option("only print the main table", False, flag="--print")
    wide: bool = wide()
    no_figures: bool = option("text, tables and CSV only", False)
    control: str | None = option(
        "the treatment shown beside all others (default: none); each is compared with its own control",
        metavar="LABEL",
    )
    output: Path | None = option(
        "where it is written (default: report/ in the study's folder)", read=Path, metavar="DIR"
    )


class CompareOptions(Common):
    """Compare two studies, or trials files of the original project: tests of a difference and of equivalence
    for every treatment that both have, and a verdict per architecture."""

    command = "frustration report compare"
    usage = "A B [flags]"

    a: str = argument("a study in results/, its folder, or a trials file", "", metavar="A")
    b: str = argument("the other one; differences are B minus A", "", metavar="B")
    across: tuple[str, ...] = option(
        "compare although these differ: lr, batch-size, train-fraction, meta-loops, data, knobs",
        (),
        choices=("lr", "batch-size", "train-fraction", "meta-loops", "data", "knobs"),
        metavar="NAME",
    )
    output: Path | None = option("also write compare.md and compare.tex there", read=Path, metavar="DIR")


def _runs(options: ReportOptions, path: Path) -> StudyResults:
    from frustration.report.runs import Columns, read_runs

    if not options.treatment or options.score is None:
        raise InputError("--from-csv needs --treatment COLUMN and --score COLUMN; --pair COLUMN pairs runs")
    where = [word.partition("=") for word in options.where]
    if wrong := next((name for name, sign, _ in where if not sign), None):
        raise InputError(f"--where {wrong} is not written as COLUMN=VALUE")
    return read_runs(
        path,
        Columns(
            treatment=options.treatment,
            score=options.score,
            pair=options.pair,
            group=options.group,
            where=tuple((name, value) for name, _, value in where),
        ),
        better="lower" if options.lower_is_better else "higher",
        unit=options.unit,
        margin=options.margin,
        control=options.control,
    )


def _report(arguments: list[str]) -> int:
    options = ReportOptions.read(arguments)
    named = [one for one in (options.study, options.from_trials, options.from_csv) if one is not None]
    if len(named) > 1:
        raise InputError(NAME_ONE)
    from frustration.report import writing

    results = _results(options)
    _say_skipped(results)
    if options.to_terminal:
        _print(results, options)
        return 0
    folder = options.output or writing.default_folder(results, options.results)
    page = writing.write_all(
        results,
        folder,
        figures=not options.no_figures,
        alpha=options.alpha,
        margin=_margin(options),
        control=options.control,
    )
    print(f"report: {page}")
    return 0


def _results(options: ReportOptions) -> StudyResults:
    from frustration.original.published import read_trials_file
    from frustration.report.sessions import holds_sessions
    from frustration.report.writing import study_named
    from frustration.study import manifest
    from frustration.study.store import Store

    if options.from_csv is not None:
        return _runs(options, options.from_csv)
    if options.from_trials is not None:
        return read_trials_file(options.from_trials)
    if options.study is None:
        raise InputError(NAME_ONE)
    try:
        if not holds_sessions(Path(options.study)):
            store = Store.open(options.study, options.results)
            if said := manifest.damage(store.root):
                print(f"report: {said}", file=sys.stderr)
            store.keep_look()
    except StorageError as error:  # a study that may only be read
        print(f"report: this look is not recorded: {error}", file=sys.stderr)
    return study_named(options.study, options.results)


def _margin(options: Common) -> float:
    from frustration.report.analysis import MARGIN

    return MARGIN if options.margin is None else float(options.margin)


def _say_skipped(results: StudyResults) -> None:
    """One sentence on stderr for each record that is not part of the report."""
    for skipped in results.skipped:
        print(f"report: skipped: {skipped.path} {skipped.reason}", file=sys.stderr)
    for failure in results.failures:
        who = f"{failure.architecture} {failure.label}, trial {failure.trial}"
        print(f"report: failed, excluded from the tests: {who}: {failure.cause}", file=sys.stderr)


def _print(results: StudyResults, options: ReportOptions) -> None:
    from frustration.report.report import Report
    from frustration.report.tables import main_table

    report = Report.of(results, alpha=options.alpha, margin=_margin(options), control=options.control)
    plain, table = report.plain, main_table(report.analysis)
    _say([], [table])
    parts = (plain.answer, plain.about, plain.helps, plain.power_notes, (*plain.costs, *plain.warnings))
    _say([line for part in parts if part for line in (*part, "")], [])


def _compare(arguments: list[str]) -> int:
    options = CompareOptions.read(arguments)
    if not options.b:
        raise InputError('name two studies or trials files, as in "frustration report compare A B"')
    from frustration.files import make_folder, write_atomically
    from frustration.report.compare import compare, compare_sentences, compare_table, verdict_table
    from frustration.report.latex import latex_table
    from frustration.report.markdown import pipes
    from frustration.report.writing import results_of
    from frustration.sinks import markdown

    sides = [results_of(one, options.results) for one in (options.a, options.b)]
    for side in sides:
        _say_skipped(side)
    found = compare(*sides, alpha=options.alpha, margin=_margin(options), across=options.across)
    sentences, tables = list(compare_sentences(found)), [verdict_table(found), compare_table(found)]
    _say([*sentences, ""], tables)
    if options.output is not None:
        make_folder(options.output)
        parts = [
            f"# {markdown(found.name_a)} and {markdown(found.name_b)}",
            "\n".join(f"- {markdown(one)}" for one in sentences),
        ]
        parts += [f"## {table.title}\n\n{markdown(table.note)}\n\n{pipes(table)}" for table in tables]
        write_atomically(options.output / "compare.md", ("\n\n".join(parts) + "\n").encode())
        write_atomically(options.output / "compare.tex", "\n".join(map(latex_table, tables)).encode())
        print(f"report: {options.output / 'compare.md'}")
    return 0


def _say(sentences: Sequence[str], tables: Sequence[Table]) -> None:
    from frustration.terminal.printing import output, say
    from frustration.terminal.table import plain_table

    out = output()
    for sentence in sentences:
        say(out, sentence.replace("`", ""))
    for table in tables:
        shown = plain_table(*table.headers, left=table.left)
        for row in table.rows:
            shown.add_row(*row)
        say(out, shown)
        say(out, table.note)
        say(out, "")
