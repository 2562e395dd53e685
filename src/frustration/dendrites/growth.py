"""How one trial's network grows: the schedule's decisions carried out, and growth as an intervention.

Two things can make a network grow. Without the ratchet the library's own schedule does: it looks at every
score, and puts another network in place when a round is over. With the ratchet growth is an intervention
on a candidate, and disappears with it when the candidate is discarded.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from frustration.dendrites.draws import GrowthDraws
from frustration.dendrites.schedule import GROW, Attempt, GrowthSchedule, Schedule
from frustration.dendrites.settings import Settings
from frustration.errors import InputError
from frustration.modes import Program, Regime, Segment
from frustration.modes.base import Evidence
from frustration.network import Network, Shape

if TYPE_CHECKING:
    from frustration.dendrites.library.schedule import LibrarySchedule


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """What a trial is to do after a loop."""

    network: Network | None = None
    """Puts itself in the place of the base, and the optimizer forgets; None: all goes on as it is."""
    accuracy: float | None = None
    """Of that network, in percent, as it was when it was last scored."""
    ends: bool = False


@runtime_checkable
class Conductor(Protocol):
    """A backend in which another program decides when a network grows, and lets it grow."""

    def conduct(
        self, schedule: GrowthSchedule, seed: int, network: Network, saved: Network | None
    ) -> LibrarySchedule:
        """That program's schedule in the place of one of ours, where that one stands."""

    def close(self) -> None:
        """It is not needed any more."""


class Growth(Protocol):
    """What a trial asks of its dendrites, loop by loop."""

    name: str
    """Of the mode that they belong to."""
    saved: Network | None
    """A network that has to survive with it."""
    earlier: list[dict[str, Any]]
    """The attempts of other ranges of loops, before its own, as records have them."""

    def belongs_to(self, segment: Segment) -> bool: ...
    def hand_over(self, conductor: Conductor, base: Network) -> None:
        """Leave decisions to another program; once more is harmless."""

    def treat(self, candidate: Network) -> tuple[Network, Evidence]:
        """The candidate, grown or as it was, and what the loop's evidence has to say."""

    def training(self, regime: Regime, shape: Shape) -> Regime:
        """How a network of this shape is trained."""

    def follow(self, loop: int, accuracy: float, network: Network, accepted: bool) -> Course:
        """After every loop that gave a finite network."""

    def discard(self, loop: int) -> None:
        """After a loop that diverged: it left no trace, and the schedule does not hear of it."""

    def adopt(self, loop: int) -> None:
        """Patience has ended: the network of this loop, discarded then, is the base from now on."""

    def summary(self) -> dict[str, Any]:
        """For the record."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values for the checkpoint; `growth_from_dict` reads them."""


def begin_growth(segment: Segment, seed: int, earlier: Sequence[dict[str, Any]] = ()) -> Growth:
    """Growth as a segment wants it, from its first loop on; `earlier` are the attempts before that."""
    mode = segment.growing
    if mode is None:
        raise ValueError(f"nothing grows in {segment}")
    draws = GrowthDraws.seeded(seed)
    if segment.ratchet:
        return RatchetGrowth(
            name=mode.name,
            first=segment.first,
            settings=mode.settings,
            draws=draws,
            earlier=list(earlier),
        )
    return ScheduledGrowth(
        name=mode.name,
        first=segment.first,
        settings=mode.settings,
        adds=mode.adds_dendrites,
        schedule=Schedule(mode.settings, counts_growth=mode.adds_dendrites),
        draws=draws,
        seed=seed,
        earlier=list(earlier),
    )


def growth_from_dict(program: Program, fields: Mapping[str, Any], saved: Network | None) -> Growth:
    """What `to_dict` wrote, with the network that was saved beside it."""
    segment = program.at(fields["first"])
    mode = segment.growing
    if mode is None:
        raise ValueError(f"nothing grows in {segment}")
    draws = GrowthDraws.from_bytes(base64.b64decode(fields["draws"]))
    common = {
        "name": fields["name"],
        "first": fields["first"],
        "draws": draws,
        "settings": mode.settings,
        "earlier": fields.get("earlier", []),
    }
    if fields["kind"] == "ratchet":
        attempts = [Attempt(**attempt) for attempt in fields["attempts"]]
        sizes = [tuple(size) for size in fields["sizes"]]
        counts = {name: fields[name] for name in ("idle", "tried", "growing", "loops")}
        return RatchetGrowth(attempts=attempts, sizes=sizes, **counts, **common)
    return ScheduledGrowth(
        adds=mode.adds_dendrites,
        seed=fields["seed"],
        schedule=Schedule.from_state(fields["schedule"]),
        saved=saved,
        saved_accuracy=fields["saved_accuracy"],
        saved_loop=fields["saved_loop"],
        sizes=[tuple(size) for size in fields["sizes"]],
        pending=fields["pending"],
        why=fields["why"],
        ended=fields["ended"],
        **common,
    )


def grown(network: Network, layers: tuple[bool, ...], settings: Settings, draws: GrowthDraws) -> Network:
    """The same network with one more dendrite on every unit of some linear layers.

    It computes what it computed before: a new dendrite has no weight in its unit yet.
    """
    dendrites = [k + more for k, more in zip(network.shape.dendrites, layers, strict=True)]
    shape = network.shape.with_dendrites(dendrites, settings.pai_forward_function)
    bigger = Network(shape, np.zeros(shape.size, np.float32))
    for old, new in zip(network.layers, bigger.layers, strict=True):
        for part, room in zip(old, new, strict=True):
            room[: len(part)] = part
    for layer, grows in enumerate(layers):
        if grows:
            main = (network.weights[layer], network.biases[layer])
            bigger.all_weights[layer][-1], bigger.all_biases[layer][-1] = draws.dendrite(main, settings)
    return bigger


@dataclass(kw_only=True, eq=False)
class ScheduledGrowth:
    """The library's own way: nothing is discarded, and rounds end when the score no longer rises."""

    name: str
    first: int
    """Loop in which the segment begins that it belongs to."""
    settings: Settings
    adds: bool
    """Whether it grows, or only goes back at the moments of growth."""
    schedule: Schedule | LibrarySchedule
    draws: GrowthDraws
    seed: int
    """Of the draws."""
    library: LibrarySchedule | None = None
    """The schedule, where it is another program's: it lets the network grow as well."""
    saved: Network | None = None
    saved_accuracy: float | None = None
    saved_loop: int = 0
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """Parameters before and after each attempt."""
    pending: Evidence = field(default_factory=dict)
    """What was done after the last loop, and will have acted in the next."""
    why: str = ""
    """The schedule's last words."""
    ended: bool = False
    earlier: list[dict[str, Any]] = field(default_factory=list)

    def belongs_to(self, segment: Segment) -> bool:
        return self.first == segment.first

    def hand_over(self, conductor: Conductor, base: Network) -> None:
        if isinstance(self.schedule, Schedule) or self.schedule.closed:
            self.schedule = self.library = conductor.conduct(self.schedule, self.seed, base, self.saved)

    def treat(self, candidate: Network) -> tuple[Network, Evidence]:
        evidence, self.pending = self.pending, {}
        return candidate, evidence

    def training(self, regime: Regime, shape: Shape) -> Regime:
        return _slowed(regime, shape, self.settings)

    def follow(self, loop: int, accuracy: float, network: Network, accepted: bool) -> Course:
        if self.ended:  # before its range of loops is over: training goes on from the saved network
            return Course()
        decision = self.schedule.observe(accuracy / 100)
        self.why = decision.why
        if decision.save:
            self.saved, self.saved_accuracy, self.saved_loop = network, accuracy, loop
        ends = self.ended = decision.action == "end"
        if not decision.restore or self.saved is None:
            if decision.action != GROW:
                return Course(ends=ends)
            return self._grow(network, accuracy, loop, loop, decision.save_grown)
        self.draws.restore(self.saved)
        if decision.action == GROW:
            return self._grow(self.saved, self.saved_accuracy, self.saved_loop, loop, decision.save_grown)
        return Course(network=self.saved, accuracy=self.saved_accuracy, ends=ends)

    def _grow(self, start: Network, accuracy: float | None, from_loop: int, loop: int, save: bool) -> Course:
        layers = self.settings.grown_layers(len(start.shape.layers))
        theirs = self.library.grown() if self.library else None
        ours = grown(start, layers, self.settings, self.draws) if self.adds and not theirs else start.copy()
        network = theirs or ours
        sizes = (start.shape.size, network.shape.size)
        self.sizes.append(sizes)
        # The schedule counts what it is told of, from its own beginning; records count everything.
        attempt = self.schedule.attempts[-1]
        attempt.loop = loop
        if self.adds:
            attempt.dendrites = max(network.shape.dendrites)
        self.pending = {"went_back_to_loop": from_loop, "attempt": len(self.sizes)}
        if self.adds:
            self.pending |= {"dendrites": max(network.shape.dendrites), "parameters": list(sizes)}
        if save:
            self.saved, self.saved_accuracy, self.saved_loop = network, accuracy, from_loop
        return Course(network=network, accuracy=accuracy)

    def discard(self, loop: int) -> None:
        """The schedule counts the epochs that it is told of."""

    def adopt(self, loop: int) -> None:
        """Without the ratchet nothing is discarded."""

    def summary(self) -> dict[str, Any]:
        why = self.why if self.sizes or self.ended else "no plateau was long enough for its schedule"
        return _summary(self.earlier, self.schedule.attempts, self.sizes, why, self.adds, self.ended)

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "schedule",
            "name": self.name,
            "first": self.first,
            "schedule": self.schedule.state(),
            "seed": self.seed,
            "draws": base64.b64encode(self.draws.to_bytes()).decode(),
            "saved_accuracy": self.saved_accuracy,
            "saved_loop": self.saved_loop,
            "sizes": [list(size) for size in self.sizes],
            "pending": self.pending,
            "why": self.why,
            "ended": self.ended,
            "earlier": self.earlier,
        }


@dataclass(kw_only=True, eq=False)
class RatchetGrowth:
    """Growth as an intervention: after n loops without an acceptance each candidate grows by one dendrite,
    until one is accepted or so many tries have failed; then it waits for the next acceptance."""

    name: str
    first: int
    settings: Settings
    draws: GrowthDraws
    idle: int = 0
    """Loops since the last acceptance."""
    tried: int = 0
    """Candidates that grew since then."""
    growing: bool = False
    """Whether the candidate under way has grown."""
    attempts: list[Attempt] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    saved: Network | None = None
    loops: int = 0
    earlier: list[dict[str, Any]] = field(default_factory=list)

    def belongs_to(self, segment: Segment) -> bool:
        return self.first == segment.first

    def hand_over(self, conductor: Conductor, base: Network) -> None:
        raise InputError(
            "with the ratchet growth is not the library's to decide; --backend torch or native can"
        )

    def treat(self, candidate: Network) -> tuple[Network, Evidence]:
        dendrites = max(candidate.shape.dendrites)
        self.growing = (
            self.idle >= self.settings.n_epochs_to_switch
            and self.tried < self.settings.max_dendrite_tries
            and dendrites < self.settings.max_dendrites
            and self.loops >= self.settings.min_epochs_before_growth
        )
        if not self.growing:
            return candidate, {}
        layers = self.settings.grown_layers(len(candidate.shape.layers))
        bigger = grown(candidate, layers, self.settings, self.draws)
        self.tried += 1
        self.attempts.append(Attempt(loop=self.loops, dendrites=dendrites + 1))
        self.sizes.append((candidate.shape.size, bigger.shape.size))
        return bigger, {"dendrites": dendrites + 1, "parameters": list(self.sizes[-1]), "attempt": self.tried}

    def training(self, regime: Regime, shape: Shape) -> Regime:
        return _slowed(regime, shape, self.settings)

    def follow(self, loop: int, accuracy: float, network: Network, accepted: bool) -> Course:
        self._settle(loop, accepted)
        return Course()

    def discard(self, loop: int) -> None:
        self._settle(loop, accepted=False)

    def adopt(self, loop: int) -> None:
        for attempt in self.attempts:
            if attempt.loop == loop - 1:
                attempt.outcome = "kept"

    def _settle(self, loop: int, accepted: bool) -> None:
        self.loops += 1
        if self.growing:
            self.attempts[-1].loop = loop - 1
            self.attempts[-1].outcome = "kept" if accepted else "failed"
        self.idle, self.tried = (0, 0) if accepted else (self.idle + 1, self.tried)
        self.growing = False

    def summary(self) -> dict[str, Any]:
        patience = self.settings.n_epochs_to_switch
        if self.attempts:
            kept = sum(attempt.outcome == "kept" for attempt in self.attempts)
            why = f"{kept} of {len(self.attempts)} grown candidates were accepted"
        else:
            why = f"{patience} loops in a row without an acceptance never came"
        return _summary(self.earlier, self.attempts, self.sizes, why, adds=True, ended=False)

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "ratchet",
            "name": self.name,
            "first": self.first,
            "draws": base64.b64encode(self.draws.to_bytes()).decode(),
            "idle": self.idle,
            "tried": self.tried,
            "growing": self.growing,
            "loops": self.loops,
            "attempts": [dataclasses.asdict(attempt) for attempt in self.attempts],
            "sizes": [list(size) for size in self.sizes],
            "earlier": self.earlier,
        }


def _slowed(regime: Regime, shape: Shape, settings: Settings) -> Regime:
    """The learning rate of a network with dendrites, where the settings lower it."""
    factor = settings.post_growth_lr_factor if shape.grown else 1.0
    return (
        regime if factor == 1.0 else dataclasses.replace(regime, learning_rate=regime.learning_rate * factor)
    )


def _summary(
    earlier: Sequence[dict[str, Any]],
    attempts: list[Attempt],
    sizes: list[tuple[int, int]],
    why: str,
    adds: bool,
    ended: bool,
) -> dict[str, Any]:
    own = [
        {
            "loop": attempt.loop,
            "dendrites": attempt.dendrites if adds else 0,
            "parameters_before": before,
            "parameters_after": after,
            "outcome": attempt.outcome,
        }
        for attempt, (before, after) in zip(attempts, sizes, strict=True)
    ]
    return {
        "attempts": [*earlier, *own],
        "ended": "schedule" if ended else None,
        "why": why,
    }
