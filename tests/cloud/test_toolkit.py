"""The entry under AWS's own `sagemaker-training` toolkit, whose `train` is what runs first in their images.

The toolkit needs an environment of its own, which `make test-cloud` makes; FRUSTRATION_TOOLKIT names its
`train`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import launch_kit as kit
import pytest

from frustration.study.store import Store

TOOLKIT = os.environ.get("FRUSTRATION_TOOLKIT", "")
ENTRY = Path(__file__).parents[2] / "aws" / "sagemaker" / "train.py"

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.skipif(
        not Path(TOOLKIT).is_file(), reason="FRUSTRATION_TOOLKIT names no `train` of the toolkit"
    ),
]

PARAMETERS = {
    "arch": "1x8",
    "ablation-mode": "none;hidden",
    "num-runs": "2",
    "meta-loops": "30",
    "train-fraction": "0.02",
    "checkpoint-seconds": "0.05",
    "study": "away",
}


def box(base: Path, **parameters: str) -> Path:
    """/opt/ml as the service prepares it for a script in a folder."""
    for folder in ("input/config", "input/data", "model", "output/data", "code", "checkpoints"):
        (base / folder).mkdir(parents=True, exist_ok=True)
    (base / "code" / "train.py").write_text(ENTRY.read_text())
    toolkit = {"sagemaker_program": "train.py", "sagemaker_submit_directory": str(base / "code")}
    config = base / "input" / "config"
    (config / "hyperparameters.json").write_text(json.dumps({**parameters, **toolkit}))
    (config / "inputdataconfig.json").write_text("{}")
    hosts = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo"}
    (config / "resourceconfig.json").write_text(json.dumps(hosts))
    return base


def begun(base: Path) -> subprocess.Popen[str]:
    """The toolkit's `train`; the scripts that it starts run in this very environment of Python."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(Path.home()),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "SAGEMAKER_BASE_DIR": str(base),
        "SM_STUDIO_LOCAL_MODE": "True",
        "AWS_REGION": "us-east-1",
        "TRAINING_JOB_NAME": "away",
    }
    log = (base / "log").open("a")
    return subprocess.Popen(
        [TOOLKIT], env=environment, stdout=log, stderr=log, text=True, start_new_session=True
    )


def expected(tmp_path):
    study = {"architectures": '["[1*8]"]', "meta_loops": "30"}
    return kit.bits(kit.files_of(kit.trained_here(tmp_path / "here", **study)))


def test_parameters_arrive_and_results_leave(tmp_path):
    base = box(tmp_path / "ml", **PARAMETERS)
    assert begun(base).wait(120) == 0, (base / "log").read_text()
    assert kit.bits(kit.files_of(Store(base / "model" / "study"))) == expected(tmp_path)
    assert len((base / "model" / "results.txt").read_text().splitlines()) == 4


def test_killed_it_continues_where_it_was(tmp_path):
    base = box(tmp_path / "ml", **PARAMETERS)
    first = begun(base)
    deadline = time.monotonic() + 60
    while not list((base / "checkpoints").rglob("*.resume.safetensors")):
        assert time.monotonic() < deadline, (base / "log").read_text()
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert not (base / "model" / "results.txt").exists()
    assert begun(base).wait(120) == 0, (base / "log").read_text()
    assert kit.bits(kit.files_of(Store(base / "model" / "study"))) == expected(tmp_path)


def test_a_bad_parameter_fails_the_job_with_its_reason(tmp_path):
    base = box(tmp_path / "ml", **{**PARAMETERS, "arch": "9y9"})
    assert begun(base).wait(120) != 0
    assert (base / "output" / "failure").exists()
    assert "9y9" in (base / "log").read_text()
