"""How a session of `train` goes on from what it finds: which loops it adds, and what it refuses."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from frustration.checkpoint import CheckpointFiles
from frustration.dataset import Split
from frustration.engine.trial import Trial
from frustration.errors import InputError
from frustration.protocols import AnyShape
from frustration.request import Request
from frustration.saved import Saved
from frustration.sealed import CheckpointError
from frustration.spec import TrialSpec

History = list[dict[str, Any]]
"""The sessions of a checkpoint: {"mode", "treatment", "first_loop", "target"}."""


EVERY_SCHEDULE_ENDED = "nothing to do: every schedule has come to its end; another mode goes on from the LKG"


@dataclass(frozen=True)
class Found:
    """What one trial of the request finds in its place in the model directory."""

    spec: TrialSpec
    files: CheckpointFiles
    saved: Saved | None
    shape: AnyShape

    @classmethod
    def of(cls, spec: TrialSpec, files: CheckpointFiles, request: Request, data: Split) -> Found:
        """Look; refuse what belongs to another architecture, data set or seed."""
        saved = None if request.fresh else files.load()
        shape = spec.shape(data.features, data.classes)
        if saved is not None:
            _refuse_foreign(spec, files, saved, shape, request)
        return cls(spec, files, saved, shape)

    def seeded(self, seed: int) -> Found:
        return replace(self, spec=replace(self.spec, seed=seed))

    @property
    def loop(self) -> int:
        return self.saved.loop if self.saved else 0

    @property
    def stopped(self) -> bool:
        """Its schedule has come to an end, and the request does not ask for another treatment."""
        trial = self.saved.trial if self.saved else None
        return trial is not None and trial.stopped and not self.switches

    @property
    def target(self) -> int:
        """Of the last session; 0 where there was none."""
        return int(self.saved.history[-1]["target"]) if self.saved and self.saved.history else self.loop

    @property
    def cut_off(self) -> bool:
        """Killed before its target, or on it and before its end was kept."""
        trial = self.saved.trial if self.saved else None
        undone = self.loop < self.target and not self.stopped
        return undone or (trial is not None and not trial.ended)

    @property
    def switches(self) -> bool:
        """Whether the request treats it otherwise than the last session did."""
        if self.saved is None:
            return False
        # As text, because 1 == 1.0, and yet one dose is a unit and the other all of them.
        return not self.saved.history or _text(self.saved.history[-1]["treatment"]) != _text(
            self.spec.treatment
        )

    def go_on(self, goal: Goal, numerics: dict[str, Any], accept_numerics: bool) -> Ongoing:
        """The trial, ready to be trained to the goal."""
        spec = self.spec.until(max(goal.total, self.loop))
        session = {
            "mode": spec.label,
            "treatment": spec.treatment,
            "first_loop": self.loop + 1,
            "target": spec.meta_loops,
        }
        if self.saved is None:
            return Ongoing(Trial.fresh(spec, self.shape), self.files, [session])
        if self.saved.trial is not None and self.loop >= goal.total:
            trial = self.saved.trial  # it stays what it is, whatever the request calls it
            trial.spec = trial.spec.until(self.loop)
            return Ongoing(trial, self.files, self.saved.history)
        trial, history = self.saved.revive(spec), self.saved.history
        if trial.complete and not self.switches:
            return Ongoing(trial, self.files, history)
        self._settle_numerics(trial, numerics, accept_numerics)
        if not trial.keeps_moments:
            trial.moments = None
        if self.switches:
            trial.change_treatment()
        if self.switches or spec.meta_loops != self.target:
            trial.continued = True
            history = [*history, session]
        return Ongoing(trial, self.files, history)

    def _settle_numerics(self, trial: Trial, now: dict[str, Any], accepted: bool) -> None:
        """Refuse to go on under other numerics, unless the user said so; then keep the old in the record."""
        before = {key: value for key, value in trial.numerics.items() if key != "group"}
        if not before or before == now:
            return
        keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        differences = ", ".join(f"{key} {before.get(key)} then, {now.get(key)} now" for key in keys)
        if not accepted:
            raise InputError(
                f"{self.files.resume} was trained under other numerics ({differences}), so the same bits "
                f"cannot be promised; go on all the same with --accept-numerics, and the record will say so"
            )
        trial.past_numerics.append({**trial.numerics, "until_loop": trial.loop})
        trial.numerics = {}


@dataclass(frozen=True)
class Ongoing:
    """A trial on its way, where it is kept, and the sessions it went through."""

    trial: Trial
    files: CheckpointFiles
    history: History


@dataclass(frozen=True)
class Goal:
    """The global loop that all trials of the session are taken to, and what the user should know."""

    total: int
    notes: list[str]


def one_seed(found: Sequence[Found], request: Request) -> list[Found]:
    """Without `--seed`, new trials join those that are there already under their seed, or get 0."""
    kept = {one.saved.seed for one in found if one.saved and one.saved.seed is not None}
    if len(kept) > 1:
        raise InputError(
            f"the checkpoints in {request.model_dir} were trained with several seeds "
            f"({', '.join(map(str, sorted(kept)))}), so they are not paired; name another --model-dir"
        )
    if not kept and request.seed is None:
        kept = _seeds_beside(request)
    seed = kept.pop() if len(kept) == 1 else request.seed or 0
    return [one.seeded(seed) for one in found]


def _seeds_beside(request: Request) -> set[int]:
    """The seeds of other modes of this architecture in the model directory: a new mode pairs with them."""
    if not request.comparison:
        return set()
    modes = (request.model_dir / request.architecture.safe).glob("*/t000_lkg.safetensors")
    seeds = set()
    for path in modes:
        with contextlib.suppress(CheckpointError):  # a damaged one that nobody asked for is nobody's concern
            saved = CheckpointFiles(path.with_name("t000_lkg")).load()
            seeds |= {saved.seed} if saved and saved.seed is not None else set()
    return seeds


def decide(found: Sequence[Found], request: Request) -> Goal:
    """A session that was cut off is finished; one that was finished gets more loops; `until` overrules."""
    loops = [one.loop for one in found]
    undone = [one.loop for one in found if not one.stopped]
    goal = request.until
    notes = [n for one in found if (goal is None or one.loop < goal) and (n := _about_switch(one))]
    if request.until is not None:
        if not undone:
            notes.append(EVERY_SCHEDULE_ENDED)
        elif min(undone) >= request.until:
            notes.append(
                f"nothing to do: loop {min(undone)} is reached, and --until asks for {request.until}"
            )
        elif any(loops):
            notes.append(f"resuming at loop {min(undone)}; --until {request.until}")
        return Goal(request.until, notes)
    if any(one.switches for one in found):
        return Goal(max(loops) + request.meta_loops, notes)
    furthest = max(one.target for one in found)
    if any(one.cut_off or (one.loop < furthest and not one.stopped) for one in found):
        at = f"loop {min(loops)}" if min(loops) == max(loops) else f"loops {min(loops)} to {max(loops)}"
        notes.append(f"finishing what was begun: {at} of {furthest}; run it again to add --meta-loops more")
        return Goal(furthest, notes)
    if all(one.stopped for one in found):
        notes.append(EVERY_SCHEDULE_ENDED)
        return Goal(furthest, notes)
    if furthest:
        notes.append(f"resuming at loop {furthest}; adding {request.meta_loops} more")
    return Goal(furthest + request.meta_loops, notes)


def _text(treatment: dict[str, Any]) -> str:
    return json.dumps(treatment, sort_keys=True)


def _about_switch(one: Found) -> str | None:
    if one.saved is None or not one.switches:
        return None
    if not one.saved.history:
        return f"{one.files.lkg} comes from another program: going on from its LKG after loop {one.loop}"
    before = one.saved.history[-1]
    left = f", leaving {one.target - one.loop} of its loops undone" if one.loop < one.target else ""
    return (
        f'going on from the LKG at loop {one.loop} in mode "{one.spec.label}"; '
        f'the last session was in mode "{before["mode"]}"'
        + (" with other settings" if before["mode"] == one.spec.label else "")
        + left
    )


def _refuse_foreign(
    spec: TrialSpec, files: CheckpointFiles, saved: Saved, shape: AnyShape, request: Request
) -> None:
    seed = request.seed
    in_the_way = files.stem.parent.parent if request.comparison else files.lkg
    instead = f"remove it with {files.removed_by(in_the_way)}, or name another --model-dir"
    there = files.resume if saved.trial else files.lkg
    subject, *sizes = shape.form
    if saved.architecture != subject:
        raise InputError(f"{there} holds {saved.architecture}, not {subject}: {instead}")
    if saved.dataset not in (None, spec.dataset) or [saved.features, saved.classes] != sizes:
        name = saved.dataset or f"data of {saved.features} features in {saved.classes} classes"
        raise InputError(f"{there} was trained on {name}, not on {spec.dataset}: {instead}")
    before = saved.trial.spec if saved.trial else spec
    same_part = before.train_fraction == spec.train_fraction
    if same_part and before.dataset_digest != spec.dataset_digest:
        raise InputError(f"{there} was trained on {spec.dataset} with other content: {instead}")
    has = saved.lkg.shape
    wanted = spec.program.forward_function
    if has.grown and spec.program.restarts:
        raise InputError(f'{there} holds a network with dendrites, and "restart" begins without: {instead}')
    if has.grown and wanted not in (None, has.forward_function):
        raise InputError(
            f"{there} holds dendrites that compute {has.forward_function}, new ones would compute {wanted}: "
            f"give pai_forward_function={has.forward_function}, or {instead}"
        )
    if seed is not None and saved.seed not in (None, seed):
        raise InputError(f"{there} was trained with --seed {saved.seed}, not {seed}: {instead}")
