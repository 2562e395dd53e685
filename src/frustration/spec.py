"""The spec of a trial: every field that can change its result, and an id made from them.

Where a trial runs (device, backend, threads, runner) is not part of what it is.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self

from frustration.architecture import Architecture
from frustration.errors import InputError
from frustration.metric import ACCURACY, Metric
from frustration.modes import Program
from frustration.modes.grammar import ModeChoice
from frustration.network import Shape
from frustration.policy import STRICT, Acceptance, optimizer_policy, updates_policy
from frustration.protocols import AnyShape
from frustration.references import ProblemReference, is_reference
from frustration.sinks import shown

SCHEMA = 1
"""Raised when the same fields come to mean another computation."""
STOP_RULE = "loops"
"""Every trial ends after its loops; the word is part of all ids."""
_IN_FILE_NAMES = str.maketrans({"/": "_", ":": ".", "(": "-", ")": None})


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """One trial: one network, one treatment, one set of random streams."""

    architecture: Architecture | ProblemReference
    program: Program
    trial: int
    seed: int = 0
    dataset: str = "mnist"
    dataset_digest: str = ""
    train_fraction: float = 1.0
    meta_loops: int = 100
    learning_rate: float = 1e-4
    batch_size: int = 256
    optimizer: str = "fresh"
    acceptance: Acceptance = STRICT
    updates: str = "epochs"
    loop_steps: int | None = None
    """Optimizer steps of a loop; None: an epoch."""

    def __post_init__(self) -> None:
        # NumPy's numbers become Python's, and 1 becomes 1.0 where it is a real one: one trial, one id.
        checked = {
            "trial": _number(self.trial),
            "seed": _whole("seed", self.seed, 0, 2**63 - 1),
            "meta_loops": _whole("meta-loops", self.meta_loops, 1, 10**6),
            "batch_size": _whole("batch-size", self.batch_size, 1, 2**20),
            "learning_rate": _real("lr", self.learning_rate, math.inf),
            "train_fraction": _real("train-fraction", self.train_fraction, 1.0),
        }
        if self.loop_steps is not None:
            checked["loop_steps"] = _whole("loop-steps", self.loop_steps, 1, 10**9)
        optimizer_policy(self.optimizer)
        updates_policy(self.updates)
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.loop_steps is not None and self.updates != "epochs":
            raise InputError(
                f"a loop of {self.loop_steps} steps is no epoch, so {self.updates} has no meaning"
            )

    @classmethod
    def of(
        cls,
        architecture: str | Architecture | ProblemReference,
        mode: str,
        *,
        trial: int = 0,
        optimizer: str | None = None,
        acceptance: str | None = None,
        defaults: Mapping[str, Mapping[str, Any]] | None = None,
        **fields: Any,
    ) -> Self:
        """A spec from what a user writes: `TrialSpec.of("[1*32]", "hidden:dose=2/patience-3", trial=4)`.

        A policy written in the mode wins over `optimizer` and `acceptance`, and those over the mode's own.
        """
        if isinstance(architecture, str):
            architecture = subject_of(architecture)
        choice = ModeChoice.parse(mode, defaults)
        return cls(
            architecture=architecture,
            program=choice.program,
            trial=trial,
            optimizer=choice.optimizer or optimizer or choice.program.optimizer,
            acceptance=choice.acceptance or Acceptance.parse(acceptance or "strict"),
            **{**fields, **({"updates": choice.updates} if choice.updates else {})},
        )

    def numbered(self, trial: int) -> Self:
        """The trial of another number in the same cell; all that they share is made once."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        other = object.__new__(type(self))
        vars(other).update(fields, trial=_number(trial), _id_text=self._id_text)
        return other

    def until(self, meta_loops: int) -> Self:
        return replace(self, meta_loops=meta_loops)

    @property
    def problem(self) -> ProblemReference | None:
        """What is trained, where it is not a SimpleMLP."""
        return self.architecture if isinstance(self.architecture, ProblemReference) else None

    @property
    def metric(self) -> Metric:
        return self.problem.metric if self.problem else ACCURACY

    def shape(self, features: int, classes: int) -> AnyShape:
        """Of the network that the trial begins with: what was asked for, unless its mode widens it.

        `features` and `classes` are of the data of a SimpleMLP; a problem knows its network.
        """
        return self.program.widened(self.asked_for(features, classes))

    def check(self, classes: int, features: int = 784) -> None:
        """Raise InputError where the treatment cannot be given to this network."""
        self.program.check(self.asked_for(features, classes), self.meta_loops)

    def asked_for(self, features: int, classes: int) -> AnyShape:
        """Of the network that was asked for, whatever its mode makes of it."""
        if isinstance(self.architecture, ProblemReference):
            return self.architecture.shape()
        return Shape(self.architecture, features, classes)

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON values; the form that records keep and the id is made from.

        A loop of one epoch, which is all that there once was, goes without saying.
        """
        more: dict[str, Any] = {"updates": self.updates} if self.updates != "epochs" else {}
        more |= {"loop_steps": self.loop_steps} if self.loop_steps is not None else {}
        more |= {"problem": self.problem.to_dict()} if self.problem else {}
        return {
            "schema": SCHEMA,
            "architecture": str(self.architecture),
            "mode": str(self.program),
            "mode_params": self.program.knobs,
            "trial": self.trial,
            "seed": self.seed,
            "dataset": self.dataset,
            "dataset_digest": self.dataset_digest,
            "train_fraction": self.train_fraction,
            "meta_loops": self.meta_loops,
            "stop_rule": STOP_RULE,
            "learning_rate": self.learning_rate,
            "batch_size": self.batch_size,
            "optimizer": self.optimizer,
            "acceptance": str(self.acceptance),
            **more,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The spec that `to_dict` wrote; a newer schema is refused."""
        if fields["schema"] != SCHEMA:
            raise InputError(f"a trial of schema {fields['schema']}; this version reads schema {SCHEMA}")
        if fields["stop_rule"] != STOP_RULE:
            raise InputError(f'the stop rule "{fields["stop_rule"]}" is not known; there is "{STOP_RULE}"')
        own = ("schema", "architecture", "mode", "mode_params", "stop_rule", "problem")
        rest = {name: value for name, value in fields.items() if name not in own}
        problem = fields.get("problem")
        return cls(
            architecture=(
                ProblemReference.from_dict(problem) if problem else Architecture.parse(fields["architecture"])
            ),
            program=Program.of_knobs(fields["mode"], fields["mode_params"]),
            **{**rest, "acceptance": Acceptance.parse(fields["acceptance"])},
        )

    @functools.cached_property
    def id(self) -> str:
        """16 hexadecimal digits that are equal for equal trials only."""
        text = str(self.trial).join(self._id_text)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @functools.cached_property
    def _id_text(self) -> tuple[str, str]:
        """What the id is made from, before and behind the number of the trial."""
        fields = self.to_dict() | {"trial": 0}
        if self.problem:
            fields |= {"architecture": "", "problem": self.problem.identity}
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)
        before, _, behind = text.rpartition('"trial":0')  # behind it there is `updates` at most
        return f'{before}"trial":', behind

    @property
    def label(self) -> str:
        """The treatment as a user would write it, with what differs from the defaults."""
        label = self.program.label
        if self.optimizer != self.program.optimizer:
            label += f"/{self.optimizer}"
        if self.acceptance != STRICT:
            label += f"/{self.acceptance}"
        if self.updates != "epochs":
            label += f"/{self.updates}"
        return label

    @property
    def folder(self) -> Path:
        """1x32/hidden/t000: where files of this trial alone are kept among those of others."""
        return Path(self.architecture.safe, self.label.translate(_IN_FILE_NAMES), f"t{self.trial:03d}")

    @property
    def passes(self) -> float:
        """How often a loop goes through its training images."""
        return 1.0 if self.updates == "epochs" else 1 / self.train_fraction

    @property
    def treatment(self) -> dict[str, Any]:
        """The fields that may change from session to session of one checkpoint."""
        names = (
            "mode",
            "mode_params",
            "learning_rate",
            "batch_size",
            "train_fraction",
            "optimizer",
            "acceptance",
        )
        fields = self.to_dict()
        return {name: fields[name] for name in (*names, "updates", "loop_steps") if name in fields}


def subject_of(text: str) -> Architecture | ProblemReference:
    """What a user names to be trained: `[4*4, 2*8]`, or a problem as `images:CNN`."""
    return ProblemReference.parse(text) if is_reference(text) else Architecture.parse(text)


def _number(trial: Any) -> int:
    return _whole("trial", trial, 0, 10**6)


def _whole(name: str, value: Any, least: int, most: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or not least <= int(value) <= most:
        raise InputError(f"{name} must be a whole number from {least} to {most}, not {shown(value)}")
    return int(value)


def _real(name: str, value: Any, most: float) -> float:
    if not isinstance(value, Real) or not 0 < float(value) <= most or math.isinf(float(value)):
        at_most = f" and at most {most:g}" if math.isfinite(most) else ""
        raise InputError(f"{name} must be a finite number above 0{at_most}, not {shown(value)}")
    return float(value)
