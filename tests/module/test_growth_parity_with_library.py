"""Any network grows as perforatedai 3.2.9 lets it grow: score by score, event by event, to the bit."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from laboratory import needs_library

pytestmark = [pytest.mark.slow, needs_library]

SCRIPT = Path(__file__).with_name("library_beside_ours.py")
NETWORKS = [
    "cnn",
    "cnn, some layers",
    "block",
    "transformer",
    "lora, whole layers",
    "lora, second factor",
]
SETTINGS = {
    "history": {"n_epochs_to_switch": 3, "max_dendrites": 3},
    "fixed": {"switch_mode": "fixed", "fixed_switch_num": 7, "max_dendrites": 2},
}
MORE = {
    "initial history": {"n_epochs_to_switch": 3, "initial_history_after_switches": 2, "max_dendrites": 2},
    "retain": {"n_epochs_to_switch": 4, "retain_all_dendrites": True, "max_dendrites": 2},
    "capacity test": {"testing_dendrite_capacity": True},
    "by the size of the neurons, tanh": {
        "n_epochs_to_switch": 3,
        "max_dendrites": 2,
        "candidate_weight_init_by_main": True,
        "candidate_weight_initialization_multiplier": 0.5,
        "pai_forward_function": "tanh",
    },
}
CASES = {
    **{f"{network}: {name}": (network, given) for network in NETWORKS for name, given in SETTINGS.items()},
    **{f"cnn: {name}": ("cnn", given) for name, given in MORE.items()},
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A process that has imported the library, and forks one for every case."""
    environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "PAIEMAIL", "PAITOKEN")}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-P", str(SCRIPT), str(tmp_path_factory.mktemp("cases"))],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process
        process.stdin.close()


@pytest.mark.parametrize("name", CASES)
def test_scores_events_and_outputs_are_the_librarys(name, library):
    network, settings = CASES[name]
    if network.startswith("lora") and importlib.util.find_spec("peft") is None:
        pytest.skip("peft is not installed")
    case = {"network": network, "seed": 3, "lr": 0.01, "epochs": 45, "settings": settings}
    library.stdin.write(json.dumps(case) + "\n")
    library.stdin.flush()
    while not (line := library.stdout.readline()).startswith("{"):  # the library greets when imported
        assert line, "the process that imported the library has died"
    told = json.loads(line)
    assert "error" not in told, told["error"]
    assert told["ours"] == told["library"]
    assert told["distance"] == 0.0
    assert "grown" in {event for _, event, _ in told["ours"]}
