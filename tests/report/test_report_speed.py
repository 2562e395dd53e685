"""The published grid with 5,880 trials of 100 loops: a whole report within a minute and 1.5 GB."""

import json
import subprocess
import sys

import pytest
from synthetic import paper_study, write_study

MEASURE = """
import json, resource, sys
from pathlib import Path
from frustration.report import write_report

page = write_report(Path(sys.argv[1]))
used = resource.getrusage(resource.RUSAGE_SELF)
peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
status = Path("/proc/self/status")
if status.exists():  # on Linux getrusage begins at the peak of the process that started this one
    (peak,) = (1024 * int(line.split()[1]) for line in status.read_text().splitlines() if "VmHWM" in line)
print(json.dumps({
    "seconds": used.ru_utime + used.ru_stime,
    "gigabytes": peak / 1e9,
    "page": page.stat().st_size,
}))
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    store = write_study(tmp_path_factory.mktemp("grid") / "paper", paper_study())
    command = [sys.executable, "-c", MEASURE, str(store.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return store.root, json.loads(done.stdout)


def test_it_takes_less_than_a_minute_of_cpu_time_on_one_core(measured):
    assert measured[1]["seconds"] < 60.0


def test_it_takes_less_than_1_5_gigabytes(measured):
    assert measured[1]["gigabytes"] < 1.5


def test_the_page_is_smaller_than_5_megabytes(measured):
    assert measured[1]["page"] < 5_000_000


def test_every_trial_is_in_it(measured):
    root, _ = measured
    with (root / "report" / "trials.csv").open() as lines:
        assert sum(1 for _ in lines) == 5_881
    with (root / "report" / "curves.csv").open() as lines:
        assert sum(1 for _ in lines) == 588_001
    assert (root / "report" / "psa_simplemlp_summary.md").read_text().count("(n=10)") == 588
