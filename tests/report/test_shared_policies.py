"""What all treatments of a study share is said once; where only some do, their names are whole."""

import csv
import io
from dataclasses import replace

import pytest
from report_kit import read, study

from frustration.errors import InputError
from frustration.report.compare import compare
from frustration.report.exports import curves_csv, trials_csv
from frustration.report.report import Report
from frustration.report.results import Failure
from frustration.report.writing import write_text
from frustration.study.analysis_plan import AnalysisPlan

SENTENCE = "All names here end with `/ties`, which is left out."
PLAN = AnalysisPlan(questions=("hidden/ties",), control="none/ties")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    grid = study("none/ties", "hidden/ties", "dropout/ties", analysis=PLAN)
    return read(tmp_path_factory.mktemp("shared") / "s", grid, **{"hidden/ties": -2.0})


@pytest.fixture(scope="module")
def report(results):
    return Report.of(results)


def test_sentences_and_tables_have_short_names_and_one_sentence_says_so(report):
    assert "`hidden` lowers accuracy" in report.plain.answer[0]
    assert report.plain.answer[-1] == SENTENCE
    assert "The study asks about `hidden`: these share" in " ".join(report.plain.about)
    assert not [table for table in report.tables for row in table.rows if "/ties" in " ".join(row)]


def test_nothing_else_of_the_analysis_changes(results, report, monkeypatch):
    monkeypatch.setattr("frustration.report.report.share_policies", lambda results: results)
    whole = Report.of(results)
    for one, other in zip(whole.analysis.verdicts, report.analysis.verdicts, strict=True):
        assert one.treatment == f"{other.treatment}/ties"
        assert (one.difference, one.test, one.finding) == (other.difference, other.test, other.finding)
    assert [group.regimes for group in report.analysis.groups] == [{}]  # the rules are about other trials


def test_files_for_programs_and_tables_of_the_original_have_whole_names(report, tmp_path):
    for text in (trials_csv(report.results), "".join(curves_csv(report.results))):
        found = {row["treatment"] for row in csv.DictReader(io.StringIO(text))}
        assert found == {"none/ties", "hidden/ties", "dropout/ties"}
    write_text(report, tmp_path)
    summary = (tmp_path / "psa_simplemlp_summary.md").read_text()
    assert "* hidden/ties: Mean=" in summary
    assert "Hidden" not in summary


@pytest.mark.parametrize("control", ["dropout/ties", "dropout"])
def test_a_control_is_found_by_either_name(results, control):
    (group,) = Report.of(results, control=control).analysis.groups
    assert group.control == "dropout"


def test_a_control_that_there_is_none_of_is_named(results):
    with pytest.raises(InputError, match='no treatment "plain"'):
        Report.of(results, control="plain/ties")


def test_where_some_have_other_policies_all_names_are_whole(tmp_path):
    report = Report.of(read(tmp_path / "s", study("none/ties", "hidden/ties", "none")))
    assert set(report.results.labels) == {"none/ties", "hidden/ties", "none"}
    assert "left out" not in " ".join(report.plain.answer)


@pytest.mark.parametrize(
    "policy, labels", [("/ties", {"none", "hidden"}), ("", {"none/ties", "hidden/ties"})]
)
def test_what_has_no_trial_counts_as_well(results, policy, labels):
    """An arm that failed, and one of the plan of which nothing is finished."""
    cells = tuple(cell for cell in results.cells if cell.label != "dropout/ties")
    failure = Failure(id="1", architecture="[1*32]", label=f"full{policy}", trial=0, cause="")
    left = Report.of(replace(results, cells=cells, failures=(failure,))).results
    assert set(left.labels) == labels
    assert left.failures[0].label == "full"
    questions = ("hidden/ties", f"dropout{policy}")
    left = Report.of(replace(results, cells=cells, plan=replace(PLAN, questions=questions))).results
    assert set(left.labels) == labels
    assert (left.plan.questions == ("hidden", "dropout")) == bool(policy)


def test_studies_of_other_policies_are_not_taken_for_each_other(results, tmp_path):
    other = read(tmp_path / "s", study("none", "hidden"))
    with pytest.raises(InputError, match="`none/ties` in A, `none` in B"):
        compare(results, other, alpha=0.05, margin=0.5)
