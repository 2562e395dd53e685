"""The flags of `train`, their help, and the request made from them."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frustration.commands.arguments import help_width, real, whole
from frustration.commands.options import Options, device, option, stacked, tracker, wide, workers
from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.request import Request

DEFAULT_ARCHITECTURE = "[1*32]"

EXAMPLES = """\
modes are combined with "+", scheduled by loops with "@", and set with ":" and "/":
  hidden+dropout              both at once
  dropout@1-50,hidden@51-     dropout for 50 loops, hidden from then on
  hidden:dose=3/patience-5    three units a loop; accept a worse one after 5 failures

examples:
  train --arch "[1*32]" --ablation-mode hidden
      one network; run it again to continue for another 100 loops
  train --arch "[1*32]" --ablation-mode none dropout hidden --trials 8 --meta-loops 10
      a paired comparison: three modes, the same eight starts and batch orders in each
  train --hidden-layers 64 32 --ablation-mode "hidden:dose=0.1" --until 200
      a tenth of the hidden units each loop, until 200 loops are reached in all
  train --arch 4x4,2x8 --json > loops.jsonl
      brackets and stars are not needed; one JSON object per loop

Ctrl-C ends a run cleanly; the same command continues where it stopped. Exit codes: 0 done, 1 failure,
2 something given cannot be used, 130 interrupted."""


class Subject(Options):
    heading = "what is trained"

    arch: str | None = option(
        'hidden layers, such as "[4*4, 2*8]" (4 of 4 units, then 2 of 8) or "[]" '
        f'(default: "{DEFAULT_ARCHITECTURE}")',
        either="network",
        metavar="TEXT",
    )
    hidden_layers: tuple[int, ...] = option(
        "the same as a list of widths: 1024 512 is [1*1024, 1*512]",
        (),
        read=whole(1, 65_536),
        either="network",
        metavar="N",
    )
    problem: str | None = option(
        "your own network, data and score, or a built-in one, as images:CNN (see docs/any-network.md)",
        either="network",
        metavar="FILE.py:CLASS",
    )
    set: tuple[str, ...] = option(
        "fields of the problem, as in --set width=8 rank=4", (), metavar="FIELD=VALUE"
    )
    modes: tuple[str, ...] = option(
        "one mode, or several to compare (default: none); they are listed below",
        (),
        flag="--ablation-mode",
        metavar="MODE",
    )
    trials: int | None = option(
        "independent trials of every mode; trials with the same number share their start and batches",
        read=whole(1),
        metavar="N",
    )
    seed: int | None = option("seed of all random draws (default: 0)", read=whole(0, 2**63 - 1), metavar="N")
    dataset: str | None = option(
        "a name that analyze-dataset --list has, or a file, such as data.csv:label (default: mnist)",
        metavar="NAME",
    )
    train_fraction: float | None = option(
        "the share of the training images that is used (default: 1)",
        read=real(0, 1, above=True),
        metavar="X",
    )


class Training(Options):
    heading = "how it is trained"

    meta_loops: int | None = option(
        "loops to add, each one epoch (default: 100); an interrupted run is completed first",
        read=whole(1),
        either="length",
        metavar="N",
    )
    until: int | None = option("train until loop N", read=whole(1), either="length", metavar="N")
    learning_rate: float | None = option(
        "learning rate (default: 1e-4)", flag="--lr", read=real(0, above=True), metavar="X"
    )
    batch_size: int | None = option("samples in a batch (default: 256)", read=whole(1, 2**20), metavar="N")
    loop_steps: int | None = option(
        "a loop is N optimizer steps, whatever an epoch is (default: an epoch)",
        read=whole(1, 10**9),
        metavar="N",
    )
    optimizer: str | None = option(
        "fresh: a new AdamW every loop; persist: one AdamW for all; persist-masked: the same, with the "
        "moments of damaged weights zeroed (default: the mode's own, mostly fresh)",
        metavar="POLICY",
    )
    acceptance: str | None = option(
        "strict: only what is better; ties: what is not worse; patience-K: after K failures in a row "
        "the best of them (default: strict)",
        metavar="RULE",
    )


class Treatment(Options):
    heading = "settings of modes; settings in the text of a mode take precedence"

    dose: str | None = option(
        "units ablated in a loop: 3 is three, 0.1 a tenth of those there are", metavar="N|X"
    )
    selector: str | None = option(
        "uniform, layer-then-unit, lowest-utility or highest-utility", metavar="NAME"
    )
    weight_decay: float | None = option("of mode decay (default: 1e-4)", read=real(0), metavar="X")
    dropout: float | None = option("of mode dropout (default: 0.1)", read=real(0), metavar="P")


class Run(Options):
    heading = "where and how it runs"

    model_dir: Path | None = option(
        "where checkpoints are saved and resumed from (default: models/)", read=Path, metavar="PATH"
    )
    fresh: bool = option("start over; replaces existing checkpoints", False)
    continue_with_new_settings: bool = option(
        "continue a run that had another learning rate, batch size or the like; its record says so", False
    )
    device: str | None = device()
    backend: str | None = option(
        "native, for CPUs; native-bf16: its wide hidden layers rounded, quicker; torch, for any device; "
        "reference: slow, for checking; perforatedai: the library of that name (default: native on a CPU "
        "where there is a compiler, else torch)",
        metavar="NAME",
    )
    stacked: bool = stacked()
    threads: int | None = workers()
    accept_numerics: bool = option(
        "continue although the checkpoint comes from another backend, device or version", False
    )
    tracker: str = tracker()
    library_files: Path | None = option(
        "of --backend perforatedai: keep the folder that each trial's library writes, below this one",
        read=Path,
        metavar="PATH",
    )
    library_graphs: bool = option("there: its graphs and tables too, slow", False)
    library_saves: bool = option("there: its network of every epoch too", False)
    json: bool = option("print one JSON object per loop", False)
    wide: bool = wide()
    debug: bool = option("say more on stderr; errors with a traceback", False)
    num_workers: str | None = option("accepted and ignored: data is in memory", metavar="N")


class TrainOptions(Subject, Training, Treatment, Run):
    """Train a network in meta-loops: copy the Last Known Good (LKG), treat it, train one epoch, keep it if it
    is better. Several modes or --trials make a paired comparison."""

    command = "train"

    @classmethod
    def more(cls) -> str:
        return _more_help()


def _more_help() -> str:
    from frustration.modes import mode_named, mode_names

    lines = ["modes, with their settings:"]
    for name in mode_names():
        mode = mode_named(name)
        settings = ", ".join(f"{field.name}={field.default}" for field in dataclasses.fields(mode))
        about = (mode.__doc__ or "").strip().partition("\n")[0] + (f" [{settings}]" if settings else "")
        lines += textwrap.wrap(
            about, help_width(), initial_indent=f"  {name:<9} ", subsequent_indent=" " * 12
        )
    return "\n".join([*lines, "", EXAMPLES])


def build_request(options: TrainOptions) -> Request:
    """The options as a request, which has the defaults of flags that were not given."""
    from frustration.architecture import Architecture
    from frustration.references import ProblemReference
    from frustration.request import Request

    architecture: Architecture | ProblemReference
    if options.problem:
        if options.dataset:
            raise InputError(
                "--dataset is for architectures: a problem brings its own data (its fields: --set)"
            )
        architecture = ProblemReference.parse(options.problem, _settings(options.set))
    elif options.set:
        raise InputError("--set names fields of a problem: it needs --problem")
    elif options.hidden_layers:
        architecture = Architecture.of_widths(options.hidden_layers)
    else:
        architecture = Architecture.parse(DEFAULT_ARCHITECTURE if options.arch is None else options.arch)
    given = options.given(Request)
    if isinstance(architecture, ProblemReference):
        given["dataset"] = architecture.dataset
    return Request(architecture=architecture, knobs=_knobs(options), **given)


def _settings(given: Sequence[str]) -> dict[str, str]:
    """`["rank=4"]` as {"rank": "4"}."""
    for one in given:
        if not one.partition("=")[1]:
            raise InputError(f'--set {one} is not FIELD=VALUE, as in "--set rank=4"')
    return {name: value for name, _, value in (one.partition("=") for one in given)}


def _knobs(options: TrainOptions) -> dict[str, dict[str, Any]]:
    """By mode: --dose and --selector for every mode that has such a knob, two more for one mode each."""
    from frustration.modes import mode_named, mode_names

    knobs: dict[str, dict[str, Any]] = {}
    for name in mode_names():
        has = {field.name for field in dataclasses.fields(mode_named(name))}
        given = {knob: getattr(options, knob) for knob in ("dose", "selector") if knob in has}
        knobs[name] = {knob: value for knob, value in given.items() if value is not None}
    for flag, mode, knob in (("weight_decay", "decay", "weight_decay"), ("dropout", "dropout", "p")):
        if getattr(options, flag) is not None:
            knobs[mode][knob] = getattr(options, flag)
    return knobs


def remarks(options: TrainOptions, request: Request) -> Iterator[str]:
    """Flags that have no effect; they are no errors."""
    from frustration.modes.grammar import ModeChoice

    own = ("library_files", "library_graphs", "library_saves")
    given = [f"--{flag.replace('_', '-')}" for flag in own if getattr(options, flag)]
    if given and options.backend not in ("perforatedai", "perforatedbp"):
        yield f"{given[0]} has no effect: it belongs to --backend perforatedai"
    elif given and not options.library_files:
        yield f"{given[0]} has no effect without --library-files PATH, where the files are to be kept"
    if options.num_workers is not None:
        yield "--num-workers has no use any more, because the data is in memory"
    programs = [ModeChoice.parse(mode, request.knobs).program for mode in request.modes]
    chosen = {mode.name for program in programs for s in program.segments for mode in s.components}
    uses = {"dose": "dose", "selector": "selector", "weight_decay": "weight_decay", "dropout": "p"}
    for flag, knob in uses.items():
        users = [mode for mode, knobs in request.knobs.items() if knob in knobs]
        if getattr(options, flag) is not None and not chosen.intersection(users):
            yield (
                f"--{flag.replace('_', '-')} has no effect: no mode here has it "
                f"(it belongs to {', '.join(users)})"
            )
