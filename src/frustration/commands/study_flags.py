"""The flags of `study` and its subcommands, and the study that they name."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frustration.commands.arguments import Parser, add_tracker, add_wide, real, whole
from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.references import ProblemReference
    from frustration.study.definition import Study
    from frustration.study.store import Store

FIELDS = {
    "trials": "trials",
    "meta_loops": "meta_loops",
    "lr": "learning_rates",
    "dataset": "datasets",
    "seed": "seed",
    "stacked": "stacked",
}
"""Flags of `frustration study run` that say a field of the study."""
RUN_EXAMPLES = """\
examples:
  frustration study run                          the preset quickstart, a minute or two on two cores
  frustration study run paper-98 --dry-run       what the published grid costs on this machine
  frustration study run studies/example.toml     a study of your own
  frustration study run --architectures "[1*32]" "[4*4]" --modes none hidden --trials 4 --meta-loops 10
  frustration study run lr=1e-3,3e-3 trials=4 --name rates    quickstart with other settings
  frustration study run quickstart               run again, it does what is missing and nothing else

Several processes may run one study at once. Ctrl-C ends cleanly; the same command resumes from there."""


def run_parser() -> Parser:
    result = Parser(
        "frustration study run",
        "Run the trials of a study that have no record yet. It is a file, a preset, or in results/ already.",
        more=lambda: RUN_EXAMPLES,
    )
    result.add_argument("study", nargs="?", metavar="FILE|PRESET|NAME", help="default: quickstart")
    result.add_argument(
        "settings", nargs="*", metavar="KEY=VALUE", help="a key of the study's file: lr=1e-3,3e-3 trials=4"
    )
    group = result.add_argument_group("what is studied, over what the file says")
    group.add_argument(
        "--architectures", nargs="+", metavar="TEXT", help='such as "[1*32]", paper-square or @FILE'
    )
    group.add_argument(
        "--problems", nargs="+", metavar="FILE.py:CLASS", help="networks of your own, or images:CNN"
    )
    group.add_argument("--modes", nargs="+", metavar="MODE", help="train --help explains them")
    group.add_argument("--trials", type=whole(1), metavar="N", help="trials in every cell of the grid")
    group.add_argument("--meta-loops", type=whole(1), metavar="N", help="loops of every trial")
    group.add_argument(
        "--lr", nargs="+", type=real(0.0, above=True), metavar="X", help="learning rates, an axis of the grid"
    )
    group.add_argument("--dataset", nargs="+", metavar="NAME", help="data sets, an axis of the grid")
    group.add_argument("--seed", type=whole(0, 2**63 - 1), metavar="N", help="of all random draws")
    group.add_argument("--name", metavar="NAME", help="the study's name, which is its folder in results/")
    group.add_argument(
        "--stacked",
        action="store_true",
        default=None,
        help="networks of a problem train several as one, where a step of theirs agrees with the plain "
        "loop's: faster for tiny layers and several trials (see docs/any-network.md)",
    )
    add_engine(result)
    result.add_argument("--retry", action="store_true", help="also run again what has failed")
    result.add_argument("--dry-run", action="store_true", help="print the plan and its cost; write nothing")
    add_common(result)
    return result


def extend_parser() -> Parser:
    result = Parser("frustration study extend", "Raise the number of trials and run the new ones.")
    result.add_argument("study", metavar="NAME", help="a study in results/, or its folder")
    result.add_argument("--trials", type=whole(1), metavar="N", required=True, help="trials in every cell")
    add_engine(result)
    add_common(result)
    return result


def retry_parser() -> Parser:
    result = Parser(
        "frustration study retry", "Run again the trials that have failed, and what else is missing."
    )
    result.add_argument("study", metavar="NAME", help="a study in results/, or its folder")
    add_engine(result)
    add_common(result)
    return result


def status_parser() -> Parser:
    result = Parser(
        "frustration study status", "How far a study is, and what has failed; of all of them without a name."
    )
    result.add_argument("study", nargs="?", metavar="NAME", help="a study in results/, or its folder")
    result.add_argument(
        "--live", action="store_true", help="open the view of a run: until it is over, or Ctrl-C"
    )
    result.add_argument("--json", action="store_true", help="print JSON")
    add_common(result)
    return result


def show_parser() -> Parser:
    result = Parser("frustration study show", "The table of a study: one row for every cell of its grid.")
    result.add_argument("study", metavar="NAME", help="a study in results/, or its folder")
    add_wide(result)
    add_common(result)
    return result


def verify_parser() -> Parser:
    result = Parser(
        "frustration study verify", "Run a random sample of finished trials again, and compare bit for bit."
    )
    result.add_argument("study", metavar="NAME", help="a study in results/, or its folder")
    result.add_argument("--count", type=whole(1), default=5, metavar="N", help="how many (default: 5)")
    result.add_argument(
        "--seed", type=whole(0, 2**63 - 1), default=0, metavar="N", help="which ones (default: 0)"
    )
    result.add_argument(
        "--backend", metavar="NAME", help="native, native-bf16, torch, reference or perforatedai"
    )
    result.add_argument("--device", metavar="NAME", help="cpu, cuda or mps")
    add_common(result)
    return result


def merge_parser() -> Parser:
    result = Parser(
        "frustration study merge", "Copy into one study the trials that others have and it lacks."
    )
    result.add_argument("study", metavar="NAME", help="the study they go to; it is made if it is not there")
    result.add_argument("sources", nargs="+", metavar="DIR", help="folders of studies")
    add_common(result)
    return result


def seal_parser() -> Parser:
    result = Parser(
        "frustration study seal", "Give a digest to every record that has none; name those that are damaged."
    )
    result.add_argument("study", metavar="NAME", help="a study in results/, or its folder")
    add_common(result)
    return result


def export_parser() -> Parser:
    result = Parser("frustration study export", "All trials of a study as CSV, one row each.")
    result.add_argument("study", metavar="NAME", help="a study in results/, or its folder")
    result.add_argument("--curves", action="store_true", help="one row for every loop of every trial")
    result.add_argument(
        "--best-scores",
        type=Path,
        metavar="DIR",
        help="a best_test_scores.csv for every trial, with perforatedai's columns",
    )
    result.add_argument("--output", type=Path, metavar="FILE", help="where to (default: stdout)")
    add_common(result)
    return result


def presets_parser() -> Parser:
    result = Parser(
        "frustration study presets", "The studies that come with the package; with a name, its TOML."
    )
    result.add_argument("name", nargs="?", metavar="NAME")
    result.add_argument("--debug", action="store_true", help="errors with a traceback")
    return result


def add_engine(result: Parser) -> None:
    group = result.add_argument_group("where and how it runs")
    group.add_argument(
        "--backend",
        metavar="NAME",
        help="native, native-bf16, torch, reference or perforatedai (default: as train)",
    )
    group.add_argument("--device", metavar="NAME", help="cpu, cuda or mps (default: the best there is)")
    group.add_argument(
        "--engine", default="local", metavar="NAME", help="local: this machine; ray: a Ray cluster (local)"
    )
    group.add_argument(
        "--address",
        metavar="HOST:PORT",
        help='of the Ray cluster, or "auto" on one of its nodes (default: RAY_ADDRESS, else this machine)',
    )
    group.add_argument(
        "--threads", type=whole(1, 4096), metavar="N", help="worker processes (default: one per CPU)"
    )
    group.add_argument("--no-estimate", action="store_true", help="begin without measuring what it will cost")
    add_tracker(group)
    group.add_argument("--json", action="store_true", help="print one JSON object per event")
    add_wide(group)


def add_common(result: Parser) -> None:
    names = [
        f"[{action.metavar}]" if action.nargs == "?" else f"{action.metavar}"
        for action in result._get_positional_actions()
    ]
    result.usage = " ".join([result.prog, *names, "[flags]"])
    result.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="where studies lie (results/)"
    )
    result.add_argument("--debug", action="store_true", help="errors with a traceback")


def open_store(options: argparse.Namespace) -> Store:
    """The store of the study that is named."""
    from frustration.study.store import Store

    return Store.open(options.study, options.results)


def study_and_store(options: argparse.Namespace) -> tuple[Study, Store]:
    """What `run` is to run, and where its records go."""
    from frustration.study.named import quick_name
    from frustration.study.settings import is_setting, with_settings
    from frustration.study.store import Store

    if options.study and is_setting(options.study):
        options.study, options.settings = None, [options.study, *options.settings]
    study, store = _named(options)
    before = study
    changes: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for flag, name in FIELDS.items()
        if (value := getattr(options, flag)) is not None
    }
    if study is None:
        study = _of_flags(options, changes)
    else:
        if options.architectures:
            from frustration.study.architecture_sets import architectures

            changes["architectures"] = architectures(options.architectures, Path())
        if options.problems:
            changes["problems"] = _problems(options)
        if options.modes:
            changes["modes"] = tuple(options.modes)
        study = replace(study, **changes)
    if options.settings:
        study = with_settings(study, options.settings)
    if options.name:
        study, store = replace(study, name=options.name), None
    elif options.study is None and (before is None or quick_name(before).name != quick_name(study).name):
        study, store = quick_name(study), None
    study.check()
    return study, store or Store(options.results / study.name)


def _named(options: argparse.Namespace) -> tuple[Study | None, Store | None]:
    """A file, a study that is there already, or a preset; None where flags alone say what is meant."""
    from frustration.study.named import study_named
    from frustration.study.presets import DEFAULT

    if options.study is None and (options.architectures or options.problems or options.modes):
        return None, None
    return study_named(options.study or DEFAULT, options.results)


def _problems(options: argparse.Namespace) -> tuple[ProblemReference, ...]:
    from frustration.references import ProblemReference

    return tuple(ProblemReference.parse(text) for text in options.problems or ())


def _of_flags(options: argparse.Namespace, fields: Mapping[str, Any]) -> Study:
    """A quick study."""
    from frustration.study.architecture_sets import architectures
    from frustration.study.definition import Study

    for flag in ("modes",) if options.problems else ("architectures", "modes"):
        if not getattr(options, flag):
            raise InputError(f"--{flag} is missing: without a file, a quick study needs it")
    return Study(
        name="quick",
        architectures=architectures(options.architectures or [], Path()),
        problems=_problems(options),
        modes=tuple(options.modes),
        **fields,
    )
