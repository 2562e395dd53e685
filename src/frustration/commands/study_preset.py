"""study preset: run a study that comes with the package, the protocol A / B / C for any two architectures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from frustration.commands.arguments import whole
from frustration.commands.options import InResults, Options, argument, option
from frustration.commands.study_flags import EngineOptions
from frustration.commands.study_run import watched
from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.study.definition import Study
    from frustration.study.store import Store

EXAMPLES = """\
examples:
  frustration study preset abc --full "[1*256]" --compressed "[1*64]"
  frustration study preset abc --full "[2*128]" --compressed "[2*32]" --trials 8 --learning-rate 3e-4
  frustration study preset summaries                the protocol for a T5 on dialogues, with two more controls
  frustration study preset dendrites                the same as frustration study run dendrites

abc and summaries always run all three: A the full network, B the compressed one with dendrites, C the
compressed one without, under the same schedule. Both report test scores, parameters, FLOPs, latency, memory
and the cost of training, in results/NAME/report/protocol.md. summaries then trains C for as many steps as B
took, trial by trial, and a wider network with B's parameters for as long, in results/NAME-equal."""

PROTOCOLS = ("abc", "summaries")


class Preset(Options):
    heading = "what is studied, over what the preset says"

    full: str | None = option('abc, summaries: the full network (default of abc: "[1*256]")', metavar="TEXT")
    compressed: str | None = option(
        'abc, summaries: the compressed one (default of abc: "[1*64]")', metavar="TEXT"
    )
    trials: int | None = option("trials of every arm", read=whole(1), metavar="N")
    meta_loops: int | None = option("loops of every trial at most", read=whole(1), metavar="N")
    learning_rate: float | None = option("of every arm", read=float, metavar="X")
    name: str | None = option("the study's name, which is its folder in results/", metavar="NAME")


class PresetOptions(Preset, EngineOptions, InResults):
    """Run a study that comes with the package."""

    command = "frustration study preset"
    epilog = EXAMPLES

    preset: str = argument("frustration study presets lists them", metavar="NAME")


def run_preset(options: PresetOptions) -> int:
    from frustration.report.protocol import abc_study, equal_study
    from frustration.study.definition import Study
    from frustration.study.presets import preset
    from frustration.study.store import Store

    study = preset(options.preset)
    changes = options.given(Study)
    if options.learning_rate is not None:
        changes["learning_rates"] = (options.learning_rate,)
    if options.preset in PROTOCOLS:
        full, compressed = (
            given or subject
            for given, subject in zip((options.full, options.compressed), _pair(study), strict=True)
        )
        if options.preset == "abc":
            changes.setdefault("name", _name(full, compressed))
        study = abc_study(study, full, compressed, **changes)
    elif options.full or options.compressed:
        raise InputError(
            f'--full and --compressed belong to the presets abc and summaries, not to "{options.preset}"'
        )
    else:
        study = replace(study, **changes)
        study.check()
    store = Store(options.results / study.name)
    code = watched(options, study, store)
    equal = None
    if options.preset == "summaries" and code == 0:
        controls = equal_study(store)
        equal = Store(options.results / controls.name)
        code = watched(options, controls, equal)
    if options.preset in PROTOCOLS and code == 0:
        _report(store, equal, quiet=options.json)
    return code


def _pair(study: Study) -> tuple[str, str]:
    """The full subject of a protocol's template, and the compressed one."""
    return study.only[0][0], study.only[1][0]


def _name(full: str, compressed: str) -> str:
    from frustration.architecture import Architecture

    safe = (Architecture.parse(text).safe.replace(",", "-") for text in (full, compressed))
    return "abc-" + "-".join(safe)


def _report(store: Store, equal: Store | None, quiet: bool) -> None:
    from frustration.files import make_folder, write_atomically
    from frustration.report.protocol import arms, markdown

    text = markdown(arms(store, equal))
    path = store.root / "report" / "protocol.md"
    make_folder(path.parent)
    write_atomically(path, text.encode())
    if not quiet:
        print(f"\n{text}\nreport: {path}")
