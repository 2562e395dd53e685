"""sagemaker-status: where a study in the cloud stands; in a terminal it goes on looking."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from frustration.commands.arguments import Parser, real, run
from frustration.commands.printing import in_terminal
from frustration.commands.sagemaker_flags import (
    add_common,
    add_place,
    place_and_plan,
    say_remarks,
    settings_of,
)

if TYPE_CHECKING:
    from frustration.cloud.status import PackState, Snapshot, Watch

NAME = "sagemaker-status"
ROWS = 20

MORE = """\
In a terminal the view is drawn anew until everything has ended, or Ctrl-C; jobs are not touched by that.
In a pipe it is printed once; with --watch, a line whenever something has changed.

Finished trials are those in archives and among checkpoints. Exit code 0: everything is done, or runs;
1: something has failed, was stopped, or has lost its archive (sagemaker-launch STUDY launches it again).

examples:
  sagemaker-status
  sagemaker-status paper-98 --watch 60 | tee progress.txt
  sagemaker-status paper-98 --json"""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    return run(NAME, lambda arguments: _status(_parser().read(arguments)), argv)


def _parser() -> Parser:
    result = Parser(NAME, "Show where a study in the cloud stands.", more=lambda: MORE)
    result.add_argument("study", nargs="?", metavar="STUDY", help="default: the only one there is")
    result.add_argument(
        "--watch", type=real(0, above=True), metavar="SECONDS", help="look again after so long (terminal: 15)"
    )
    result.add_argument("--once", action="store_true", help="look once, also in a terminal")
    result.add_argument("--json", action="store_true", help="print JSON; with --watch, an object a line")
    add_place(result)
    add_common(result)
    return result


def _status(options: argparse.Namespace) -> int:
    from frustration.cloud.clients import client
    from frustration.cloud.status import Watch

    settings = settings_of(options)
    s3, sagemaker = client(settings, "s3"), client(settings, "sagemaker")
    say_remarks(s3, settings)
    place, plan = place_and_plan(s3, settings, options.study)
    watch = Watch(s3=s3, sagemaker=sagemaker, place=place, plan=plan)
    live = in_terminal()
    if options.once or (not live and options.watch is None):
        snapshot = watch.look()
        print(json.dumps(snapshot.to_dict(), indent=1) if options.json else "\n".join(lines_of(snapshot)))
    elif live and not options.json:
        snapshot = _draw(watch, options.watch or 15.0)
    else:
        snapshot = _print_changes(watch, options.watch or 15.0, options.json)
    return 1 if snapshot.broken else 0


def _draw(watch: Watch, seconds: float) -> Snapshot:
    """Redraw until nothing runs any more."""
    from rich.live import Live
    from rich.text import Text

    from frustration.sinks import console

    out = console()
    snapshot = watch.look()
    with Live(console=out, auto_refresh=False) as live:
        while True:
            room = max(3, out.size.height - 8)
            live.update(Text("\n".join(lines_of(snapshot, room)), no_wrap=True), refresh=True)
            if not snapshot.running:
                return snapshot
            time.sleep(seconds)
            snapshot = watch.look()


def _print_changes(watch: Watch, seconds: float, as_json: bool) -> Snapshot:
    told: Any = None
    while True:
        snapshot = watch.look()
        state = {**snapshot.to_dict(), "as_of": None}
        if state != told:
            told = state
            line = (
                json.dumps(snapshot.to_dict()) if as_json else f"{snapshot.now:%F %T}Z  {_headline(snapshot)}"
            )
            print(line, flush=True)
        if not snapshot.running:
            return snapshot
        time.sleep(seconds)


def lines_of(snapshot: Snapshot, rows: int = ROWS) -> list[str]:
    """The whole view as text."""
    from tabulate import tabulate

    lines = [_headline(snapshot)]
    if running := snapshot.running:
        table = [_row(pack, snapshot) for pack in running[:rows]]
        heads = ["job", "phase", "since", "planned", "trials", "interrupted"]
        lines += ["", *tabulate(table, heads, disable_numparse=True).splitlines()]
        if len(running) > rows:
            lines.append(f"and {len(running) - rows:,} more")
    if broken := snapshot.broken:
        lines.append("")
        for pack in broken[:rows]:
            why = f": {pack.reason}" if pack.reason else ""
            lines.append(f"{pack.state}: {pack.job} (attempt {pack.attempts}){why}")
        if len(broken) > rows:
            lines.append(f"and {len(broken) - rows:,} more")
        lines.append(f"sagemaker-launch {snapshot.study} launches these again")
    if snapshot.complete:
        lines.append(f"all is done; sagemaker-results-parser {snapshot.study} brings it home")
    return lines


def _headline(snapshot: Snapshot) -> str:
    counts = ", ".join(f"{count:,} {state}" for state, count in snapshot.counts.items())
    share = 100 * snapshot.finished / snapshot.trials if snapshot.trials else 0
    return (
        f"{snapshot.study}: {snapshot.finished:,} of {snapshot.trials:,} trials finished ({share:.0f} %); "
        f"packs: {counts}"
    )


def _row(pack: PackState, snapshot: Snapshot) -> list[str]:
    from frustration.commands.progress.meter import clock_face

    facts = pack.facts
    return [
        pack.job,
        facts.phase if facts else "-",
        clock_face(pack.elapsed(snapshot.now)),
        clock_face(pack.planned_seconds),
        f"{pack.finished:,}/{pack.trials:,}",
        str(facts.interruptions) if facts else "-",
    ]
