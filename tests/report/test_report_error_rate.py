"""A report of arms that do not differ says so: all its sentences together, however often it is read."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from error_rate import FEW, SIZES, arms_alike, claims, errs, study_at

from frustration.report.analysis import analyse
from frustration.report.sentences import plain_sentences

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("architectures, treatments, studies", [(1, 1, 80), (2, 3, 10)])
def test_few_studies_of_arms_that_do_not_differ_are_misjudged_at_any_look(architectures, treatments, studies):
    """At a true rate of 5 %, more come in 1 of 200 runs; scripts/error_rate.py makes 500 studies."""
    rng = np.random.default_rng(2)
    false = sum(errs(rng, architectures, treatments) for _ in range(studies))
    assert false <= {80: 10, 10: 3}[studies]


def test_no_sentence_rests_on_a_bootstrap():
    arms = arms_alike(np.random.default_rng(5), 2, 3)
    arms[0, "hidden"] -= 2.0
    results = study_at(arms, SIZES[1], SIZES[:1])
    many, few = (plain_sentences(results, analyse(results, resamples=n)) for n in (1_000, FEW))
    assert (many.answer, many.helps) == (few.answer, few.helps)


def test_a_difference_that_is_there_is_a_claim_and_stays_one():
    arms = arms_alike(np.random.default_rng(3), 2, 2)
    arms[1, "hidden"] -= 2.0
    for at, trials in enumerate(SIZES[:3]):
        results = study_at(arms, trials, SIZES[:at])
        plain = plain_sentences(results, analyse(results))
        assert "Against its own control, `hidden` lowers accuracy by" in plain.answer[0]
        assert [one for one in plain.helps if claims(one)] == [
            one for one in plain.helps if one.startswith("In `[1*33]`, `hidden` lowers test accuracy by")
        ]
    assert "looked at with 8, 10 and 12 trials" in plain.power_notes[0]
