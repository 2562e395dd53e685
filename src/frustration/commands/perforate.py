"""perforate and ablate: edit a training script for dendrites or ablation, and help where it fails."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frustration.commands.arguments import run, whole
from frustration.commands.options import Options, argument, command, option
from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.integration.steps import Report
    from frustration.integration.targets import TargetName, Wishes

NAME = "frustration perforate"

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


def _dispatch(arguments: list[str]) -> int:
    if arguments and arguments[0] in VERBS:
        return VERBS[arguments[0]](arguments[1:])
    return _check(PerforateOptions.read(arguments))


class AsJson(Options):
    json: bool = option("the same as JSON", False)

    def say(self, content: Any, *lines: str) -> None:
        """Print `content` as JSON with --json, else the lines."""
        print(json.dumps(content, indent=2) if self.json else "\n".join(lines))


class Edit(Options):
    heading = "what is done with the edit"

    diff: bool = option("show the edit; write nothing", False, either="shown")
    write: bool = option("make the edit; a backup, where git has none", False, either="shown")
    force: bool = option("write although git shows changes in the file", False)


class ScriptOptions(Edit):
    """A script, and the names in it that matter."""

    usage = "SCRIPT [--diff | --write] [flags]"

    script: Path | None = argument("a Python file that trains", None, read=Path, metavar="SCRIPT")
    json: bool = option("the steps as JSON", False)
    metric: str = option("the score: val_loss, metrics['f1']", "", metavar="NAME")
    better: str | None = option("which score is the better one", choices=("higher", "lower"))
    model_variable: str = option("the network: net, self.model", "", metavar="NAME")
    optimizer_variable: str = option("its optimizer", "", metavar="NAME")


class PerforateOptions(ScriptOptions):
    """Say what a training script needs for dendrites, step by step, with line and reason; show or make the
    edit."""

    command = NAME
    epilog = EXAMPLES

    target: TargetName = option(
        "perforatedai 3.2.9, or frustration: our own Growth (default: perforatedai)",
        "perforatedai",
        flag="--with",
        choices=("perforatedai", "frustration"),
        metavar="LIBRARY",
    )
    goal: str = option("efficiency: first a smaller one", "score", choices=("score", "efficiency"))
    real: bool = option("not the library's test of four epochs", False)
    output_dimensions: str | None = option(
        "the axis of the neurons, as in -1,0,-1,-1 or -1,-1,0", metavar="DIMS"
    )
    layers: str | None = option("only these layers, as in .fc,.layer4.1.conv2", metavar="PATHS")
    save_name: str | None = option("the library's folder", metavar="NAME")


class AblateOptions(ScriptOptions):
    """Say what a training script needs for ablation with a ratchet, step by step, with line and reason; show
    or make the edit."""

    command = "frustration ablate"

    mode: str = option("the mode of damage (default: hidden)", "hidden")


def _check(options: PerforateOptions | AblateOptions) -> int:
    if options.script is None:
        raise InputError(f"name the script: {options.command} SCRIPT; see {options.command} --help")
    from frustration.integration.examine import examine

    report = examine(options.script, _wishes(options))
    if options.json:
        print(json.dumps(report.as_json(), indent=2))
    elif options.diff:
        _show_diff(report)
    elif not options.write:
        from frustration.integration.writing import text

        print(text(report))
    if isinstance(options, PerforateOptions) and options.goal == "efficiency" and not options.json:
        from frustration.integration.efficiency import advice

        print(advice(options.script))
    return _write(options.script, options.force, report) if options.write else 0


def _wishes(options: PerforateOptions | AblateOptions) -> Wishes:
    from frustration.integration.targets import Wishes

    chosen = Wishes(
        metric=options.metric,
        better=None if options.better is None else options.better == "higher",
        model=options.model_variable,
        optimizer=options.optimizer_variable,
    )
    if isinstance(options, AblateOptions):
        return replace(chosen, intervention="ablate", target="frustration", mode=options.mode)
    return replace(
        chosen,
        target=options.target,
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


def _write(script: Path, force: bool, report: Report) -> int:
    from frustration.integration.writing import write

    if report.refused:
        raise InputError(f"{script}: {report.refused}")
    if report.undecided:
        wanted = "; ".join(f"{step.reason} [{step.option}]" for step in report.undecided)
        raise InputError(f"{script} is left as it is until this is decided: {wanted}")
    if not report.changed:
        print(f"{script}: nothing to edit")
        return 0
    backup = write(script, report.after, force)
    kept = f"; as it was: {backup}" if backup else "; as it was: in git"
    print(f"{script}: {sum(step.action == 'edit' for step in report.steps)} edits written{kept}")
    for step in report.steps:
        if step.action in ("hand", "look"):
            place = f", {step.place}" if step.place else ""
            said = "by hand" if step.action == "hand" else "not understood"
            print(f"  {said}: {step.name}{place}: {step.reason}")
    return 0


class DebugOptions(AsJson):
    """From a traceback or a log to the cause and the edit."""

    command = f"{NAME} debug"
    usage = "SCRIPT [--log FILE]"

    script: Path = argument("the script that failed or did not grow", read=Path, metavar="SCRIPT")
    log: Path | None = option("what it printed; - reads standard input", read=Path, metavar="FILE")
    results: Path | None = option("the library's folder of results", read=Path, metavar="FOLDER")


def _debug(options: DebugOptions) -> int:
    from frustration.integration.debug import debug, read_log, text

    log = ""
    if options.log is not None:
        log = sys.stdin.read() if str(options.log) == "-" else read_log(options.log)
    found = debug(options.script, log, options.results)
    causes, steps = [asdict(cause) for cause in found.causes], [step.as_json() for step in found.steps]
    said = {"place": found.place, "causes": causes, "growth": found.growth, "steps": steps}
    options.say(said, text(found))
    return 0


class RepairOptions(Edit, AsJson):
    """Old names become those of perforatedai 3.2.9."""

    command = f"{NAME} repair"
    usage = "SCRIPT [--diff | --write]"

    script: Path = argument("a script with an old integration", read=Path, metavar="SCRIPT")


def _repair(options: RepairOptions) -> int:
    from frustration.integration.repair import repair
    from frustration.integration.writing import unified, write

    found = repair(options.script)
    if options.diff and not options.json:
        print(unified(str(options.script), found.before, found.after) or "nothing to repair")
    else:
        left = [f"left, line {step.line}: {step.reason}" for step in found.left]
        said = {"done": found.done, "left": [step.as_json() for step in found.left]}
        options.say(said, *(found.done or ["nothing to repair"]), *left)
    if options.write and found.after != found.before:
        backup = write(options.script, found.after, options.force)
        print(f"{options.script}: written{f'; as it was: {backup}' if backup else ''}")
    return 0


class AnalyzeOptions(AsJson):
    """What each dendrite gave and cost, and what to change."""

    command = f"{NAME} analyze"
    usage = "FOLDER [--control FOLDER] [--better higher|lower]"

    folder: Path = argument("one run, or a folder of runs (seeds)", read=Path, metavar="FOLDER")
    control: Path | None = option("runs of an ordinary wider network", read=Path, metavar="FOLDER")
    graph: Path | None = option("draw four panels as PNG", read=Path, metavar="FILE")
    better: str | None = option(
        "whether higher or lower scores are better, if the files do not say", choices=("higher", "lower")
    )


def _analyze(options: AnalyzeOptions) -> int:
    from tabulate import tabulate

    from frustration.integration.analyze import HEADER, analyze

    better = None if options.better is None else options.better == "higher"
    found = analyze(options.folder, options.control, better)
    if options.graph is not None:
        from frustration.integration.graph import draw

        draw(found.runs, options.graph)
    rows = [dict(zip(HEADER, row, strict=True)) for row in found.rows]
    options.say(
        {"rows": rows, "sentences": found.sentences, "advice": found.advice},
        tabulate(found.rows, HEADER, disable_numparse=True),
        *(f"- {sentence}" for sentence in found.sentences),
        *(f"advice: {advice}" for advice in found.advice),
    )
    return 0


class DryRunOptions(AsJson):
    """Run a script up to its first gradients, in a child process, and measure its layers."""

    command = f"{NAME} dry-run"
    usage = "SCRIPT|PROBLEM [-- ITS ARGUMENTS]"

    script: str = argument("it is RUN; or a problem, as in my_file.py:Digits", metavar="SCRIPT")
    seconds: int = option("give up after (default: 600)", 600, read=whole(1), metavar="N")
    network: str = option("the network's name in the lines", "model", metavar="NAME")


def _dry_run(arguments: list[str]) -> int:
    own, extra = arguments, []
    if "--" in arguments:
        place = arguments.index("--")
        own, extra = arguments[:place], arguments[place + 1 :]
    options = DryRunOptions.read(own)
    from frustration.integration.dry_run import configuration, dry_run

    if not Path(options.script.partition(":")[0]).is_file() and ":" not in options.script:
        raise InputError(f"{options.script} is no file, and no problem as in my_file.py:Digits")
    layers = dry_run(options.script, extra, options.seconds)
    lines, shown = configuration(layers, options.network), []
    for layer in layers:
        axes = "x".join(map(str, layer.axes)) or "-"
        shown.append(
            f"  {layer.path:<40} {layer.kind:<8} axes {axes:<4} {layer.excluded or 'can get dendrites'}"
        )
    options.say({"layers": [asdict(layer) for layer in layers], "configuration": lines}, *shown, "", *lines)
    return 0


class ScoreboardOptions(AsJson):
    """Steps right, wrong and undecided over many scripts."""

    command = f"{NAME} scoreboard"
    usage = "FOLDER"

    folder: Path = argument("scripts, each with NAME.expected.json or not", read=Path, metavar="FOLDER")


def _scoreboard(options: ScoreboardOptions) -> int:
    from tabulate import tabulate

    from frustration.integration.scoreboard import as_json, scoreboard
    from frustration.integration.targets import Wishes

    rows, summary = scoreboard(options.folder, Wishes())
    scripts = as_json(rows)
    table = tabulate([list(row.values()) for row in scripts], list(scripts[0]) if rows else [])
    options.say({"scripts": scripts, "summary": summary}, table, summary)
    return 1 if any(row.wrong for row in rows) else 0


VERBS: dict[str, Callable[[list[str]], int]] = {
    "debug": lambda words: _debug(DebugOptions.read(words)),
    "repair": lambda words: _repair(RepairOptions.read(words)),
    "analyze": lambda words: _analyze(AnalyzeOptions.read(words)),
    "dry-run": _dry_run,
    "scoreboard": lambda words: _scoreboard(ScoreboardOptions.read(words)),
}

ablate = command(AblateOptions, _check)
