"""Studies of trials that nobody ran: records as a study leaves them, made up quickly, always the same."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from frustration.spec import TrialSpec
from frustration.study.architecture_sets import SETS
from frustration.study.definition import Study
from frustration.study.store import Store

SIX = ("none", "decay", "dropout", "full", "hidden", "output")
DIGEST = "synthetic"
_REMOVED = {"units": [[0, 1]], "removed": 0.5}
ACTED = {
    "full": _REMOVED,
    "hidden": _REMOVED,
    "output": _REMOVED,
    "noise": {"norm": 0.5},
    "dropout": {"p": 0.1},
    "decay": {"factor": 1.0},
}
"""What a mode leaves behind in a loop in which it acts (and `decay` in one in which it does not)."""
ALWAYS = ("dropout", "decay")
"""Modes that act in loop 1 too."""


def paper_study(name: str = "paper", trials: int = 10, meta_loops: int = 100) -> Study:
    """The published grid: 98 architectures x 6 modes."""
    return Study(name=name, architectures=SETS["paper-98"], modes=SIX, trials=trials, meta_loops=meta_loops)


def write_study(root: Path, study: Study, accuracy: Callable[[TrialSpec], float] | None = None) -> Store:
    """The folder of a finished study; `accuracy` says what each trial reaches on test, in percent."""
    store = Store(root)
    store.create(study)
    reached = accuracy or plausible
    for spec in study.specs({(d, f): DIGEST for d in study.datasets for f in study.train_fractions}):
        path = store.record_path(spec.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record(spec, reached(spec))) + "\n")
    return store


def plausible(spec: TrialSpec) -> float:
    """Better when wider, at chance when too deep; damage costs a little; trials of one number share noise."""
    shape = spec.architecture
    mode = str(spec.program)
    depth_cost = 4.0 * max(0, shape.depth - 8)
    base = 11.35 + 87.0 * max(0.0, 1.0 - 0.6 * 16 / (16 + min(shape.hidden)) - depth_cost / 87.0)
    shift = {"full": -0.9, "hidden": -0.6, "output": -1.2, "dropout": 0.15}.get(mode, 0.0)
    name = "none" if mode == "decay" else mode
    noise = np.random.default_rng([spec.trial, shape.parameters(), *map(ord, name)]).normal(0.0, 0.2)
    shared = np.random.default_rng([7, spec.trial]).normal(0.0, 0.15)
    if base <= 12.0:
        return 11.35
    return float(np.clip(round(base + shift + noise + shared, 2), 5.0, 99.5))


def record(spec: TrialSpec, test: float, **changed: Any) -> dict[str, Any]:
    """A whole record whose LKG reaches `test` percent; `changed` fields are put over it."""
    curve = loops(spec, test)
    best = max(range(len(curve)), key=lambda at: curve[at]["accuracy"])
    inert = [mode.name for s in spec.program.segments for mode in s.components if mode.name == "decay"]
    parameters = spec.architecture.parameters()
    fields = {
        "record_schema": 1,
        "id": spec.id,
        "spec": spec.to_dict(),
        "loop": spec.meta_loops,
        "bounty": curve[best]["accuracy"],
        "bounty_loop": best + 1,
        "test_accuracy": test,
        "inert": inert,
        "parameters": parameters,
        "flops": spec.architecture.flops(),
        "seconds": round(parameters * spec.meta_loops * 1e-6, 3),
        "numerics": {"backend": "synthetic"},
        "past_numerics": [],
        "continued": False,
        "curve": curve,
    }
    return {**fields, **changed}


def loops(spec: TrialSpec, test: float) -> list[dict[str, Any]]:
    """A curve that rises to about `test` under a ratchet."""
    count, mode = spec.meta_loops, str(spec.program)
    number = np.arange(1, count + 1)
    name = "none" if mode == "decay" else mode
    shape = spec.architecture
    draws = np.random.default_rng(
        [spec.trial, count, shape.depth, *shape.hidden[:1], *map(ord, name)]
    ).random(count)
    rise = test - (test - 9.8) * np.exp(-5.0 * number / count)
    accuracy = np.round(np.clip(rise + (draws - 0.5), 0.0, 100.0), 2)
    best = np.maximum.accumulate(accuracy)
    bounty = np.concatenate([[True], accuracy[1:] > best[:-1]])
    damages = mode in ACTED and mode not in ALWAYS
    damaged = np.round(best - 3.0 * draws, 2)
    at = list(map(float, accuracy))
    before: Sequence[float | None] = [None, *map(float, best[:-1])]
    return [
        {
            "loop": loop + 1,
            "mode": mode,
            "loss": 2.3 - 0.02 * at[loop],
            "before": before[loop],
            "damaged": float(damaged[loop - 1]) if damages and loop else None,
            "accuracy": at[loop],
            "accepted": bool(bounty[loop]),
            "new_bounty": bool(bounty[loop]),
            "adopted": None,
            "diverged": False,
            "evidence": {mode: ACTED[mode]} if mode in ALWAYS or (mode in ACTED and loop) else {},
        }
        for loop in range(count)
    ]


def rewrite(store: Store, spec: TrialSpec, **changed: Any) -> None:
    """One record of the study again, with other fields."""
    path = store.record_path(spec.id)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}) + "\n")


def at_chance(store: Store, spec: TrialSpec, bounty: float = 11.02) -> None:
    """A trial whose validation accuracy is that of its first loop for ever."""
    _with_accuracies(store, spec, [bounty] * spec.meta_loops)


def rising_to(store: Store, spec: TrialSpec, bounty: float) -> None:
    """A trial that gains a point in every loop and ends at its bounty."""
    _with_accuracies(store, spec, [bounty - left for left in reversed(range(spec.meta_loops))])


def _with_accuracies(store: Store, spec: TrialSpec, accuracies: list[float]) -> None:
    curve = json.loads(store.record_path(spec.id).read_text())["curve"]
    best = 0.0
    for entry, accuracy in zip(curve, accuracies, strict=True):
        better = accuracy > best
        entry |= {"accuracy": accuracy, "accepted": better, "new_bounty": better}
        entry["before"] = best or None
        best = max(best, accuracy)
    rewrite(store, spec, curve=curve, bounty=best, bounty_loop=accuracies.index(best) + 1)
