"""The tables of the verdict study, from rows of trials that nobody ran."""

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
    rows = [Row.of(record) for record in store.records(pytest.fail)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Published, "study", small)
        patch.setattr(Published, "read", lambda kept: rows)
        return verdict.tables(verdict.VERDICT.results())


def test_every_question_that_can_be_judged_has_a_row_and_what_is_found_is_bold(text):
    (hidden,) = [line for line in text.splitlines() if line.startswith("| `hidden` | `none` |")]
    assert hidden.count("**-2.99**") == 2
    assert hidden.count("0 better, 2 worse of 2") == 2
    (full,) = [line for line in text.splitlines() if line.startswith("| `full` | `none` |")]
    assert "**" not in full


def test_the_answer_is_that_of_the_report(text):
    assert "- Against its own control, `hidden` lowers accuracy by" in text


def test_rates_and_costs_of_every_arm_are_there(text):
    for arm in preset("verdict").modes:
        assert text.count(f"| `{arm.removesuffix('/equal-updates')}` |") >= 2
    assert "| `plain` | 1.00 | 1.00 |" in text


def test_what_all_arms_share_is_not_repeated(text):
    assert "/equal-updates" not in text
