"""How a session of `train` resumes: which loops it adds, and what it refuses."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from frustration.checkpoint import CheckpointFiles
from frustration.dataset import Split
from frustration.engine.group import numerics_of
from frustration.engine.population import Backend
from frustration.engine.trial import Trial
from frustration.errors import InputError
from frustration.protocols import AnyShape
from frustration.request import Request
from frustration.saved import Saved
from frustration.sealed import CheckpointError
from frustration.spec import TrialSpec
from frustration.treatment import Session, changed_settings, differ

EVERY_SCHEDULE_ENDED = "nothing to do: every schedule has come to its end; another mode resumes from the LKG"


@dataclass(frozen=True)
class Resumption:
    """One trial of a request, and what the model directory holds of it."""

    spec: TrialSpec
    files: CheckpointFiles
    saved: Saved | None
    shape: AnyShape

    @classmethod
    def of(cls, spec: TrialSpec, files: CheckpointFiles, request: Request, data: Split) -> Resumption:
        """Read the checkpoint; refuse one of another architecture, data set or seed, or of other settings."""
        saved = None if request.fresh else files.load()
        found = cls(spec, files, saved, spec.shape(data.features, data.classes))
        if saved is not None:
            _refuse_foreign(found, saved, request)
        changed = found.changed_settings
        if changed and not request.continue_with_new_settings:
            raise InputError(
                f"{found.there} was trained with other settings ({', '.join(changed)}): name another "
                f"--model-dir, start anew with --fresh, or continue under the new ones with "
                f"--continue-with-new-settings, which is marked in the record"
            )
        return found

    def seeded(self, seed: int) -> Resumption:
        return replace(self, spec=replace(self.spec, seed=seed))

    @property
    def there(self) -> str:
        """The file that counts."""
        return str(self.files.resume if self.saved and self.saved.trial else self.files.lkg)

    @property
    def loop(self) -> int:
        return self.saved.loop if self.saved else 0

    @property
    def last(self) -> Session | None:
        """The last session; None where another program wrote the checkpoint, and where there is none."""
        return self.saved.sessions[-1] if self.saved and self.saved.sessions else None

    @property
    def stopped(self) -> bool:
        """Its schedule has come to an end, and the request does not ask for another treatment."""
        trial = self.saved.trial if self.saved else None
        return trial is not None and trial.stopped and not self.switches

    @property
    def target(self) -> int:
        """Of the last session; 0 where there was none."""
        return self.last.target if self.last else self.loop

    @property
    def cut_off(self) -> bool:
        """Interrupted before its target, or at it before its end was saved."""
        trial = self.saved.trial if self.saved else None
        undone = self.loop < self.target and not self.stopped
        return undone or (trial is not None and not trial.ended)

    @property
    def switches(self) -> bool:
        """Whether the request asks for another treatment than the last session."""
        if self.saved is None:
            return False
        return self.last is None or differ(self.last.treatment, self.spec.treatment)

    @property
    def changed_settings(self) -> tuple[str, ...]:
        """`learning rate 0.0001 then, 0.01 now`: all but the mode that differs from what was trained with."""
        if self.last is None or self.loop == 0:
            return ()
        return tuple(changed_settings(self.last.treatment, self.spec.treatment))

    def resume(self, total: int, backend: Backend, accept_numerics: bool) -> Trial:
        """The trial, ready to be trained to this global loop."""
        spec = self.spec.until(max(total, self.loop))
        if self.saved is None or (self.last and self.loop == 0 and self.switches):
            trial = Trial.fresh(spec, self.shape)
            trial.begin_session(continues=False)
            return trial
        if self.saved.trial is not None and self.loop >= total:
            trial = self.saved.trial
            trial.spec = trial.spec.until(self.loop)
            return trial
        trial = self.saved.revive(spec)
        if trial.complete and not self.switches:
            return trial
        self._settle_numerics(trial, numerics_of(spec, backend), accept_numerics)
        if not trial.keeps_moments:
            trial.moments = None
        if self.switches:
            trial.change_treatment()
        if self.switches or spec.meta_loops != self.target:
            trial.begin_session(continues=True)
        return trial

    def _settle_numerics(self, trial: Trial, now: dict[str, Any], accepted: bool) -> None:
        """Refuse to continue under other numerics unless the user agreed; then record the old ones."""
        before = {key: value for key, value in trial.numerics.items() if key != "group"}
        if not before or before == now or trial.loop == 0:  # nothing was trained under them
            return
        keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        differences = ", ".join(f"{key} {before.get(key)} then, {now.get(key)} now" for key in keys)
        if not accepted:
            raise InputError(
                f"{self.files.resume} was trained under other numerics ({differences}), so the same bits "
                f"cannot be promised; continue anyway with --accept-numerics, and the record will say so"
            )
        trial.change_numerics()


def one_seed(found: Sequence[Resumption], request: Request) -> list[Resumption]:
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


def decide(found: Sequence[Resumption], request: Request) -> tuple[int, list[str]]:
    """The global loop that all trials are taken to, and what the user should know.

    A session that was cut off is finished; one that was finished gets more loops; `until` overrules.
    """
    loops = [one.loop for one in found]
    undone = [one.loop for one in found if not one.stopped]
    goal = request.until
    notes = [n for one in found if (goal is None or one.loop < goal) and (n := _about_switch(one))]
    if goal is not None:
        for one in found:
            _refuse_another_result(one, goal)
        if not undone:
            notes.append(EVERY_SCHEDULE_ENDED)
        elif min(undone) >= goal:
            notes.append(f"nothing to do: loop {min(undone)} is reached, and --until asks for {goal}")
        elif any(loops):
            notes.append(f"resuming at loop {min(undone)}; --until {goal}")
        return goal, notes
    if any(one.switches for one in found):
        return max(loops) + request.meta_loops, notes
    furthest = max(one.target for one in found)
    if any(one.cut_off or (one.loop < furthest and not one.stopped) for one in found):
        at = f"loop {min(loops)}" if min(loops) == max(loops) else f"loops {min(loops)} to {max(loops)}"
        notes.append(
            f"completing the interrupted session first: {at} of {furthest}; "
            "run it again to add --meta-loops more"
        )
        return furthest, notes
    if all(one.stopped for one in found):
        notes.append(EVERY_SCHEDULE_ENDED)
        return furthest, notes
    if furthest:
        notes.append(f"resuming at loop {furthest}; adding {request.meta_loops} more")
    return furthest + request.meta_loops, notes


def _about_switch(one: Resumption) -> str | None:
    if one.saved is None or not one.switches:
        return None
    if one.last is None:
        return f"{one.files.lkg} comes from another program: resuming from its LKG after loop {one.loop}"
    left = f", leaving {one.target - one.loop} of its loops undone" if one.loop < one.target else ""
    changed = one.changed_settings
    return (
        f'resuming from the LKG at loop {one.loop} in mode "{one.spec.label}"; '
        f'the last session was in mode "{one.last.mode}"'
        + (f" with other settings ({', '.join(changed)})" if changed else "")
        + left
    )


def _refuse_another_result(one: Resumption, goal: int) -> None:
    """Refuse a goal that leaves nothing to train, if the last loops had another treatment."""
    if one.loop < goal or not one.switches or one.last is None:
        return
    raise InputError(
        f'{one.there} has reached loop {one.loop} in mode "{one.last.mode}", so that --until {goal} leaves '
        f'nothing to do in mode "{one.spec.label}": ask for more loops, name another --model-dir, or start '
        f"anew with --fresh"
    )


def _refuse_foreign(found: Resumption, saved: Saved, request: Request) -> None:
    spec, files, shape, seed = found.spec, found.files, found.shape, request.seed
    in_the_way = files.stem.parent.parent if request.comparison else files.lkg
    instead = f"remove it with {files.removed_by(in_the_way)}, or name another --model-dir"
    there = found.there
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
