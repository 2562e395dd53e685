"""What the README and the pages conclude from their own numbers follows from these numbers."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from frustration.report.analysis import MARGIN
from frustration.statistics.paired import t_interval
from frustration.statistics.unpaired import mean_difference

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CELL = re.compile(r"(\d+\.\d+) \((\d+\.\d+)\)")
TRIALS = 10


def row(name: str) -> list[tuple[float, float]]:
    """Means and standard deviations (ddof 0) of a row of the comparison with published results."""
    (line,) = (line for line in README.splitlines() if line.startswith(f"| {name} |"))
    return [(float(mean), float(std)) for mean, std in CELL.findall(line)]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def test_the_means_lie_as_near_the_published_ones_as_the_page_says_and_no_test_is_read_into_it():
    paper, here = row("paper"), row("here")
    assert len(paper) == len(here) == 6
    furthest = max(abs(ours - theirs) for (ours, _), (theirs, _) in zip(here, paper, strict=True))
    (said,) = re.findall(r"Every mean of `\[1\*32\]` is within (\S+) points", page("replication.md"))
    assert furthest == pytest.approx(float(said))
    ours = page("replication.md").partition("### Beside the published means")[2]
    line = next(line for line in ours.splitlines() if line.startswith("| `[1*32]` |"))
    assert [float(mean) for mean in re.findall(r"[|] (\d+\.\d+) ", line)] == [mean for mean, _ in here]
    assert "standard error" not in README, "that six of six agree so well was this seed's luck"


def test_what_the_readme_says_of_growth_is_in_the_table_of_its_page():
    """And its first screen claims no effect of it."""
    sentence = re.search(r"On `\[1\*32\]` at 1e-3 dendrites reach.*?\)", README, flags=re.DOTALL)[0]
    numbers = re.findall(r"\d\d\.\d\d|\d\d,\d{3}", sentence)
    assert len(numbers) == 4
    for number in numbers:
        assert f" {number}" in page("dendrites.md")
    quoted = [line for line in README.splitlines() if line.startswith("> ")]
    assert quoted
    assert "`dendrites` raises" not in " ".join(quoted)


def test_the_page_of_dendrites_says_which_backend_has_the_bits_of_the_library_and_what_a_failed_try_leaves():
    """tests/dendrites/test_growth_in_trials.py shows both."""
    text = " ".join(page("dendrites.md").split())
    assert (
        "the `reference` backend matches the library to the bit; `native` and `torch` round differently"
        in text
    )
    assert "It may come from a try that failed by the schedule's margins" in text
    assert "costs time only" not in text


def test_the_margin_is_wide_beside_what_trials_of_mnist_scatter_and_the_page_says_so():
    """Of the published means and standard deviations, n = 10: the standard error of a paired mean."""
    scatter = [std for _, std in row("paper")]
    assert float(np.median(scatter)) < MARGIN
    assert 1.5 * scatter[0] < MARGIN, "none and decay"
    assert "for MNIST, where trials of one" in " ".join(page("reports.md").split())


@pytest.mark.parametrize("correlation, narrower", [(0.18, 1.15), (0.9, 3.9)])
def test_what_pairing_gains_depends_on_how_much_the_pairs_share(correlation, narrower):
    """At a correlation of .18, paired variance is .82 of the unpaired one; at .9 a tenth."""
    rng = np.random.default_rng(3)
    paired, unpaired = [], []
    for _ in range(400):
        shared, own = rng.normal(size=30), rng.normal(size=(2, 30))
        x, y = math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own
        paired.append((t_interval(x - y).high - t_interval(x - y).low) ** 2)
        unpaired.append((mean_difference(x, y).high - mean_difference(x, y).low) ** 2)
    share = float(np.mean(paired) / np.mean(unpaired))
    assert share == pytest.approx(1 - correlation, rel=0.12)
    assert "how much pairing gains depends on the study" in (ROOT / "docs" / "statistics.md").read_text()
