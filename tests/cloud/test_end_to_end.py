"""Away and back: a study goes through all that a cloud does to it, and its tables are those made here."""

import launch_kit as kit
import pytest
from simulator.service import Interruption

from frustration.commands.sagemaker_get_training_logs import main as get_logs
from frustration.commands.sagemaker_results_parser import main as parse
from frustration.original import cloud_markdown
from frustration.runners.logged_curves import read

pytestmark = [pytest.mark.cloud, pytest.mark.filterwarnings("ignore:Exception.Throttled")]

GRID = {
    "architectures": '["[1*2]", "[1*4]", "[2*3]", "[4*4,2*8]"]',
    "modes": '["none", "hidden", "output"]',
    "trials": "3",
    "meta_loops": "12",
}


def test_launched_interrupted_and_brought_back_a_study_has_the_tables_of_the_local_run(service, tmp_path):
    """4 architectures x 3 modes, 4 jobs on 2 instances, throttled, two of them taken away on the way."""
    service.quota, service.throttle = 2, 1
    service.interruptions = [
        Interruption(when=lambda m: m.loops >= 20 and m.uploads >= 2, hard=True),
        Interruption(when=lambda m: m.loops >= 40),
    ]
    assert kit.launch(tmp_path, "--wait", **GRID) == 0
    away = tmp_path / "away"
    assert parse(["away", "--region", "us-east-1", "--bucket", kit.BUCKET, "--results", str(away)]) == 0

    assert service.interruptions == []
    assert {"ResourceLimitExceeded", "ThrottlingException"} <= set(service.refused)
    assert set(service.statuses().values()) == {"Completed"}
    here = kit.trained_here(tmp_path / "here", **GRID)
    cells = cloud_markdown.of_study(here.root)
    written = away / "away" / "report"
    for of in cells.values():
        assert (written / "psa_simplemlp_summary.md").read_text() == cloud_markdown.summary(of)
        assert (written / "psa_simplemlp_trials.md").read_text() == cloud_markdown.trials(of)

    logs = tmp_path / "logs"
    words = ["away", "--region", "us-east-1", "--bucket", kit.BUCKET, "--output", str(logs)]
    assert get_logs(words) == 0
    told = read(path for path in logs.iterdir() if path.is_dir())
    assert told.damaged == 0
    # What an instance was killed over may be missing in the log of its job; what is told is what happened.
    curves = {record.spec.id: record.curve for record in here.records()}
    assert {trial.id for trial in told.trials.values()} == set(curves)
    for trial in told.trials.values():
        assert trial.architecture in map(str, kit.study(**GRID).architectures)
        assert not trial.disagreeing
        assert {loop: one["accuracy"] for loop, one in trial.loops.items()}.items() <= {
            entry.loop: entry.accuracy for entry in curves[trial.id]
        }.items()
