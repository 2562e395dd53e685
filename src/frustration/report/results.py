"""The trials of a study as arrays: one cell for each treatment of an architecture, trials along axis 0.

Scores are in the unit of their metric: accuracies in percent. NaN stands for a number that a trial does not
have. Nothing is computed here but what follows from one record alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frustration.architecture import Architecture
from frustration.metric import ACCURACY, Metric
from frustration.report.chance_level import ChanceLevel, chance_level
from frustration.study.analysis_plan import AS_USUAL, AnalysisPlan

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all trials that are compared with one another share, besides their architecture."""

    dataset: str
    dataset_digest: str
    train_fraction: float
    learning_rate: float | None
    """None where each arm has its own."""
    batch_size: int
    seed: int
    meta_loops: int
    problem_metric: Metric | None = None
    """None: accuracy of a SimpleMLP."""

    @property
    def metric(self) -> Metric:
        """What scores mean."""
        return self.problem_metric or ACCURACY

    @property
    def chance_level(self) -> ChanceLevel | None:
        """Of the data of a SimpleMLP; what chance scores in a problem is for its metric to say."""
        if self.problem_metric is not None:
            return None
        return chance_level(self.dataset, self.dataset_digest, self.train_fraction)

    @property
    def name(self) -> str:
        """`mnist, lr 0.0001`, and the fraction of the training images where it is not all of them."""
        part = "" if self.train_fraction == 1.0 else f", {100 * self.train_fraction:g} % of training images"
        rate = "" if self.learning_rate is None else f", lr {self.learning_rate:g}"
        return f"{self.dataset}{rate}{part}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Curves:
    """The loops of a cell, each array (trials, loops); a trial that ended early has NaN (False) behind."""

    accuracy: Floats
    """Validation score of the candidate after training: accuracy, or what a problem scores."""
    loss: Floats
    before: Floats
    """That of the base; NaN in loop 1."""
    damaged: Floats
    """Right after the intervention; NaN where nothing was changed."""
    accepted: Bools
    new_bounty: Bools
    trained: Bools
    """Whether the trial had this loop at all."""
    dendrites: Floats
    """Dendrites per neuron of the network trained in the loop; 0 where nothing grows."""
    parameters: Floats
    flops: Floats
    """Of one forward pass of one sample of the network trained in the loop."""
    sign: int = 1
    """Of the metric: -1 where lower scores are better."""

    @cached_property
    def best(self) -> Floats:
        """Best validation score so far; NaN before the first finite one and after the trial's end."""
        best = self.sign * np.fmax.accumulate(self.sign * self.accuracy, axis=1)
        return np.where(self.trained, best, np.nan)

    @property
    def harm(self) -> Floats:
        """What the intervention cost in score; positive where it made the network worse."""
        return self.sign * (self.before - self.damaged)

    @property
    def recovery(self) -> Floats:
        """What the epoch after it won back."""
        return self.sign * (self.accuracy - self.damaged)

    @property
    def training_flops(self) -> Floats:
        """Forward operations per training image, added up over the loops so far."""
        return np.nancumsum(np.where(self.trained, self.flops, np.nan), axis=1)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try of a trial to grow."""

    loop: int
    dendrites: int | None
    parameters_before: int | None
    parameters_after: int | None
    outcome: str


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What became of a trial's dendrites."""

    added: int
    attempts: tuple[Attempt, ...]
    ended: str | None
    why: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """All finished trials of one treatment of one architecture in one setting, by trial number."""

    setting: Setting
    architecture: Architecture
    label: str
    """The treatment as a user would write it; a report leaves out what all of its treatments share."""
    modes: tuple[str, ...]
    """The names of its components."""
    treatments: tuple[str, ...]
    """Those of them that are no mere controls."""
    knobs: tuple[Mapping[str, Any], ...]
    """All knobs of each component, explicit."""
    program: str
    """The treatment without knobs and policies."""
    policies: tuple[str, ...]
    """Optimizer, acceptance, length of a loop."""
    departures: str
    """How these differ from those that belong to the program, as the label ends; "": not at all."""
    controls: tuple[str, ...]
    """Programs that it may be compared with, the best first."""
    trial: Ints
    ids: tuple[str, ...]
    bounty: Floats
    bounty_loop: Floats
    test_accuracy: Floats
    """Of the LKG."""
    parameters: Floats
    flops: Floats
    """Of one forward pass of one sample of the LKG."""
    training_flops: Floats
    """Forward operations per training image over the whole trial."""
    seconds: Floats
    """CPU time; NaN where nothing was trained."""
    loops: Ints
    """Loops trained."""
    ended_early: Bools
    inert: tuple[tuple[str, ...], ...]
    """Of each trial the treatments that never acted."""
    diverged: Ints
    """Loops whose loss was not finite."""
    backends: tuple[str, ...]
    growth: tuple[Growth | None, ...]
    courses: tuple[str, ...]
    """A digest of each trial's losses and scores, loop by loop; "" where its loops are not known."""
    curves: Curves | None
    """None where only the outcome is known, as in a published trials file."""
    chosen_rate: float | None = None
    """Of this arm, where its setting names none."""
    twins: int = 0
    """How many of the trials were not trained, because a control's computation is theirs."""

    @property
    def n(self) -> int:
        return len(self.trial)

    @property
    def key(self) -> tuple[Setting, Architecture, str]:
        return self.setting, self.architecture, self.label

    @property
    def whole_label(self) -> str:
        """With what a report leaves out, as it can be run again."""
        return self.label.removesuffix(self.departures) + self.departures

    @property
    def learning_rate(self) -> float:
        rate = self.chosen_rate if self.setting.learning_rate is None else self.setting.learning_rate
        assert rate is not None
        return rate

    @property
    def inert_trials(self) -> Bools:
        """In which trials some treatment of this cell never acted and no other did, (trials,)."""
        wanted = set(self.treatments)
        return np.array([bool(wanted) and wanted <= set(names) for names in self.inert], dtype=bool)

    @property
    def is_inert(self) -> bool:
        """Whether that is so in every trial."""
        return self.n > 0 and bool(self.inert_trials.all())

    @property
    def grows(self) -> bool:
        """Whether some trial really had a dendrite."""
        added = any(growth is not None and growth.added > 0 for growth in self.growth)
        return added or (self.curves is not None and bool(np.any(self.curves.dendrites > 0)))

    def values(self, metric: str) -> Floats:
        """`test` or `bounty`, (trials,)."""
        return self.test_accuracy if metric == "test" else self.bounty


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A trial that left no record but an error."""

    id: str
    architecture: str
    label: str
    trial: int | None
    cause: str
    """The last line of its traceback."""


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A record that is not part of the report, and one sentence why."""

    path: Path
    reason: str
    newer: bool = False
    """Whether a later version wrote it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyResults:
    """Everything that a report is made from."""

    name: str
    source: Path
    """The folder of the study, or the trials file."""
    published: bool
    """Whether this is a trials file of the original project: bounties alone."""
    cells: tuple[Cell, ...]
    """In the study's order: setting, architecture, treatment."""
    paired: bool = True
    """Whether trials of one number belong together."""
    runs: Metric | None = None
    """The score of runs that were made elsewhere and read from a table; None: trials of ours."""
    expected: int | None = None
    """Trials that the study asks for."""
    failures: tuple[Failure, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    looks: tuple[int, ...] = ()
    """The number of trials of a cell at each earlier look at a report."""
    looks_lost: bool = False
    """Whether there may have been more: the manifest was damaged."""
    extensions: int = 0
    """How often trials were added to a study that was there."""
    plan: AnalysisPlan = AS_USUAL
    """How the study wants its report to be made."""
    shared: str = ""
    """`/ties`: what all labels of the study end with, and its cells' leave out."""
    rates: tuple[float, ...] = ()
    """The learning rates among which each arm's was chosen; () where none was."""
    manifest: tuple[Mapping[str, Any], ...] = ()
    """The runs that made it."""
    definition: str = ""
    """The text of study.toml."""
    probes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What was measured of the kept networks later, by trial id."""

    @cached_property
    def _by_key(self) -> dict[tuple[Setting, Architecture, str], Cell]:
        return {cell.key: cell for cell in self.cells}

    @property
    def extends(self) -> bool:
        """Whether trials of it may be added and looked at again, which the store then keeps count of."""
        return self.paired and self.runs is None

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        return tuple(dict.fromkeys(cell.setting for cell in self.cells))

    @cached_property
    def architectures(self) -> tuple[Architecture, ...]:
        return tuple(dict.fromkeys(cell.architecture for cell in self.cells))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """All treatments."""
        return tuple(dict.fromkeys(cell.label for cell in self.cells))

    @property
    def trials(self) -> int:
        """Finished trials in all."""
        return sum(cell.n for cell in self.cells)

    @property
    def metric(self) -> str:
        """The headline: `test` (of the LKG) where it is known, else `bounty`."""
        judged = {cell.setting for cell in self.cells if np.isfinite(cell.bounty).any()}
        tested = {cell.setting for cell in self.cells if np.isfinite(cell.test_accuracy).any()}
        return "test" if tested and judged <= tested else "bounty"

    def cell(self, setting: Setting, architecture: Architecture, label: str) -> Cell | None:
        return self._by_key.get((setting, architecture, label))

    def groups(self) -> Iterator[tuple[Setting, Architecture, tuple[Cell, ...]]]:
        """The treatments that are compared with one another: those of one architecture in one setting."""
        found: dict[tuple[Setting, Architecture], list[Cell]] = {}
        for cell in self.cells:
            found.setdefault((cell.setting, cell.architecture), []).append(cell)
        for (setting, architecture), cells in found.items():
            yield setting, architecture, tuple(cells)


def parameters_of(cells: Iterable[Cell]) -> int:
    """Of the plain network of an architecture: its cells' smallest, for some treatments make it larger."""
    return int(min((float(np.nanmin(cell.parameters)) for cell in cells if cell.n), default=0.0))
