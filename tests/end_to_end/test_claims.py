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


def normal_cdf(z: float) -> float:
    return (1.0 + math.erf(z / math.sqrt(2.0))) / 2.0


def test_the_differences_from_the_published_means_are_as_small_as_it_says_and_as_lucky():
    pairs = list(zip(row("published"), row("here"), strict=True))
    assert len(pairs) == 6
    errors = [abs(a - b) / math.sqrt((s**2 + t**2) / (TRIALS - 1)) for (a, s), (b, t) in pairs]
    assert max(errors) < 0.65
    assert "within 0.6 standard errors, which is this seed's luck" in README
    beyond = 1.0 - (2.0 * normal_cdf(1.5) - 1.0) ** 6
    assert beyond > 0.5, "of six, one beyond 1.5 is no surprise"
    assert (2.0 * normal_cdf(0.6) - 1.0) ** 6 < 0.05, "all six within 0.6 is luck"


def quoted_report() -> str:
    return " ".join(line.removeprefix("> ") for line in README.splitlines() if line.startswith("> "))


def test_what_the_readme_concludes_is_what_its_report_says_and_no_more():
    report = quoted_report()
    (conclusion,) = re.findall(r"On these two networks,[^.]*\.", README.replace("\n", " "))
    different, alike = report.split("Not distinguished from control:")
    assert "ablation hurts" in conclusion
    assert "`hidden` lowers accuracy" in different
    assert "no effect of growth can be distinguished" in re.sub(r"\s+", " ", conclusion)
    assert "`dendrites` in `[1*32]`" in alike
    assert "inert: `dendrites` in `[8*8]`" in alike
    assert "widening the network to the same size helps" in conclusion
    assert "`dendrites` is below `wide@1`" in different


def test_the_margin_is_wide_beside_what_trials_of_mnist_scatter_and_the_page_says_so():
    """Of the published means and standard deviations, n = 10: the standard error of a paired mean."""
    scatter = [std for _, std in row("published")]
    assert float(np.median(scatter)) < MARGIN
    assert 1.5 * scatter[0] < MARGIN, "none and decay"
    assert "on MNIST, where trials of one" in (ROOT / "docs" / "reports.md").read_text()


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
    assert "how much that gains depends on the study" in (ROOT / "docs" / "statistics.md").read_text()
