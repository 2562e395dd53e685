"""Our schedule, draws and module do what perforatedai 3.2.9 does, to the bit: score by score, growth by
growth, and in the weights at the end. The real library runs beside ours, each case in its own process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from laboratory import needs_library

pytestmark = [pytest.mark.slow, needs_library]

SCRIPT = Path(__file__).with_name("side_by_side.py")
USUAL = {"architecture": "[1*6]", "lr": 0.01, "seed": 3, "epochs": 110}

CASES = {
    "history": {"settings": {"n_epochs_to_switch": 4}},
    "history, minimised loss": {
        "architecture": "[1*8, 1*6]",
        "settings": {"n_epochs_to_switch": 4, "maximizing_score": False, "max_dendrites": 3},
    },
    "fixed": {"settings": {"switch_mode": "fixed", "fixed_switch_num": 9, "max_dendrites": 4}},
    "fixed, first later": {
        "optimizer": "sgd",
        "lr": 0.2,
        "settings": {"switch_mode": "fixed", "fixed_switch_num": 7, "first_fixed_switch_num": 20},
    },
    "three tries": {"seed": 8, "settings": {"n_epochs_to_switch": 3, "max_dendrite_tries": 3}},
    "initial history": {"settings": {"n_epochs_to_switch": 4, "initial_history_after_switches": 3}},
    "lookback": {"settings": {"n_epochs_to_switch": 4, "history_lookback": 3}},
    "lookback, minimised loss": {
        "settings": {
            "n_epochs_to_switch": 6,
            "history_lookback": 2,
            "maximizing_score": False,
            "max_dendrites": 3,
        }
    },
    "retain": {
        "settings": {"n_epochs_to_switch": 5, "retain_all_dendrites": True, "max_dendrites": 3},
    },
    "linear classifier": {"architecture": "[]", "settings": {"n_epochs_to_switch": 4, "max_dendrites": 2}},
    "every epoch": {"epochs": 12, "settings": {"switch_mode": "every"}},
    "capacity test": {"settings": {"testing_dendrite_capacity": True}},
    "early stopping": {"settings": {"n_epochs_to_switch": 5, "max_dendrites": 0}},
    "hidden layers only, by the size of the neurons, tanh": {
        "architecture": "[2*6]",
        "settings": {
            "n_epochs_to_switch": 4,
            "layers": "hidden",
            "candidate_weight_init_by_main": True,
            "candidate_weight_initialization_multiplier": 0.5,
            "pai_forward_function": "tanh",
            "improvement_threshold": "0.01;0",
            "improvement_threshold_raw": 0,
        },
    },
}


@pytest.fixture(scope="session")
def nursery():
    """A process that has imported the library, and forks one for every case."""
    environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "PAIEMAIL", "PAITOKEN")}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-P", str(SCRIPT)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process
        process.stdin.close()


def raised(nursery, case: dict, tmp_path: Path) -> dict:
    """What came of a case in its own process."""
    case = USUAL | case | {"folder": str(tmp_path)}
    nursery.stdin.write(json.dumps(case) + "\n")
    nursery.stdin.flush()
    while (line := nursery.stdout.readline()) != "done\n":
        assert line, "the nursery has died"
    result = tmp_path / "result.json"
    assert result.exists(), (tmp_path / "error.txt").read_text()
    return json.loads(result.read_text()) | {"case": case}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def both(request, tmp_path, nursery) -> dict:
    return raised(nursery, request.param, tmp_path)


@pytest.mark.parametrize("dendrites", [(0, 0, 0), (1, 1, 1), (3, 3, 3)], ids=lambda k: f"K={k[0]}")
def test_stacked_networks_stay_within_1e_5_of_the_librarys_after_every_step(dendrites, tmp_path, nursery):
    case = {"architecture": "[2*7]", "lr": 1e-3, "dendrites": dendrites}
    told = raised(nursery, case, tmp_path)
    assert len(told["distances"]) == 5
    assert max(told["distances"]) <= 1e-5
    assert told["moved"] > 1e-3


def test_scores_decisions_and_weights_are_the_librarys(both):
    assert both["ours"] == both["library"]
    assert both["shapes"][0] == both["shapes"][1]
    assert both["same_bits"], both["distance"]
    grown = [epoch for epoch, (_, action, _) in enumerate(both["ours"], start=1) if action == "grow"]
    if both["case"]["settings"].get("max_dendrites") == 0:
        assert grown == []
        assert both["ours"][-1][1] == "end"
    else:
        assert grown
        assert grown[0] >= both["predicted"]
