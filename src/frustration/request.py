"""A request to `train`, with the defaults of all its fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any

from frustration.architecture import Architecture
from frustration.checkpoint import CheckpointFiles
from frustration.dataset import Split, file_stem
from frustration.engine.backends import STACKED
from frustration.errors import InputError
from frustration.modes import mode_named, mode_names
from frustration.references import ProblemReference
from frustration.spec import TrialSpec


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user asks of `train`; None leaves a choice to the checkpoint or to the mode."""

    architecture: Architecture | ProblemReference
    modes: Sequence[str] = ("none",)
    trials: int | None = None
    meta_loops: int = 100
    until: int | None = None
    seed: int | None = None
    dataset: str = "mnist"
    data: Split | None = None
    """Data in memory, in place of the named data set."""
    train_fraction: float = 1.0
    learning_rate: float = 1e-4
    batch_size: int = 256
    loop_steps: int | None = None
    """Optimizer steps of a loop; None: an epoch."""
    optimizer: str | None = None
    acceptance: str | None = None
    knobs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Knobs for modes that do not name them, by mode: {"dropout": {"p": 0.2}}."""
    backend: str | None = None
    stacked: bool = False
    """Networks of a problem train several as one, where a step of theirs agrees with the plain loop's."""
    device: str | None = None
    threads: int | None = None
    model_dir: Path = Path("models")
    fresh: bool = False
    continue_with_new_settings: bool = False
    """Train a checkpoint on although its last session had other settings; its record will say so."""
    accept_numerics: bool = False

    def __post_init__(self) -> None:
        if not self.modes:
            raise InputError(f"no mode is named; modes are {', '.join(mode_names())}")
        for name in ("trials", "until", "threads"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, Integral) and int(value) >= 1):
                raise InputError(f"{name} must be a whole number of 1 or more, not {value!r}")
        for mode, knobs in self.knobs.items():
            mode_named(mode).with_knobs(knobs)
        if self.stacked and self.backend is not None:
            raise InputError(f'stacked is a backend of its own; leave backend "{self.backend}" out')

    @property
    def engine(self) -> str | None:
        """The backend that is asked for; None: the best."""
        return STACKED if self.stacked else self.backend

    @property
    def problem(self) -> ProblemReference | None:
        """What is trained, where it is not a SimpleMLP."""
        return self.architecture if isinstance(self.architecture, ProblemReference) else None

    @property
    def comparison(self) -> bool:
        """Several modes or trials: one checkpoint for each, paired by their trial numbers."""
        return len(self.modes) > 1 or self.trials is not None

    def files(self, spec: TrialSpec) -> CheckpointFiles:
        """models/mnist_lkg, or models/1x32/hidden/t000_lkg in a comparison."""
        if not self.comparison:
            return CheckpointFiles(self.model_dir / f"{file_stem(self.dataset)}_lkg", self.model_dir)
        return CheckpointFiles(self.model_dir / f"{spec.folder}_lkg", self.model_dir)
