"""study: run a whole grid of trials, look at it, verify it, add to it."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from frustration.commands import study_flags as flags
from frustration.commands.arguments import INTERRUPTED, nearest, run
from frustration.commands.views import say_all
from frustration.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from frustration.runners.work import Engine
    from frustration.study.definition import Study
    from frustration.study.estimate import Estimate
    from frustration.study.run import Prepared, StudyOutcome
    from frustration.study.store import Store
    from frustration.study.verify import Check

NAME = "study"


def main(argv: Sequence[str] | None = None) -> int:
    """The command `study`; returns the exit code."""
    return run(NAME, _dispatch, argv)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        raise InputError(
            f'there is no "study {name}"{nearest(name, COMMANDS)}; there are {", ".join(COMMANDS)}'
        )
    return COMMANDS[name][0](rest)


def _help() -> str:
    lines = [f"  {name:<9} {about}" for name, (_, about) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: study COMMAND ...",
            "",
            "A study is a grid of architectures x modes x trials. Its records lie in results/NAME.",
            "",
            *lines,
            "",
            "`study COMMAND --help` explains each of them.",
        ]
    )


def _run(arguments: list[str]) -> int:
    options = flags.run_parser().read(arguments)
    study, store = flags.study_and_store(options)
    return _plan(options, study, store) if options.dry_run else _watched(options, study, store, options.retry)


def _extend(arguments: list[str]) -> int:
    from dataclasses import replace

    options = flags.extend_parser().read(arguments)
    store = flags.open_store(options)
    study = store.study()
    if options.trials < study.trials:
        raise InputError(f"--trials {options.trials} is less than the {study.trials} that {study.name} has")
    return _watched(options, replace(study, trials=options.trials), store)


def _retry(arguments: list[str]) -> int:
    options = flags.retry_parser().read(arguments)
    store = flags.open_store(options)
    return _watched(options, store.study(), store, retry=True)


def _watched(options: argparse.Namespace, study: Study, store: Store, retry: bool = False) -> int:
    """The run, with its events shown and signals obeyed."""
    from frustration.commands.stopping import Stopper

    with Stopper() as stopper:
        from frustration.commands.study_views import view_for
        from frustration.study.run import StudyEvent, prepare, run_study
        from frustration.trackers import Trail

        store.check(study)
        engine = _engine(options)
        trail = Trail(options.tracker, store.root)
        prepared = prepare(study, options.backend, options.device)
        _warn(prepared, to_stderr=options.json)
        estimate = None if options.no_estimate else _estimate(prepared, options, store, lazily=True)
        if estimate:
            _say_estimate(estimate, to_stderr=options.json)
        view = view_for(options.json, store, estimate.by_trial() if estimate else {}, stopper.event)

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
    if not options.json:
        say_all(*_summary(study, store, outcome))
    if outcome.interrupted:
        return INTERRUPTED
    return 1 if outcome.failed else 0


def _summary(study: Study, store: Store, outcome: StudyOutcome) -> Iterator[RenderableType]:
    """The main table, what to beware of, and where everything lies."""
    from frustration.commands.study_tables import last_line, main_table
    from frustration.report import report_line

    yield ""
    yield main_table(study, store)
    yield "std: over trials, divided by n (ddof 0)."
    if outcome.failed:
        causes = sorted({last_line(failure["traceback"]) for failure in store.failures()})
        yield (
            f"{outcome.failed:,} trials failed ({'; '.join(causes[:3])}); "
            f"`study retry {study.name}` runs them again"
        )
    if outcome.interrupted:
        yield (
            f"interrupted: {outcome.done:,} of {outcome.total:,} trials are done; those under way are kept "
            f"and go on where they were when the same command is given again"
        )
    yield f"records: {store.root / 'trials'} ({outcome.done:,} of {outcome.total:,} trials)"
    if not outcome.interrupted:
        yield report_line(store.root)


def _warn(prepared: Prepared, to_stderr: bool) -> None:
    """Where there are too few loops for growth."""
    from frustration.dendrites.outlook import outlooks

    for warning in outlooks(prepared.specs):
        print(f"warning: {warning}", file=sys.stderr if to_stderr else sys.stdout, flush=True)


def _engine(options: argparse.Namespace) -> Engine:
    from frustration.runners.engines import engine_named

    return engine_named(options.engine, options.address, options.device or "cpu")


def _plan(options: argparse.Namespace, study: Study, store: Store) -> int:
    """`--dry-run`."""
    from frustration.commands.study_tables import plan_table
    from frustration.runners.work import Priced
    from frustration.study.run import prepare

    store.check(study)
    engine = _engine(options)
    prepared = prepare(study, options.backend, options.device)
    _warn(prepared, to_stderr=options.json)
    missing = len({spec.id for spec in prepared.specs} - store.ids()[0])
    if not options.json:
        say_all(
            f"{study.name}: {study.size:,} trials ({len(study.architectures)} architectures, "
            f"{len(study.modes)} modes), {study.size - missing:,} done; nothing is written"
        )
    estimate = None if options.no_estimate else _estimate(prepared, options, store, lazily=False)
    if estimate is None:
        say_all(*(f"  {architecture}" for architecture in study.architectures))
        return 0
    money = engine.money(estimate.core_seconds) if isinstance(engine, Priced) else None
    if options.json:
        usd = {"usd": round(money.usd, 2)} if money else {}
        print(json.dumps({"trials": missing, "seconds": estimate.by_architecture(), **usd}))
    else:
        say_all(plan_table(study, estimate))
        _say_estimate(estimate)
        say_all(*([f"money: about {money.usd:,.2f} USD ({money.basis})"] if money else []))
    return 0


def _estimate(prepared: Prepared, options: argparse.Namespace, store: Store, lazily: bool) -> Estimate | None:
    """What the missing trials cost; `lazily`: only if measuring takes little of the time they take."""
    from frustration.engine.backends import backend_named
    from frustration.engine.group import Layout
    from frustration.runners.local import default_workers
    from frustration.study.estimate import estimate, worth_measuring

    done, failed = store.ids()
    gone = done | failed
    parts = [
        Layout(layout.runs, {slot: one for slot, one in layout.members.items() if one.spec.id not in gone})
        for layout in prepared.layouts
    ]
    missing = [layout for layout in parts if layout.members]
    if not missing or (lazily and not worth_measuring(missing, prepared.data)):
        return None
    shown = sys.stderr.isatty()

    def progress(number: int, total: int) -> None:
        if shown:
            print(f"\rmeasuring {number}/{total}" + " " * 10, end="", file=sys.stderr, flush=True)

    try:
        return estimate(
            missing,
            prepared.data,
            backend_named(prepared.backend, prepared.device),
            min(options.threads or default_workers(), len(missing)),
            prepared.study.networks,
            progress,
        )
    finally:
        if shown:
            print("\r" + " " * 40 + "\r", end="", file=sys.stderr, flush=True)


def _say_estimate(estimate: Estimate, to_stderr: bool = False) -> None:
    from frustration.commands.study_tables import estimate_line

    print(estimate_line(estimate), file=sys.stderr if to_stderr else sys.stdout, flush=True)


def _status(arguments: list[str]) -> int:
    options = flags.status_parser().read(arguments)
    from frustration.commands import study_status
    from frustration.study.store import Store

    if options.live:
        if options.study is None or options.json:
            raise InputError("--live shows one study: give its NAME, and not --json")
        return study_status.look_on(flags.open_store(options))
    if options.study is None:
        stores = [Store(path.parent) for path in sorted(options.results.glob("*/study.toml"))]
        if not stores and not options.json:
            print(f"{options.results} holds no study yet; `study run` makes one")
    else:
        stores = [flags.open_store(options)]
    states = [study_status.state(store) for store in stores]
    print(json.dumps(states, indent=2) if options.json else study_status.sentences(states), end="")
    if options.json:
        print()
    return 0


def _show(arguments: list[str]) -> int:
    options = flags.show_parser().read(arguments)
    from frustration.commands.study_tables import main_table

    store = flags.open_store(options)
    study = store.study()
    finished, _ = store.ids()
    say_all(f"{study.name}: {len(finished):,} of {study.size:,} trials done", "", main_table(study, store))
    say_all("std: over trials, divided by n (ddof 0).")
    return 0


def _verify(arguments: list[str]) -> int:
    options = flags.verify_parser().read(arguments)
    from frustration.study.verify import verify

    def report(check: Check) -> None:
        print(_verdict(check), flush=True)

    store = flags.open_store(options)
    result = verify(store, options.count, options.seed, options.backend, options.device, report)
    bad = sum(not check.passed for check in result.checks)
    if bad:
        print(f"{bad} of {len(result.checks)} trials do not give what their records say")
        return 1
    same = sum(check.same_numerics for check in result.checks)
    words = [f"{same} of {len(result.checks)} trials gave the same bits"] if same else []
    if same < len(result.checks):
        other = f"{len(result.checks) - same} began alike under other numerics"
        words.append(
            f"{other} (test accuracy {result.shift:+.2f} points)" if result.shift is not None else other
        )
    print("verified: " + ", ".join(words))
    if result.distribution is not None:
        shift, test = result.distribution
        print(
            f"over {shift.n} trials under other numerics test accuracy shifted by {shift.value:+.3f} points "
            f"(95 % interval {shift.low:+.3f} to {shift.high:+.3f}; exact sign flips p = {test.p:.3g})"
        )
    return 0


def _verdict(check: Check) -> str:
    if check.same_numerics:
        said = "the same bits" if check.passed else f"OTHER BITS: {'; '.join(check.differences)}"
        return f"{check.label}: {said}"
    loss = check.first_loss
    apart = "no loss to compare" if loss is None else f"loss of loop 1 apart by {loss:.1e}"
    said = "" if check.passed else " (TOO MUCH)"
    what = "; ".join(check.differences) or "all recorded numbers are equal nevertheless"
    return f"{check.label}: other numerics, {apart}{said}; {what}"


def _merge(arguments: list[str]) -> int:
    options = flags.merge_parser().read(arguments)
    from frustration.study.merge import merge
    from frustration.study.store import Store

    sources = [Store.open(name, options.results) for name in options.sources]
    target = Store(options.results / options.study)
    done = merge(target, sources)
    print(
        f"{target.root}: {done.copied:,} trials copied, {done.there:,} there already, "
        f"{done.failures:,} failures copied"
    )
    if done.differing:
        print(
            f"study: {len(done.differing):,} trials have other results than those already there, which stay: "
            f"{', '.join(done.differing[:5])}{', ...' if len(done.differing) > 5 else ''}",
            file=sys.stderr,
        )
        return 1
    return 0


AXES = ("architecture", "mode", "trial", "dataset", "train_fraction", "learning_rate", "seed")
CURVE = ("loop", "loss", "before", "damaged", "accuracy", "accepted", "new_bounty", "adopted", "diverged")


def _export(arguments: list[str]) -> int:
    options = flags.export_parser().read(arguments)
    from frustration.files import write_atomically

    store = flags.open_store(options)
    rows = _curve_rows(store) if options.curves else _trial_rows(store)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(rows)
    if options.output is None:
        print(text.getvalue(), end="")
    else:
        write_atomically(options.output, text.getvalue().encode())
    return 0


def _trial_rows(store: Store) -> Iterator[Sequence[Any]]:
    lines = store.summaries()
    for number, line in enumerate(lines):
        if number == 0:
            yield list(line)
        yield ["+".join(value) if isinstance(value, list) else value for value in line.values()]


def _curve_rows(store: Store) -> Iterator[Sequence[Any]]:
    yield ["id", *AXES, *CURVE]
    for record in store.records():
        spec = record.spec
        axes = (spec.dataset, spec.train_fraction, spec.learning_rate, spec.seed)
        who = [spec.id, str(spec.architecture), spec.label, spec.trial, *axes]
        for entry in record.curve:
            yield [*who, *(getattr(entry, name) for name in CURVE)]


def _preset(arguments: list[str]) -> int:
    from frustration.commands.study_preset import run_preset

    return run_preset(arguments, _watched)


def _presets(arguments: list[str]) -> int:
    options = flags.presets_parser().read(arguments)
    from frustration.study.presets import preset, preset_names, preset_text

    if options.name:
        print(preset_text(options.name), end="")
        return 0
    for name in preset_names():
        study = preset(name)
        print(
            f"{name:<12} {len(study.architectures)} architectures x {len(study.modes)} modes x "
            f"{study.trials} trials, {study.meta_loops} loops: {study.size:,} trials"
        )
    print("\n`study presets NAME` prints one; with `> mine.toml` behind it, that begins one of your own.")
    return 0


COMMANDS: dict[str, tuple[Callable[[list[str]], int], str]] = {
    "run": (_run, "run what a study is missing; the preset quickstart, if none is named"),
    "status": (_status, "how far a study is, from this terminal or another"),
    "show": (_show, "its table: one row for every cell of the grid"),
    "verify": (_verify, "run a sample of its trials again and compare bit for bit"),
    "extend": (_extend, "more trials"),
    "retry": (_retry, "run again what has failed"),
    "merge": (_merge, "put the trials of several folders into one"),
    "export": (_export, "all trials, or all their curves, as CSV"),
    "preset": (_preset, "run one of the studies that come with the package; abc for any two architectures"),
    "presets": (_presets, "the studies that come with the package"),
}


if __name__ == "__main__":
    sys.exit(main())
