"""How often the first screen of a report claims what is not there, in made-up studies without any effect.

    python scripts/error_rate.py                      500 studies, each extended up to five times
    python scripts/error_rate.py --treatments 4 --architectures 2 --progress

Every arm of a study is the same mode under another seed, so every claim is false. A report is made and read
at every size; a study counts once, however many claims its reports make. Nothing is trained.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from frustration.architecture import Architecture
from frustration.original.published import PUBLISHED
from frustration.report.analysis import analyse
from frustration.report.outcomes import outcome_cell
from frustration.report.results import Cell, Floats, StudyResults
from frustration.report.sentences import plain_sentences

SIZES = (8, 10, 12, 15, 20, 30)
"""Trials of a cell at the first look and after each extension."""
FEW = 10
"""Bootstraps take three quarters of a report's time."""
ARMS = ("none", "hidden", "dropout", "full", "output", "noise")
CLAIM = re.compile(r"\b(raises|lowers|is above|is below|more often|explains)\b")
NO_CLAIM = re.compile(r"raises accuracy in 0 and lowers it in 0|which chance explains too")


def claims(text: str) -> bool:
    """Whether a sentence says that something differs."""
    return bool(CLAIM.search(NO_CLAIM.sub("", text)))


def arms_alike(
    rng: np.random.Generator, architectures: int, treatments: int
) -> dict[tuple[int, str], Floats]:
    """Accuracies (trials,) of every arm: a trial's own effect, and noise with long tails."""
    trials = SIZES[-1]
    shared = rng.normal(0.0, 0.3, trials)
    return {
        (architecture, label): np.round(90.0 + shared + 0.3 * rng.standard_t(3, trials), 2)
        for architecture in range(architectures)
        for label in ARMS[: treatments + 1]
    }


def study_at(arms: dict[tuple[int, str], Floats], trials: int, looks: Sequence[int]) -> StudyResults:
    """The study when it had so many trials; `looks` are those before."""
    return StudyResults(
        name="alike",
        source=Path("alike"),
        published=False,
        cells=tuple(
            _cell(architecture, label, values[:trials]) for (architecture, label), values in arms.items()
        ),
        looks=tuple(looks),
    )


def _cell(architecture: int, label: str, values: Floats) -> Cell:
    shape = Architecture((32 + architecture,))
    return outcome_cell(PUBLISHED, shape, label, np.arange(len(values)), bounty=values, test=values)


def errs(rng: np.random.Generator, architectures: int, treatments: int) -> bool:
    """Whether any report of a study says something false."""
    arms = arms_alike(rng, architectures, treatments)
    extensions = int(rng.integers(0, len(SIZES)))
    for at, trials in enumerate(SIZES[: extensions + 1]):
        results = study_at(arms, trials, SIZES[:at])
        plain = plain_sentences(results, analyse(results, resamples=FEW))  # no sentence rests on them
        if any(claims(sentence) for sentence in (*plain.answer, *plain.helps)):
            return True
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--architectures", type=int, default=1)
    parser.add_argument("--treatments", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--progress", action="store_true", help="a line after every tenth study")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    false = 0
    for number in range(1, options.studies + 1):
        false += errs(rng, options.architectures, options.treatments)
        if options.progress and number % 10 == 0:
            print(f"{false} of {number}", flush=True)
    share = false / options.studies
    print(f"{false} of {options.studies} studies with a false sentence: {100 * share:.1f} % (at most 5 %)")
    return int(share > 0.05)


if __name__ == "__main__":
    sys.exit(main())
