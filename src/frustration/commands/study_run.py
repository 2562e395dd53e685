"""What `study run`, `extend`, `retry` and `preset` share: a run with its view, and the plan of one."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from frustration.commands.arguments import INTERRUPTED
from frustration.terminal.printing import say_all

if TYPE_CHECKING:
    from frustration.commands.study_flags import EngineOptions
    from frustration.runners.work import Engine
    from frustration.study.definition import Study
    from frustration.study.estimate import Estimate
    from frustration.study.run import Prepared
    from frustration.study.store import Store


def watched(options: EngineOptions, study: Study, store: Store, retry: bool = False) -> int:
    """The run, with its events shown and signals obeyed."""
    from frustration.runners.stopping import Stopper

    with Stopper() as stopper:
        from frustration.runners.events import StudyEvent
        from frustration.study.run import after_pilot, prepare, run_study
        from frustration.terminal.study import StudyShow
        from frustration.terminal.view import view_of
        from frustration.trackers import TrackerThread

        store.check(study)
        engine = _engine(options)
        trail = TrackerThread(options.tracker, store.root)
        prepared = prepare(study, options.backend, options.device)
        prepared = after_pilot(prepared, store) or prepared
        _warn(prepared, options, store)
        estimate = None if options.no_estimate else _estimate(prepared, options, store, lazily=True)
        if estimate:
            _say_estimate(estimate, to_stderr=options.json)
        show = StudyShow(store, estimate.by_trial() if estimate else {})
        view = view_of(show, stopper.event, options.json)

        def observe(event: StudyEvent) -> None:
            stopper.training_begins()
            view.tell(event)
            trail.tell(event)

        try:
            outcome = run_study(
                prepared,
                store,
                engine=engine,
                workers=options.threads,
                retry=retry,
                emit=observe,
                stop=stopper.event,
            )
            view.end(outcome)
        finally:
            view.close()
            trail.end(interrupted=stopper.event.is_set())
    if outcome.interrupted:
        return INTERRUPTED
    return 1 if outcome.failed else 0


def _warn(prepared: Prepared, options: EngineOptions, store: Store) -> None:
    from frustration.study.before_a_run import before_a_run

    for warning in before_a_run(prepared, store, options.backend):
        print(f"warning: {warning}", file=sys.stderr if options.json else sys.stdout, flush=True)


def _engine(options: EngineOptions) -> Engine:
    from frustration.runners.engines import engine_named

    return engine_named(options.engine, options.address, options.device or "cpu")


def plan(options: EngineOptions, study: Study, store: Store) -> int:
    """`--dry-run`."""
    from frustration.report.formatting import many
    from frustration.study.pilot import first_rates
    from frustration.study.run import after_pilot, at_rates, prepare
    from frustration.terminal.study import noun
    from frustration.terminal.study_tables import plan_table

    store.check(study)
    _engine(options)  # refuses here what the run would refuse
    prepared = prepare(study, options.backend, options.device)
    if study.analysis.pilot:
        prepared = after_pilot(prepared, store) or at_rates(prepared, first_rates(prepared.grid))
    _warn(prepared, options, store)
    done = {line["id"] for line in store.listed()[0]}
    missing = len({spec.id for spec in prepared.specs} - done)
    twins = sum(planned.spec.id not in done for planned in prepared.twins.all)
    kind = noun(study.problems, study.architectures)
    if not options.json:
        say_all(
            f"{study.name}: {study.size:,} trials ({many(len(study.subjects), kind)}, "
            f"{many(len(study.modes), 'mode')}), {study.size - missing:,} done; nothing is written"
        )
        if twins:
            say_all(
                f"{twins:,} of the missing trials cannot differ from a control that is trained: "
                "they are recorded with its numbers (twin_of)"
            )
    estimate = None if options.no_estimate else _estimate(prepared, options, store, lazily=False)
    if estimate is None:
        say_all(*(f"  {subject}" for subject in study.subjects))
        return 0
    if options.json:
        print(json.dumps({"trials": missing, "twins": twins, "seconds": estimate.by_architecture()}))
    else:
        say_all(plan_table(study, estimate))
        _say_estimate(estimate)
    return 0


def _estimate(prepared: Prepared, options: EngineOptions, store: Store, lazily: bool) -> Estimate | None:
    """What the missing trials cost; `lazily`: only if measuring takes little of the time they take."""
    from frustration.engine.group import those
    from frustration.runners.pool import default_workers
    from frustration.study.estimate import estimate, worth_measuring
    from frustration.terminal.bar import measuring

    done, failed = store.ids()
    gone = done | failed
    missing = those(prepared.groups, lambda one: one.spec.id not in gone)
    if not missing or (lazily and not worth_measuring(missing, prepared.data)):
        return None
    workers = min(options.threads or default_workers(), len(missing))
    with measuring() as progress:
        return estimate(prepared, missing, workers, progress)


def _say_estimate(estimate: Estimate, to_stderr: bool = False) -> None:
    from frustration.terminal.study_tables import estimate_line

    print(estimate_line(estimate), file=sys.stderr if to_stderr else sys.stdout, flush=True)
