"""The cells of the published grid, 5,880 trials of 25 loops: text, tables and CSV within 1.5 GB.

docs/reports.md has the seconds of 100 loops, and of the figures; here figures are of every fifth network.
"""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from synthetic import paper_study, write_study

pytestmark = pytest.mark.slow

MEASURE = """
import json, resource, sys
from pathlib import Path
from frustration.report.reading import read_study
from frustration.report.writing import write_all

root = Path(sys.argv[1])
page = write_all(read_study(root), root / "report", figures=sys.argv[2] == "figures")
used = resource.getrusage(resource.RUSAGE_SELF)
peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
status = Path("/proc/self/status")
if status.exists():  # on Linux getrusage begins at the peak of the process that started this one
    (peak,) = (1024 * int(line.split()[1]) for line in status.read_text().splitlines() if "VmHWM" in line)
print(json.dumps({
    "gigabytes": peak / 1e9,
    "page": page.stat().st_size,
}))
"""


def report_on(root, study, figures):
    store = write_study(root, study)
    command = [sys.executable, "-c", MEASURE, str(store.root), figures]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return store.root, json.loads(done.stdout)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return report_on(tmp_path_factory.mktemp("grid") / "paper", paper_study(meta_loops=25), "text")


def test_it_takes_less_than_1_5_gigabytes(measured):
    assert measured[1]["gigabytes"] < 1.5


def test_the_page_of_a_fifth_of_the_networks_is_smaller_than_a_megabyte(tmp_path):
    whole = paper_study(meta_loops=25)
    _, found = report_on(
        tmp_path / "fifth", replace(whole, architectures=whole.architectures[::5]), "figures"
    )
    assert found["page"] < 1_000_000


def test_every_trial_is_in_it(measured):
    root, _ = measured
    with (root / "report" / "trials.csv").open() as lines:
        assert sum(1 for _ in lines) == 5_881
    with (root / "report" / "curves.csv").open() as lines:
        assert sum(1 for _ in lines) == 147_001
    assert (root / "report" / "psa_simplemlp_summary.md").read_text().count("(n=10)") == 588
