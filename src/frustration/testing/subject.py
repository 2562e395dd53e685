"""A mode under test: its data, what it does to a network alone, and a trial under it."""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass

from frustration.architecture import Architecture
from frustration.dataset import Split
from frustration.engine.trial import Trial
from frustration.modes import EpochSettings, Evidence, LoopContext, Mode, Program, mode_named, mode_names
from frustration.network import Network
from frustration.record import LoopEntry
from frustration.streams import Streams
from frustration.testing.trials import BATCH, fresh, small_mnist, spec_of, trained

ARCHITECTURE = "[1*6, 1*5]"
LOOPS = 6
EPOCH = EpochSettings(learning_rate=1e-3)


class ContractBroken(AssertionError):
    """A mode does not keep what every mode promises."""


def hold(kept: bool, otherwise: str) -> None:
    """Raise ContractBroken with a sentence unless something holds."""
    if not kept:
        raise ContractBroken(otherwise)


@dataclass(frozen=True)
class Subject:
    """A mode by its name."""

    name: str

    @property
    def mode(self) -> type[Mode]:
        return mode_named(self.name)

    @property
    def data(self) -> Split:
        return small_mnist()

    @property
    def acts_in_training(self) -> bool:
        return bool(changed_in_training(self.name))

    @property
    def undosed(self) -> str:
        """The mode at dose 0."""
        return f"{self.name}:{self.mode.dose_knob}=0"

    @property
    def untreated(self) -> str:
        """What it is at dose 0: its ratchet and its optimizer without the treatment."""
        return f"{'none' if self.mode.ratchet else 'plain'}/{self.mode.optimizer}"

    @functools.cached_property
    def history(self) -> tuple[Trial, list[Network]]:
        """A trial of some loops under the mode, and its base before each of them."""
        bases: list[Network] = []

        def observe(trial: Trial, entry: LoopEntry) -> None:
            bases.append(_simple(trial.base.copy()))

        spec = spec_of(ARCHITECTURE, self.name, meta_loops=LOOPS)
        (trial,) = trained([spec], self.data, observe=observe)
        return trial, [_simple(fresh(spec, self.data).base), *bases[:-1]]

    def network(self) -> Network:
        """A fresh one, none of whose weights is zero."""
        return _simple(fresh(spec_of(ARCHITECTURE, "none"), self.data).base)

    def intervention(self, before: Network, loop: int, mode: str | None = None) -> tuple[Network, Evidence]:
        """(network afterwards, evidence) of the mode's intervention alone, in a loop of trial 0."""
        steps = math.ceil(self.data.samples / BATCH)
        streams = Streams(0, 0, Architecture.parse(ARCHITECTURE))
        context = LoopContext(streams, loop, self.data.probe(1_000), steps)
        candidate = before.copy()
        evidence: Evidence = {}
        for component in Program.parse(mode or self.name).at(loop).components:
            evidence |= component.intervene(candidate, context)
        return candidate, evidence


def _simple(network: object) -> Network:
    """The contract is about SimpleMLPs."""
    if not isinstance(network, Network):
        raise TypeError(network)
    return network


def changed_in_training(name: str) -> set[str]:
    """The settings of an epoch that a mode changes."""
    after = mode_named(name)().training(EPOCH)
    return {f.name for f in dataclasses.fields(EPOCH) if getattr(after, f.name) != getattr(EPOCH, f.name)}


def others(name: str) -> list[str]:
    return [other for other in mode_names() if other != name]
