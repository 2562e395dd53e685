"""study: run a grid of trials, watch it, verify it, extend it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from frustration.commands import study_flags as flags
from frustration.commands.arguments import NO_VERSION, run
from frustration.commands.options import Options
from frustration.commands.study_preset import PresetOptions, run_preset
from frustration.commands.study_run import plan, watched
from frustration.errors import InputError, did_you_mean
from frustration.terminal.printing import say_all

if TYPE_CHECKING:
    from frustration.study.verify import Check

NAME = "frustration study"


def main(argv: Sequence[str] | None = None) -> int:
    """The command `study`; returns the exit code."""
    return run(NAME, _dispatch, argv)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    name, *rest = arguments
    if name == "--version":
        raise InputError(NO_VERSION)
    if name not in COMMANDS:
        raise InputError(
            f'there is no "study {name}"{did_you_mean(name, COMMANDS)}; there are {", ".join(COMMANDS)}'
        )
    options, act, _ = COMMANDS[name]
    return act(options.read(rest))


def _help() -> str:
    lines = [f"  {name:<9} {about}" for name, (_, _, about) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: frustration study COMMAND ...",
            "",
            "A study is a grid of architectures x modes x trials. Its records are in results/NAME.",
            "",
            *lines,
            "",
            "`frustration study COMMAND --help` explains each of them.",
        ]
    )


def _run(options: flags.RunOptions) -> int:
    study, store = flags.study_and_store(options)
    return plan(options, study, store) if options.dry_run else watched(options, study, store, options.retry)


def _extend(options: flags.ExtendOptions) -> int:
    store = flags.open_store(options)
    study = store.study()
    if options.trials < study.trials:
        raise InputError(f"--trials {options.trials} is less than the {study.trials} that {study.name} has")
    return watched(options, replace(study, trials=options.trials), store)


def _retry(options: flags.RetryOptions) -> int:
    store = flags.open_store(options)
    return watched(options, store.study(), store, retry=True)


def _status(options: flags.StatusOptions) -> int:
    from frustration.commands import study_status
    from frustration.study.store import Store

    if options.live:
        if options.study is None or options.json:
            raise InputError("--live shows one study: give its NAME, and not --json")
        return study_status.look_on(Store.open(options.study, options.results))
    if options.study is None:
        stores = [Store(path.parent) for path in sorted(options.results.glob("*/study.toml"))]
        if not stores and not options.json:
            print(f"{options.results} holds no study yet; `frustration study run` makes one")
    else:
        stores = [Store.open(options.study, options.results)]
    states = [study_status.state(store) for store in stores]
    print(json.dumps(states, indent=2) if options.json else study_status.sentences(states), end="")
    if options.json:
        print()
    return 0


def _show(options: flags.ShowOptions) -> int:
    from frustration.terminal.study_tables import main_table, own_lines

    store = flags.open_store(options)
    study = store.study()
    lines = own_lines(study, store)
    table = main_table(study, store, lines)
    say_all(f"{study.name}: {len(lines):,} of {study.size:,} trials done", "", table)
    say_all("std: over trials, divided by n (ddof 0).")
    return 0


def _verify(options: flags.VerifyOptions) -> int:
    from frustration.report.formatting import apart, change, points
    from frustration.study.verify import verify
    from frustration.terminal.study_tables import complain

    def report(check: Check) -> None:
        print(_verdict(check), flush=True)

    store = flags.open_store(options)
    result = verify(store, options.count, options.seed, options.backend, options.device, report)
    for sentence in result.impossible:
        complain(sentence)
    bad = sum(not check.passed for check in result.checks)
    if bad:
        print(f"{bad} of {len(result.checks)} trials do not give what their records say")
    if not result.checks or bad:
        return 1
    same = sum(check.same_numerics for check in result.checks)
    words = [f"{same} of {len(result.checks)} trials gave the same bits"] if same else []
    if same < len(result.checks):
        other = f"{len(result.checks) - same} began alike under other numerics"
        words.append(
            f"{other} (test {result.metric.name} {change(result.shift, result.metric)})"
            if result.shift is not None
            else other
        )
    print("verified: " + ", ".join(words))
    if result.distribution is not None:
        shift, test = result.distribution
        print(
            f"over {shift.n} trials under other numerics test {result.metric.name} shifted by "
            f"{apart(points(shift.value, 3), result.metric)} "
            f"(95 % interval {shift.low:+.3f} to {shift.high:+.3f}; exact sign flips p = {test.p:.3g})"
        )
    return 0 if result.passed else 1


def _verdict(check: Check) -> str:
    if check.same_numerics:
        said = "the same bits" if check.passed else f"OTHER BITS: {'; '.join(check.differences)}"
        return f"{check.label}: {said}"
    loss = check.first_loss
    apart = "no loss to compare" if loss is None else f"loss of loop 1 apart by {loss:.1e}"
    said = "" if check.passed else " (TOO MUCH)"
    what = "; ".join(check.differences) or "all recorded numbers are equal nevertheless"
    why = "the problem has other code by now" if check.other_code else "other numerics"
    return f"{check.label}: {why}, {apart}{said}; {what}"


def _merge(options: flags.MergeOptions) -> int:
    from frustration.study import manifest
    from frustration.study.merge import merge
    from frustration.study.store import Store

    sources = [Store.open(name, options.results) for name in options.sources]
    target = Store(options.results / options.study)
    for said in filter(None, (manifest.damage(store.root) for store in (target, *sources))):
        print(f"study: {said}", file=sys.stderr)
    done = merge(target, sources)
    print(
        f"{target.root}: {done.copied:,} trials copied, {done.there:,} there already, "
        f"{done.failures:,} failures copied"
    )
    for sentence in done.damaged:
        print(f"study: not copied: {sentence}", file=sys.stderr)
    if done.differing:
        print(
            f"study: {len(done.differing):,} trials have other results than those already there, which stay: "
            f"{', '.join(done.differing[:5])}{', ...' if len(done.differing) > 5 else ''}",
            file=sys.stderr,
        )
    return 1 if done.differing or done.damaged else 0


def _seal(options: flags.SealOptions) -> int:
    from frustration.terminal.study_tables import complain

    store = flags.open_store(options)
    sealed, damaged = store.seal()
    for sentence in damaged:
        complain(sentence)
    print(f"{store.root}: {sealed:,} records were given a digest; {len(damaged):,} are damaged")
    return 1 if damaged else 0


def _export(options: flags.ExportOptions) -> int:
    from frustration.files import make_folder, write_atomically
    from frustration.sinks import csv_text
    from frustration.study.export import best_scores, curve_rows, trial_rows
    from frustration.terminal.study_tables import complain

    store = flags.open_store(options)
    if options.best_scores is not None:
        for path, text in best_scores(store, options.best_scores, complain):
            make_folder(path.parent)
            write_atomically(path, text.encode())
        return 0
    text = csv_text((curve_rows if options.curves else trial_rows)(store, complain))
    if options.output is None:
        print(text, end="")
    else:
        write_atomically(options.output, text.encode())
    return 0


def _presets(options: flags.PresetsOptions) -> int:
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
    print("\n`frustration study presets NAME` prints one; add `> mine.toml` to start your own.")
    return 0


COMMANDS: dict[str, tuple[type[Options], Callable[[Any], int], str]] = {
    "run": (flags.RunOptions, _run, "run the missing trials of a study (default: the preset quickstart)"),
    "status": (flags.StatusOptions, _status, "progress of a study, from any terminal"),
    "show": (flags.ShowOptions, _show, "its table: one row per cell of the grid"),
    "verify": (flags.VerifyOptions, _verify, "repeat a sample of its trials and compare bit for bit"),
    "extend": (flags.ExtendOptions, _extend, "more trials"),
    "retry": (flags.RetryOptions, _retry, "run failed trials again"),
    "merge": (flags.MergeOptions, _merge, "merge the trials of several folders"),
    "seal": (flags.SealOptions, _seal, "add digests to records of older versions"),
    "export": (flags.ExportOptions, _export, "all trials, or all their curves, as CSV"),
    "preset": (
        PresetOptions,
        run_preset,
        "run one of the studies that come with the package; abc for any two architectures",
    ),
    "presets": (flags.PresetsOptions, _presets, "the studies that come with the package"),
}
"""Name -> (options, what is done with them, summary)."""
