"""The flags of `study` and its subcommands, and the study that they name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frustration.commands.arguments import real, whole
from frustration.commands.options import (
    ONE_STUDY,
    InResults,
    OneStudy,
    Options,
    argument,
    device,
    option,
    required,
    stacked,
    tracker,
    wide,
    workers,
)
from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.study.definition import Study
    from frustration.study.store import Store

RUN_EXAMPLES = """\
examples:
  frustration study run                          the preset quickstart, a minute or two on two cores
  frustration study run paper-98 --dry-run       what the published grid costs on this machine
  frustration study run studies/example.toml     a study of your own
  frustration study run --architectures "[1*32]" "[4*4]" --modes none hidden --trials 4 --meta-loops 10
  frustration study run lr=1e-3,3e-3 trials=4 --name rates    quickstart with other settings
  frustration study run quickstart               run again, it trains only what is missing

Several processes may run one study at once. Ctrl-C ends cleanly; the same command resumes from there."""


class EngineOptions(Options):
    heading = "where and how it runs"

    backend: str | None = option(
        "native, native-bf16, torch, reference or perforatedai (default: as train)", metavar="NAME"
    )
    device: str | None = device()
    engine: str = option("local: this machine; ray: a Ray cluster (local)", "local", metavar="NAME")
    address: str | None = option(
        'of the Ray cluster, or "auto" on one of its nodes (default: RAY_ADDRESS, else this machine)',
        metavar="HOST:PORT",
    )
    threads: int | None = workers()
    no_estimate: bool = option("skip the cost estimate", False)
    tracker: str = tracker()
    json: bool = option("print one JSON object per event", False)
    wide: bool = wide()


class Studied(Options):
    heading = "what is studied, over what the file says"

    architectures: tuple[str, ...] = option('such as "[1*32]", paper-square or @FILE', (), metavar="TEXT")
    problems: tuple[str, ...] = option("networks of your own, or images:CNN", (), metavar="FILE.py:CLASS")
    modes: tuple[str, ...] = option("train --help explains them", (), metavar="MODE")
    trials: int | None = option("trials in every cell of the grid", read=whole(1), metavar="N")
    meta_loops: int | None = option("loops of every trial", read=whole(1), metavar="N")
    learning_rates: tuple[float, ...] = option(
        "learning rates, an axis of the grid", (), flag="--lr", read=real(0.0, above=True), metavar="X"
    )
    datasets: tuple[str, ...] = option("data sets, an axis of the grid", (), flag="--dataset", metavar="NAME")
    seed: int | None = option("of all random draws", read=whole(0, 2**63 - 1), metavar="N")
    name: str | None = option("the study's name, which is its folder in results/", metavar="NAME")
    stacked: bool = stacked()


class RunOptions(Studied, EngineOptions, InResults):
    """Run the missing trials of a study: a file, a preset, or a study in results/."""

    command = "frustration study run"
    epilog = RUN_EXAMPLES

    study: str | None = argument("default: quickstart", None, metavar="FILE|PRESET|NAME")
    settings: tuple[str, ...] = argument(
        "a key of the study's file: lr=1e-3,3e-3 trials=4", (), metavar="KEY=VALUE"
    )
    retry: bool = option("also run failed trials again", False)
    dry_run: bool = option("print the plan and its cost; write nothing", False)


class ExtendOptions(EngineOptions, OneStudy):
    """Raise the number of trials and run the new ones."""

    command = "frustration study extend"

    trials: int = required("trials in every cell", read=whole(1), metavar="N")


class RetryOptions(EngineOptions, OneStudy):
    """Run failed and missing trials."""

    command = "frustration study retry"


class StatusOptions(InResults):
    """Progress and failures of a study, or of all studies without a name."""

    command = "frustration study status"

    study: str | None = argument(ONE_STUDY, None, metavar="NAME")
    live: bool = option("show the view of a run until it is over, or Ctrl-C", False)
    json: bool = option("print JSON", False)


class ShowOptions(OneStudy):
    """The table of a study: one row for every cell of its grid."""

    command = "frustration study show"

    wide: bool = wide()


class VerifyOptions(OneStudy):
    """Run a random sample of finished trials again, and compare bit for bit."""

    command = "frustration study verify"

    count: int = option("how many (default: 5)", 5, read=whole(1), metavar="N")
    seed: int = option("which ones (default: 0)", 0, read=whole(0, 2**63 - 1), metavar="N")
    backend: str | None = option("native, native-bf16, torch, reference or perforatedai", metavar="NAME")
    device: str | None = option("cpu, cuda or mps", metavar="NAME")


class MergeOptions(InResults):
    """Copy trials that a study lacks from others."""

    command = "frustration study merge"

    study: str = argument("the study to copy to; created if it does not exist", metavar="NAME")
    sources: tuple[str, ...] = argument("folders of studies", nargs="+", metavar="DIR")


class SealOptions(OneStudy):
    """Add a digest to every record without one; list damaged records."""

    command = "frustration study seal"


class ExportOptions(OneStudy):
    """All trials of a study as CSV, one row each."""

    command = "frustration study export"

    curves: bool = option("one row for every loop of every trial", False)
    best_scores: Path | None = option(
        "a best_test_scores.csv for every trial, with perforatedai's columns", read=Path, metavar="DIR"
    )
    output: Path | None = option("where to (default: stdout)", read=Path, metavar="FILE")


class PresetsOptions(Options):
    """The studies that come with the package; with a name, its TOML."""

    command = "frustration study presets"

    name: str | None = argument("whose TOML is printed", None, metavar="NAME")


def open_store(options: OneStudy) -> Store:
    """The store of the study that is named."""
    from frustration.study.store import Store

    return Store.open(options.study, options.results)


def study_and_store(options: RunOptions) -> tuple[Study, Store]:
    """What `run` is to run, and where its records go."""
    from frustration.study.definition import Study
    from frustration.study.named import quick_name, study_named
    from frustration.study.presets import DEFAULT
    from frustration.study.settings import is_setting, with_settings
    from frustration.study.store import Store

    if options.study and is_setting(options.study):
        options = replace(options, study=None, settings=(options.study, *options.settings))
    changes, store, named = _changes(options), None, ""
    if options.study is None and (options.architectures or options.problems or options.modes):
        for flag in ("modes",) if options.problems else ("architectures", "modes"):
            if not getattr(options, flag):
                raise InputError(f"--{flag} is missing: without a file, a quick study needs it")
        study = Study(name="quick", **changes)
    else:
        study, store = study_named(options.study or DEFAULT, options.results)
        named = quick_name(study).name
        study = replace(study, **changes)
    if options.settings:
        study = with_settings(study, options.settings)
    if options.name:
        study, store = replace(study, name=options.name), None
    elif options.study is None and named != quick_name(study).name:
        study, store = quick_name(study), None
    study.check()
    return study, store or Store(options.results / study.name)


def _changes(options: RunOptions) -> dict[str, Any]:
    """The study's fields that flags set, except its name."""
    from frustration.references import ProblemReference
    from frustration.study.architecture_sets import architectures
    from frustration.study.definition import Study

    changes = options.given(Study)
    changes.pop("name", None)
    if options.architectures:
        changes["architectures"] = architectures(options.architectures, Path())
    if options.problems:
        changes["problems"] = tuple(map(ProblemReference.parse, options.problems))
    return changes
