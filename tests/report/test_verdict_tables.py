"""The tables of the verdict study, from rows of trials that nobody ran."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from report_kit import effects
from synthetic import write_study

from frustration.architecture import Architecture
from frustration.study.presets import preset

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import verdict
from published_rows import Published, Row


def withstood(record):
    """Networks of `hidden` withstand the loss of units better; those of `dropout` were not measured."""
    if record.spec.label == "dropout/equal-updates":
        return {}
    better = 5.0 * (record.spec.label == "hidden/equal-updates")
    return {"knockout_area": record.test_accuracy / 2 + better, "corruption_mean": 40.0}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    small = replace(
        preset("verdict"),
        architectures=tuple(map(Architecture.parse, ("[1*16]", "[2*30]"))),
        datasets=("mnist",),
        train_fractions=(0.05, 1.0),
        learning_rates=(1e-3,),
        meta_loops=3,
    )
    store = write_study(
        tmp_path_factory.mktemp("verdict") / "s", small, effects(**{"hidden/equal-updates": -3.0})
    )
    rows = [Row.of(record, withstood(record)) for record in store.records(pytest.fail)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Published, "study", small)
        patch.setattr(Published, "read", lambda kept: rows)
        return verdict.tables(verdict.VERDICT.results())


def rows_of(text, heading, treatment):
    """The rows of a treatment in the table under a heading."""
    part = text.partition(f"### {heading}\n")[2].partition("### ")[0]
    return [line for line in part.splitlines() if line.startswith(f"| `{treatment}` | `none` |")]


def test_every_question_that_can_be_judged_has_a_row_and_what_is_found_is_bold(text):
    (hidden,) = rows_of(text, "The ten questions", "hidden")
    assert hidden.count("**-2.99**") == 2
    assert hidden.count("0 better, 2 worse of 2") == 2
    (full,) = rows_of(text, "The ten questions", "full")
    assert "**" not in full


def test_the_answer_is_that_of_the_report(text):
    assert "- Against its own control, `hidden` lowers accuracy by" in text


def test_rates_and_costs_of_every_arm_are_there(text):
    for arm in preset("verdict").modes:
        assert text.count(f"| `{arm.removesuffix('/equal-updates')}` |") >= 2
    assert "| `plain` | 1.00 | 1.00 |" in text


def test_what_all_arms_share_is_not_repeated(text):
    assert text.count("/equal-updates") == 1


def test_what_the_kept_networks_withstand_is_in_a_table_of_what_was_measured(text):
    assert "| treatment | control | knock-out area | corruptions mean |" in text
    (hidden,) = rows_of(text, "What the kept networks withstand", "hidden")
    assert "| +3.5" in hidden
    assert "(4 better, 0 worse of 4)" in hidden
    assert hidden.endswith("| 0.00 (0 better, 0 worse of 4) |")
    assert not rows_of(text, "What the kept networks withstand", "dropout")


def test_rows_of_a_version_that_had_no_probes_are_read():
    assert all(math.isnan(row.knockout_area) for row in Published("paper-98", "replication").read())
