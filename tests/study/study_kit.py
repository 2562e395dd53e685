"""What the tests of studies share: a grid that is done in seconds, and what equal records have in common."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from frustration.study.definition import Study
from frustration.study.run import StudyOutcome, prepare, run_study
from frustration.study.store import Store

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))
synthetic_records = importlib.import_module("store").synthetic_records
"""Records of trials that nobody ran."""

TINY = {
    "name": '"tiny"',
    "architectures": '["[1*2]", "[1*4]"]',
    "modes": '["none", "hidden"]',
    "trials": "2",
    "meta_loops": "2",
    "train_fraction": "0.02",
}
"""Full MNIST by name, but 1,000 training images: a loop takes milliseconds."""


def toml(**changed: str) -> str:
    return "\n".join(f"{key} = {value}" for key, value in {**TINY, **changed}.items()) + "\n"


def tiny(**changed: str) -> Study:
    return Study.from_toml(toml(**changed))


def ran(root: Path, study: Study | None = None, **how: Any) -> tuple[Store, StudyOutcome]:
    """A study run in this process, in the folder of its store."""
    store = Store(root)
    return store, run_study(prepare(study or tiny()), store, **{"workers": 1, **how})


def bits(store: Store) -> dict[str, Any]:
    """Every record and network by id, without the time that it took."""
    found: dict[str, Any] = {}
    for trial_id in sorted(store.ids()[0]):
        record = json.loads(store.record_path(trial_id).read_text())
        found[trial_id] = ({**record, "seconds": None}, store.network_path(trial_id).read_bytes())
    return found


def begin(root: Path, study_file: Path, *, workers: int = 1) -> subprocess.Popen[bytes]:
    """`run_study` in a process of its own."""
    program = (
        "import sys; from pathlib import Path\n"
        "from frustration.study.definition import Study\n"
        "from frustration.study.run import prepare, run_study\n"
        "from frustration.study.store import Store\n"
        "outcome = run_study(prepare(Study.from_file(Path(sys.argv[1]))), Store(Path(sys.argv[2])),"
        " workers=int(sys.argv[3]))\n"
        "sys.exit(outcome.done != outcome.total)\n"
    )
    words = [sys.executable, "-c", program, str(study_file), str(root), str(workers)]
    return subprocess.Popen(words, env={**os.environ, "OMP_NUM_THREADS": "1"})
