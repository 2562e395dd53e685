"""train: train a network with the Frustration Engine, or compare treatments of it in paired trials."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from frustration.commands.arguments import INTERRUPTED
from frustration.commands.options import command
from frustration.commands.train_flags import TrainOptions, build_request, remarks

if TYPE_CHECKING:
    from frustration.runners.events import SessionEvent, SessionStart
    from frustration.session import Outcome


def _train(options: TrainOptions) -> int:
    """The session, with its events shown and signals obeyed."""
    from frustration.runners.stopping import Stopper

    with Stopper() as stopper:
        from frustration import session
        from frustration.runners.events import SessionStart
        from frustration.terminal.train import TrainShow
        from frustration.terminal.view import view_of
        from frustration.trackers import TrackerThread

        request = build_request(options)
        if options.library_files:
            from frustration.engine.perforated.process import Files

            chosen = Files(options.library_files.resolve(), options.library_graphs, options.library_saves)
            chosen.to_environment()
        for remark in remarks(options, request):
            print(f"note: {remark}", file=sys.stderr)
        trail = TrackerThread(options.tracker, request.model_dir)
        view = view_of(TrainShow(request), stopper.event, options.json)

        def observe(event: SessionEvent) -> None:
            if isinstance(event, SessionStart):
                stopper.training_begins()
                _say_which_dendrites(event)
                if options.debug:
                    _explain_start(event)
            view.tell(event)
            trail.tell(event)

        try:
            outcome = session.train(request, observe, stopper.event)
            view.end(outcome)
        finally:
            view.close()
            trail.end(interrupted=stopper.event.is_set())
    if options.debug:
        _explain_end(outcome)
    if outcome.interrupted:
        return INTERRUPTED
    return 1 if outcome.failed else 0


def _say_which_dendrites(start: SessionStart) -> None:
    if start.backend.startswith("perforated"):
        from frustration.engine.perforated.backend import LibraryBackend

        print(f"note: {LibraryBackend(start.backend == 'perforatedbp').said()}", file=sys.stderr)


def _explain_start(start: SessionStart) -> None:
    print(
        f"debug: backend {start.backend} on {start.device}, {start.workers} worker(s), "
        f"{len(start.specs)} trial(s), data digest {start.specs[0].dataset_digest}",
        file=sys.stderr,
    )


def _explain_end(outcome: Outcome) -> None:
    for record in outcome.records:
        print(
            f"debug: {record.spec.id} {record.spec.label} trial {record.spec.trial}: "
            f"{record.seconds:.2f} s of CPU, {record.numerics}",
            file=sys.stderr,
        )


main = command(TrainOptions, _train)
