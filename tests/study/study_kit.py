"""What the tests of studies share: a grid that is done in seconds, and what equal records have in common."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from frustration.engine.trial import Candidate, Result, Trial
from frustration.record import LoopEntry
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
        found[trial_id] = (
            {**record, "seconds": None, "sha256": None},
            store.network_path(trial_id).read_bytes(),
        )
    return found


class Faulty(Trial):
    """Trials, of which one of every architecture meets an error in its second loop."""

    def judge(self, plan: Candidate, result: Result) -> LoopEntry:
        if (self.spec.trial, self.spec.label, self.loop) == (1, "none", 1):
            raise ZeroDivisionError("made up")
        return super().judge(plan, result)


class Deadly(Trial):
    """Trials that end the process that trains them in their second loop, as one without memory would."""

    def judge(self, plan: Candidate, result: Result) -> LoopEntry:
        if self.loop == 1:
            os._exit(1)
        return super().judge(plan, result)


PROGRAM = """
import sys
from pathlib import Path
from frustration.runners.events import TrialDone
from frustration.engine.trial import Candidate, Result, Trial
from frustration.record import LoopEntry
from frustration.study.definition import Study
from frustration.study.run import prepare, run_study
from frustration.study.store import Store

def emit(event):
    if isinstance(event, TrialDone):
        print(event.trial_id, flush=True)

study, store = Study.from_file(Path(sys.argv[1])), Store(Path(sys.argv[2]))
outcome = run_study(prepare(study), store, workers=int(sys.argv[3]), emit=emit)
sys.exit(outcome.done != outcome.total)
"""


def begin(root: Path, study_file: Path, workers: int = 1) -> subprocess.Popen[str]:
    """`run_study` in a process of its own, which prints the id of every trial that it brings to its end."""
    words = [sys.executable, "-c", PROGRAM, str(study_file), str(root), str(workers)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
