"""A session of `train`: one network or a paired comparison, kept in a model directory and resumed from it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from frustration.checkpoint import CheckpointFiles
from frustration.continuation import Resumption, decide, one_seed
from frustration.dataset import load
from frustration.engine.backends import backend_for, choose, fallback, stacked_or_plain
from frustration.engine.group import plan, work_left
from frustration.engine.growth.outlook import outlooks
from frustration.engine.population import Interrupted
from frustration.engine.trial import Trial
from frustration.errors import FrustrationError, InputError, last_line
from frustration.files import LOCK, PARTIAL, locked, make_folder
from frustration.record import LoopEntry, TrialRecord, write_failure
from frustration.references import HELD, ProblemRaised
from frustration.request import Request
from frustration.runners.events import Event, SessionEvent, SessionStart, TrialDone, TrialFailed
from frustration.runners.local import LocalEngine
from frustration.runners.pool import Queue, default_workers
from frustration.runners.work import Data, Work
from frustration.spec import TrialSpec


@dataclass(frozen=True, kw_only=True)
class FailedTrial:
    """A trial that met an unexpected error, or whose problem raised."""

    spec: TrialSpec
    traceback: str
    files: CheckpointFiles
    """`files.failure` holds the traceback."""

    def __str__(self) -> str:
        spec = self.spec
        return f"{spec.architecture} {spec.label}, trial {spec.trial}: {last_line(self.traceback)}"


class TrialsFailed(FrustrationError):
    """No trial of a session could be trained to its end."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a session came to."""

    records: tuple[TrialRecord, ...]
    """In the order asked for, without trials that failed; of an interrupted session, up to the last loop
    that is kept."""
    files: tuple[CheckpointFiles, ...]
    """Of each record."""
    interrupted: bool
    failed: tuple[FailedTrial, ...] = ()


def train(
    request: Request,
    emit: Callable[[SessionEvent], None] = lambda event: None,
    stop: threading.Event | None = None,
) -> Outcome:
    """Train what the request asks for, resuming from its model directory; `stop` ends it cleanly."""
    specs = _specs(request)
    # What cannot be used is refused before anything is read.
    choose(request.engine, request.device, request.architecture)
    data = Data({} if request.problem else {request.dataset: request.data or load(request.dataset)})
    digest = data.digest(request.problem or request.dataset, request.train_fraction)
    specs = [replace(spec, dataset_digest=digest) for spec in specs]
    raising = data.tracebacks(specs)
    for spec in specs:
        if spec.id not in raising:
            spec.check(data.of(spec).classes)
    busy = f"another run is using {request.model_dir}; wait for it, or name another --model-dir"
    with locked(request.model_dir / LOCK, busy):
        _sweep(request.model_dir)
        failed = [
            FailedTrial(spec=spec, traceback=raising[spec.id], files=request.files(spec))
            for spec in specs
            if spec.id in raising
        ]
        left = [spec for spec in specs if spec.id not in raising]
        return _train_locked(request, left, failed, data, emit, stop or threading.Event())


def _train_locked(
    request: Request,
    specs: Sequence[TrialSpec],
    failed: list[FailedTrial],
    data: Data,
    emit: Callable[[SessionEvent], None],
    stop: threading.Event,
) -> Outcome:
    if not specs:
        raise _nothing_left(failed)
    looked = [Resumption.of(spec, request.files(spec), request, data.of(spec)) for spec in specs]
    found = one_seed(looked, request)
    total, notes = decide(found, request)
    engine, remark = _engine(request, found)
    backend = backend_for(request.architecture, *engine)
    begun: dict[str, tuple[Trial, CheckpointFiles]] = {}
    for one in found:
        try:
            trial = one.resume(total, backend, request.accept_numerics)
            begun[trial.spec.id] = trial, one.files
        except ProblemRaised as error:
            failed.append(FailedTrial(spec=one.spec, traceback=error.traceback, files=one.files))
    if not begun:
        raise _nothing_left(failed)
    trials = [trial for trial, _ in begun.values()]
    for trial in trials:
        if not trial.finished:  # the goal may be beyond the last range of a schedule
            trial.spec.check(data.of(trial.spec).classes)
    groups = plan([trial for trial in trials if not trial.complete], backend)
    groups.sort(key=lambda group: work_left(group.members.values()), reverse=True)  # the costliest first
    for trial, place in begun.values():
        _begin(trial, place)
    for lost in failed:
        _keep_failure(lost)
    workers = min(request.threads or default_workers(), max(1, len(groups)))
    if request.problem and request.problem.source == HELD:
        workers = 1  # no other process has it
    emit(
        SessionStart(
            specs=tuple(trial.spec for trial in trials),
            loops=tuple(trial.loop for trial in trials),
            shape=trials[0].shape,
            notes=(
                *(f"failed: {lost}" for lost in failed),
                *notes,
                *([remark] if remark else []),
                *outlooks(trial.spec for trial in trials),
            ),
            backend=engine[0],
            device=engine[1],
            workers=workers,
        )
    )
    records = {trial.spec.id: trial.record() for trial in trials if trial.complete}
    for trial_id, record in records.items():
        emit(TrialDone(trial_id, record))

    def collect(event: Event) -> None:
        if isinstance(event, TrialDone):
            records[event.trial_id] = event.record
        elif isinstance(event, TrialFailed):
            trial, place = begun[event.trial_id]
            failed.append(FailedTrial(spec=trial.spec, traceback=event.traceback, files=place))
        emit(event)

    places = {trial_id: place for trial_id, (_, place) in begun.items()}
    keeper = CheckpointKeeper(places, keeps_failures=request.problem is not None)
    work = Work(backend=engine[0], device=engine[1], data=data, keeper=keeper)
    with contextlib.suppress(Interrupted):
        LocalEngine().run(Queue(groups), work, workers, collect, stop)
    over = records.keys() | {lost.spec.id for lost in failed}
    cut_off = [trial_id for trial_id in places if trial_id not in over]
    for trial_id in cut_off:
        records[trial_id] = places[trial_id].resumed().record()
    if not records:
        raise _nothing_left(failed)
    return Outcome(
        records=tuple(records[trial_id] for trial_id in places if trial_id in records),
        files=tuple(place for trial_id, place in places.items() if trial_id in records),
        interrupted=bool(cut_off),
        failed=tuple(failed),
    )


def _keep_failure(failed: FailedTrial) -> None:
    make_folder(failed.files.stem.parent)
    write_failure(failed.files.failure, failed.spec.id, failed.spec.to_dict(), failed.traceback)


def _nothing_left(failed: Sequence[FailedTrial]) -> FrustrationError:
    """The error of a session all of whose trials failed; their tracebacks are kept."""
    for one in failed:
        _keep_failure(one)
    causes = "; ".join(dict.fromkeys(last_line(one.traceback) for one in failed))
    what = "the trial" if len(failed) == 1 else f"all {len(failed)} trials"
    return TrialsFailed(f"{what} failed: {causes} (traceback in {failed[0].files.failure})")


def _engine(request: Request, found: Sequence[Resumption]) -> tuple[tuple[str, str], str | None]:
    """Backend and device: those asked for, else those of the checkpoints, else the best; and a remark."""
    trials = [one.saved.trial for one in found if one.saved and one.saved.trial]
    kept = {(t.numerics["backend"], t.numerics.get("device", "cpu")) for t in trials if t.numerics}
    best = choose(request.engine, request.device, request.architecture)
    if request.engine is None and request.device is None and len(kept) == 1:
        with contextlib.suppress(InputError):  # a device that is gone: the numerics will say so
            before = choose(*kept.pop(), request.architecture)
            return before, None if before == best else f"continuing with the {before[0]} backend, as before"
    if request.stacked:
        name, why = stacked_or_plain(request.architecture, best[1])
        return (name, best[1]), why
    return best, fallback(request.backend, best)


def _begin(trial: Trial, files: CheckpointFiles) -> None:
    """Keep what is about to be trained, so that a session cut off in its first loop is known.

    An LKG file that is missing, damaged or behind is written anew from the resume file beside it, and one
    that has nothing to do with this trial any more, because it was begun afresh, is removed.
    What is in the place of its files and none is renamed.
    """
    make_folder(files.stem.parent)
    if trial.loop == 0:
        files.make_room()
    files.remove_failure()
    if not trial.complete:
        files.save(trial, lkg_too=False)
    if trial.loop == 0:
        files.remove_results()
    elif trial.bounty is not None and not files.lkg_holds(trial.lkg):
        files.save_lkg(trial)


@dataclass(frozen=True)
class CheckpointKeeper:
    """Keeps trials in checkpoints."""

    places: Mapping[str, CheckpointFiles]
    """By the id of a trial."""
    keeps_failures: bool
    """Of a user's problem, whose errors are its own; an error of an engine ends the session."""

    def keep(self, trial: Trial, entry: LoopEntry) -> None:
        self.places[trial.spec.id].save(trial, lkg_too=entry.new_bounty)

    def finish(self, trial: Trial) -> TrialRecord:
        """The resume file comes last: where it says that the trial has ended, the others are there."""
        files = self.places[trial.spec.id]
        if trial.bounty is not None:
            files.save_lkg(trial, durable=True)
        record = trial.record()
        record.write(files.record)
        trial.ended = True
        files.save(trial, lkg_too=False)
        return record

    def fail(self, trial: Trial, traceback: str) -> None:
        _keep_failure(FailedTrial(spec=trial.spec, traceback=traceback, files=self.places[trial.spec.id]))


def _specs(request: Request) -> list[TrialSpec]:
    """Every mode x every trial; trials of one number are paired."""
    specs = [
        TrialSpec.of(
            request.architecture,
            mode,
            trial=trial,
            optimizer=request.optimizer,
            acceptance=request.acceptance,
            defaults=request.knobs,
            seed=request.seed or 0,
            dataset=request.dataset,
            train_fraction=request.train_fraction,
            meta_loops=request.until or request.meta_loops,
            learning_rate=request.learning_rate,
            batch_size=request.batch_size,
            loop_steps=request.loop_steps,
        )
        for trial in range(request.trials or 1)
        for mode in request.modes
    ]
    labels = [spec.label for spec in specs[: len(request.modes)]]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice:
        raise InputError(f'mode "{twice}" is named twice; a comparison needs different modes')
    return specs


def _sweep(model_dir: Path) -> None:
    """Remove what killed runs left half-written; the lock is ours.

    Only the folders of this model directory: one nested in it has its own lock and its own run.
    """
    for pattern in (f".*_lkg.*{PARTIAL}", f"*/*/.t*_lkg.*{PARTIAL}"):
        for partial in model_dir.glob(pattern):
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
