"""A report speaks of what was scored: its name, its unit, which way is better, and what chance scores."""

import csv
import io
import json

import numpy as np
import pytest
from report_kit import ONE, effects
from synthetic import record

from frustration.metric import ACCURACY, Metric
from frustration.references import ProblemReference
from frustration.report.analysis import analyse
from frustration.report.compare import compare, compare_sentences, compare_table
from frustration.report.exports import trials_csv
from frustration.report.markdown import report_markdown
from frustration.report.reading import read_study
from frustration.report.report import Report
from frustration.report.tables import all_tables
from frustration.report.writing import write_all
from frustration.study.definition import Study
from frustration.study.store import Store

ERROR = Metric("mean squared error", unit="", better="lower")
ROUGE = Metric("ROUGE-L", unit="points", better="higher")


def problem(name: str, metric: Metric) -> ProblemReference:
    path = f"made_up:{name}"
    return ProblemReference(path=path, version=1, fields=(), metric=metric, label=path, source="made_up.py")


def scored(metric: Metric, level: float, noise: float, **shift: float):
    """What a trial reaches: a level and a shift for each mode, under noise."""

    def reached(spec) -> float:
        key = [spec.trial, *map(ord, spec.label)]
        return level + shift.get(spec.label, 0.0) + float(np.random.default_rng(key).normal(0.0, noise))

    return reached


def written(root, metric: Metric, reached, *modes: str, beside=None, trials: int = 8, name="Mine"):
    """The folder of a study of one problem, and of an architecture where `beside` says what that reaches."""
    mine = problem(name, metric)
    study = Study(
        name="made-up",
        architectures=(ONE,) if beside else (),
        problems=(mine,),
        modes=modes or ("none", "hidden"),
        trials=trials,
        meta_loops=5,
    )
    store = Store(root)
    store.create(study)
    digests = {(data, 1.0): "made up" for data in (*study.datasets, str(mine))}
    for spec in study.specs(digests):
        store.record_path(spec.id).parent.mkdir(parents=True, exist_ok=True)
        fields = of_problem(spec, reached(spec)) if spec.problem else record(spec, beside(spec))
        store.record_path(spec.id).write_text(json.dumps(fields) + "\n")
    return read_study(root)


def of_problem(spec, reached: float) -> dict:
    """A record whose score comes nearer to `reached` in every loop."""
    sign, best = spec.metric.sign, None
    curve = []
    for loop in range(1, spec.meta_loops + 1):
        value = reached - sign * 0.1 * abs(reached) * (spec.meta_loops - loop)
        damages = spec.label == "hidden" and loop > 1
        curve.append(
            {
                "loop": loop,
                "mode": spec.label,
                "loss": 1.0 / loop,
                "before": best,
                "damaged": best - sign * 0.05 * abs(reached) if damages else None,
                "accuracy": value,
                "accepted": True,
                "new_bounty": True,
                "adopted": None,
                "diverged": False,
                "evidence": {"hidden": {"units": [["fc", 1]], "removed": 0.5}} if damages else {},
            }
        )
        best = value
    return {
        "record_schema": 1,
        "id": spec.id,
        "spec": spec.to_dict(),
        "loop": spec.meta_loops,
        "bounty": best,
        "bounty_loop": spec.meta_loops,
        "test_accuracy": reached,
        "inert": [],
        "parameters": 1000,
        "flops": 2000,
        "seconds": 1.0,
        "numerics": {"backend": "synthetic"},
        "past_numerics": [],
        "continued": False,
        "curve": curve,
    }


def text_of(results, **options) -> str:
    analysis = analyse(results, **options)
    return report_markdown(Report(results, analysis))


@pytest.fixture(scope="module")
def errors(tmp_path_factory):
    """`hidden` has the higher error, `dropout` the lower one."""
    reached = scored(ERROR, 0.02, 0.0001, hidden=0.004, dropout=-0.004)
    return written(tmp_path_factory.mktemp("errors") / "s", ERROR, reached, "none", "hidden", "dropout")


def test_where_lower_is_better_a_higher_score_is_worse(errors):
    (group,) = analyse(errors).groups
    assert {name: one.finding for name, one in group.comparisons.items()} == {
        "hidden": "worse",
        "dropout": "better",
    }
    assert group.winner is not None
    assert (group.winner.label, group.winner.decided) == ("dropout", True)
    assert group.comparisons["dropout"].improvement.value == 1.0
    assert group.comparisons["hidden"].difference.value > 0


def test_sentences_name_the_metric_and_the_direction(errors):
    text = text_of(errors)
    assert "`hidden` raises test mean squared error by 0.00" in text
    assert "`dropout` lowers test mean squared error by 0.00" in text
    assert "The score of `made_up:Mine` is mean squared error, lower is better" in text
    assert "it has no margin, so nothing is called equivalent" in text
    for wrong in ("accuracy", "%)", "points", "percent "):
        tables = text.partition("## Treatments")[0]
        assert wrong not in tables.replace("95 %", "").replace("80 %", ""), wrong


def test_the_best_so_far_falls_and_harm_is_positive_where_the_score_got_worse(errors):
    cell = next(cell for cell in errors.cells if cell.label == "hidden")
    assert (np.diff(cell.curves.best, axis=1) < 0).all()
    assert (cell.curves.harm[:, 1:] > 0).all()
    summary = analyse(errors).groups[0].cells["hidden"]
    assert summary.harm.value > 0
    assert summary.recovery.value > 0
    assert summary.late_gain.value > 0


def test_tables_show_four_figures_of_what_is_no_percentage(errors):
    tables = {table.name: table for table in all_tables(analyse(errors))}
    headers, row = tables["cells"].headers, tables["cells"].rows[0]
    assert "LKG test (std)" in headers
    assert not any("%" in one.replace("95 %", "") for one in headers)
    assert row[3].startswith("0.0")
    assert len(row[3].split()[0]) >= len("0.01998")
    assert "mean squared error (lower is better)" in tables["cells"].note
    assert "no margin" in tables["comparisons"].rows[0]


def test_a_margin_of_the_metric_makes_equivalence_possible(tmp_path):
    metric = Metric("mean squared error", unit="", better="lower", margin=0.001)
    results = written(tmp_path / "s", metric, scored(metric, 0.02, 0.00005))
    comparison = analyse(results).groups[0].comparisons["hidden"]
    assert comparison.equivalence is not None
    assert comparison.equivalence.equivalent
    assert "differences below 0.001 do not matter" in text_of(results)


@pytest.mark.parametrize(("chance", "learns"), [(0.01, False), (1.0, True), (None, None)])
def test_what_chance_scores_is_for_the_metric_to_say(tmp_path, chance, learns):
    metric = Metric("mean squared error", unit="", better="lower", chance=chance)
    results = written(tmp_path / "s", metric, scored(metric, 0.02, 0.0001))
    (group,) = analyse(results).groups
    assert group.learns is learns
    text = text_of(results)
    assert ("no trial of any treatment beats chance" in text) == (learns is False)
    assert ("does not say what chance scores" in text) == (learns is None)


def test_where_only_some_trials_beat_chance_how_many_do_is_what_is_told(tmp_path):
    metric = Metric("mean squared error", unit="", better="lower", chance=0.5)

    def reached(spec) -> float:
        return 0.9 if spec.label == "hidden" and spec.trial % 4 else 0.1 + 0.001 * spec.trial

    results = written(tmp_path / "s", metric, reached, trials=12)
    cell = analyse(results).groups[0].cells["hidden"]
    assert cell.success is not None
    assert (cell.success.successes, cell.success.rate.n) == (3, 12)
    assert "3 of 12 trials learn under `hidden`, 12 of 12 under `none`" in text_of(results)


def test_problems_and_architectures_stand_side_by_side_each_in_its_unit(tmp_path):
    results = written(
        tmp_path / "s",
        ERROR,
        scored(ERROR, 0.02, 0.0001, hidden=0.004),
        beside=effects(hidden=-1.0),
    )
    analysis = analyse(results)
    assert set(analysis.metrics) == {ACCURACY, ERROR}
    text = text_of(results)
    assert "lowers accuracy by" in text.replace("test accuracy", "accuracy")
    assert "raises test mean squared error by 0.00" in text
    assert "In `[1*32]`, `hidden` lowers test accuracy by " in text
    (cells,) = (table for table in all_tables(analysis) if table.name == "cells")
    assert "LKG test (std)" in cells.headers
    assert "accuracy (%) of [1*32]; mean squared error (lower is better) of made_up:Mine" in cells.note
    assert not any(claim.architectures > 1 for claim in analysis.claims)


def test_a_whole_report_with_figures_and_page_is_written_for_both(tmp_path):
    results = written(
        tmp_path / "s", ERROR, scored(ERROR, 0.02, 0.0001, hidden=0.004), beside=effects(hidden=-1.0)
    )
    page = write_all(results, tmp_path / "report")
    assert "mean squared error" in page.read_text()
    latex = (tmp_path / "report" / "latex" / "trial_accuracy.tex").read_text()
    assert "made\\_up:Mine" in latex
    assert "Score" in latex
    assert "(\\%)" not in latex
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert "psa_simplemlp_summary.md" in names
    assert "made_up" not in (tmp_path / "report" / "psa_simplemlp_summary.md").read_text()


def test_the_csv_of_trials_says_what_the_scores_are(errors):
    rows = list(csv.DictReader(io.StringIO(trials_csv(errors))))
    assert {(row["metric"], row["unit"], row["better"]) for row in rows} == {
        ("mean squared error", "", "lower")
    }


def test_points_of_another_metric_are_points_and_are_not_cut_off_at_a_hundred(tmp_path):
    results = written(tmp_path / "s", ROUGE, scored(ROUGE, 130.0, 0.5, hidden=-8.0))
    text = text_of(results)
    assert "`hidden` lowers test ROUGE-L by 8." in text or "`hidden` lowers test ROUGE-L by 7." in text
    assert "LKG test points (std)" in text
    assert "130." in text


def test_two_studies_of_a_problem_are_compared_in_its_unit(tmp_path):
    one = written(tmp_path / "a", ERROR, scored(ERROR, 0.02, 0.0001))
    other = written(tmp_path / "b", ERROR, scored(ERROR, 0.02, 0.0001, hidden=0.004))
    report = compare(one, other, alpha=0.05, margin=0.5)
    assert {match.label: match.verdict for match in report.matches}["hidden"] == "different"
    (row,) = (row for row in compare_table(report).rows if row[1] == "hidden")
    assert row[7].startswith("+0.00")
    assert "points" not in " ".join(compare_sentences(report))
