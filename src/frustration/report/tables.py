"""Every table of a report, in reading order."""

from __future__ import annotations

from frustration.report import tables_of_costs as costs
from frustration.report import tables_of_tests as tests
from frustration.report.about_runs import table_of_runs
from frustration.report.findings import Analysis
from frustration.report.table import Table


def all_tables(analysis: Analysis) -> tuple[Table, ...]:
    """Those that have a row."""
    made: tuple[Table, ...] = (
        tests.cells_table(analysis),
        tests.comparisons_table(analysis),
        tests.claims_table(analysis),
        tests.aggregates_table(analysis),
        tests.success_table(analysis),
        tests.regimes_table(analysis),
        costs.dynamics_table(analysis),
        costs.arms_table(analysis),
        costs.pareto_table(analysis),
        costs.probes_table(analysis),
    )
    if analysis.runs:
        known = made[:4]
        made = tuple(table_of_runs(table, analysis.column(analysis.scores)) for table in known)
    return tuple(table for table in made if table.rows)


def main_table(analysis: Analysis) -> Table:
    """One row for each treatment."""
    table = tests.cells_table(analysis)
    return table_of_runs(table, analysis.column(analysis.scores)) if analysis.runs else table
