"""perforate and ablate: edit a training script for dendrites or ablation, and help where it fails."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frustration.commands.arguments import Parser, run, whole
from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.integration.steps import Report
    from frustration.integration.targets import Intervention, Wishes

NAME = "perforate"

EXAMPLES = """\
examples:
  frustration perforate train.py                        what is done, missing or wrong; nothing is written
  frustration perforate train.py --diff                 the edit
  frustration perforate train.py --write                makes it
  frustration perforate train.py --metric val_loss --better lower
  frustration perforate train.py --real --write         after the library's test of four epochs: a real run

other commands:
  frustration perforate debug SCRIPT --log FILE         from a traceback or a log to the cause and the edit
  frustration perforate repair SCRIPT                   names of older versions become those of 3.2.9
  frustration perforate dry-run SCRIPT                  runs it to its first gradients, and measures
  frustration perforate analyze FOLDER                  what each dendrite gave and cost
  frustration perforate scoreboard FOLDER               steps right, wrong and undecided over many scripts

The script is read, never imported or run (except by dry-run). docs/doctor.md explains every step."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command `perforate`; returns the exit code."""
    return run(NAME, _dispatch, argv)


def ablate(argv: Sequence[str] | None = None) -> int:
    """The command `ablate`; returns the exit code."""
    return run("ablate", lambda arguments: _check(arguments, "ablate"), argv)


def _dispatch(arguments: list[str]) -> int:
    if arguments and arguments[0] in VERBS:
        return VERBS[arguments[0]](arguments[1:])
    return _check(arguments, "perforate")


def parser(intervention: Intervention) -> Parser:
    what = "dendrites" if intervention == "perforate" else "ablation with a ratchet"
    result = Parser(
        intervention,
        f"Say what a training script needs for {what}, step by step, with line and reason; show or make the "
        f"edit.",
        more=lambda: EXAMPLES if intervention == "perforate" else "",
    )
    result.usage = f"{intervention} SCRIPT [--diff | --write] [flags]"
    result.add_argument("script", nargs="?", type=Path, metavar="SCRIPT", help="a Python file that trains")
    shown = result.add_mutually_exclusive_group()
    shown.add_argument("--diff", action="store_true", help="show the edit; write nothing")
    shown.add_argument("--write", action="store_true", help="make the edit; a backup, where git has none")
    result.add_argument("--force", action="store_true", help="write although git shows changes in the file")
    result.add_argument("--json", action="store_true", help="the steps as JSON")
    if intervention == "perforate":
        result.add_argument(
            "--with",
            dest="target",
            choices=("perforatedai", "frustration"),
            default="perforatedai",
            metavar="LIBRARY",
            help="perforatedai 3.2.9, or frustration: our own Growth (default: perforatedai)",
        )
        result.add_argument(
            "--goal",
            choices=("score", "efficiency"),
            default="score",
            help="efficiency: first a smaller one",
        )
        result.add_argument("--real", action="store_true", help="not the library's test of four epochs")
        result.add_argument(
            "--output-dimensions", metavar="DIMS", help="the axis of the neurons, as in -1,0,-1,-1 or -1,-1,0"
        )
        result.add_argument("--layers", metavar="PATHS", help="only these layers, as in .fc,.layer4.1.conv2")
        result.add_argument("--save-name", metavar="NAME", help="the library's folder")
    else:
        result.add_argument("--mode", default="hidden", help="the mode of damage (default: hidden)")
    result.add_argument("--metric", default="", metavar="NAME", help="the score: val_loss, metrics['f1']")
    result.add_argument("--better", choices=("higher", "lower"), help="which score is the better one")
    result.add_argument("--model-variable", default="", metavar="NAME", help="the network: net, self.model")
    result.add_argument("--optimizer-variable", default="", metavar="NAME", help="its optimizer")
    result.add_argument("--debug", action="store_true", help="errors with a traceback")
    return result


def _check(arguments: list[str], intervention: Intervention) -> int:
    options = parser(intervention).read(arguments)
    if options.script is None:
        raise InputError(f"name the script: {intervention} SCRIPT; see {intervention} --help")
    from frustration.integration.examine import examine

    report = examine(options.script, _wishes(options, intervention))
    if options.json:
        print(json.dumps(report.as_json(), indent=2))
    elif options.diff:
        _show_diff(report)
    elif not options.write:
        from frustration.integration.writing import text

        print(text(report))
    if getattr(options, "goal", "") == "efficiency" and not options.json:
        from frustration.integration.efficiency import advice

        print(advice(options.script))
    return _write(options, report) if options.write else 0


def _wishes(options: argparse.Namespace, intervention: Intervention) -> Wishes:
    from frustration.integration.targets import Wishes

    chosen = {
        "intervention": intervention,
        "target": "frustration" if intervention == "ablate" else options.target,
        "metric": options.metric,
        "better": None if options.better is None else options.better == "higher",
        "model": options.model_variable,
        "optimizer": options.optimizer_variable,
    }
    if intervention == "ablate":
        return Wishes(**chosen, mode=options.mode)
    return Wishes(
        **chosen,
        dimensions=_dimensions(options.output_dimensions),
        layers=_layers(options.layers),
        save_name=options.save_name or "",
        real=options.real,
    )


def _dimensions(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    words = text.strip("[] ").split(",")
    try:
        found = tuple(int(word) for word in words)
    except ValueError:
        found = ()
    if found.count(0) != 1 or set(found) - {0, -1}:
        raise InputError(f"--output-dimensions {text} is not a list of -1 with one 0, as in -1,0,-1,-1")
    return found


def _layers(text: str | None) -> tuple[str, ...]:
    paths = tuple(path.strip() for path in text.split(",")) if text else ()
    for path in paths:
        if not path.startswith("."):
            raise InputError(f"--layers {path}: the library's paths begin with a dot: .{path}")
    return paths


def _show_diff(report: Report) -> None:
    from frustration.integration.writing import diff, proposal, text

    if report.refused:
        print(text(report))
    elif report.undecided:
        print(f"{report.script}: shown and not made, for something has to be decided first")
        print(proposal(report))
    else:
        print(diff(report) or f"{report.script}: nothing to edit")


def _write(options: argparse.Namespace, report: Report) -> int:
    from frustration.integration.writing import write

    if report.refused:
        raise InputError(f"{options.script}: {report.refused}")
    if report.undecided:
        wanted = "; ".join(f"{step.reason} [{step.option}]" for step in report.undecided)
        raise InputError(f"{options.script} is left as it is until this is decided: {wanted}")
    if not report.changed:
        print(f"{options.script}: nothing to edit")
        return 0
    backup = write(options.script, report.after, options.force)
    kept = f"; as it was: {backup}" if backup else "; as it was: in git"
    print(f"{options.script}: {sum(step.action == 'edit' for step in report.steps)} edits written{kept}")
    for step in report.steps:
        if step.action == "hand":
            print(f"  by hand: {step.name}{f', line {step.line}' if step.line else ''}: {step.reason}")
    return 0


def _parser(verb: str, about: str, usage: str) -> Parser:
    result = Parser(f"{NAME} {verb}", about)
    result.usage = f"{NAME} {verb} {usage}"
    result.add_argument("--json", action="store_true", help="the same as JSON")
    result.add_argument("--debug", action="store_true", help="errors with a traceback")
    return result


def _debug(arguments: list[str]) -> int:
    parser = _parser("debug", "From a traceback or a log to the cause and the edit.", "SCRIPT [--log FILE]")
    parser.add_argument("script", type=Path, metavar="SCRIPT", help="the script that failed or did not grow")
    parser.add_argument("--log", type=Path, metavar="FILE", help="what it printed; - reads standard input")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="the library's folder of results")
    options = parser.read(arguments)
    from dataclasses import asdict

    from frustration.integration.debug import debug, read_log, text

    log = ""
    if options.log is not None:
        log = sys.stdin.read() if str(options.log) == "-" else read_log(options.log)
    found = debug(options.script, log, options.results)
    if options.json:
        causes = [asdict(cause) for cause in found.causes]
        steps = [step.as_json() for step in found.steps]
        said = {"place": found.place, "causes": causes, "growth": found.growth, "steps": steps}
        print(json.dumps(said, indent=2))
    else:
        print(text(found))
    return 0


def _repair(arguments: list[str]) -> int:
    parser = _parser("repair", "Old names become those of perforatedai 3.2.9.", "SCRIPT [--diff | --write]")
    parser.add_argument("script", type=Path, metavar="SCRIPT", help="a script with an old integration")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--diff", action="store_true", help="show the edit; write nothing")
    shown.add_argument("--write", action="store_true", help="make the edit; a backup, where git has none")
    parser.add_argument("--force", action="store_true", help="write although git shows changes in the file")
    options = parser.read(arguments)
    from frustration.integration.repair import repair
    from frustration.integration.writing import unified, write

    found = repair(options.script)
    if options.json:
        left = [step.as_json() for step in found.left]
        print(json.dumps({"done": found.done, "left": left}, indent=2))
    elif options.diff:
        print(unified(str(options.script), found.before, found.after) or "nothing to repair")
    else:
        print("\n".join(found.done) or "nothing to repair")
        for step in found.left:
            print(f"left, line {step.line}: {step.reason}")
    if options.write and found.after != found.before:
        backup = write(options.script, found.after, options.force)
        print(f"{options.script}: written{f'; as it was: {backup}' if backup else ''}")
    return 0


def _analyze(arguments: list[str]) -> int:
    parser = _parser(
        "analyze", "What each dendrite gave and cost, and what to change.", "FOLDER [--control FOLDER]"
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="one run, or a folder of runs (seeds)")
    parser.add_argument("--control", type=Path, metavar="FOLDER", help="runs of an ordinary wider network")
    parser.add_argument("--graph", type=Path, metavar="FILE", help="draw four panels as PNG")
    options = parser.read(arguments)
    from frustration.integration.analyze import HEADER, analyze

    found = analyze(options.folder, options.control)
    if options.graph is not None:
        from frustration.integration.graph import draw

        draw(found.runs, options.graph)
    if options.json:
        rows = [dict(zip(HEADER, row, strict=True)) for row in found.rows]
        print(json.dumps({"rows": rows, "sentences": found.sentences, "advice": found.advice}, indent=2))
        return 0
    from tabulate import tabulate

    print(tabulate(found.rows, HEADER, disable_numparse=True))
    for sentence in found.sentences:
        print(f"- {sentence}")
    for advice in found.advice:
        print(f"advice: {advice}")
    return 0


def _dry_run(arguments: list[str]) -> int:
    own, extra = arguments, []
    if "--" in arguments:
        place = arguments.index("--")
        own, extra = arguments[:place], arguments[place + 1 :]
    parser = _parser(
        "dry-run",
        "Run a script up to its first gradients, in a child process, and measure its layers.",
        "SCRIPT|PROBLEM [-- ITS ARGUMENTS]",
    )
    parser.add_argument("script", metavar="SCRIPT", help="it is RUN; or a problem, as in my_file.py:Digits")
    parser.add_argument(
        "--seconds", type=whole(1), default=600, metavar="N", help="give up after (default: 600)"
    )
    parser.add_argument("--network", default="model", metavar="NAME", help="the network's name in the lines")
    options = parser.read(own)
    from dataclasses import asdict

    from frustration.integration.dry_run import configuration, dry_run

    if not Path(options.script.partition(":")[0]).is_file() and ":" not in options.script:
        raise InputError(f"{options.script} is no file, and no problem as in my_file.py:Digits")
    layers = dry_run(options.script, extra, options.seconds)
    lines = configuration(layers, options.network)
    if options.json:
        print(json.dumps({"layers": [asdict(layer) for layer in layers], "configuration": lines}, indent=2))
        return 0
    for layer in layers:
        axes = "x".join(map(str, layer.axes)) or "-"
        print(f"  {layer.path:<40} {layer.kind:<8} axes {axes:<4} {layer.excluded or 'can get dendrites'}")
    print("\n".join(["", *lines]))
    return 0


def _scoreboard(arguments: list[str]) -> int:
    parser = _parser("scoreboard", "Steps right, wrong and undecided over many scripts.", "FOLDER")
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="scripts, each with NAME.expected.json or not"
    )
    options = parser.read(arguments)
    from tabulate import tabulate

    from frustration.integration.scoreboard import as_json, scoreboard
    from frustration.integration.targets import Wishes

    rows, summary = scoreboard(options.folder, Wishes())
    if options.json:
        print(json.dumps({"scripts": as_json(rows), "summary": summary}, indent=2))
    else:
        print(tabulate([list(row.values()) for row in as_json(rows)], list(as_json(rows)[0]) if rows else []))
        print(summary)
    return 1 if any(row.wrong for row in rows) else 0


VERBS: dict[str, Callable[[list[str]], int]] = {
    "debug": _debug,
    "repair": _repair,
    "analyze": _analyze,
    "dry-run": _dry_run,
    "scoreboard": _scoreboard,
}


if __name__ == "__main__":
    sys.exit(main())
