"""perforatedai as a backend: a population of one network, and the library's own tracker as its schedule."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frustration.dataset import Split
from frustration.dendrites.schedule import GrowthSchedule, Schedule
from frustration.dendrites.settings import Settings
from frustration.engine.perforated.available import VERSION, why_not_library
from frustration.engine.perforated.licence import Licence, find_licence
from frustration.engine.perforated.process import (
    Files,
    LibraryError,
    LibraryProblemError,
    LibraryProcess,
)
from frustration.engine.perforated.schedule import STATE, LibrarySchedule
from frustration.engine.perforated.wire import PROBLEM, SIMPLE_MLP
from frustration.engine.population import Epoch, OptimizerState, Part
from frustration.engine.slots import SlotLayout
from frustration.errors import InputError
from frustration.network import Shape
from frustration.protocols import AnyNetwork, AnyShape, Vector
from frustration.references import ProblemError, ProblemReference

ODD = "module"
"""As DataParallel begins its names; the library takes it off them."""
NO_GROWTH = Settings(switch_mode="none")
"""What a trial is started with whose dendrites have not begun, or that has none."""


@dataclass(kw_only=True, eq=False)
class Trainer:
    """One trial's process, and what it takes to start it again."""

    shape: Any
    """Without dendrites."""
    data: Any
    batch_size: int
    files: Files
    licence: Licence | None
    process: LibraryProcess | None = None
    handed_out: OptimizerState | None = None
    """The state that the optimizer in the child still has."""

    def start(self, settings: Settings, seed: int) -> LibraryProcess:
        """A new process; the one before ends."""
        self.end()
        simple = isinstance(self.shape, Shape)
        self.process = LibraryProcess(
            self.files, self.licence, LibraryError if simple else LibraryProblemError
        )
        what, arrays = _simple_mlp(self.shape, self.data) if simple else _problem(self.shape, self.data)
        self.process.ask(
            "start",
            arrays,
            settings=settings.to_dict(),
            seed=seed,
            batch_size=self.batch_size,
            ephemeral=self.process.ephemeral,
            graphs=self.files.graphs,
            test_saves=self.files.test_saves,
            licensed=self.licence is not None,
            **what,
        )
        return self.process

    def running(self) -> LibraryProcess:
        return self.process or self.start(NO_GROWTH, seed=0)

    def end(self) -> None:
        if self.process is not None:
            self.process.end()
        self.process = self.handed_out = None


def _simple_mlp(shape: Shape, data: Split) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a child has to know of a SimpleMLP, and its data."""
    values = data.pixel_values
    arrays: dict[str, Any] = {} if values is None else {"pixel_values": values}
    for name in ("train", "validation", "test"):
        part = getattr(data, name)
        arrays |= {f"{name}_images": part.images, f"{name}_labels": part.labels}
    what = {"architecture": str(shape.architecture), "features": shape.features, "classes": shape.classes}
    return {"trains": SIMPLE_MLP, **what}, arrays


def _problem(shape: Any, data: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A problem is imported by the child, and asked for its network and its data there."""
    network, problem = shape.layout.network, data.reference
    names = [name for name, _ in network.named_parameters(remove_duplicate=False)]
    if tied := sorted({*names} - {name for name, _ in network.named_parameters()}):
        raise ProblemError(
            f"problem {problem}: {tied[0]} is tied to another weight, which perforatedai cannot save; "
            f"--backend module grows such networks"
        )
    if odd := [name for name in names if name.startswith(ODD)]:
        raise ProblemError(
            f"problem {problem}: perforatedai cannot load a network with a part called {odd[0]}, for it "
            f'takes "{ODD}" off the front; rename it or use --backend module'
        )
    what = {"problem": problem.to_dict(), "train_fraction": data.train_fraction, "folder": str(Path.cwd())}
    return {"trains": PROBLEM, **what}, {}


class LibraryPopulation:
    """One network of one shape. Of the shape that the library has at this moment it can be trained."""

    def __init__(self, trainer: Trainer, shape: AnyShape) -> None:
        self.trainer, self.shape = trainer, shape

    def load(self, slot: int, weights: Vector) -> None:
        shape = self.shape
        self.trainer.running().ask(
            "load",
            {"weights": weights},
            dendrites=list(shape.dendrites),
            forward_function=shape.forward_function,
        )

    def weights(self, slot: int) -> Vector:
        weights: Vector = self.trainer.running().ask("weights")[1]["weights"]
        return weights

    def moments(self, slot: int) -> OptimizerState:
        message, arrays = self.trainer.running().ask("moments")
        self.trainer.handed_out = OptimizerState(arrays, message["numbers"])
        return self.trainer.handed_out

    def train(self, epochs: Mapping[int, Epoch], stop: threading.Event) -> list[float]:
        if 0 not in epochs:
            return [float("nan")]
        epoch, moments = epochs[0], epochs[0].moments
        continues = moments is not None and moments is self.trainer.handed_out
        self.trainer.handed_out = None  # from here on the optimizer has another
        sent = moments if moments is not None and not continues else OptimizerState({}, {})
        message, _ = self.trainer.running().ask(
            "train",
            {"order": epoch.order, **sent.vectors},
            stop,
            settings=dataclasses.asdict(epoch.settings),
            dropout_key=str(epoch.dropout_key),
            continues=continues,
            numbers=dict(sent.numbers),
        )
        return [float(message["loss"])]

    def evaluate(
        self, part: Part, stop: threading.Event | None = None, slots: Collection[int] | None = None
    ) -> list[float]:
        if slots is not None and 0 not in slots:
            return [-1]
        measured: float = self.trainer.running().ask("evaluate", None, stop, part=part)[0]["measured"]
        return [measured]


class LibraryBackend:
    """perforatedai with gradient-descent dendrites, or with licensed Perforated Backpropagation if asked.

    It serves one trial: its populations and its schedule share the trial's process.
    """

    depends_on_group = False

    def __init__(
        self,
        licensed: bool = False,
        files: Files | None = None,
        problem: ProblemReference | None = None,
    ) -> None:
        """`problem`: what it trains, where that is no SimpleMLP."""
        if reason := why_not_library():
            raise InputError(reason)
        found = find_licence()
        if licensed and not isinstance(found, Licence):
            raise InputError(f"{found}; --backend perforatedai trains gradient-descent dendrites without it")
        self.licence = found if licensed and isinstance(found, Licence) else None
        self.name = "perforatedbp" if self.licence else "perforatedai"
        self.files = files or Files.from_environment()
        self.problem = problem
        self._trainer: Trainer | None = None
        self._schedule: LibrarySchedule | None = None

    @property
    def _others(self) -> str:
        return "--backend module" if self.problem else "--backend torch or native"

    @property
    def kind(self) -> str:
        """Which dendrites it trains."""
        return "Perforated Backpropagation" if self.licence else "gradient-descent dendrites"

    def said(self) -> str:
        """Which dendrites it trains, and why no others, in one sentence."""
        off = "" if self.licence else "; licensed Perforated Backpropagation is off (--backend perforatedbp)"
        return f"perforatedai {VERSION} trains {self.kind}{off}"

    def population(
        self, shape: AnyShape, layout: Iterable[str], data: Any, batch_size: int
    ) -> LibraryPopulation:
        if SlotLayout(layout).slots != 1:
            raise ValueError("perforatedai trains one network at a time")
        if self._trainer is None:
            bare = shape.with_dendrites((0,) * len(shape.dendrites))
            self._trainer = Trainer(
                shape=bare, data=data, batch_size=batch_size, files=self.files, licence=self.licence
            )
        return LibraryPopulation(self._trainer, shape)

    def take_over(
        self, schedule: GrowthSchedule, seed: int, network: AnyNetwork, saved: AnyNetwork | None
    ) -> LibrarySchedule:
        """The library's own tracker in place of a schedule that has just started or was kept.

        `seed` is that of its growth draws, `network` what is trained next, `saved` the schedule's saved one.
        Asked after `population`.
        """
        if self._trainer is None:
            raise LibraryError("the schedule was asked for before there was a population")
        if not schedule.counts_growth:
            raise InputError(
                f"perforatedai cannot go back without growing, as the mode reset does; {self._others} can"
            )
        mirror = Schedule.from_state(schedule.state())  # not one that another process of the library holds
        if mirror.observed and STATE not in mirror.foreign:
            raise LibraryError(
                "this trial was started by another backend; the library cannot continue with it"
            )
        if not mirror.observed and network.shape.grown:
            raise InputError(
                f"perforatedai starts from a network without dendrites, and this one has some; "
                f"{self._others} can resume from it"
            )
        process = self._trainer.start(mirror.settings, seed)
        self._schedule = LibrarySchedule(mirror, process, self._trainer.shape, mirrored=self.licence is None)
        self._schedule.resume(network, saved)
        return self._schedule

    def group_limit(self, shape: AnyShape, batch_size: int) -> int:
        return 1

    def close(self) -> None:
        """End the trial's process; what its schedule knows stays with it."""
        if self._schedule is not None and not self._schedule.closed:
            with contextlib.suppress(LibraryError):  # then what was asked for last is what it knows
                self._schedule.state()
        if self._trainer is not None:
            self._trainer.end()

    def __getstate__(self) -> dict[str, Any]:
        """A copy has no process, and no licence to give away."""
        return {**vars(self), "licence": None, "_trainer": None, "_schedule": None}

    def numerics(self) -> dict[str, Any]:
        import torch

        return {
            "backend": self.name,
            "dendrites": self.kind,
            "perforatedai": VERSION,
            "torch": torch.__version__,
            "device": "cpu",
            "vector": torch.backends.cpu.get_cpu_capability(),
            **self._code(),
        }

    def _code(self) -> dict[str, str]:
        if self.problem is None:
            return {}
        from frustration.engine.module.population import code_digest

        return {"code": code_digest(self.problem)}
