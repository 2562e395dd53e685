"""probe: robustness, calibration and latency of the networks of a study, measured without training."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

from frustration.commands.arguments import INTERRUPTED, whole
from frustration.commands.options import ONE_STUDY, InResults, argument, command, option, workers
from frustration.errors import InputError
from frustration.probes.settings import DRAWS, MEASURES, NOISE_SHARE, Wanted

if TYPE_CHECKING:
    from frustration.study.store import Store

NAME = "frustration probe"

EXAMPLES = """\
examples:
  frustration probe quickstart                             everything that is missing
  frustration probe quickstart --what knockout             accuracy against the share of hidden units silenced
  frustration probe quickstart --draws 200                 more draws
  frustration probe quickstart --dry-run                   what is missing; nothing is written

Results are in results/NAME/probes; docs/probes.md explains them. Ctrl-C ends cleanly, and the same command
resumes from there."""


class ProbeOptions(InResults):
    """Measure the saved networks of a study under silenced units, noisy weights and corrupted images;
    and their calibration, hidden layers, latency and memory. Nothing is trained."""

    command = NAME
    usage = "STUDY [flags]"
    epilog = EXAMPLES

    study: str | None = argument(ONE_STUDY, None, metavar="STUDY")
    what: tuple[str, ...] = option(f"{', '.join(MEASURES)} (default: all of them)", (), metavar="MEASURE")
    draws: int | None = option(
        f"random draws of knock-outs; weight noise takes 1/{NOISE_SHARE} of them (default: {DRAWS})",
        read=whole(1, 10_000),
        metavar="N",
    )
    images: int | None = option("only the first N test images (default: all)", read=whole(1), metavar="N")
    workers: int | None = workers()
    dry_run: bool = option("list what is missing; write nothing", False)


def _probe(options: ProbeOptions) -> int:
    wanted = Wanted.of(options.what or None, options.draws, options.images)
    from frustration.study.store import Store

    if options.study is None:
        there = ", ".join(sorted(path.parent.name for path in options.results.glob("*/study.toml")))
        known = f"there are {there}" if there else f"{options.results} holds none yet"
        raise InputError(f"name a study, or its folder; {known}")
    store = Store.open(options.study, options.results)
    return _dry_run(store, wanted) if options.dry_run else _watched(options, store, wanted)


def _watched(options: ProbeOptions, store: Store, wanted: Wanted) -> int:
    """The run, with its events shown and signals obeyed."""
    from frustration.probes.events import Event
    from frustration.probes.run import Start, run_probes
    from frustration.runners.stopping import Stopper
    from frustration.terminal.probe import ProbeShow
    from frustration.terminal.view import view_of

    with Stopper() as stopper:
        view = view_of(ProbeShow(store), stopper.event)

        def observe(event: Start | Event) -> None:
            stopper.training_begins()
            view.tell(event)

        try:
            outcome = run_probes(store, wanted, workers=options.workers, emit=observe, stop=stopper.event)
            view.end(outcome)
        finally:
            view.close()
    for sentence in outcome.sentences:
        print(f"{NAME}: {sentence}", file=sys.stderr)
    if outcome.interrupted:
        return INTERRUPTED
    return 1 if outcome.sentences else 0


def _dry_run(store: Store, wanted: Wanted) -> int:
    from frustration.probes.plan import Data, plan

    found = plan(store, wanted, Data())
    print(
        f"{store.root.name}: {len(found.missing):,} networks lack something, {found.done:,} are done; "
        f"nothing is written"
    )
    counts = Counter(measure for one in found.missing for measure in one.measures)
    for measure in wanted.measures:
        if counts[measure]:
            print(f"  {measure}: {counts[measure]:,} networks")
    for note in found.notes:
        print(f"note: {note}")
    for complaint in found.complaints:
        print(f"left out: {complaint}", file=sys.stderr)
    return 1 if found.complaints else 0


main = command(ProbeOptions, _probe)
