"""The definition of a study: a grid of architectures x modes x trials and its knobs, read from TOML.

Everything is validated before anything runs; an unknown key is named with the nearest known one, the
file and the line.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import product
from pathlib import Path
from typing import Any, Self

from frustration.architecture import Architecture
from frustration.dataset import check_name
from frustration.engine.backends import NEEDS_PROBLEM
from frustration.errors import InputError, did_you_mean
from frustration.files import read_text
from frustration.modes import mode_named
from frustration.references import ProblemReference, is_reference
from frustration.sinks import one_line, shown
from frustration.spec import TrialSpec
from frustration.study.analysis_plan import AS_USUAL, AnalysisPlan
from frustration.study.architecture_sets import architectures

MOST_TRIALS = 10**6
"""In all cells of a study together."""
LARGEST = 2**63
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Study:
    """A grid of trials. Its axes are tuples; every combination is a trial, and pairs share trial numbers."""

    name: str
    architectures: tuple[Architecture, ...] = ()
    modes: tuple[str, ...]
    problems: tuple[ProblemReference, ...] = ()
    """Beside the architectures, or instead of them."""
    trials: int = 10
    meta_loops: int = 100
    seed: int = 0
    datasets: tuple[str, ...] = ("mnist",)
    learning_rates: tuple[float, ...] = (1e-4,)
    train_fractions: tuple[float, ...] = (1.0,)
    batch_size: int = 256
    loop_steps: int | None = None
    """Optimizer steps of a loop; None: an epoch."""
    loops_by_trial: tuple[int, ...] = ()
    """Loops of each trial, by its number; (): `meta_loops` of all. For a control that trains as long as the
    trial of that number in another study did."""
    optimizer: str | None = None
    acceptance: str | None = None
    knobs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    only: tuple[tuple[str, str], ...] = ()
    """Pairs of an architecture and a mode: the cells of the grid that are run; () stands for all."""
    networks: bool = True
    """Whether the LKG networks are kept beside the records."""
    stacked: bool = False
    """Whether networks of a problem train several as one (see `frustration.engine.module.stacked`)."""
    analysis: AnalysisPlan = AS_USUAL
    """How the report is to be made."""

    def specs(self, digests: Mapping[tuple[str, float], str]) -> Iterator[TrialSpec]:
        """Every trial of the grid; `digests` identify data by (data set or problem, training fraction)."""
        for architecture, dataset, fraction, rate in self._axes():
            data = architecture.dataset if isinstance(architecture, ProblemReference) else dataset
            first = [
                TrialSpec.of(
                    architecture,
                    mode,
                    trial=0,
                    seed=self.seed,
                    dataset=data,
                    dataset_digest=digests[dataset, fraction],
                    train_fraction=fraction,
                    meta_loops=self.meta_loops,
                    learning_rate=rate,
                    batch_size=self.batch_size,
                    loop_steps=self.loop_steps,
                    optimizer=self.optimizer,
                    acceptance=self.acceptance,
                    defaults=self.knobs,
                )
                for mode in self.modes
                if self.has(architecture, mode)
            ]
            for trial in range(self.trials):
                specs = (spec.numbered(trial) for spec in first)
                loops = self.loops_by_trial
                yield from (spec.until(loops[trial]) for spec in specs) if loops else specs

    @property
    def subjects(self) -> tuple[Architecture | ProblemReference, ...]:
        """What is trained: architectures, then problems."""
        return (*self.architectures, *self.problems)

    def _axes(self) -> Iterator[tuple[Architecture | ProblemReference, str, float, float]]:
        yield from product(self.architectures, self.datasets, self.train_fractions, self.learning_rates)
        for problem in self.problems:  # each has data of its own
            yield from product((problem,), (str(problem),), self.train_fractions, self.learning_rates)

    def no_digests(self) -> dict[tuple[str, float], str]:
        """For a look at the grid without its data."""
        return dict.fromkeys(self.data_axes(), "")

    def data_axes(self) -> Iterator[tuple[str, float]]:
        """(data set or problem, training fraction) of all data that the trials see."""
        datasets = self.datasets if self.architectures else ()
        yield from product((*datasets, *map(str, self.problems)), self.train_fractions)

    @property
    def size(self) -> int:
        """How many trials are run of the grid."""
        problems = set(map(str, self.problems))
        data = sum(1 if subject in problems else len(self.datasets) for subject, _ in self.cells)
        everywhere = min(self.analysis.pilot or self.trials, self.trials)
        an_arm = everywhere * len(self.learning_rates) + self.trials - everywhere
        return data * len(self.train_fractions) * an_arm

    @property
    def cells(self) -> tuple[tuple[str, str], ...]:
        """The pairs of an architecture and a mode that are run."""
        return tuple((str(a), mode) for a in self.subjects for mode in self.modes if self.has(a, mode))

    def has(self, architecture: Architecture | ProblemReference, mode: str) -> bool:
        return not self.only or (str(architecture), mode) in self.only

    @property
    def plan(self) -> AnalysisPlan:
        """How the report is made, with treatments as reports call them."""
        labels = {
            mode: TrialSpec.of(
                "[1*1]", mode, optimizer=self.optimizer, acceptance=self.acceptance, defaults=self.knobs
            ).label
            for mode in self.modes
        }
        return self.analysis.labelled(labels)

    def check(self) -> None:
        """Raise InputError for anything that would fail later: every mode on every architecture."""
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f'the study\'s name "{self.name}" becomes a folder: use letters, digits, ".", "_" and "-"'
            )
        if self.stacked and not self.problems:
            raise InputError(f"stacked {NEEDS_PROBLEM}")
        if not self.subjects:
            raise InputError("the study has no architectures and no problems")
        for axis in ("architectures", "problems", "modes", "datasets", "learning_rates", "train_fractions"):
            values = getattr(self, axis)
            if not values and axis not in ("architectures", "problems"):
                raise InputError(f"the study has no {axis}")
            if len(set(values)) < len(values):
                raise InputError(f"the study names one of its {axis} twice: {', '.join(map(str, values))}")
        for architecture, mode in self.only:
            known = architecture in map(str, self.subjects) and mode in self.modes
            if not known:
                raise InputError(f'"only" names {architecture} with "{mode}", which is not in the grid')
        idle = {*self.modes, *map(str, self.subjects)} - {word for cell in self.cells for word in cell}
        if idle:
            raise InputError(f'"only" leaves nothing to run for {", ".join(sorted(idle))}')
        if not 1 <= self.trials <= MOST_TRIALS:
            raise InputError(
                f"trials must be a whole number from 1 to {MOST_TRIALS:,}, not {shown(self.trials)}"
            )
        if self.size > MOST_TRIALS:
            raise InputError(f"the grid has {self.size:,} trials; a study has at most {MOST_TRIALS:,}")
        if self.loops_by_trial and len(self.loops_by_trial) != self.trials:
            raise InputError(
                f"loops_by_trial is of {len(self.loops_by_trial)} trials; the study has {self.trials}"
            )
        if any(loops > self.meta_loops for loops in self.loops_by_trial):
            raise InputError(f"loops_by_trial is above meta_loops = {self.meta_loops}")
        for dataset in self.datasets:
            check_name(dataset)
        for mode, knobs in self.knobs.items():
            mode_named(mode).with_knobs(knobs)
        labels: dict[str, str] = {}
        for spec in replace(self, trials=1).specs(self.no_digests()):
            if not spec.problem:  # a problem is asked when it is to be trained: a report does without it
                spec.check(classes=10)
            labels.setdefault(spec.label, "")
        if len(labels) < len(self.modes):
            raise InputError(f"the study names one mode twice: {', '.join(self.modes)}")
        self.analysis.check(self.modes, self.learning_rates)

    def to_toml(self) -> str:
        """The study with every default explicit; `from_toml` reads it back."""
        lines = [
            f"name = {_toml(self.name)}",
            *(
                [f"architectures = {_toml([str(a) for a in self.architectures])}"]
                if self.architectures
                else []
            ),
            *([f"problems = {_toml([p.to_dict() for p in self.problems])}"] if self.problems else []),
            f"modes = {_toml(list(self.modes))}",
            f"trials = {self.trials}",
            f"meta_loops = {self.meta_loops}",
            f"seed = {self.seed}",
            f"dataset = {_toml(list(self.datasets))}",
            f"learning_rate = {_toml(list(self.learning_rates))}",
            f"train_fraction = {_toml(list(self.train_fractions))}",
            f"batch_size = {self.batch_size}",
            f"networks = {_toml(self.networks)}",
        ]
        lines += ["stacked = true"] if self.stacked else []
        lines += [f"loop_steps = {self.loop_steps}"] if self.loop_steps is not None else []
        lines += [f"loops_by_trial = {_toml(self.loops_by_trial)}"] if self.loops_by_trial else []
        lines += [f"only = {_toml([list(pair) for pair in self.only])}"] if self.only else []
        lines += [f"{key} = {_toml(v)}" for key in ("optimizer", "acceptance") if (v := getattr(self, key))]
        if plan := self.analysis.to_table():
            lines += ["", "[analysis]", *(f"{key} = {_toml(value)}" for key, value in plan.items())]
        for mode, knobs in self.knobs.items():
            lines += ["", f"[knobs.{mode}]", *(f"{knob} = {_toml(value)}" for knob, value in knobs.items())]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str, source: str = "the study", folder: Path = Path()) -> Self:
        """Read and check a study; `source` is how errors call it, `folder` where `@files` are."""
        try:
            document = tomllib.loads(text)
        except RecursionError:
            raise InputError(f"{source} is nested too deeply to be a study") from None
        except ValueError as error:  # TOMLDecodeError, and numbers of more digits than Python reads
            raise InputError(f"{source} is not valid TOML: {one_line(error)}") from None
        return cls.from_fields(document, source, folder, text)

    @classmethod
    def from_fields(cls, document: Mapping[str, Any], source: str, folder: Path, text: str = "") -> Self:
        """The same from its keys and values; `text` is where errors look a key's line up."""
        try:
            study = cls(**_read_fields(document, folder, Path(source).stem))
            study.check()
        except _KeyProblem as problem:
            raise InputError(f"{source}{_line_of(problem.key, text)}: {one_line(problem)}") from None
        except InputError as error:
            raise InputError(f"{source}: {one_line(error)}") from None
        return study

    @classmethod
    def from_file(cls, path: Path) -> Self:
        return cls.from_toml(read_text(path, "the study"), str(path), path.parent)


class _KeyProblem(Exception):
    def __init__(self, key: str, what: str) -> None:
        super().__init__(what)
        self.key = key


_PLURALS = {"dataset": "datasets", "learning_rate": "learning_rates", "train_fraction": "train_fractions"}
"""Axes that are written in the singular: a value or a list of values."""

_KINDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "architectures": (str,),
    "modes": (str,),
    "trials": (int,),
    "meta_loops": (int,),
    "seed": (int,),
    "datasets": (str,),
    "learning_rates": (float, int),
    "train_fractions": (float, int),
    "batch_size": (int,),
    "loop_steps": (int,),
    "optimizer": (str,),
    "acceptance": (str,),
    "networks": (bool,),
    "stacked": (bool,),
}
_AXES = ("architectures", "modes", *_PLURALS.values())


def _read_fields(document: Mapping[str, Any], folder: Path, name: str) -> dict[str, Any]:
    known = [key for key in (f.name for f in fields(Study)) if key not in _PLURALS.values()] + [*_PLURALS]
    read: dict[str, Any] = {"name": name}
    for key, value in document.items():
        if key not in known:
            shown_key = f'"{shown(key)[1:-1]}"'
            hint = did_you_mean(key, known) or f"; keys are {', '.join(sorted(known))}"
            raise _KeyProblem(key, f"unknown key {shown_key}{hint}")
        target = _PLURALS.get(key, key)
        special: dict[str, Callable[[Any], Any]] = {
            "analysis": _analysis,
            "knobs": _knobs,
            "only": _pairs,
            "loops_by_trial": _loops,
            "problems": functools.partial(_problems, folder=folder),
        }
        read[target] = special[key](value) if key in special else _value(key, target, value)
    for key in ("modes",) if read.get("problems") else ("architectures", "modes"):
        if key not in read:
            raise InputError(f'the key "{key}" is missing')
    read["architectures"] = architectures(list(read.get("architectures", ())), folder)
    return read


def _problems(value: Any, folder: Path) -> tuple[ProblemReference, ...]:
    """Texts, as users write them; or tables, as a study keeps them, which are read without an import."""
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, (str, dict)) for one in values):
        raise _KeyProblem(
            "problems", 'problems are texts: problems = ["images:CNN", "my_file.py:Mine(width=8)"]'
        )
    try:
        return tuple(
            ProblemReference.parse(one, folder=folder) if isinstance(one, str) else _kept_problem(one)
            for one in values
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _KeyProblem("problems", f"a problem cannot be read: {error!r}") from None


def _kept_problem(table: Mapping[str, Any]) -> ProblemReference:
    """TOML has no null: what is not there is None."""
    metric = {"chance": None, **table["metric"]}
    return ProblemReference.from_dict({"source": None, **table, "metric": metric})


def _value(key: str, target: str, value: Any) -> Any:
    kinds = _KINDS[target]
    values = value if isinstance(value, list) and target in _AXES else [value]
    for one in values:
        if not isinstance(one, kinds) or (isinstance(one, bool) and bool not in kinds):
            wanted = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}[kinds[0]]
            raise _KeyProblem(key, f'"{key}" must be {wanted}, not {shown(one)}')
    if target not in _AXES:
        return value
    try:
        return tuple(float(one) for one in values) if float in kinds else tuple(values)
    except OverflowError:
        raise _KeyProblem(key, f'"{key}" must be a finite number, not {shown(value)}') from None


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    good = isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(word, str) for word in pair)
        for pair in value
    )
    if not good:
        raise _KeyProblem("only", 'only is a list of pairs: only = [["[1*32]", "plain"], ["[1*8]", "none"]]')
    return tuple((str(_subject(subject)), mode) for subject, mode in value)


def _loops(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(one) is int and one > 0 for one in value):
        raise _KeyProblem("loops_by_trial", "loops_by_trial is a list of whole numbers, one a trial")
    return tuple(value)


def _subject(text: str) -> Architecture | str:
    return text if is_reference(text) else Architecture.parse(text)


def _knobs(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict) or not all(isinstance(table, dict) for table in value.values()):
        raise _KeyProblem("knobs", 'knobs are tables, one a mode: [knobs.dropout] and under it "p = 0.2"')
    for knob, given in ((knob, given) for table in value.values() for knob, given in table.items()):
        if isinstance(given, int) and abs(given) > LARGEST:
            raise _KeyProblem(knob, f'"{knob}" is too large a number: {shown(given)}')
    return {mode: dict(table) for mode, table in value.items()}


def _analysis(value: Any) -> AnalysisPlan:
    try:
        return AnalysisPlan.read(value)
    except InputError as error:
        raise _KeyProblem("analysis", str(error)) from None


def _line_of(key: str, text: str) -> str:
    pattern = re.compile(rf"^\s*(\[\s*)?[\"']?{re.escape(key)}\b")
    for number, line in enumerate(text.splitlines(), start=1):
        if pattern.match(line):
            return f", line {number}"
    return ""


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return repr(value)
