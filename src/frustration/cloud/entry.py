"""A training job from start to end, with the same loop, specs, records and store as a local run.

Everything it needs to know is in files: input/config/hyperparameters.json says which pack of which plan, or
describes a small study itself. Values are read from there and never from a command line, since a shell may
stand between the two. docs/sagemaker.md lists the parameters.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from frustration.cloud.request import CHECKPOINT_SECONDS
from frustration.engine.group import those
from frustration.errors import FrustrationError, InputError, last_line
from frustration.files import make_folder, write_atomically
from frustration.original.cloud_forms import COMPREHENSIVE, RESULTS, comprehensive_text, results_text
from frustration.runners.json_lines import JsonLines
from frustration.runners.stopping import Stopper
from frustration.sinks import print_json_line
from frustration.spec import TrialSpec
from frustration.study.definition import Study
from frustration.study.store import Store

STOPPED = 143
"""The exit code of a process that ends because of SIGTERM."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a job is to do."""

    study: Study
    trials: frozenset[str] | None
    """Ids; None: all of the study."""
    device: str = "cpu"
    checkpoint_seconds: float = CHECKPOINT_SECONDS


def run(base: Path, fail: Callable[[str, str], None]) -> int:
    """Do the work that the files in `base` (/opt/ml) describe; returns the exit code.

    `fail` gets the reason if it is not 0: a sentence, and all details.
    """
    try:
        with Stopper() as stopper:
            return _run(base, stopper, fail)
    except KeyboardInterrupt:  # SIGTERM before training began: there is nothing to keep
        return STOPPED
    except FrustrationError as error:
        fail(str(error), "")
        return error.exit_code


def _run(base: Path, stopper: Stopper, fail: Callable[[str, str], None]) -> int:
    from frustration.runners.events import StudyEvent
    from frustration.study.mirror import Mirror, restore
    from frustration.study.run import prepare, run_study

    if (data := base / "input" / "data" / "data").is_dir():
        os.environ["FRUSTRATION_DATASETS"] = str(data)
    task = read_task(base)
    prepared = prepare(task.study, device=task.device, twins=False)
    wanted = task.trials if task.trials is not None else frozenset(spec.id for spec in prepared.specs)
    _check(prepared.specs, wanted)
    mine = replace(
        prepared,
        groups=those(prepared.groups, lambda one: one.spec.id in wanted),
        raising={one: text for one, text in prepared.raising.items() if one in wanted},
    )
    lines = JsonLines()

    def observe(event: StudyEvent) -> None:
        stopper.training_begins()
        lines.tell(event)

    work = Path(tempfile.mkdtemp(prefix="frustration-work-"))
    try:
        store = Store(work / task.study.name)
        store.create(task.study)
        restore(base / "checkpoints", store, wanted, task.study.networks)
        with Mirror(store, base / "checkpoints", task.checkpoint_seconds):
            outcome = run_study(mine, store, emit=observe, stop=stopper.event)
        print_json_line(type="end", **outcome.to_dict())
        deliver(store, prepared.grid, base / "model")
        if outcome.interrupted:
            return STOPPED
        if outcome.failed:
            fail(*_failures(store))
            return 1
        return 0
    finally:
        shutil.rmtree(work, ignore_errors=True)


def deliver(store: Store, grid: Sequence[TrialSpec], model: Path) -> None:
    """Fill /opt/ml/model, which SageMaker makes model.tar.gz of: a store, and the original's two files.

    `grid`: all trials of the study; the two files have what the store has of them, cell by cell.
    """
    records = [store.record(spec.id) for spec in by_cell(grid) if store.is_done(spec.id)]
    for name in ("trials", "networks"):
        if (store.root / name).is_dir():
            shutil.copytree(store.root / name, model / "study" / name, dirs_exist_ok=True)
    make_folder(model / "study")
    for name in ("study.toml", "manifest.json"):
        shutil.copy(store.root / name, model / "study" / name)
    write_atomically(model / RESULTS, results_text(records).encode())
    write_atomically(model / COMPREHENSIVE, comprehensive_text(records).encode())


def read_task(base: Path) -> Task:
    """What hyperparameters.json says, with the plan that it names."""
    given = read_hyperparameters(base / "input" / "config" / "hyperparameters.json")
    study, trials = _planned(base, given["pack"]) if "pack" in given else (_small_study(given), None)
    return Task(
        study=study,
        trials=trials,
        device=given.get("device", "cpu"),
        checkpoint_seconds=_number(given, "checkpoint-seconds", CHECKPOINT_SECONDS),
    )


def _planned(base: Path, pack: str) -> tuple[Study, frozenset[str]]:
    """The pack, and the study as it was when the pack was planned.

    It may have grown since. Trials that came later would change the groups that trials of this pack stand in.
    """
    from frustration.cloud.plan import CloudPlan

    paths = sorted((base / "input" / "data" / "plan").glob("plan*.json"))
    for plan in (CloudPlan.from_json(path.read_text("utf-8"), path.name) for path in paths):
        for one in plan.packs:
            if one.id == pack:
                return plan.study, frozenset(one.trials)
    raise InputError(f"no plan in the channel has the pack {pack} ({len(paths)} plans are there)")


def read_hyperparameters(path: Path) -> dict[str, str]:
    """Texts by name, `_` and `-` being the same; without what AWS's toolkit adds for itself."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no {path}: this is the entry of a SageMaker job") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} is not an object")
    return {
        name.replace("_", "-"): _unquoted(str(value))
        for name, value in content.items()
        if not name.startswith("sagemaker_")
    }


def _unquoted(value: str) -> str:
    """Estimators of AWS's SDK write every value as JSON, so a text comes with quotes around it."""
    if len(value) >= 2 and value[0] == value[-1] == '"':
        try:
            return str(json.loads(value))
        except ValueError:
            return value
    return value


SMALL = ("arch", "ablation-mode", "num-runs", "meta-loops", "seed", "lr", "batch-size", "dataset")


def _small_study(given: Mapping[str, str]) -> Study:
    """A job of one architecture, or of a few, that no plan describes."""
    from frustration.study.architecture_sets import architectures

    known = {*SMALL, "train-fraction", "study", "device", "checkpoint-seconds"}
    if unknown := sorted(set(given) - known):
        raise InputError(f"unknown hyperparameter {unknown[0]}; there are pack, {', '.join(sorted(known))}")
    if "arch" not in given:
        raise InputError("hyperparameters.json names neither a pack nor an arch")
    study = Study(
        name=given.get("study", "job"),
        # `4x4,2x8` is one architecture; several are parted by ";".
        architectures=architectures(given["arch"].split(";"), Path()),
        modes=tuple(given.get("ablation-mode", "none").split(";")),
        trials=_whole(given, "num-runs", 1),
        meta_loops=_whole(given, "meta-loops", Study.meta_loops),
        seed=_whole(given, "seed", 0),
        datasets=(given.get("dataset", "mnist"),),
        learning_rates=(_number(given, "lr", 1e-4),),
        train_fractions=(_number(given, "train-fraction", 1.0),),
        batch_size=_whole(given, "batch-size", Study.batch_size),
    )
    study.check()
    return study


def _number(given: Mapping[str, str], name: str, default: float) -> float:
    text = given.get(name)
    if text is None:
        return default
    try:
        return float(text)
    except ValueError:
        raise InputError(f"the hyperparameter {name} must be a number, not {text!r}") from None


def _whole(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, str(default))
    if not text.isdecimal():
        raise InputError(f"the hyperparameter {name} must be a whole number, not {text!r}")
    return int(text)


def _check(specs: tuple[TrialSpec, ...], wanted: frozenset[str]) -> None:
    if missing := wanted - {spec.id for spec in specs}:
        raise InputError(
            f"{len(missing)} trials of this pack have other ids here: the data in the channel, or this "
            f"version of the program, is not what the plan was made with"
        )


def _failures(store: Store) -> tuple[str, str]:
    """The last line of the first failure with the count, and all tracebacks."""
    failures: list[dict[str, Any]] = store.failures()
    tracebacks = [failure["traceback"] for failure in failures]
    last = last_line(tracebacks[0]) if tracebacks else "unknown"
    return f"{len(failures)} trials failed, the first with: {last}", "\n".join(tracebacks)


def by_cell(specs: Sequence[TrialSpec]) -> list[TrialSpec]:
    """Architecture, mode, trial, as the study names them; `specs` are in the order of its grid."""
    cells: dict[tuple[str, str], list[TrialSpec]] = {}
    for spec in specs:
        cells.setdefault((str(spec.architecture), spec.label), []).append(spec)
    return [spec for cell in cells.values() for spec in sorted(cell, key=lambda one: one.trial)]
