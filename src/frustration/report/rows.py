"""Records become rows, and the rows of a cell become arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from frustration.architecture import Architecture
from frustration.controls import Contender
from frustration.errors import InputError
from frustration.metric import Metric
from frustration.record import GROWN
from frustration.references import ProblemReference
from frustration.report.results import Attempt, Bools, Cell, Curves, Floats, Growth, Setting
from frustration.spec import TrialSpec


@dataclass(frozen=True, kw_only=True)
class Identity(Contender):
    """What all trials of a cell share, besides its architecture and setting."""

    modes: tuple[str, ...]
    knobs: tuple[Mapping[str, Any], ...]


class Unusable(Exception):
    """Why one record is not part of the report."""

    def __init__(self, reason: str, newer: bool = False) -> None:
        super().__init__(reason)
        self.newer = newer


class Identities:
    """Specs read once per cell: trials of a cell differ in their number only."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Setting, Architecture, Identity]] = {}

    def of(self, spec: Mapping[str, Any]) -> tuple[Setting, Architecture, Identity]:
        rest = {name: value for name, value in spec.items() if name != "trial"}
        key = json.dumps(rest, sort_keys=True)
        if key not in self._known:
            try:
                self._known[key] = _setting(spec), _subject(spec), _identity(spec)
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise Unusable(f"is not a whole record ({error!r})") from None
            except InputError as error:
                raise Unusable(f"cannot be understood: {error}") from None
        return self._known[key]


def _setting(spec: Mapping[str, Any]) -> Setting:
    return Setting(
        dataset=spec["dataset"],
        dataset_digest=spec["dataset_digest"],
        train_fraction=float(spec["train_fraction"]),
        learning_rate=float(spec["learning_rate"]),
        batch_size=int(spec["batch_size"]),
        seed=int(spec["seed"]),
        meta_loops=int(spec["meta_loops"]),
        problem_metric=Metric.from_dict(spec["problem"]["metric"]) if "problem" in spec else None,
    )


def _identity(spec: Mapping[str, Any]) -> Identity:
    known = TrialSpec.from_dict(spec)
    components = [mode for segment in known.program.segments for mode in segment.components]
    return Identity(
        modes=tuple(dict.fromkeys(mode.name for mode in components)),
        knobs=tuple(known.program.knobs),
        **vars(Contender.of(known)),
    )


@dataclass(frozen=True, kw_only=True)
class Row:
    """One trial, its loops as flat lists."""

    id: str
    trial: int
    numbers: dict[str, float]
    loops: int
    ended_early: bool
    inert: tuple[str, ...]
    backend: str
    growth: Growth | None
    twin: bool
    """Whether it was not trained: its numbers are its control's, and it took no time."""
    curve: dict[str, list[Any]]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Row:
        try:
            loops, target = int(record["loop"]), int(record["spec"]["meta_loops"])
            early = bool(record.get("ended_early", False))
            if loops < target and not early:
                raise Unusable(f"ends at loop {loops} of {target}: the trial is not finished")
            numbers = {
                name: _number(record[name])
                for name in ("bounty", "bounty_loop", "test_accuracy", "parameters", "flops", "seconds")
            }
            twin = record.get("twin_of") is not None
            if twin:
                numbers["seconds"] = float("nan")
            curve = record["curve"]
            columns = {name: [entry[name] for entry in curve] for name in _COLUMNS}
            if any("dendrites" in entry or "parameters" in entry for entry in curve):
                columns |= {name: [entry.get(name) for entry in curve] for name in GROWN}
            return cls(
                id=str(record["id"]),
                trial=int(record["spec"]["trial"]),
                numbers=numbers,
                loops=loops,
                ended_early=early,
                inert=tuple(record["inert"]),
                backend=str(record["numerics"].get("backend", "")),
                growth=_growth(record.get("growth")),
                twin=twin,
                curve=columns,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Unusable(f"is not a whole record ({error!r})") from None


_COLUMNS = ("loop", "loss", "before", "damaged", "accuracy", "accepted", "new_bounty", "diverged")


def course(losses: Sequence[float | None], scores: Sequence[float | None]) -> str:
    """A digest by which trials are found that went alike, to the bit."""
    numbers = np.array([losses, scores], dtype=np.float64)
    return hashlib.sha256(numbers.tobytes()).hexdigest()[:16] if numbers.size else ""


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _growth(found: Any) -> Growth | None:
    if found is None:
        return None
    attempts = tuple(
        Attempt(
            loop=int(one["loop"]),
            dendrites=one.get("dendrites"),
            parameters_before=one.get("parameters_before"),
            parameters_after=one.get("parameters_after"),
            outcome=str(one.get("outcome", "")),
        )
        for one in found.get("attempts", ())
    )
    ended = found.get("ended")
    return Growth(
        added=int(found.get("added", 0)),
        attempts=attempts,
        ended=None if ended is None else str(ended),
        why=str(found.get("why", "")),
    )


class CellParts:
    """The rows of one cell, while they are being read."""

    def __init__(self, setting: Setting, architecture: Architecture, identity: Identity) -> None:
        self.setting, self.architecture, self.identity = setting, architecture, identity
        self.rows: list[Row] = []

    def cell(self) -> Cell:
        rows = sorted(self.rows, key=lambda row: row.trial)

        def column(name: str) -> Floats:
            return np.array([row.numbers[name] for row in rows])

        who = self.identity
        curves = _curves(rows, self.setting.metric.sign)
        loops = np.array([row.loops for row in rows])
        followed = curves.trained.shape[1] > 0
        return Cell(
            setting=self.setting,
            architecture=self.architecture,
            label=who.label,
            modes=who.modes,
            treatments=who.treatments,
            knobs=who.knobs,
            program=who.program,
            policies=who.policies,
            departures=who.departures,
            controls=who.controls,
            trial=np.array([row.trial for row in rows]),
            ids=tuple(row.id for row in rows),
            bounty=column("bounty"),
            bounty_loop=column("bounty_loop"),
            test_accuracy=column("test_accuracy"),
            parameters=column("parameters"),
            flops=column("flops"),
            training_flops=curves.training_flops[:, -1] if followed else column("flops") * loops,
            seconds=column("seconds"),
            loops=loops,
            ended_early=np.array([row.ended_early for row in rows]),
            inert=tuple(row.inert for row in rows),
            diverged=np.array([sum(map(bool, row.curve["diverged"])) for row in rows]),
            backends=tuple(row.backend for row in rows),
            growth=tuple(row.growth for row in rows),
            courses=tuple(course(row.curve["loss"], row.curve["accuracy"]) for row in rows),
            curves=curves,
            twins=sum(row.twin for row in rows),
        )


def _curves(rows: list[Row], sign: int) -> Curves:
    """Loops along axis 1 by their global number; what a trial does not have is NaN or False."""
    length = max((row.loops for row in rows), default=0)

    def floats(name: str, missing: str = "") -> Floats:
        table = np.full((len(rows), length), np.nan)
        for at, row in enumerate(rows):
            values = row.curve.get(name)
            if values is None:  # nothing grew: every loop trained the network that the record is about
                table[at, : row.loops] = row.numbers[missing] if missing else 0.0
            else:
                table[at, _places(row)] = np.array(values, dtype=np.float64)
        return table

    def bools(name: str) -> Bools:
        table = np.zeros((len(rows), length), dtype=bool)
        for at, row in enumerate(rows):
            table[at, _places(row)] = row.curve[name]
        return table

    trained = np.arange(length) < np.array([[row.loops] for row in rows])
    return Curves(
        accuracy=floats("accuracy"),
        loss=floats("loss"),
        before=floats("before"),
        damaged=floats("damaged"),
        accepted=bools("accepted"),
        new_bounty=bools("new_bounty"),
        trained=trained,
        dendrites=floats("dendrites"),
        parameters=floats("parameters", "parameters"),
        flops=floats("flops", "flops"),
        sign=sign,
    )


def _places(row: Row) -> Any:
    loops = row.curve["loop"]
    whole = len(loops) == row.loops and (not loops or loops[0] == 1)
    return slice(0, row.loops) if whole else [loop - 1 for loop in loops]


def _subject(spec: Mapping[str, Any]) -> Architecture:
    """What was trained. A problem goes where architectures go: as one that has no hidden layers."""
    if "problem" in spec:
        return cast(Architecture, ProblemReference.from_dict(spec["problem"]))
    return Architecture.parse(spec["architecture"])
